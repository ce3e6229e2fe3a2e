/* The C ABI of libqueuewatch as Perl sees it: convert, call, convert back. Nothing here knows what a threshold or an
 * option is. See queuewatch.h for who owns what.
 *
 * An object is a blessed scalar with magic that holds a pointer, which nobody can forge. `close` and Perl's own freeing
 * of the scalar free it and leave NULL, so that a second one and any later call are harmless; so does the copy of a
 * scalar that a new thread gets. An object is made before the call that fills it, so that nothing is lost when Perl
 * dies; and Perl never dies and runs no code of its own while the library is on the stack: errors and log records
 * become Perl's values when the call has returned and its rows are copied.
 */
#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include <queuewatch.h>
#include <stdlib.h>
#include <string.h>

#define CLASS "Postfix::QueueWatch"
#define MY_CXT_KEY CLASS "::_guts" XS_VERSION

typedef struct {
    SV *log_function;
    bool removed_at_exit;
} my_cxt_t;

START_MY_CXT

/* ---- values ---- */

static SV *bytes_sv(pTHX_ qw_bytes bytes)
{
    return bytes.data == NULL ? newSV(0) : newSVpvn((const char *)bytes.data, bytes.len);
}

static SV *string_sv(pTHX_ const char *text)
{
    return text == NULL ? newSV(0) : newSVpv(text, 0);
}

/* 64 bits fit an IV on every Perl that has them, and a double nearly so on the rest. */
static SV *integer_sv(pTHX_ int64_t value)
{
    return sizeof(IV) >= 8 ? newSViv((IV)value) : newSVnv((NV)value);
}

static SV *number_sv(pTHX_ double value)
{
    return value > -9e15 && value < 9e15 && value == (double)(IV)value ? newSViv((IV)value) : newSVnv(value);
}

/* A dualvar: a number of the header, and its word as a text. */
static SV *dual_sv(pTHX_ int32_t number, const char *word)
{
    SV *value = newSVpv(word, 0);

    (void)SvUPGRADE(value, SVt_PVIV);
    SvIV_set(value, number);
    SvIOK_on(value);
    return value;
}

static SV *state_sv(pTHX_ qw_state state)
{
    switch (state) {
    case QW_STATE_OK:       return dual_sv(aTHX_ state, "OK");
    case QW_STATE_WARNING:  return dual_sv(aTHX_ state, "WARNING");
    case QW_STATE_CRITICAL: return dual_sv(aTHX_ state, "CRITICAL");
    default:                return dual_sv(aTHX_ QW_STATE_UNKNOWN, "UNKNOWN");
    }
}

static SV *quality_sv(pTHX_ qw_quality quality)
{
    switch (quality) {
    case QW_QUALITY_EXACT:    return dual_sv(aTHX_ quality, "exact");
    case QW_QUALITY_AT_LEAST: return dual_sv(aTHX_ quality, "at least");
    default:                  return dual_sv(aTHX_ QW_QUALITY_UNKNOWN, "unknown");
    }
}

static SV *queue_sv(pTHX_ qw_queue queue)
{
    switch (queue) {
    case QW_QUEUE_ACTIVE:   return newSVpvs("active");
    case QW_QUEUE_DEFERRED: return newSVpvs("deferred");
    case QW_QUEUE_INCOMING: return newSVpvs("incoming");
    case QW_QUEUE_HOLD:     return newSVpvs("hold");
    case QW_QUEUE_MAILDROP: return newSVpvs("maildrop");
    case QW_QUEUE_CORRUPT:  return newSVpvs("corrupt");
    default:                return newSV(0);
    }
}

static SV *kind_sv(pTHX_ int32_t kind)
{
    switch (kind) {
    case QW_PROBLEM_DIRECTORY: return newSVpvs("directory");
    case QW_PROBLEM_FILE:      return newSVpvs("file");
    case QW_PROBLEM_DAMAGED:   return newSVpvs("damaged");
    case QW_PROBLEM_INSTANCE:  return newSVpvs("instance");
    case QW_PROBLEM_MISOWNED:  return newSVpvs("misowned");
    case QW_PROBLEM_MISPLACED: return newSVpvs("misplaced");
    default:                   return newSViv(kind);
    }
}

static void put(pTHX_ HV *row, const char *name, SV *value)
{
    if (hv_store(row, name, (I32)strlen(name), value, 0) == NULL)
        SvREFCNT_dec(value);
}

/* ---- errors and log records ---- */

/* What the present call of this thread has logged. Not Perl's values: another thread's interpreter may be asleep. */
struct record {
    struct record *next;
    int32_t level;
    size_t target_length, message_length;
    char bytes[1];
};

static __thread struct record *first_record, **last_record;
static __thread int calling;

static void keep_record(void *user, int32_t level, qw_bytes target, qw_bytes message)
{
    struct record *record;

    (void)user;
    /* Calls that C code of the host makes by itself are not ours to tell of. */
    if (!calling || (record = malloc(sizeof *record + target.len + message.len)) == NULL)
        return;
    record->next = NULL;
    record->level = level;
    record->target_length = target.len;
    record->message_length = message.len;
    if (target.len > 0)
        memcpy(record->bytes, target.data, target.len);
    if (message.len > 0)
        memcpy(record->bytes + target.len, message.data, message.len);
    if (first_record == NULL)
        last_record = &first_record;
    *last_record = record;
    last_record = &record->next;
}

