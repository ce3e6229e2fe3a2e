/* The C face of the parity test: reads questions, one a line with fields between tabs, and answers each in a line.
 *
 *   measure NAME              value, quality, detail
 *   check VERBOSITY O=V ...   state, output
 *   fail O=V ...              the error of options, a scan and a check
 *   messages QUEUE            the rows of that queue, added up
 *   pick O=V ...              the queue IDs of the messages that these filters pick
 *   metrics                   OpenMetrics, with the two domains that have most
 *
 * Arguments: the spool, and the second that it is looked at.
 */
#define _POSIX_C_SOURCE 200809L
#include <queuewatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(const void *data, size_t length)
{
    const char *bytes = data;
    size_t index;

    for (index = 0; index < length; index++)
        if (bytes[index] == '\n')
            fputs("\\n", stdout);
        else
            putchar(bytes[index]);
}

static void put_text(qw_text *text)
{
    qw_bytes bytes = qw_text_bytes(text);

    put(bytes.data, bytes.len);
    qw_text_free(text);
}

/* By its place: C may read the arguments of a call before it makes the call among them. */
static int failed(qw_status status, qw_error **place)
{
    qw_error *err = *place;
    qw_bytes path = qw_error_path(err);
    const char *remedy = qw_error_remedy(err);

    if (status == QW_OK)
        return 0;
    printf("error\t%d\t%d\t", (int)qw_error_code(err), (int)qw_error_errno(err));
    if (qw_error_offset(err) != QW_NUL)
        printf("%lu", (unsigned long)qw_error_offset(err));
    putchar('\t');
    put(path.data, path.len);
    printf("\t%s\t%s", qw_error_message(err), remedy == NULL ? "" : remedy);
    qw_error_free(err);
    return 1;
}

static void measure(const qw_snapshot *snapshot, const char *name)
{
    double value;
    qw_quality quality;
    qw_text *detail = NULL;
    qw_error *err = NULL;

    if (failed(qw_snapshot_measure(snapshot, name, QW_NUL, &value, &quality, &err), &err))
        return;
    if (quality == QW_QUALITY_UNKNOWN)
        putchar('-');
    else
        printf("%.17g", value);
    printf("\t%d\t", (int)quality);
    if (!failed(qw_snapshot_measure_detail(snapshot, name, QW_NUL, &detail, &err), &err))
        put_text(detail);
}

/* Sets options from the remaining words of the line; returns the status. */
static qw_status set(qw_options *options, qw_error **err)
{
    qw_status status = QW_OK;
    char *word;

    while (status == QW_OK && (word = strtok(NULL, "\t")) != NULL) {
        char *equals = strchr(word, '=');

        *equals = '\0';
        status = qw_options_set(options, word, QW_NUL, equals + 1, QW_NUL, err);
    }
    return status;
}

/* Sets the spool and the second that the arguments name; 0 if one is refused. */
static int of_spool(qw_options *options, char **argv)
{
    return qw_options_set(options, "queue-directory", QW_NUL, argv[1], QW_NUL, NULL) == QW_OK
        && qw_options_set(options, "now", QW_NUL, argv[2], QW_NUL, NULL) == QW_OK;
}

static void check(qw_options *options, int verbosity)
{
    qw_snapshot *snapshot = NULL;
    qw_verdict *verdict = NULL;
    qw_text *output = NULL;
    qw_error *err = NULL;
    qw_status status = set(options, &err);

    if (status == QW_OK)
        status = qw_scan(options, &snapshot, &err);
    if (status == QW_OK)
        status = qw_check(options, snapshot, &verdict, &err);
    if (status == QW_OK)
        status = qw_verdict_output(verdict, verbosity, &output, &err);
    if (!failed(status, &err)) {
        printf("%d\t", (int)qw_verdict_state(verdict));
        put_text(output);
    }
    qw_verdict_free(verdict);
    qw_snapshot_free(snapshot);
}

