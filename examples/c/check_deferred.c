/* check_deferred: a plugin in C over libqueuewatch, with the answers of check_postfix_queue.
 *
 *   check_deferred [-q QUEUE_DIRECTORY | -d CONFIG_DIRECTORY] [-w RULE]... [-c RULE]... [-t SECONDS] [-n NOW]
 *       [--OPTION VALUE]... [-v]...
 */
#include <queuewatch.h>
#include <stdio.h>
#include <string.h>

/* The option of the library for a word of ours: the name that it has there, or a letter; NULL if there is none. */
static const char *option_name(const char *word)
{
    static const struct { const char *word, *name; } names[] = {
        { "-q", "queue-directory" }, { "-d", "config-directory" }, { "-w", "warning" },
        { "-c", "critical" }, { "-n", "now" }, { "-t", "timeout" },
    };
    size_t i;

    if (strncmp(word, "--", 2) == 0)
        return word + 2;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].word, word) == 0)
            return names[i].name;
    return NULL;
}

int main(int argc, char **argv)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;
    qw_verdict *verdict = NULL;
    qw_text *output = NULL;
    qw_error *err = NULL;
    int state = QW_STATE_UNKNOWN, verbosity = 0, i;
    qw_status status = qw_options_new(&options, &err);

    /* Texts spell options as a plugin's user gives them. */
    if (status == QW_OK)
        status = qw_options_spell(options, "--queue-directory", QW_NUL, &err);
    /* A plugin answers within its time; what is known by then is reported. */
    if (status == QW_OK)
        status = qw_options_set(options, "timeout", QW_NUL, "10", QW_NUL, &err);
    for (i = 1; i < argc && status == QW_OK; i++) {
        const char *name = option_name(argv[i]);

        if (strcmp(argv[i], "-v") == 0) {
            verbosity++;
        } else if (name != NULL && i + 1 < argc) {
            status = qw_options_set(options, name, QW_NUL, argv[++i], QW_NUL, &err);
        } else {
            printf("POSTFIX QUEUE UNKNOWN: usage: check_deferred [-q DIR | -d DIR] [-w RULE] [-c RULE] "
                   "[-t SECONDS] [-n NOW] [--OPTION VALUE] [-v]\n");
            qw_options_free(options);
            return QW_STATE_UNKNOWN;
        }
    }
    if (status == QW_OK)
        status = qw_scan(options, &snapshot, &err);
    if (status == QW_OK)
        status = qw_check(options, snapshot, &verdict, &err);
    if (status == QW_OK)
        status = qw_verdict_output(verdict, verbosity, &output, &err);
    if (status == QW_OK) {
        qw_bytes text = qw_text_bytes(output);

        fwrite(text.data, 1, text.len, stdout);
        state = qw_verdict_state(verdict);
    } else {
        printf("POSTFIX QUEUE UNKNOWN: %s\n", qw_error_message(err));
    }
    qw_error_free(err);
    qw_text_free(output);
    qw_verdict_free(verdict);
    qw_snapshot_free(snapshot);
    qw_options_free(options);
    return state;
}