static const char *level_word(int32_t level)
{
    static const char *const words[] = { "error", "warn", "info", "debug", "trace" };

    return level >= QW_LOG_ERROR && level <= QW_LOG_TRACE ? words[level - QW_LOG_ERROR] : "error";
}

/* Hands the records to the log function of this interpreter. With `flags` of G_EVAL and G_KEEPERR what it dies of is
 * but a warning; without, it dies here. */
static void deliver_records(pTHX_ I32 flags)
{
    dMY_CXT;
    AV *rows = (AV *)sv_2mortal((SV *)newAV());
    SV *function = MY_CXT.log_function;
    SSize_t index;

    while (first_record != NULL) {
        struct record *record = first_record;
        AV *row = newAV();

        av_push(rows, newRV_noinc((SV *)row));
        av_push(row, string_sv(aTHX_ level_word(record->level)));
        av_push(row, newSVpvn(record->bytes, record->target_length));
        av_push(row, newSVpvn(record->bytes + record->target_length, record->message_length));
        first_record = record->next;
        free(record);
    }
    if (function == NULL)
        return;
    function = sv_2mortal(SvREFCNT_inc(function));
    for (index = 0; index <= av_len(rows); index++) {
        dSP;
        AV *row = (AV *)SvRV(*av_fetch(rows, index, 0));
        int field;

        ENTER;
        SAVETMPS;
        PUSHMARK(SP);
        EXTEND(SP, 3);
        for (field = 0; field < 3; field++)
            PUSHs(*av_fetch(row, field, 0));
        PUTBACK;
        call_sv(function, G_DISCARD | G_VOID | flags);
        FREETMPS;
        LEAVE;
    }
}

/* Dies by Perl's own code, which knows the caller's place. */
static void throw_fields(pTHX_ SV **fields)
{
    dSP;
    int index;

    ENTER;
    PUSHMARK(SP);
    EXTEND(SP, 6);
    for (index = 0; index < 6; index++)
        PUSHs(fields[index]);
    PUTBACK;
    call_pv(CLASS "::Error::_throw", G_DISCARD | G_VOID);
    LEAVE;
}

static void throw_own(pTHX_ qw_status code, const char *message)
{
    SV *fields[6];
    int index;

    for (index = 0; index < 6; index++)
        fields[index] = sv_newmortal();
    sv_setiv(fields[0], code);
    sv_setiv(fields[1], 0);
    sv_setpv(fields[2], message);
    throw_fields(aTHX_ fields);
}

/* After a call: the error becomes Perl's, the log records are delivered, and Perl dies if there is a reason. */
static void settle(pTHX_ qw_status status, qw_error *err)
{
    SV *fields[6];
    size_t offset;

    if (status == QW_OK || status == QW_END) {
        if (first_record != NULL)
            deliver_records(aTHX_ 0);
        return;
    }
    offset = qw_error_offset(err);
    fields[0] = sv_2mortal(newSViv(qw_error_code(err)));
    fields[1] = sv_2mortal(newSViv(qw_error_errno(err)));
    fields[2] = sv_2mortal(string_sv(aTHX_ qw_error_message(err)));
    fields[3] = sv_2mortal(bytes_sv(aTHX_ qw_error_path(err)));
    fields[4] = sv_2mortal(string_sv(aTHX_ qw_error_remedy(err)));
    fields[5] = sv_2mortal(offset == QW_NUL ? newSV(0) : newSVuv(offset));
    qw_error_free(err);
    if (first_record != NULL)
        deliver_records(aTHX_ G_EVAL | G_KEEPERR);
    throw_fields(aTHX_ fields);
}

/* A call of the library that may log and fail; what it said is settled later. */
#define CALL(status, call) STMT_START { calling++; (status) = (call); calling--; } STMT_END

/* Makes a call whose last argument is `&err`, and gives its status unless Perl dies. */
#define TRY(status, call) STMT_START { \
        qw_error *err = NULL; \
        CALL(status, call); \
        settle(aTHX_ (status), err); \
    } STMT_END

/* ---- objects ---- */

static int forget_pointer(pTHX_ MAGIC *magic, CLONE_PARAMS *parameters)
{
    PERL_UNUSED_CONTEXT;
    PERL_UNUSED_VAR(parameters);
    magic->mg_ptr = NULL;
    return 0;
}

/* A class by its magic. The free functions of the library take NULL, too. */
#define OBJECT_CLASS(type) \
    static int free_##type(pTHX_ SV *scalar, MAGIC *magic) \
    { \
        type *pointer = (type *)(void *)magic->mg_ptr; \
        PERL_UNUSED_CONTEXT; \
        PERL_UNUSED_VAR(scalar); \
        magic->mg_ptr = NULL; \
        type##_free(pointer); \
        return 0; \
    } \
    static MGVTBL of_##type = { NULL, NULL, NULL, NULL, free_##type, NULL, forget_pointer, NULL }

