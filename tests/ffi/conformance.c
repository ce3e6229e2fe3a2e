/* Every function of the C ABI with NULL for every pointer, in the wrong order, after an error, with rows of
 * other sizes, on two threads, in a child after fork. argv[1] is the spool of corpus/short-mixed.
 *
 * Prints nothing itself, so that a test sees whether the library does; the exit code is the line that failed,
 * modulo 256 and never 0.
 */
#define _POSIX_C_SOURCE 200809L
#include <locale.h>
#include <pthread.h>
#include <queuewatch.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition) do { if (!(condition)) exit(__LINE__ % 256 ? __LINE__ % 256 : 1); } while (0)
#define FAILS(call, wanted) do { \
        qw_error *err = (qw_error *)&marker; \
        CHECK((call) == (wanted)); \
        CHECK(err != NULL && err != (qw_error *)&marker); \
        CHECK(qw_error_code(err) == (wanted)); \
        CHECK(qw_error_message(err)[0] != '\0'); \
        qw_error_free(err); \
    } while (0)
#define WORKS(call) do { \
        qw_error *err = (qw_error *)&marker; \
        CHECK((call) == QW_OK); \
        CHECK(err == NULL); \
    } while (0)

/* The size of a qw_message in the first release. */
#define FIRST_MESSAGE (offsetof(qw_message, forced_expire) + sizeof(int32_t))

static int marker;

static void set(qw_options *options, const char *name, const char *value)
{
    WORKS(qw_options_set(options, name, QW_NUL, value, QW_NUL, &err));
}

