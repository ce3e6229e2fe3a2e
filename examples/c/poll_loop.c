/* poll_loop: the queues live in the poll loop of a program of yours, here beside its standard input.
 *
 *   poll_loop [-q QUEUE_DIRECTORY] [-w RULE]... [-c RULE]...
 *
 * Prints each message that comes, moves or goes, and each change of the state; ends when its input does.
 */
#include <poll.h>
#include <queuewatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *queue_name(qw_queue queue)
{
    static const char *const names[] = { "active", "deferred", "incoming", "hold", "maildrop", "corrupt" };

    return queue >= QW_QUEUE_ACTIVE && queue <= QW_QUEUE_CORRUPT ? names[queue] : "-";
}

static void print_events(qw_watch *watch)
{
    static const char *const kinds[] = { "arrived", "moved", "left", "changed", "rescanned", "blind", "dropped" };
    qw_event event;

    while (qw_watch_next(watch, &event, sizeof event, NULL) == QW_OK)
        printf("%s %.*s %s %s %.*s\n", event.kind < 7 ? kinds[event.kind] : "?",
               (int)event.queue_id.len, (const char *)event.queue_id.data,
               queue_name(event.from_queue), queue_name(event.queue),
               (int)event.reason.len, (const char *)event.reason.data);
}

static int print_state(qw_watch *watch, int before)
{
    qw_verdict *verdict = NULL;
    qw_text *summary = NULL;
    qw_error *err = NULL;
    int state = QW_STATE_UNKNOWN;

    if (qw_watch_check(watch, NULL, &verdict, &err) == QW_OK
        && qw_verdict_summary(verdict, &summary, &err) == QW_OK) {
        state = qw_verdict_state(verdict);
        if (state != before)
            printf("%s\n", (const char *)qw_text_bytes(summary).data);
    } else if (before != QW_STATE_UNKNOWN) {
        printf("%s\n", qw_error_message(err));
    }
    fflush(stdout);
    qw_error_free(err);
    qw_text_free(summary);
    qw_verdict_free(verdict);
    return state;
}

int main(int argc, char **argv)
{
    qw_options *options = NULL;
    qw_watch *watch = NULL;
    qw_error *err = NULL;
    int state = -1, i;
    qw_status status = qw_options_new(&options, &err);

    for (i = 1; i + 1 < argc && status == QW_OK; i += 2)
        status = qw_options_set(options, strcmp(argv[i], "-q") == 0 ? "queue-directory"
                                       : strcmp(argv[i], "-w") == 0 ? "warning" : "critical",
                                QW_NUL, argv[i + 1], QW_NUL, &err);
    if (status == QW_OK)
        status = qw_watch_open(options, &watch, &err);
    while (status == QW_OK) {
        struct pollfd fds[2] = { { .fd = qw_watch_fd(watch), .events = POLLIN }, { .fd = 0, .events = POLLIN } };
        char input[512];

        print_events(watch);
        state = print_state(watch, state);
        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0 && read(0, input, sizeof input) <= 0)
            break;
        status = qw_watch_dispatch(watch, &err);
    }
    if (status != QW_OK)
        fprintf(stderr, "%s\n", qw_error_message(err));
    qw_error_free(err);
    qw_watch_free(watch);
    qw_options_free(options);
    return status != QW_OK;
}
