/* queuewatch.so: the queues of Postfix in the Zabbix agent itself, without a UserParameter and its process per item.
 *
 *   gcc -shared -fPIC -O2 -o queuewatch.so queuewatch.c $(pkg-config --cflags --libs queuewatch)
 *   LoadModule=queuewatch.so              (in zabbix_agentd.conf; LoadModulePath= names the folder)
 *
 *   postfix.queue[MEASURE]                a figure, such as postfix.queue[deferred.oldest]; an error if not all could be read
 *   postfix.check[RULES]                  the line of check_postfix_queue; RULES as warning:deferred.oldest=4h, critical:...
 *   postfix.state[RULES]                  its state: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
 *
 * /etc/zabbix/queuewatch.conf (or $QUEUEWATCH_CONF) holds options of the library, one a line: queue-directory /srv/spool
 *
 * The agent calls the items in worker processes that it forks after zbx_module_init, so that nothing is opened before.
 * Items that are asked within FRESH seconds share one scan.
 */
#include <queuewatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a loadable module needs of the agent (Zabbix manual, "Loadable modules"; API version 2). */
typedef struct { char *key; int nparam; char **params; } request_head;
typedef struct { uint64_t lastlogsize, ui64; double dbl; char *str, *text, *msg; void *log; int type, mtime; } result_head;
typedef struct { char *key; unsigned flags; int (*function)(request_head *, result_head *); char *test_param; } metric;
enum { API_VERSION = 2, HAS_PARAMETERS = 1, OK = 0, FAILED = 1, IS_NUMBER = 1, IS_FLOAT = 2, IS_TEXT = 8, IS_ERROR = 32 };

enum { FRESH = 5, LINE = 4096 };

#define NO_VERDICT "no verdict: give rules as warning:RULE or critical:RULE"

static int seconds = 3;
static qw_snapshot *shared;
static time_t taken;

static int refuse(result_head *result, qw_error *err, const char *otherwise)
{
    result->msg = strdup(err == NULL ? otherwise : qw_error_message(err));
    result->type |= IS_ERROR;
    qw_error_free(err);
    return FAILED;
}

/* Sets the options of the configuration file, if there is one. */
static qw_status configure(qw_options *options, qw_error **err)
{
    const char *path = getenv("QUEUEWATCH_CONF");
    FILE *file = fopen(path == NULL ? "/etc/zabbix/queuewatch.conf" : path, "r");
    char line[LINE], limit[16];
    qw_status status;

    snprintf(limit, sizeof limit, "%d", seconds);
    status = qw_options_set(options, "timeout", QW_NUL, limit, QW_NUL, err);
    while (file != NULL && status == QW_OK && fgets(line, sizeof line, file) != NULL) {
        size_t name = strcspn(line, " \t\n"), end = strcspn(line, "\n");
        char *value = line + name + strspn(line + name, " \t");

        line[end] = '\0';
        if (name > 0 && line[0] != '#')
            status = qw_options_set(options, line, name, value, QW_NUL, err);
    }
    if (file != NULL)
        fclose(file);
    return status;
}

static qw_options *configured(qw_error **err)
{
    qw_options *options = NULL;

    if (qw_options_new(&options, err) == QW_OK && configure(options, err) == QW_OK)
        return options;
    qw_options_free(options);
    return NULL;
}

/* The scan that the items of one moment share; NULL with an error. */
static qw_snapshot *snapshot(qw_error **err)
{
    qw_options *options;
    qw_snapshot *newer = NULL;
    time_t now = time(NULL);

    if (shared != NULL && now >= taken && now - taken < FRESH)
        return shared;
    options = configured(err);
    if (options != NULL && qw_scan(options, &newer, err) == QW_OK) {
        qw_snapshot_free(shared);
        shared = newer;
        taken = now;
    }
    qw_options_free(options);
    return newer;
}

static int queue(request_head *request, result_head *result)
{
    qw_error *err = NULL;
    qw_snapshot *now;
    double value;
    qw_quality quality;

    if (request->nparam != 1)
        return refuse(result, NULL, "give one measure, such as postfix.queue[deferred.messages]");
    now = snapshot(&err);
    if (now == NULL || qw_snapshot_measure(now, request->params[0], QW_NUL, &value, &quality, &err) != QW_OK)
        return refuse(result, err, "no snapshot");
    /* A lower bound is no figure: of a queue that cannot be read it is 0. */
    if (quality != QW_QUALITY_EXACT)
        return refuse(result, NULL, "the figure is not known, or a lower bound: ask postfix.check why");
    result->dbl = value;
    result->type |= IS_FLOAT;
    return OK;
}

/* The verdict by RULES, for postfix.check and postfix.state. */
static qw_verdict *judged(request_head *request, qw_error **err)
{
    qw_options *options = configured(err);
    qw_snapshot *now = options == NULL ? NULL : snapshot(err);
    qw_status status = now == NULL ? QW_ERR_STATE : QW_OK;
    qw_verdict *verdict = NULL;
    int index;

    for (index = 0; index < request->nparam && status == QW_OK; index++) {
        const char *rule = request->params[index];
        size_t level = strcspn(rule, ":");

        /* Who asks the agent gives rules, and no other option, such as the name of a file. */
        if (*rule != '\0' && strncmp(rule, "warning:", 8) != 0 && strncmp(rule, "critical:", 9) != 0)
            status = QW_ERR_SYNTAX;
        else if (*rule != '\0')
            status = qw_options_set(options, rule, level, rule + level + (rule[level] == ':'), QW_NUL, err);
    }
    if (status == QW_OK && qw_check(options, now, &verdict, err) != QW_OK)
        verdict = NULL;
    qw_options_free(options);
    return verdict;
}

static int check(request_head *request, result_head *result)
{
    qw_error *err = NULL;
    qw_text *text = NULL;
    qw_verdict *verdict = judged(request, &err);

    if (verdict == NULL || qw_verdict_summary(verdict, &text, &err) != QW_OK) {
        qw_verdict_free(verdict);
        return refuse(result, err, NO_VERDICT);
    }
    result->text = strdup((const char *)qw_text_bytes(text).data);
    result->type |= IS_TEXT;
    qw_text_free(text);
    qw_verdict_free(verdict);
    return OK;
}

static int state(request_head *request, result_head *result)
{
    qw_error *err = NULL;
    qw_verdict *verdict = judged(request, &err);

    if (verdict == NULL)
        return refuse(result, err, NO_VERDICT);
    result->ui64 = (uint64_t)qw_verdict_state(verdict);
    result->type |= IS_NUMBER;
    qw_verdict_free(verdict);
    return OK;
}

int zbx_module_api_version(void) { return API_VERSION; }
void zbx_module_item_timeout(int timeout) { seconds = timeout > 1 ? timeout - 1 : 1; }
/* Loaded with another ABI the agent says so and goes on without it. */
int zbx_module_init(void) { return qw_abi_version() == QW_ABI_VERSION ? 0 : -1; }

int zbx_module_uninit(void)
{
    qw_snapshot_free(shared);
    shared = NULL;
    return 0;
}

metric *zbx_module_item_list(void)
{
    static metric items[] = {
        { "postfix.queue", HAS_PARAMETERS, queue, "deferred.messages" },
        { "postfix.check", HAS_PARAMETERS, check, NULL },
        { "postfix.state", HAS_PARAMETERS, state, NULL },
        { NULL, 0, NULL, NULL },
    };

    return items;
}