OBJECT_CLASS(qw_options);
OBJECT_CLASS(qw_snapshot);
OBJECT_CLASS(qw_messages);
OBJECT_CLASS(qw_shape);
OBJECT_CLASS(qw_verdict);
OBJECT_CLASS(qw_watch);
OBJECT_CLASS(qw_text);
OBJECT_CLASS(qw_reasons);
OBJECT_CLASS(qw_shape_rows);

/* What a snapshot was scanned with. */
static MGVTBL of_settings = { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };

static MAGIC *magic_of(pTHX_ SV *object, const MGVTBL *table)
{
    if (!SvROK(object) || SvTYPE(SvRV(object)) < SVt_PVMG)
        return NULL;
    return mg_findext(SvRV(object), PERL_MAGIC_ext, table);
}

/* An object without its pointer yet, which is freed with the statement unless it is returned. */
static SV *new_object(pTHX_ const char *class, const MGVTBL *table)
{
    SV *scalar = newSV(0);
    SV *reference = sv_2mortal(newRV_noinc(scalar));
    MAGIC *magic = sv_magicext(scalar, NULL, PERL_MAGIC_ext, table, NULL, 0);

#ifdef USE_ITHREADS
    magic->mg_flags |= MGf_DUP;
#else
    PERL_UNUSED_VAR(magic);
#endif
    if (class != NULL)
        sv_bless(reference, gv_stashpv(class, GV_ADD));
    return reference;
}

#define NEW_OBJECT(class, type) new_object(aTHX_ (class), &of_##type)

/* Makes what `object` holds: the call stores it in `made`. */
#define FILL(object, type, call) STMT_START { \
        type *made = NULL; \
        qw_error *err = NULL; \
        qw_status status_; \
        CALL(status_, call); \
        magic_of(aTHX_ (object), &of_##type)->mg_ptr = (char *)(void *)made; \
        settle(aTHX_ status_, err); \
    } STMT_END

static void *pointer_of(pTHX_ SV *object, const MGVTBL *table, const char *class)
{
    MAGIC *magic = magic_of(aTHX_ object, table);

    if (magic == NULL)
        throw_own(aTHX_ QW_ERR_INVALID, Perl_form(aTHX_ "this is not a " CLASS "::%s", class));
    else if (magic->mg_ptr == NULL)
        throw_own(aTHX_ QW_ERR_STATE, Perl_form(aTHX_ "this %s is closed, or of another thread", class));
    else
        return magic->mg_ptr;
    return NULL;
}

#define OPTIONS(object)  ((qw_options *)pointer_of(aTHX_ (object), &of_qw_options, "Options"))
#define SNAPSHOT(object) ((qw_snapshot *)pointer_of(aTHX_ (object), &of_qw_snapshot, "Snapshot"))
#define MESSAGES(object) ((qw_messages *)pointer_of(aTHX_ (object), &of_qw_messages, "Messages"))
#define SHAPE(object)    ((qw_shape *)pointer_of(aTHX_ (object), &of_qw_shape, "Shape"))
#define WATCH(object)    ((qw_watch *)pointer_of(aTHX_ (object), &of_qw_watch, "Watch"))
#define VERDICT(object)  ((qw_verdict *)pointer_of(aTHX_ (object), &of_qw_verdict, "Verdict"))

/* Closes one object of any class. */
static void close_object(pTHX_ SV *object)
{
    static const MGVTBL *const tables[] = { &of_qw_snapshot, &of_qw_messages, &of_qw_shape, &of_qw_verdict, &of_qw_watch };
    size_t index;

    for (index = 0; index < sizeof tables / sizeof *tables; index++) {
        MAGIC *magic = magic_of(aTHX_ object, tables[index]);

        if (magic != NULL) {
            tables[index]->svt_free(aTHX_ SvRV(object), magic);
            return;
        }
    }
    throw_own(aTHX_ QW_ERR_INVALID, "this is not an object of " CLASS);
}

static const char *input(pTHX_ SV *value, STRLEN *length)
{
    SvGETMAGIC(value);
    if (!SvOK(value))
        throw_own(aTHX_ QW_ERR_INVALID, "a text is undefined");
    /* In a copy: nobody's scalar is changed. */
    if (SvUTF8(value)) {
        value = sv_2mortal(newSVsv(value));
        if (!sv_utf8_downgrade(value, TRUE))
            throw_own(aTHX_ QW_ERR_INVALID,
                      "a text has a wide character: encode it, for example with Encode::encode_utf8");
    }
    return SvPVbyte(value, *length);
}

/* A queue's name; NULL for undef, which means all. */
static const char *queue_input(pTHX_ SV *queue, STRLEN *length)
{
    *length = 0;
    return queue != NULL && SvOK(queue) ? input(aTHX_ queue, length) : NULL;
}

static SV *copied_text(pTHX_ SV *text)
{
    return bytes_sv(aTHX_ qw_text_bytes((qw_text *)pointer_of(aTHX_ text, &of_qw_text, "text")));
}

static void forget_log(pTHX_ void *unused)
{
    PERL_UNUSED_VAR(unused);
    /* This code may be unloaded with the interpreter. */
    qw_log_set(NULL, NULL, 0, NULL);
}