static void nulls(void)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;
    qw_messages *messages = NULL;
    qw_verdict *verdict = NULL;
    qw_text *text = NULL;
    qw_bytes bytes;
    qw_message row;
    qw_problem problem;
    qw_finding finding;
    qw_watch *watch = NULL;
    qw_event event;
    double value;
    qw_quality quality;

    CHECK(strcmp(qw_version(), QW_VERSION) == 0);
    CHECK(qw_abi_version() == QW_ABI_VERSION);
    FAILS(qw_options_new(NULL, &err), QW_ERR_INVALID);
    CHECK(qw_options_new(NULL, NULL) == QW_ERR_INVALID);
    FAILS(qw_options_set(NULL, "now", QW_NUL, "1", QW_NUL, &err), QW_ERR_INVALID);
    FAILS(qw_scan(NULL, &snapshot, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_measure(NULL, "x", QW_NUL, &value, &quality, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_measure(NULL, "hold.messages", QW_NUL, &value, &quality, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_measure_detail(NULL, "hold.messages", QW_NUL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_problem(NULL, 0, &problem, sizeof problem, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_json(NULL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_openmetrics(NULL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_snapshot_state(NULL, &text, &err), QW_ERR_INVALID);
    CHECK(text == NULL);
    CHECK(qw_snapshot_complete(NULL) == 0 && qw_snapshot_now(NULL) == 0 && qw_snapshot_problem_count(NULL) == 0);
    FAILS(qw_messages_open(NULL, NULL, 0, &messages, &err), QW_ERR_INVALID);
    FAILS(qw_messages_next(NULL, &row, sizeof row, &err), QW_ERR_INVALID);
    FAILS(qw_messages_recipient(NULL, 0, &bytes, &err), QW_ERR_INVALID);
    CHECK(qw_messages_unreadable(NULL) == 0);
    FAILS(qw_check(NULL, NULL, &verdict, &err), QW_ERR_INVALID);
    FAILS(qw_verdict_summary(NULL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_verdict_perfdata(NULL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_verdict_output(NULL, 0, &text, &err), QW_ERR_INVALID);
    FAILS(qw_verdict_json(NULL, &text, &err), QW_ERR_INVALID);
    FAILS(qw_verdict_finding(NULL, 0, &finding, sizeof finding, &err), QW_ERR_INVALID);
    CHECK(qw_verdict_state(NULL) == QW_STATE_UNKNOWN && qw_verdict_finding_count(NULL) == 0);
    CHECK(qw_text_bytes(NULL).data == NULL);
    CHECK(qw_error_code(NULL) == QW_OK && qw_error_errno(NULL) == 0 && qw_error_offset(NULL) == QW_NUL);
    CHECK(qw_error_message(NULL)[0] == '\0' && qw_error_remedy(NULL) == NULL && qw_error_path(NULL).data == NULL);
    FAILS(qw_watch_open(NULL, &watch, &err), QW_ERR_INVALID);
    FAILS(qw_watch_dispatch(NULL, &err), QW_ERR_INVALID);
    FAILS(qw_watch_wait(NULL, 0, &err), QW_ERR_INVALID);
    FAILS(qw_watch_next(NULL, &event, sizeof event, &err), QW_ERR_INVALID);
    FAILS(qw_watch_snapshot(NULL, &snapshot, &err), QW_ERR_INVALID);
    FAILS(qw_watch_check(NULL, NULL, &verdict, &err), QW_ERR_INVALID);
    CHECK(qw_watch_fd(NULL) == -1 && watch == NULL);
    qw_watch_free(NULL);
    qw_options_free(NULL);
    qw_snapshot_free(NULL);
    qw_messages_free(NULL);
    qw_verdict_free(NULL);
    qw_text_free(NULL);
    qw_error_free(NULL);

    WORKS(qw_options_new(&options, &err));
    FAILS(qw_options_set(options, NULL, 0, "1", QW_NUL, &err), QW_ERR_INVALID);
    FAILS(qw_options_set(options, "now", QW_NUL, NULL, 0, &err), QW_ERR_INVALID);
    FAILS(qw_options_set(options, "", 0, "1", QW_NUL, &err), QW_ERR_NOT_FOUND);
    FAILS(qw_options_set(options, "colour", QW_NUL, "1", QW_NUL, &err), QW_ERR_NOT_FOUND);
    FAILS(qw_options_set(options, "now", QW_NUL, "", 0, &err), QW_ERR_SYNTAX);
    FAILS(qw_options_set(options, "now", SIZE_MAX / 2 + 1, "1", 1, &err), QW_ERR_INVALID);
    FAILS(qw_options_set(options, "\xff", 1, "1", 1, &err), QW_ERR_SYNTAX);
    FAILS(qw_scan(options, NULL, &err), QW_ERR_INVALID);
    set(options, "queue-directory", "/nonexistent/spool");
    FAILS(qw_scan(options, &snapshot, &err), QW_ERR_NOT_FOUND);
    CHECK(snapshot == NULL);
    set(options, "all-instances", "");
    FAILS(qw_scan(options, &snapshot, &err), QW_ERR_INVALID);
    qw_options_free(options);
}

static void errors(void)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;
    qw_error *err = NULL;

    WORKS(qw_options_new(&options, &err));
    CHECK(qw_options_set(options, "critical", QW_NUL, "deferred.messages=10:5", QW_NUL, &err) == QW_ERR_SYNTAX);
    CHECK(strcmp(qw_error_message(err), "\"critical\" \"deferred.messages=10:5\": character 19: "
                 "the start 10 is greater than the end 5") == 0);
    CHECK(qw_error_offset(err) == 18 && qw_error_errno(err) == 0 && qw_error_remedy(err) == NULL);
    qw_error_free(err);
    set(options, "queue-directory", "/");
    CHECK(qw_scan(options, &snapshot, &err) == QW_ERR_NOT_A_SPOOL);
    CHECK(qw_error_path(err).len == 1 && qw_error_path(err).data[0] == '/' && qw_error_remedy(err) != NULL);
    qw_error_free(err);
    qw_options_free(options);
}

static qw_snapshot *scan(const char *spool)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;

    WORKS(qw_options_new(&options, &err));
    set(options, "queue-directory", spool);
    set(options, "now", "1795461304");
    WORKS(qw_scan(options, &snapshot, &err));
    qw_options_free(options);
    return snapshot;
}

static double measure(const qw_snapshot *snapshot, const char *name)
{
    double value = -1;
    qw_quality quality = -1;

    WORKS(qw_snapshot_measure(snapshot, name, QW_NUL, &value, &quality, &err));
    CHECK(quality == QW_QUALITY_EXACT);
    return value;
}

static void rows(qw_snapshot *snapshot)
{
    qw_messages *messages = NULL;
    qw_message row;
    struct { qw_message row; char more[16]; } larger;
    unsigned char smaller[sizeof(qw_message)];
    qw_bytes recipient;
    unsigned long count = 0, recipients = 0;
    uint64_t i;
    qw_status status;

    FAILS(qw_messages_open(snapshot, "nosuch", QW_NUL, &messages, &err), QW_ERR_NOT_FOUND);
    WORKS(qw_messages_open(snapshot, "deferred", QW_NUL, &messages, &err));
    FAILS(qw_messages_recipient(messages, 0, &recipient, &err), QW_ERR_INVALID);
    FAILS(qw_messages_next(messages, NULL, sizeof row, &err), QW_ERR_INVALID);
    FAILS(qw_messages_next(messages, &row, 0, &err), QW_ERR_INVALID);
    qw_messages_free(messages);
    WORKS(qw_messages_open(snapshot, "deferred", QW_NUL, &messages, &err));
    while ((status = qw_messages_next(messages, &row, sizeof row, NULL)) == QW_OK) {
        count++;
        recipients += row.recipients;
        CHECK(row.queue == QW_QUEUE_DEFERRED && row.queue_id.len > 5 && row.arrival > 1700000000);
        CHECK(row.origin_by.data != NULL && row.origin_by.len >= 4 && row.user >= -1);
        CHECK((row.login.data != NULL) == (row.origin_by.len == 5 && memcmp(row.origin_by.data, "login", 5) == 0));
        for (i = 0; i < row.recipients; i++) {
            WORKS(qw_messages_recipient(messages, i, &recipient, &err));
            CHECK(recipient.data != NULL);
        }
        FAILS(qw_messages_recipient(messages, row.recipients, &recipient, &err), QW_ERR_INVALID);
    }
    CHECK(status == QW_END && qw_messages_next(messages, &row, sizeof row, NULL) == QW_END);
    CHECK(qw_messages_unreadable(messages) == 0);
    CHECK(count == (unsigned long)measure(snapshot, "deferred.messages"));
    CHECK(recipients == (unsigned long)measure(snapshot, "deferred.recipients"));
    qw_messages_free(messages);

    /* No host has a shorter row than that of the first release; one with a newer, longer one may come. */
    WORKS(qw_messages_open(snapshot, NULL, 0, &messages, &err));
    memset(smaller, 0xAA, sizeof smaller);
    FAILS(qw_messages_next(messages, (qw_message *)(void *)smaller, sizeof(qw_bytes), &err), QW_ERR_INVALID);
    FAILS(qw_messages_next(messages, (qw_message *)(void *)smaller, FIRST_MESSAGE - 1, &err), QW_ERR_INVALID);
    CHECK(smaller[0] == 0xAA && smaller[FIRST_MESSAGE - 1] == 0xAA);
    WORKS(qw_messages_next(messages, (qw_message *)(void *)smaller, FIRST_MESSAGE, &err));
    CHECK(smaller[0] != 0xAA || smaller[1] != 0xAA);
    memset(&larger, 0xAA, sizeof larger);
    WORKS(qw_messages_next(messages, &larger.row, sizeof larger, &err));
    CHECK(larger.more[0] == 0 && larger.more[15] == 0);
    /* The snapshot may go first. */
    qw_snapshot_free(snapshot);
    WORKS(qw_messages_next(messages, &row, sizeof row, &err));
    qw_messages_free(messages);
}

static void verdicts(const char *spool)
{
    qw_snapshot *snapshot = scan(spool);
    qw_options *options = NULL;
    qw_verdict *verdict = NULL;
    qw_text *text = NULL;
    qw_finding finding;
    qw_bytes bytes;

    CHECK(qw_snapshot_complete(snapshot) == 1 && qw_snapshot_now(snapshot) == 1795461304);
    CHECK(qw_snapshot_problem_count(snapshot) == 0);
    WORKS(qw_snapshot_measure_detail(snapshot, "deferred.top_domain", QW_NUL, &text, &err));
    CHECK(strcmp((const char *)qw_text_bytes(text).data, "alpha.example") == 0);
    qw_text_free(text);
    WORKS(qw_options_new(&options, &err));
    set(options, "critical", "deferred.messages=10");
    set(options, "warning", "hold.messages=1");
    WORKS(qw_check(options, snapshot, &verdict, &err));
    qw_snapshot_free(snapshot);
    qw_options_free(options);
    CHECK(qw_verdict_state(verdict) == QW_STATE_CRITICAL && qw_verdict_finding_count(verdict) == 2);
    WORKS(qw_verdict_finding(verdict, 0, &finding, sizeof finding, &err));
    CHECK(finding.state == QW_STATE_CRITICAL && finding.value == 194 && finding.quality == QW_QUALITY_EXACT);
    CHECK(finding.measure.len == 17 && memcmp(finding.measure.data, "deferred.messages", 17) == 0);
    FAILS(qw_verdict_finding(verdict, 2, &finding, sizeof finding, &err), QW_ERR_INVALID);
    WORKS(qw_verdict_summary(verdict, &text, &err));
    bytes = qw_text_bytes(text);
    CHECK(bytes.len == strlen((const char *)bytes.data) && strchr((const char *)bytes.data, '|') == NULL);
    qw_text_free(text);
    WORKS(qw_verdict_perfdata(verdict, &text, &err));
    CHECK(strstr((const char *)qw_text_bytes(text).data, "deferred=194;;10;0 ") != NULL);
    qw_text_free(text);
    WORKS(qw_verdict_output(verdict, -5, &text, &err));
    qw_text_free(text);
    WORKS(qw_verdict_json(verdict, &text, &err));
    CHECK(strncmp((const char *)qw_text_bytes(text).data, "{\"schema\":\"queuewatch/1\"", 23) == 0);
    qw_text_free(text);
    qw_verdict_free(verdict);
}

static void shapes(const char *spool)
{
    qw_options *options = NULL;
    qw_shape *shape = NULL;
    qw_shape_rows *rows = NULL;
    qw_shape_row row;
    qw_text *text = NULL;
    qw_error *err = NULL;
    qw_status status;
    uint64_t total = 0, sum = 0, largest = 0;
    size_t column;

    WORKS(qw_options_new(&options, &err));
    set(options, "queue-directory", spool);
    set(options, "bucket-count", "4");
    FAILS(qw_options_set(options, "bucket-count", QW_NUL, "0", QW_NUL, &err), QW_ERR_SYNTAX);
    FAILS(qw_options_set(options, "bucket-time", QW_NUL, "x", QW_NUL, &err), QW_ERR_SYNTAX);
    FAILS(qw_shape_scan(options, 8, &shape, &err), QW_ERR_INVALID);
    WORKS(qw_shape_scan(options, QW_SHAPE_ALL, &shape, &err));
    qw_options_free(options);
    CHECK(qw_shape_complete(shape) == 1 && qw_shape_complete(NULL) == 0);
    FAILS(qw_shape_text(shape, "nosuch", QW_NUL, 0, 0, 0, &text, &err), QW_ERR_NOT_FOUND);
    FAILS(qw_shape_text(shape, NULL, 0, QW_SHAPE_ALL, 0, 0, &text, &err), QW_ERR_INVALID);
    FAILS(qw_shape_text(shape, NULL, 0, 0, 0, 1e9, &text, &err), QW_ERR_INVALID);
    WORKS(qw_shape_text(shape, "deferred", QW_NUL, QW_SHAPE_SENDERS | QW_SHAPE_PARENTS, 2, 120, &text, &err));
    CHECK(strstr((const char *)qw_text_bytes(text).data, "TOTAL") != NULL);
    qw_text_free(text);
    WORKS(qw_shape_json(shape, "total", QW_NUL, 0, 0, &text, &err));
    CHECK(strncmp((const char *)qw_text_bytes(text).data, "{\"schema\":\"queuewatch/1\"", 23) == 0);
    qw_text_free(text);
    WORKS(qw_shape_rows_open(shape, "total", QW_NUL, 0, 0, &rows, &err));
    qw_shape_free(shape);
    FAILS(qw_shape_rows_next(rows, &row, 0, &err), QW_ERR_INVALID);
    while ((status = qw_shape_rows_next(rows, &row, sizeof row, &err)) == QW_OK) {
        CHECK(row.columns == 4);
        if (row.domain.len == 5 && memcmp(row.domain.data, "TOTAL", 5) == 0) {
            total = row.total;
            continue;
        }
        CHECK(largest == 0 || row.total <= largest);
        largest = row.total;
        for (column = 0; column < row.columns; column++)
            sum += row.counts[column];
    }
    CHECK(status == QW_END && qw_shape_rows_next(rows, &row, sizeof row, NULL) == QW_END);
    CHECK(total > 1000 && sum == total);
    qw_shape_rows_free(rows);
    qw_shape_rows_free(NULL);
    qw_shape_free(NULL);
}

static void reasons(qw_snapshot *snapshot)
{
    qw_reasons *reasons = NULL;
    qw_reason row;
    qw_messages *messages = NULL;
    qw_message message;
    qw_delay delay;
    qw_error *err = NULL;
    qw_status status;
    uint64_t recipients = 0, others, delayed = 0, silent = 0, index;

    FAILS(qw_reasons_open(snapshot, "nosuch", QW_NUL, &reasons, &err), QW_ERR_NOT_FOUND);
    WORKS(qw_reasons_open(snapshot, "deferred", QW_NUL, &reasons, &err));
    while ((status = qw_reasons_next(reasons, &row, sizeof row, &err)) == QW_OK) {
        CHECK(row.recipients > 0 && row.code.len > 0 && row.reason.len > 0 && row.oldest > 0);
        CHECK(row.cause.len > 0 && row.acts.len > 0);
        recipients += row.recipients;
    }
    CHECK(status == QW_END);
    others = qw_reasons_others(reasons);
    CHECK(qw_reasons_others(NULL) == 0);
    CHECK(measure(snapshot, "deferred.reason(4)") == (double)recipients);
    CHECK(measure(snapshot, "deferred.recipients") == (double)(recipients + others));
    WORKS(qw_messages_open(snapshot, "deferred", QW_NUL, &messages, &err));
    FAILS(qw_messages_delay(messages, 0, &delay, sizeof delay, &err), QW_ERR_INVALID);
    while (qw_messages_next(messages, &message, sizeof message, NULL) == QW_OK) {
        for (index = 0; index < message.recipients; index++) {
            status = qw_messages_delay(messages, index, &delay, sizeof delay, &err);
            CHECK(status == QW_OK || status == QW_END);
            if (status == QW_OK)
                CHECK(delay.status.len > 0 && delay.reason.len > 0 && delay.address.len > 0);
            status == QW_OK ? delayed++ : silent++;
        }
        FAILS(qw_messages_delay(messages, index, &delay, sizeof delay, &err), QW_ERR_INVALID);
    }
    CHECK(delayed == recipients && silent == others);
    qw_messages_free(messages);
    qw_snapshot_free(snapshot);
    qw_reasons_free(reasons);
    qw_reasons_free(NULL);
}

static void *reader(void *snapshot)
{
    int i;

    for (i = 0; i < 200; i++)
        CHECK(measure(snapshot, "total.recipients") > 1000);
    return NULL;
}

static void threads(const char *spool)
{
    qw_snapshot *snapshot = scan(spool);
    pthread_t two[2];

    CHECK(pthread_create(&two[0], NULL, reader, snapshot) == 0);
    CHECK(pthread_create(&two[1], NULL, reader, snapshot) == 0);
    CHECK(pthread_join(two[0], NULL) == 0 && pthread_join(two[1], NULL) == 0);
    qw_snapshot_free(snapshot);
}

static void child(const char *spool)
{
    int status = -1;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        qw_snapshot_free(scan(spool));
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* What a child may do with its parent's handles, and that the parent's stay right. */
static void forked(const char *spool)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = scan(spool), *live = NULL;
    qw_messages *messages = NULL;
    qw_watch *watch = NULL;
    qw_message row;
    qw_event event;
    qw_delay delay;
    qw_bytes bytes;
    char from[4096], to[4096], name[256];
    int status = -1;
    double hold = measure(snapshot, "hold.messages");
    uint64_t rest = 0;
    pid_t pid;

    WORKS(qw_options_new(&options, &err));
    set(options, "queue-directory", spool);
    set(options, "now", "1795461304");
    WORKS(qw_watch_open(options, &watch, &err));
    WORKS(qw_messages_open(snapshot, "hold", QW_NUL, &messages, &err));
    WORKS(qw_messages_next(messages, &row, sizeof row, &err));
    memcpy(name, row.queue_id.data, row.queue_id.len);
    name[row.queue_id.len] = '\0';
    CHECK(snprintf(from, sizeof from, "%s/hold/%s", spool, name) < (int)sizeof from);
    CHECK(snprintf(to, sizeof to, "%s/active/%s", spool, name) < (int)sizeof to);
    CHECK(rename(from, to) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        FAILS(qw_watch_dispatch(watch, &err), QW_ERR_STATE);
        FAILS(qw_watch_next(watch, &event, sizeof event, &err), QW_ERR_STATE);
        FAILS(qw_watch_wait(watch, 0, &err), QW_ERR_STATE);
        FAILS(qw_watch_snapshot(watch, &live, &err), QW_ERR_STATE);
        CHECK(live == NULL && qw_watch_fd(watch) == -1);
        FAILS(qw_messages_next(messages, &row, sizeof row, &err), QW_ERR_STATE);
        FAILS(qw_messages_recipient(messages, 0, &bytes, &err), QW_ERR_STATE);
        FAILS(qw_messages_delay(messages, 0, &delay, sizeof delay, &err), QW_ERR_STATE);
        CHECK(qw_messages_unreadable(messages) == 0);
        qw_watch_free(watch);
        qw_messages_free(messages);
        CHECK(measure(snapshot, "hold.messages") == hold);
        qw_snapshot_free(snapshot);
        WORKS(qw_scan(options, &live, &err));
        CHECK(measure(live, "hold.messages") == hold - 1);
        qw_snapshot_free(live);
        qw_options_free(options);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    /* The child took nothing away: no event, no registration, no place in a directory. */
    WORKS(qw_watch_wait(watch, 10000, &err));
    WORKS(qw_watch_dispatch(watch, &err));
    WORKS(qw_watch_next(watch, &event, sizeof event, &err));
    CHECK(event.kind == QW_EVENT_MOVED && event.queue == QW_QUEUE_ACTIVE);
    WORKS(qw_watch_snapshot(watch, &live, &err));
    CHECK(measure(live, "hold.messages") == hold - 1);
    qw_snapshot_free(live);
    CHECK(rename(to, from) == 0);
    while (qw_messages_next(messages, &row, sizeof row, NULL) == QW_OK)
        rest++;
    CHECK(rest + 1 >= (uint64_t)hold);
    qw_watch_free(watch);
    qw_messages_free(messages);
    qw_snapshot_free(snapshot);
    qw_options_free(options);
}

/* Every option once, each with a value that it takes; the names are those that the library lists. */
static void every_option(const char *spool)
{
    static const struct { const char *name, *value; } all[] = {
        { "config-directory", "/etc/postfix" }, { "queue-directory", "" }, { "all-instances", "" },
        { "instance", "postfix-out" }, { "warning", "deferred.oldest=4h" }, { "critical", "hold.messages=900" },
        { "defaults", "no" }, { "exclude", "corrupt" }, { "exclude-domain", "nowhere.example" }, { "exclude-sender", "nobody@nowhere.example" }, { "causes", NULL }, { "counts", "no" }, { "measure", "deferred.oldest" }, { "timeout", "60" },
        { "now", "1795461304" }, { "previous", "" }, { "readers", "2" }, { "gentle", "no" }, { "poll", "5" },
        { "metrics-domain", "none.example" }, { "metrics-top", "3" },
        { "bucket-count", "4" }, { "bucket-time", "5" }, { "linear", "yes" },
        { "not", "" }, { "recipient", "nobody@none.example" }, { "sender", "<>" }, { "domain", "none.example" },
        { "reason", "4.7" }, { "cause", "ours" }, { "next-hop", "none.example" }, { "login", "nobody" }, { "client", "192.0.2.0/24" },
        { "subject", "nothing" }, { "older", "1h" }, { "younger", "1h" }, { "expiring", "1h" }, { "larger", "1M" },
    };
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;
    qw_verdict *verdict = NULL;
    qw_shape *shape = NULL;
    qw_watch *watch = NULL;
    qw_error *err = NULL;
    const char *name;
    size_t index, length;
    /* An empty table. */
    char causes[] = "/tmp/queuewatch-conformance-XXXXXX";
    int file = mkstemp(causes);

    CHECK(file >= 0 && close(file) == 0);
    WORKS(qw_options_new(&options, &err));
    for (index = 0; index < sizeof all / sizeof *all; index++) {
        const char *value = all[index].value == NULL ? causes : all[index].value;

        /* These name other spools than the one here. */
        if (strcmp(all[index].name, "config-directory") == 0 || strcmp(all[index].name, "all-instances") == 0
            || strcmp(all[index].name, "instance") == 0) {
            qw_options *other = NULL;

            WORKS(qw_options_new(&other, &err));
            set(other, all[index].name, all[index].value);
            qw_options_free(other);
        } else {
            set(options, all[index].name, all[index].name[0] == 'q' ? spool : value);
        }
    }
    CHECK(unlink(causes) == 0);
    CHECK(qw_options_set(options, "no-such-option", QW_NUL, "", 0, &err) == QW_ERR_NOT_FOUND);
    /* The remedy lists them, separated by a comma and a blank. */
    name = strstr(qw_error_remedy(err), "are ");
    CHECK(name != NULL);
    for (name += 4, index = 0; *name != '\0'; name += length + (name[length] == ',' ? 2 : 0), index++) {
        length = strcspn(name, ",");
        CHECK(index < sizeof all / sizeof *all);
        CHECK(strlen(all[index].name) == length && memcmp(all[index].name, name, length) == 0);
    }
    CHECK(index == sizeof all / sizeof *all);
    qw_error_free(err);
    WORKS(qw_scan(options, &snapshot, &err));
    WORKS(qw_check(options, snapshot, &verdict, &err));
    WORKS(qw_shape_scan(options, 0, &shape, &err));
    WORKS(qw_watch_open(options, &watch, &err));
    qw_options_free(options);
    qw_snapshot_free(snapshot);
    qw_verdict_free(verdict);
    qw_shape_free(shape);
    qw_watch_free(watch);
}

/* Names, lists, the spelling of options, printable text. */
static void names(const char *spool)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = scan(spool);
    qw_option option;
    qw_measure known;
    qw_cause cause;
    qw_instance instance;
    qw_text *text = NULL;
    qw_error *err = NULL;
    qw_bytes bytes;
    char buffer[8];
    size_t index;

    CHECK(strcmp(qw_status_name(QW_ERR_NOT_FOUND), "QW_ERR_NOT_FOUND") == 0 && strcmp(qw_status_name(77), "?") == 0);
    CHECK(strcmp(qw_state_name(QW_STATE_CRITICAL), "CRITICAL") == 0 && strcmp(qw_queue_name(QW_QUEUE_HOLD), "hold") == 0);
    CHECK(strcmp(qw_event_name(QW_EVENT_BLIND), "blind") == 0 && strcmp(qw_problem_name(QW_PROBLEM_FILE), "file") == 0);
    CHECK(strcmp(qw_quality_name(QW_QUALITY_AT_LEAST), "at least") == 0);
    for (index = 0; index < qw_option_count(); index++) {
        WORKS(qw_option_info(index, &option, sizeof option, &err));
        CHECK(option.name.len > 0 && option.help.len > 0);
        CHECK((option.value.data == NULL) == (option.takes == QW_TAKES_NOTHING));
    }
    FAILS(qw_option_info(index, &option, sizeof option, &err), QW_ERR_INVALID);
    FAILS(qw_option_info(0, &option, sizeof option - 1, &err), QW_ERR_INVALID);
    for (index = 0; index < qw_measure_count(); index++) {
        WORKS(qw_measure_info(index, &known, sizeof known, &err));
        CHECK(known.spelling.len > 0 && known.unit.data != NULL && known.help.len > 0);
    }
    CHECK(index > 15);
    FAILS(qw_measure_info(index, &known, sizeof known, &err), QW_ERR_INVALID);
    for (index = 0; index < qw_cause_count(); index++) {
        WORKS(qw_cause_info(index, &cause, sizeof cause, &err));
        CHECK(strlen(qw_cause_name((int32_t)index)) == cause.name.len && cause.acts.len > 0);
        CHECK(memcmp(qw_cause_name((int32_t)index), cause.name.data, cause.name.len) == 0);
    }
    FAILS(qw_cause_info(index, &cause, sizeof cause, &err), QW_ERR_INVALID);
    CHECK(qw_snapshot_instance_count(snapshot) == 1 && qw_snapshot_instance_count(NULL) == 0);
    WORKS(qw_snapshot_instance(snapshot, 0, &instance, sizeof instance, &err));
    CHECK(instance.config_directory.data == NULL && instance.complete == 1);
    CHECK(instance.queue_directory.len == strlen(spool));
    CHECK(memcmp(instance.queue_directory.data, spool, instance.queue_directory.len) == 0);
    FAILS(qw_snapshot_instance(snapshot, 1, &instance, sizeof instance, &err), QW_ERR_INVALID);
    bytes.data = (const uint8_t *)"a\tb|\xff" "defgh";
    bytes.len = 10;
    CHECK(qw_printable(bytes, buffer, sizeof buffer) == 10 && strcmp(buffer, "a?b|?de") == 0);
    CHECK(qw_printable(qw_text_bytes(NULL), buffer, sizeof buffer) == 0 && buffer[0] == '\0');

    WORKS(qw_options_new(&options, &err));
    FAILS(qw_options_spell(options, "--queue", QW_NUL, &err), QW_ERR_SYNTAX);
    FAILS(qw_options_spell(NULL, "--queue-directory", QW_NUL, &err), QW_ERR_INVALID);
    CHECK(qw_options_set(options, "timeout", QW_NUL, "x", QW_NUL, &err) == QW_ERR_SYNTAX);
    CHECK(strncmp(qw_error_message(err), "\"timeout\" \"x\": ", 15) == 0);
    qw_error_free(err);
    WORKS(qw_options_spell(options, "queue_directory=", QW_NUL, &err));
    CHECK(qw_options_set(options, "timeout", QW_NUL, "x", QW_NUL, &err) == QW_ERR_SYNTAX);
    CHECK(strncmp(qw_error_message(err), "timeout=\"x\": ", 13) == 0);
    qw_error_free(err);
    qw_snapshot_free(snapshot);
    set(options, "queue-directory", spool);
    WORKS(qw_scan(options, &snapshot, &err));
    WORKS(qw_snapshot_measure_detail(snapshot, "deferred.growth", QW_NUL, &text, &err));
    CHECK(strstr((const char *)qw_text_bytes(text).data, "give previous=") != NULL);
    qw_text_free(text);
    qw_snapshot_free(snapshot);
    qw_options_free(options);
}

/* A scan stops when another thread, or a signal handler, says so. */
static qw_options *volatile interrupted;

static void on_signal(int number)
{
    (void)number;
    qw_cancel(interrupted);
}

static void cancels(const char *spool)
{
    qw_options *options = NULL;
    qw_snapshot *snapshot = NULL;
    qw_shape *shape = NULL;
    qw_watch *watch = NULL;
    qw_messages *messages = NULL;
    qw_message row;

    CHECK(qw_progress(NULL) == 0);
    qw_cancel(NULL);
    WORKS(qw_options_new(&options, &err));
    set(options, "queue-directory", spool);
    CHECK(qw_progress(options) == 0);
    WORKS(qw_scan(options, &snapshot, &err));
    CHECK((double)qw_progress(options) >= measure(snapshot, "total.messages"));
    WORKS(qw_messages_open(snapshot, NULL, QW_NUL, &messages, &err));
    WORKS(qw_messages_next(messages, &row, sizeof row, &err));
    qw_snapshot_free(snapshot);
    interrupted = options;
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR && raise(SIGUSR1) == 0);
    FAILS(qw_scan(options, &snapshot, &err), QW_ERR_CANCELLED);
    FAILS(qw_shape_scan(options, 0, &shape, &err), QW_ERR_CANCELLED);
    FAILS(qw_watch_open(options, &watch, &err), QW_ERR_CANCELLED);
    FAILS(qw_messages_next(messages, &row, sizeof row, &err), QW_ERR_CANCELLED);
    qw_messages_free(messages);
    CHECK(snapshot == NULL && shape == NULL && watch == NULL);
    qw_options_free(options);
}

static int logged, listed;

static void log_function(void *user, int32_t level, qw_bytes target, qw_bytes message)
{
    qw_options *options = NULL;

    CHECK(user == &logged && level >= QW_LOG_ERROR && level <= QW_LOG_TRACE);
    CHECK(target.data != NULL && message.data != NULL);
    CHECK(qw_options_new(&options, NULL) == QW_ERR_STATE);
    logged++;
    if (level == QW_LOG_TRACE && message.len > 8 && memcmp(message.data + message.len - 8, " entries", 8) == 0)
        listed++;
}

static void logs(const char *spool)
{
    WORKS(qw_log_set(NULL, NULL, 0, &err));
    FAILS(qw_log_set(log_function, &logged, 9, &err), QW_ERR_INVALID);
    WORKS(qw_log_set(log_function, &logged, QW_LOG_TRACE, &err));
    qw_snapshot_free(scan(spool));
    /* One record for each directory of the queues, at least. */
    CHECK(listed >= 6);
    WORKS(qw_log_set(log_function, &logged, QW_LOG_DEBUG, &err));
    listed = 0;
    qw_snapshot_free(scan(spool));
    CHECK(listed == 0);
    WORKS(qw_log_set(NULL, NULL, 0, &err));
}

/* A message goes from hold to active and back, seen by the one descriptor. */
static void watches(const char *spool)
{
    qw_options *options = NULL;
    qw_watch *watch = NULL;
    qw_snapshot *snapshot = NULL;
    qw_verdict *verdict = NULL;
    qw_messages *messages = NULL;
    qw_message row;
    qw_event event;
    struct { qw_event event; char more[16]; } larger;
    char from[4096], to[4096], name[256];
    double hold;
    int way;

    WORKS(qw_options_new(&options, &err));
    set(options, "queue-directory", "/nonexistent/spool");
    FAILS(qw_watch_open(options, &watch, &err), QW_ERR_NOT_FOUND);
    CHECK(watch == NULL);
    set(options, "queue-directory", spool);
    set(options, "now", "1795461304");
    set(options, "critical", "hold.messages=5");
    WORKS(qw_watch_open(options, &watch, &err));
    CHECK(qw_watch_fd(watch) >= 0);
    /* On a busy machine the timer of the watch may be due already. */
    while (qw_watch_wait(watch, 0, NULL) == QW_OK)
        WORKS(qw_watch_dispatch(watch, &err));
    CHECK(qw_watch_next(watch, &event, sizeof event, NULL) == QW_END);
    FAILS(qw_watch_next(watch, NULL, sizeof event, &err), QW_ERR_INVALID);
    FAILS(qw_watch_snapshot(watch, NULL, &err), QW_ERR_INVALID);
    WORKS(qw_watch_snapshot(watch, &snapshot, &err));
    hold = measure(snapshot, "hold.messages");
    CHECK(hold > 5);
    WORKS(qw_messages_open(snapshot, "hold", QW_NUL, &messages, &err));
    WORKS(qw_messages_next(messages, &row, sizeof row, &err));
    CHECK(row.queue_id.len < sizeof name);
    memcpy(name, row.queue_id.data, row.queue_id.len);
    name[row.queue_id.len] = '\0';
    qw_messages_free(messages);
    qw_snapshot_free(snapshot);
    CHECK(snprintf(from, sizeof from, "%s/hold/%s", spool, name) < (int)sizeof from);
    CHECK(snprintf(to, sizeof to, "%s/active/%s", spool, name) < (int)sizeof to);
    for (way = 0; way < 2; way++) {
        CHECK(rename(way == 0 ? from : to, way == 0 ? to : from) == 0);
        WORKS(qw_watch_wait(watch, 10000, &err));
        WORKS(qw_watch_dispatch(watch, &err));
        memset(&larger, 0x55, sizeof larger);
        WORKS(qw_watch_next(watch, &larger.event, sizeof larger, &err));
        CHECK(larger.more[0] == 0 && larger.event.kind == QW_EVENT_MOVED);
        CHECK(larger.event.from_queue == (way == 0 ? QW_QUEUE_HOLD : QW_QUEUE_ACTIVE));
        CHECK(larger.event.queue == (way == 0 ? QW_QUEUE_ACTIVE : QW_QUEUE_HOLD));
        CHECK(larger.event.queue_id.len == strlen(name));
        CHECK(memcmp(larger.event.queue_id.data, name, strlen(name)) == 0);
        CHECK(larger.event.sender.data != NULL && larger.event.recipient.len > 0);
        CHECK(larger.event.origin_by.len > 0 && larger.event.cause.data == NULL);
        CHECK(qw_watch_next(watch, &event, sizeof event, NULL) == QW_END);
        WORKS(qw_watch_snapshot(watch, &snapshot, &err));
        CHECK(measure(snapshot, "hold.messages") == (way == 0 ? hold - 1 : hold));
        qw_snapshot_free(snapshot);
        while (qw_watch_wait(watch, 100, NULL) == QW_OK)
            WORKS(qw_watch_dispatch(watch, &err));
    }
    WORKS(qw_watch_check(watch, NULL, &verdict, &err));
    CHECK(qw_verdict_state(verdict) == QW_STATE_CRITICAL);
    qw_verdict_free(verdict);
    WORKS(qw_watch_check(watch, options, &verdict, &err));
    WORKS(qw_watch_snapshot(watch, &snapshot, &err));
    qw_options_free(options);
    qw_watch_free(watch);
    CHECK(qw_verdict_state(verdict) == QW_STATE_CRITICAL && measure(snapshot, "hold.messages") == hold);
    qw_verdict_free(verdict);
    qw_snapshot_free(snapshot);
}

/* What belongs to the host: the library changes none of it. */
struct host {
    void (*handlers[65])(int);
    int blocked[65];
    char directory[4096];
    char locale[256];
    mode_t mask;
    size_t environment;
};

extern char **environ;

static void look(struct host *host)
{
    sigset_t blocked;
    char **variable;
    const char *byte;
    int number;

    memset(host, 0, sizeof *host);
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &blocked) == 0);
    for (number = 1; number < 65; number++) {
        struct sigaction action;

        /* `cancels` sets one of its own. The C library keeps some from everybody. */
        if (number == SIGUSR1 || sigaction(number, NULL, &action) != 0)
            continue;
        host->handlers[number] = action.sa_handler;
        host->blocked[number] = sigismember(&blocked, number);
    }
    CHECK(getcwd(host->directory, sizeof host->directory) != NULL);
    CHECK(strlen(setlocale(LC_ALL, NULL)) < sizeof host->locale);
    strcpy(host->locale, setlocale(LC_ALL, NULL));
    host->mask = umask(0);
    umask(host->mask);
    for (variable = environ; *variable != NULL; variable++)
        for (byte = *variable; *byte != '\0'; byte++)
            host->environment = host->environment * 31 + (unsigned char)*byte;
}

int main(int argc, char **argv)
{
    struct host before, after;

    CHECK(argc == 2);
    look(&before);
    child(argv[1]);
    forked(argv[1]);
    every_option(argv[1]);
    names(argv[1]);
    cancels(argv[1]);
    nulls();
    errors();
    rows(scan(argv[1]));
    verdicts(argv[1]);
    shapes(argv[1]);
    reasons(scan(argv[1]));
    threads(argv[1]);
    logs(argv[1]);
    watches(argv[1]);
    look(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    return 0;
}
