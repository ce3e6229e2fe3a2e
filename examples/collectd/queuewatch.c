/* queuewatch.so: the queues of Postfix in collectd, kept live by inotify: an interval costs no scan.
 *
 *   gcc -shared -fPIC -O2 -DHAVE_CONFIG_H -I/usr/include/collectd -I/usr/include/collectd/core -I/usr/include/collectd/core/daemon \
 *       -o queuewatch.so queuewatch.c $(pkg-config --cflags --libs queuewatch)
 *
 *   LoadPlugin queuewatch
 *   <Plugin queuewatch>
 *     Option "queue-directory" "/var/spool/postfix"     any option of the library, as often as it may be set
 *     Option "critical" "deferred.oldest=2d"
 *     Measure "deferred.messages"                       a gauge each; without any: some of every queue
 *   </Plugin>
 *
 * A change of the state by the rules, or by the defaults, is a notification with the line of check_postfix_queue.
 * collectd is a daemon before it calls init; the watch is opened there, so that it belongs to that process.
 */
#include "collectd.h"
#include "plugin.h"
#include "utils/common/common.h"

#include <queuewatch.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MEASURES = 64 };

static qw_options *options;
static qw_watch *watch;
static char *measures[MOST_MEASURES + 1];
static size_t measure_count;
static qw_state last_state = QW_STATE_OK;

static const char *keys[] = { "Option", "Measure" };

static int failed(const char *what, qw_error *err)
{
    ERROR("queuewatch plugin: %s: %s", what, qw_error_message(err));
    qw_error_free(err);
    return -1;
}

static int configure(const char *key, const char *value)
{
    qw_error *err = NULL;

    if (strcasecmp(key, "Measure") == 0) {
        if (measure_count == MOST_MEASURES)
            return -1;
        measures[measure_count++] = strdup(value);
        return 0;
    }
    if (options == NULL && qw_options_new(&options, &err) != QW_OK)
        return failed("options", err);
    /* collectd joins the values of a line by blanks. */
    size_t name = strcspn(value, " ");
    const char *rest = value + name + (value[name] == ' ');
    if (qw_options_set(options, value, name, rest, QW_NUL, &err) != QW_OK)
        return failed("Option", err);
    return 0;
}

static int start(void)
{
    static const char *const usual[] = {
        "deferred.messages", "deferred.oldest", "active.messages", "active.fill", "incoming.messages", "hold.messages",
        "maildrop.messages", "corrupt.messages", "total.messages", "total.bytes", "spool.unreadable", "disk.free_bytes",
    };
    qw_error *err = NULL;

    if (qw_abi_version() != QW_ABI_VERSION) {
        ERROR("queuewatch plugin: built for ABI %d, the library has %d", QW_ABI_VERSION, (int)qw_abi_version());
        return -1;
    }
    for (size_t i = 0; measure_count == 0 && i < sizeof usual / sizeof *usual; i++)
        measures[i] = strdup(usual[i]);
    while (measures[measure_count] != NULL)
        measure_count++;
    if (options == NULL && qw_options_new(&options, &err) != QW_OK)
        return failed("options", err);
    if (qw_watch_open(options, &watch, &err) != QW_OK)
        return failed("cannot watch", err);
    return 0;
}

static void submit(const char *measure, double figure)
{
    value_t value = { .gauge = figure };
    value_list_t list = VALUE_LIST_INIT;

    list.values = &value;
    list.values_len = 1;
    sstrncpy(list.plugin, "queuewatch", sizeof list.plugin);
    sstrncpy(list.type, "gauge", sizeof list.type);
    sstrncpy(list.type_instance, measure, sizeof list.type_instance);
    plugin_dispatch_values(&list);
}

/* Tells a change of the state. */
static int judge(qw_error **err)
{
    static const int severities[] = { NOTIF_OKAY, NOTIF_WARNING, NOTIF_FAILURE, NOTIF_FAILURE };
    qw_verdict *verdict = NULL;
    qw_text *text = NULL;
    notification_t told = { .severity = NOTIF_FAILURE, .time = cdtime() };

    if (qw_watch_check(watch, NULL, &verdict, err) != QW_OK)
        return -1;
    qw_state state = qw_verdict_state(verdict);
    if (state != last_state && qw_verdict_summary(verdict, &text, err) == QW_OK) {
        if (state >= QW_STATE_OK && state <= QW_STATE_UNKNOWN)
            told.severity = severities[state];
        sstrncpy(told.plugin, "queuewatch", sizeof told.plugin);
        sstrncpy(told.type, "gauge", sizeof told.type);
        qw_printable(qw_text_bytes(text), told.message, sizeof told.message);
        plugin_dispatch_notification(&told);
        last_state = state;
    }
    qw_text_free(text);
    qw_verdict_free(verdict);
    return *err == NULL ? 0 : -1;
}

static int read_queues(void)
{
    qw_error *err = NULL;
    qw_snapshot *snapshot = NULL;
    qw_event event;

    if (qw_watch_dispatch(watch, &err) != QW_OK)
        return failed("dispatch", err);
    /* The figures tell it all; the events are let go. */
    while (qw_watch_next(watch, &event, sizeof event, NULL) == QW_OK)
        if (event.kind == QW_EVENT_BLIND || event.kind == QW_EVENT_RESCANNED)
            INFO("queuewatch plugin: %s: %.*s", qw_event_name(event.kind), (int)event.reason.len,
                 (const char *)event.reason.data);
    if (qw_watch_snapshot(watch, &snapshot, &err) != QW_OK)
        return failed("snapshot", err);
    for (size_t i = 0; i < measure_count; i++) {
        double value = 0;
        qw_quality quality = QW_QUALITY_UNKNOWN;

        if (qw_snapshot_measure(snapshot, measures[i], QW_NUL, &value, &quality, &err) != QW_OK) {
            failed(measures[i], err);
            err = NULL;
        } else if (quality == QW_QUALITY_EXACT) {
            /* What is not known is left out, and never 0; so is a lower bound, which is 0 of an unreadable queue. */
            submit(measures[i], value);
        }
    }
    qw_snapshot_free(snapshot);
    return judge(&err) == 0 ? 0 : failed("check", err);
}

static int stop(void)
{
    qw_watch_free(watch);
    qw_options_free(options);
    watch = NULL;
    options = NULL;
    return 0;
}

void module_register(void)
{
    plugin_register_config("queuewatch", configure, keys, sizeof keys / sizeof *keys);
    plugin_register_init("queuewatch", start);
    plugin_register_read("queuewatch", read_queues);
    plugin_register_shutdown("queuewatch", stop);
}