static SV *message_sv(pTHX_ qw_messages *messages, const qw_message *row)
{
    HV *fields = newHV();
    SV *reference = sv_2mortal(newRV_noinc((SV *)fields));
    AV *recipients = newAV(), *delays = newAV();
    uint64_t index;

    put(aTHX_ fields, "recipients", newRV_noinc((SV *)recipients));
    put(aTHX_ fields, "delays", newRV_noinc((SV *)delays));
    put(aTHX_ fields, "instance", bytes_sv(aTHX_ row->instance));
    put(aTHX_ fields, "queue", queue_sv(aTHX_ row->queue));
    put(aTHX_ fields, "queue_id", bytes_sv(aTHX_ row->queue_id));
    put(aTHX_ fields, "sender", bytes_sv(aTHX_ row->sender));
    put(aTHX_ fields, "arrival", row->arrival == 0 ? newSV(0) : integer_sv(aTHX_ row->arrival));
    put(aTHX_ fields, "next_retry", row->next_retry == 0 ? newSV(0) : integer_sv(aTHX_ row->next_retry));
    put(aTHX_ fields, "size", integer_sv(aTHX_ (int64_t)row->size));
    put(aTHX_ fields, "done", integer_sv(aTHX_ (int64_t)row->done));
    put(aTHX_ fields, "mode", newSVuv(row->mode));
    put(aTHX_ fields, "damaged", newSViv(row->damaged));
    put(aTHX_ fields, "forced_expire", newSViv(row->forced_expire));
    put(aTHX_ fields, "origin_by", bytes_sv(aTHX_ row->origin_by));
    put(aTHX_ fields, "login", bytes_sv(aTHX_ row->login));
    put(aTHX_ fields, "client", bytes_sv(aTHX_ row->client));
    put(aTHX_ fields, "client_name", bytes_sv(aTHX_ row->client_name));
    put(aTHX_ fields, "helo", bytes_sv(aTHX_ row->helo));
    put(aTHX_ fields, "user", row->user < 0 ? newSV(0) : integer_sv(aTHX_ row->user));
    if (row->recipients > 0)
        av_extend(recipients, (SSize_t)row->recipients - 1);
    for (index = 0; index < row->recipients; index++) {
        qw_bytes address;
        qw_delay delay;
        HV *reason;

        /* These find what the cursor holds already; they fail for wrong arguments only. */
        if (qw_messages_recipient(messages, index, &address, NULL) != QW_OK)
            break;
        av_push(recipients, bytes_sv(aTHX_ address));
        if (qw_messages_delay(messages, index, &delay, sizeof delay, NULL) != QW_OK) {
            av_push(delays, newSV(0));
            continue;
        }
        reason = newHV();
        av_push(delays, newRV_noinc((SV *)reason));
        put(aTHX_ reason, "status", bytes_sv(aTHX_ delay.status));
        put(aTHX_ reason, "reason", bytes_sv(aTHX_ delay.reason));
        put(aTHX_ reason, "address", bytes_sv(aTHX_ delay.address));
    }
    return reference;
}

static SV *problem_sv(pTHX_ const qw_problem *row)
{
    HV *fields = newHV();

    put(aTHX_ fields, "path", bytes_sv(aTHX_ row->path));
    put(aTHX_ fields, "message", bytes_sv(aTHX_ row->message));
    put(aTHX_ fields, "remedy", bytes_sv(aTHX_ row->remedy));
    put(aTHX_ fields, "kind", kind_sv(aTHX_ row->kind));
    put(aTHX_ fields, "queue", queue_sv(aTHX_ row->queue));
    put(aTHX_ fields, "errno", newSViv(row->os_errno));
    return sv_2mortal(newRV_noinc((SV *)fields));
}

static SV *finding_sv(pTHX_ const qw_finding *row)
{
    HV *fields = newHV();
    bool known = row->quality != QW_QUALITY_UNKNOWN;

    put(aTHX_ fields, "measure", bytes_sv(aTHX_ row->measure));
    put(aTHX_ fields, "range", bytes_sv(aTHX_ row->range));
    put(aTHX_ fields, "text", bytes_sv(aTHX_ row->text));
    put(aTHX_ fields, "value", known ? number_sv(aTHX_ row->value) : newSV(0));
    put(aTHX_ fields, "state", state_sv(aTHX_ row->state));
    put(aTHX_ fields, "quality", quality_sv(aTHX_ row->quality));
    return sv_2mortal(newRV_noinc((SV *)fields));
}