static void messages(const qw_snapshot *snapshot, const char *queue)
{
    qw_messages *cursor = NULL;
    qw_error *err = NULL;
    qw_message row;
    qw_status status;
    unsigned long long count = 0, recipients = 0, size = 0, done = 0, arrival = 0, retry = 0, delayed = 0, bytes = 0;

    if (failed(qw_messages_open(snapshot, queue, QW_NUL, &cursor, &err), &err))
        return;
    while ((status = qw_messages_next(cursor, &row, sizeof row, &err)) == QW_OK) {
        uint64_t index;

        count++;
        recipients += row.recipients;
        size += row.size;
        done += row.done;
        arrival += (unsigned long long)row.arrival;
        retry += (unsigned long long)row.next_retry;
        bytes += row.sender.len + row.queue_id.len;
        for (index = 0; index < row.recipients; index++) {
            qw_bytes address;
            qw_delay delay;

            if (qw_messages_recipient(cursor, index, &address, NULL) == QW_OK)
                bytes += address.len;
            if (qw_messages_delay(cursor, index, &delay, sizeof delay, NULL) == QW_OK) {
                delayed++;
                bytes += delay.status.len + delay.reason.len;
            }
        }
    }
    if (!(status == QW_END) && failed(status, &err))
        return;
    printf("%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu", count, recipients, size, done, arrival, retry, delayed, bytes);
    qw_messages_free(cursor);
}

static void pick(qw_options *options)
{
    qw_snapshot *snapshot = NULL;
    qw_messages *cursor = NULL;
    qw_error *err = NULL;
    qw_message row;
    qw_status status = set(options, &err);

    if (status == QW_OK)
        status = qw_scan(options, &snapshot, &err);
    if (status == QW_OK)
        status = qw_messages_open(snapshot, NULL, QW_NUL, &cursor, &err);
    while (status == QW_OK && (status = qw_messages_next(cursor, &row, sizeof row, &err)) == QW_OK) {
        put(row.queue_id.data, row.queue_id.len);
        putchar(' ');
    }
    if (status != QW_END)
        failed(status, &err);
    qw_messages_free(cursor);
    qw_snapshot_free(snapshot);
}

static void metrics(const qw_snapshot *snapshot)
{
    qw_text *text = NULL;
    qw_error *err = NULL;

    if (!failed(qw_snapshot_openmetrics(snapshot, &text, &err), &err))
        put_text(text);
}

static qw_options *fresh(void)
{
    qw_options *options = NULL;

    if (qw_options_new(&options, NULL) != QW_OK)
        exit(1);
    return options;
}

int main(int argc, char **argv)
{
    static char line[65536];
    qw_options *options = fresh();
    qw_snapshot *snapshot = NULL;

    if (argc != 3 || !of_spool(options, argv)
        || qw_options_set(options, "metrics-top", QW_NUL, "2", QW_NUL, NULL) != QW_OK
        || qw_scan(options, &snapshot, NULL) != QW_OK)
        return 1;
    qw_options_free(options);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *question;

        line[strcspn(line, "\n")] = '\0';
        question = strtok(line, "\t");
        options = fresh();
        if (strcmp(question, "measure") == 0) {
            char *name = strtok(NULL, "\t");

            measure(snapshot, name == NULL ? "" : name);
        } else if (strcmp(question, "messages") == 0) {
            messages(snapshot, strtok(NULL, "\t"));
        } else if (strcmp(question, "metrics") == 0) {
            metrics(snapshot);
        } else if (strcmp(question, "pick") == 0) {
            if (!of_spool(options, argv))
                return 1;
            pick(options);
        } else if (strcmp(question, "check") == 0) {
            int verbosity = atoi(strtok(NULL, "\t"));

            if (!of_spool(options, argv))
                return 1;
            check(options, verbosity);
        } else {
            check(options, 0);
        }
        putchar('\n');
        qw_options_free(options);
    }
    qw_snapshot_free(snapshot);
    return 0;
}