static SV *event_sv(pTHX_ const qw_event *row)
{
    static const char *const kinds[] = { "arrived", "moved", "left", "changed", "rescanned", "blind", "dropped" };
    HV *fields = newHV();
    bool known = row->kind >= QW_EVENT_ARRIVED && row->kind <= QW_EVENT_DROPPED;

    put(aTHX_ fields, "kind", known ? string_sv(aTHX_ kinds[row->kind]) : newSViv(row->kind));
    put(aTHX_ fields, "instance", bytes_sv(aTHX_ row->instance));
    put(aTHX_ fields, "queue", queue_sv(aTHX_ row->queue));
    put(aTHX_ fields, "from", queue_sv(aTHX_ row->from_queue));
    put(aTHX_ fields, "queue_id", bytes_sv(aTHX_ row->queue_id));
    put(aTHX_ fields, "recipients", integer_sv(aTHX_ (int64_t)row->recipients));
    put(aTHX_ fields, "size", integer_sv(aTHX_ (int64_t)row->size));
    put(aTHX_ fields, "arrival", row->arrival == 0 ? newSV(0) : integer_sv(aTHX_ row->arrival));
    put(aTHX_ fields, "reason", bytes_sv(aTHX_ row->reason));
    put(aTHX_ fields, "sender", bytes_sv(aTHX_ row->sender));
    put(aTHX_ fields, "recipient", bytes_sv(aTHX_ row->recipient));
    put(aTHX_ fields, "origin_by", bytes_sv(aTHX_ row->origin_by));
    put(aTHX_ fields, "origin", bytes_sv(aTHX_ row->origin));
    put(aTHX_ fields, "cause", bytes_sv(aTHX_ row->cause));
    return sv_2mortal(newRV_noinc((SV *)fields));
}

static SV *reason_sv(pTHX_ const qw_reason *row)
{
    HV *fields = newHV();

    put(aTHX_ fields, "domain", bytes_sv(aTHX_ row->domain));
    put(aTHX_ fields, "code", bytes_sv(aTHX_ row->code));
    put(aTHX_ fields, "reason", bytes_sv(aTHX_ row->reason));
    put(aTHX_ fields, "recipients", integer_sv(aTHX_ (int64_t)row->recipients));
    put(aTHX_ fields, "oldest", row->oldest == 0 ? newSV(0) : integer_sv(aTHX_ row->oldest));
    put(aTHX_ fields, "cause", bytes_sv(aTHX_ row->cause));
    put(aTHX_ fields, "acts", bytes_sv(aTHX_ row->acts));
    put(aTHX_ fields, "next_hop", bytes_sv(aTHX_ row->next_hop));
    return sv_2mortal(newRV_noinc((SV *)fields));
}

static SV *shape_row_sv(pTHX_ const qw_shape_row *row)
{
    HV *fields = newHV();
    AV *counts = newAV();
    size_t index;

    put(aTHX_ fields, "domain", bytes_sv(aTHX_ row->domain));
    put(aTHX_ fields, "total", integer_sv(aTHX_ (int64_t)row->total));
    put(aTHX_ fields, "counts", newRV_noinc((SV *)counts));
    for (index = 0; index < row->columns; index++)
        av_push(counts, integer_sv(aTHX_ (int64_t)row->counts[index]));
    return sv_2mortal(newRV_noinc((SV *)fields));
}

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch

PROTOTYPES: DISABLE

BOOT:
{
    MY_CXT_INIT;
    HV *module = gv_stashpvs(CLASS, GV_ADD);
    HV *errors = gv_stashpvs(CLASS "::Error", GV_ADD);

    MY_CXT.log_function = NULL;
    MY_CXT.removed_at_exit = FALSE;
    if (qw_abi_version() != QW_ABI_VERSION)
        croak(CLASS " was built for ABI %u of libqueuewatch, and version %s with ABI %u is loaded: rebuild it",
              (unsigned)QW_ABI_VERSION, qw_version(), (unsigned)qw_abi_version());
    newCONSTSUB(module, "EXACT", newSViv(QW_QUALITY_EXACT));
    newCONSTSUB(module, "AT_LEAST", newSViv(QW_QUALITY_AT_LEAST));
    newCONSTSUB(module, "UNKNOWN", newSViv(QW_QUALITY_UNKNOWN));
    newCONSTSUB(errors, "INVALID", newSViv(QW_ERR_INVALID));
    newCONSTSUB(errors, "SYNTAX", newSViv(QW_ERR_SYNTAX));
    newCONSTSUB(errors, "NOT_FOUND", newSViv(QW_ERR_NOT_FOUND));
    newCONSTSUB(errors, "DENIED", newSViv(QW_ERR_DENIED));
    newCONSTSUB(errors, "IO", newSViv(QW_ERR_IO));
    newCONSTSUB(errors, "NOT_A_SPOOL", newSViv(QW_ERR_NOT_A_SPOOL));
    newCONSTSUB(errors, "TIMEOUT", newSViv(QW_ERR_TIMEOUT));
    newCONSTSUB(errors, "STATE", newSViv(QW_ERR_STATE));
    newCONSTSUB(errors, "UNSUPPORTED", newSViv(QW_ERR_UNSUPPORTED));
    newCONSTSUB(errors, "PANIC", newSViv(QW_ERR_PANIC));
}

void
CLONE(...)
    CODE:
        PERL_UNUSED_VAR(items);
    {
        /* The log function is one of the parent's interpreter. */
        MY_CXT_CLONE;
        MY_CXT.log_function = NULL;
        MY_CXT.removed_at_exit = FALSE;
    }

const char *
library_version(...)
    CODE:
        PERL_UNUSED_VAR(items);
        RETVAL = qw_version();
    OUTPUT:
        RETVAL

void
_log_to(function, level)
        SV *function
        IV level
    PREINIT:
        dMY_CXT;
        qw_status status;
        SV *before;
    CODE:
        if (SvOK(function))
            TRY(status, qw_log_set(keep_record, NULL, (int32_t)level, &err));
        else
            TRY(status, qw_log_set(NULL, NULL, 0, &err));
        before = MY_CXT.log_function;
        MY_CXT.log_function = SvOK(function) ? newSVsv(function) : NULL;
        SvREFCNT_dec(before);
        if (!MY_CXT.removed_at_exit) {
            MY_CXT.removed_at_exit = TRUE;
            call_atexit(forget_log, NULL);
        }

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Options

SV *
_new(class)
        const char *class
    PREINIT:
        qw_status status;
    CODE:
        RETVAL = NEW_OBJECT(class, qw_options);
        FILL(RETVAL, qw_options, qw_options_new(&made, &err));
        TRY(status, qw_options_spell(OPTIONS(RETVAL), "queue_directory =>", QW_NUL, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

void
_set(self, name, value)
        SV *self
        SV *name
        SV *value
    PREINIT:
        STRLEN name_length, value_length;
        const char *name_text, *value_text;
        qw_options *options;
        qw_status status;
    CODE:
        options = OPTIONS(self);
        name_text = input(aTHX_ name, &name_length);
        value_text = input(aTHX_ value, &value_length);
        /* Perl's false is an empty text, which would switch a switch on. */
        if (value_length == 0 && SvNIOK(value)) {
            value_text = "no";
            value_length = QW_NUL;
        }
        TRY(status, qw_options_set(options, name_text, name_length, value_text, value_length, &err));

SV *
_scan(self)
        SV *self
    PREINIT:
        qw_options *options;
    CODE:
        options = OPTIONS(self);
        RETVAL = NEW_OBJECT(CLASS "::Snapshot", qw_snapshot);
        FILL(RETVAL, qw_snapshot, qw_scan(options, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

SV *
_shape(self, all)
        SV *self
        bool all
    PREINIT:
        qw_options *options;
    CODE:
        options = OPTIONS(self);
        RETVAL = NEW_OBJECT(CLASS "::Shape", qw_shape);
        FILL(RETVAL, qw_shape, qw_shape_scan(options, all ? QW_SHAPE_ALL : 0, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

SV *
_watch(self)
        SV *self
    PREINIT:
        qw_options *options;
    CODE:
        options = OPTIONS(self);
        RETVAL = NEW_OBJECT(CLASS "::Watch", qw_watch);
        FILL(RETVAL, qw_watch, qw_watch_open(options, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

SV *
_check_live(self, watch)
        SV *self
        SV *watch
    PREINIT:
        qw_options *options;
        qw_watch *judged;
    CODE:
        options = OPTIONS(self);
        judged = WATCH(watch);
        RETVAL = NEW_OBJECT(CLASS "::Verdict", qw_verdict);
        FILL(RETVAL, qw_verdict, qw_watch_check(judged, options, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

SV *
_check(self, snapshot)
        SV *self
        SV *snapshot
    PREINIT:
        qw_options *options;
        qw_snapshot *judged;
    CODE:
        options = OPTIONS(self);
        judged = SNAPSHOT(snapshot);
        RETVAL = NEW_OBJECT(CLASS "::Verdict", qw_verdict);
        FILL(RETVAL, qw_verdict, qw_check(options, judged, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Snapshot

void
_keep(self, settings)
        SV *self
        SV *settings
    CODE:
        SNAPSHOT(self);
        sv_magicext(SvRV(self), settings, PERL_MAGIC_ext, &of_settings, NULL, 0);

SV *
_kept(self)
        SV *self
    PREINIT:
        MAGIC *magic;
    CODE:
        SNAPSHOT(self);
        magic = magic_of(aTHX_ self, &of_settings);
        RETVAL = magic == NULL ? newSV(0) : newSVsv(magic->mg_obj);
    OUTPUT:
        RETVAL

bool
complete(self)
        SV *self
    CODE:
        RETVAL = qw_snapshot_complete(SNAPSHOT(self)) != 0;
    OUTPUT:
        RETVAL

SV *
now(self)
        SV *self
    CODE:
        RETVAL = integer_sv(aTHX_ qw_snapshot_now(SNAPSHOT(self)));
    OUTPUT:
        RETVAL

void
measure(self, name)
        SV *self
        SV *name
    PREINIT:
        qw_snapshot *snapshot;
        qw_status status;
        STRLEN length;
        const char *spelled;
        double value = 0;
        qw_quality quality = QW_QUALITY_UNKNOWN;
        qw_error *err = NULL;
        SV *detail = NULL;
    PPCODE:
        snapshot = SNAPSHOT(self);
        spelled = input(aTHX_ name, &length);
        CALL(status, qw_snapshot_measure(snapshot, spelled, length, &value, &quality, &err));
        if (status != QW_OK || GIMME_V != G_ARRAY) {
            settle(aTHX_ status, err);
        } else {
            detail = NEW_OBJECT(NULL, qw_text);
            FILL(detail, qw_text, qw_snapshot_measure_detail(snapshot, spelled, length, &made, &err));
        }
        EXTEND(SP, 3);
        PUSHs(quality == QW_QUALITY_UNKNOWN ? &PL_sv_undef : sv_2mortal(number_sv(aTHX_ value)));
        if (detail != NULL) {
            PUSHs(sv_2mortal(quality_sv(aTHX_ quality)));
            PUSHs(sv_2mortal(copied_text(aTHX_ detail)));
        }

void
problems(self)
        SV *self
    PREINIT:
        qw_snapshot *snapshot;
        qw_status status = QW_OK;
        qw_error *err = NULL;
        qw_problem row;
        size_t index, count;
    PPCODE:
        snapshot = SNAPSHOT(self);
        count = qw_snapshot_problem_count(snapshot);
        for (index = 0; index < count && status == QW_OK; index++) {
            CALL(status, qw_snapshot_problem(snapshot, index, &row, sizeof row, &err));
            if (status == QW_OK)
                XPUSHs(problem_sv(aTHX_ &row));
        }
        PUTBACK;
        settle(aTHX_ status, err);
        SPAGAIN;

SV *
json(self)
        SV *self
    ALIAS:
        state = 1
        openmetrics = 2
    PREINIT:
        qw_snapshot *snapshot;
        SV *text;
    CODE:
        snapshot = SNAPSHOT(self);
        text = NEW_OBJECT(NULL, qw_text);
        FILL(text, qw_text, ix == 0 ? qw_snapshot_json(snapshot, &made, &err)
                                  : ix == 2 ? qw_snapshot_openmetrics(snapshot, &made, &err)
                                          : qw_snapshot_state(snapshot, &made, &err));
        RETVAL = copied_text(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
messages(self, queue = NULL)
        SV *self
        SV *queue
    PREINIT:
        qw_snapshot *snapshot;
        STRLEN length;
        const char *name;
    CODE:
        snapshot = SNAPSHOT(self);
        name = queue_input(aTHX_ queue, &length);
        RETVAL = NEW_OBJECT(CLASS "::Messages", qw_messages);
        FILL(RETVAL, qw_messages, qw_messages_open(snapshot, name, length, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

void
reasons(self, queue = NULL)
        SV *self
        SV *queue
    PREINIT:
        qw_snapshot *snapshot;
        qw_reasons *reasons;
        qw_reason row;
        qw_status status;
        STRLEN length;
        const char *name;
        SV *cursor;
    PPCODE:
        snapshot = SNAPSHOT(self);
        name = queue_input(aTHX_ queue, &length);
        cursor = NEW_OBJECT(NULL, qw_reasons);
        FILL(cursor, qw_reasons, qw_reasons_open(snapshot, name, length, &made, &err));
        reasons = (qw_reasons *)pointer_of(aTHX_ cursor, &of_qw_reasons, "cursor");
        for (;;) {
            PUTBACK;
            TRY(status, qw_reasons_next(reasons, &row, sizeof row, &err));
            SPAGAIN;
            if (status == QW_END)
                break;
            XPUSHs(reason_sv(aTHX_ &row));
        }

void
close(self)
        SV *self
    CODE:
        close_object(aTHX_ self);

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Shape

bool
complete(self)
        SV *self
    CODE:
        RETVAL = qw_shape_complete(SHAPE(self)) != 0;
    OUTPUT:
        RETVAL

SV *
_text(self, queue, flags, min_subdomains, width)
        SV *self
        SV *queue
        UV flags
        NV min_subdomains
        NV width
    PREINIT:
        qw_shape *shape;
        STRLEN length;
        const char *name;
        SV *text;
    CODE:
        shape = SHAPE(self);
        name = queue_input(aTHX_ queue, &length);
        text = NEW_OBJECT(NULL, qw_text);
        FILL(text, qw_text, qw_shape_text(shape, name, length, (uint32_t)flags, min_subdomains, width, &made, &err));
        RETVAL = copied_text(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
_json(self, queue, flags, min_subdomains)
        SV *self
        SV *queue
        UV flags
        NV min_subdomains
    PREINIT:
        qw_shape *shape;
        STRLEN length;
        const char *name;
        SV *text;
    CODE:
        shape = SHAPE(self);
        name = queue_input(aTHX_ queue, &length);
        text = NEW_OBJECT(NULL, qw_text);
        FILL(text, qw_text, qw_shape_json(shape, name, length, (uint32_t)flags, min_subdomains, &made, &err));
        RETVAL = copied_text(aTHX_ text);
    OUTPUT:
        RETVAL

void
_rows(self, queue, flags, min_subdomains)
        SV *self
        SV *queue
        UV flags
        NV min_subdomains
    PREINIT:
        qw_shape *shape;
        qw_shape_rows *rows;
        qw_shape_row row;
        qw_status status;
        STRLEN length;
        const char *name;
        SV *cursor;
    PPCODE:
        shape = SHAPE(self);
        name = queue_input(aTHX_ queue, &length);
        cursor = NEW_OBJECT(NULL, qw_shape_rows);
        FILL(cursor, qw_shape_rows, qw_shape_rows_open(shape, name, length, (uint32_t)flags, min_subdomains, &made, &err));
        rows = (qw_shape_rows *)pointer_of(aTHX_ cursor, &of_qw_shape_rows, "cursor");
        for (;;) {
            PUTBACK;
            TRY(status, qw_shape_rows_next(rows, &row, sizeof row, &err));
            SPAGAIN;
            if (status == QW_END)
                break;
            XPUSHs(shape_row_sv(aTHX_ &row));
        }

void
close(self)
        SV *self
    CODE:
        close_object(aTHX_ self);

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Watch

void
_keep(self, settings)
        SV *self
        SV *settings
    CODE:
        WATCH(self);
        sv_magicext(SvRV(self), settings, PERL_MAGIC_ext, &of_settings, NULL, 0);

SV *
_kept(self)
        SV *self
    PREINIT:
        MAGIC *magic;
    CODE:
        WATCH(self);
        magic = magic_of(aTHX_ self, &of_settings);
        RETVAL = magic == NULL ? newSV(0) : newSVsv(magic->mg_obj);
    OUTPUT:
        RETVAL

int
fileno(self)
        SV *self
    CODE:
        RETVAL = qw_watch_fd(WATCH(self));
    OUTPUT:
        RETVAL

bool
_wait(self, milliseconds)
        SV *self
        IV milliseconds
    PREINIT:
        qw_watch *watch;
        qw_status status;
    CODE:
        watch = WATCH(self);
        TRY(status, qw_watch_wait(watch, (int32_t)milliseconds, &err));
        RETVAL = status == QW_OK;
    OUTPUT:
        RETVAL

void
dispatch(self)
        SV *self
    PREINIT:
        qw_watch *watch;
        qw_event row;
        qw_status status;
        qw_error *err = NULL;
    PPCODE:
        watch = WATCH(self);
        CALL(status, qw_watch_dispatch(watch, &err));
        while (status == QW_OK) {
            CALL(status, qw_watch_next(watch, &row, sizeof row, &err));
            if (status == QW_OK)
                XPUSHs(event_sv(aTHX_ &row));
        }
        PUTBACK;
        settle(aTHX_ status, err);
        SPAGAIN;

SV *
_snapshot(self)
        SV *self
    PREINIT:
        qw_watch *watch;
    CODE:
        watch = WATCH(self);
        RETVAL = NEW_OBJECT(CLASS "::Snapshot", qw_snapshot);
        FILL(RETVAL, qw_snapshot, qw_watch_snapshot(watch, &made, &err));
        SvREFCNT_inc_simple_void_NN(RETVAL);
    OUTPUT:
        RETVAL

void
close(self)
        SV *self
    CODE:
        close_object(aTHX_ self);

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Messages

SV *
next(self)
        SV *self
    PREINIT:
        qw_messages *messages;
        qw_message row;
        qw_status status;
        qw_error *err = NULL;
        SV *message = &PL_sv_undef;
    CODE:
        messages = MESSAGES(self);
        CALL(status, qw_messages_next(messages, &row, sizeof row, &err));
        if (status == QW_OK)
            message = message_sv(aTHX_ messages, &row);
        settle(aTHX_ status, err);
        RETVAL = SvREFCNT_inc(message);
    OUTPUT:
        RETVAL

SV *
unreadable(self)
        SV *self
    CODE:
        RETVAL = integer_sv(aTHX_ (int64_t)qw_messages_unreadable(MESSAGES(self)));
    OUTPUT:
        RETVAL

void
close(self)
        SV *self
    CODE:
        close_object(aTHX_ self);

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Verdict

SV *
state(self)
        SV *self
    CODE:
        RETVAL = state_sv(aTHX_ qw_verdict_state(VERDICT(self)));
    OUTPUT:
        RETVAL

SV *
summary(self)
        SV *self
    ALIAS:
        perfdata = 1
        json = 2
    PREINIT:
        qw_verdict *verdict;
        SV *text;
    CODE:
        verdict = VERDICT(self);
        text = NEW_OBJECT(NULL, qw_text);
        FILL(text, qw_text, ix == 0 ? qw_verdict_summary(verdict, &made, &err)
                                : ix == 1 ? qw_verdict_perfdata(verdict, &made, &err)
                                          : qw_verdict_json(verdict, &made, &err));
        RETVAL = copied_text(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
output(self, verbosity = 0)
        SV *self
        IV verbosity
    PREINIT:
        qw_verdict *verdict;
        SV *text;
    CODE:
        verdict = VERDICT(self);
        if (verbosity < 0 || verbosity > 255)
            throw_own(aTHX_ QW_ERR_INVALID, "the verbosity is a number from 0 to 255");
        text = NEW_OBJECT(NULL, qw_text);
        FILL(text, qw_text, qw_verdict_output(verdict, (int32_t)verbosity, &made, &err));
        RETVAL = copied_text(aTHX_ text);
    OUTPUT:
        RETVAL

void
findings(self)
        SV *self
    PREINIT:
        qw_verdict *verdict;
        qw_status status = QW_OK;
        qw_error *err = NULL;
        qw_finding row;
        size_t index, count;
    PPCODE:
        verdict = VERDICT(self);
        count = qw_verdict_finding_count(verdict);
        for (index = 0; index < count && status == QW_OK; index++) {
            CALL(status, qw_verdict_finding(verdict, index, &row, sizeof row, &err));
            if (status == QW_OK)
                XPUSHs(finding_sv(aTHX_ &row));
        }
        PUTBACK;
        settle(aTHX_ status, err);
        SPAGAIN;

void
close(self)
        SV *self
    CODE:
        close_object(aTHX_ self);
