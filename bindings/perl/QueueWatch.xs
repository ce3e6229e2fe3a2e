/* The C ABI of libqueuewatch as Perl sees it: convert, call, convert back. Nothing here knows what a queue,
 * a threshold or an option is. See queuewatch.h for who owns what.
 *
 * An object is a blessed scalar that holds a pointer; DESTROY frees it and leaves 0, so that a second DESTROY
 * and any later call are harmless. Perl never dies while the library is on the stack: the library's error is
 * turned into Perl's values and freed first.
 */
#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

#include <queuewatch.h>

#define CLASS "Postfix::QueueWatch"

static SV *bytes_sv(pTHX_ qw_bytes bytes)
{
    return bytes.data == NULL ? newSV(0) : newSVpvn((const char *)bytes.data, bytes.len);
}

static SV *string_sv(pTHX_ const char *text)
{
    return text == NULL ? newSV(0) : newSVpv(text, 0);
}

/* Hands the error to Perl's own code, which knows the caller's place and dies. */
static void throw_error(pTHX_ qw_error *err)
{
    dSP;
    size_t offset = qw_error_offset(err);

    ENTER;
    SAVETMPS;
    PUSHMARK(SP);
    EXTEND(SP, 6);
    PUSHs(sv_2mortal(newSViv(qw_error_code(err))));
    PUSHs(sv_2mortal(newSViv(qw_error_errno(err))));
    PUSHs(sv_2mortal(string_sv(aTHX_ qw_error_message(err))));
    PUSHs(sv_2mortal(bytes_sv(aTHX_ qw_error_path(err))));
    PUSHs(sv_2mortal(string_sv(aTHX_ qw_error_remedy(err))));
    PUSHs(sv_2mortal(offset == QW_NUL ? newSV(0) : newSVuv(offset)));
    PUTBACK;
    qw_error_free(err);
    call_pv(CLASS "::Error::_throw", G_DISCARD | G_VOID);
    FREETMPS;
    LEAVE;
}

/* By its place: C may read the arguments of a call before it makes the call among them. */
static void check(pTHX_ qw_status status, qw_error **err)
{
    if (status != QW_OK)
        throw_error(aTHX_ *err);
}

static SV *object(pTHX_ const char *class, void *handle)
{
    SV *reference = newSV(0);

    sv_setref_pv(reference, class, handle);
    return reference;
}

static void *handle(pTHX_ SV *object, const char *class)
{
    void *pointer;

    if (!sv_isobject(object) || !sv_derived_from(object, class))
        croak("%s object expected", class);
    pointer = INT2PTR(void *, SvIV(SvRV(object)));
    if (pointer == NULL)
        croak("this %s object is closed", class);
    return pointer;
}

/* Takes the pointer out of an object that is being destroyed. */
static void *taken(pTHX_ SV *object)
{
    SV *inner = SvROK(object) ? SvRV(object) : NULL;
    void *pointer;

    if (inner == NULL || !SvIOK(inner))
        return NULL;
    pointer = INT2PTR(void *, SvIV(inner));
    SvREADONLY_off(inner);
    sv_setiv(inner, 0);
    return pointer;
}

static const char *input(pTHX_ SV *value, STRLEN *length)
{
    if (SvUTF8(value) && !sv_utf8_downgrade(value, TRUE))
        croak("wide character in a text for " CLASS ": encode it, for example with Encode::encode_utf8");
    return SvPVbyte(value, *length);
}

static SV *text_sv(pTHX_ qw_text *text)
{
    SV *value = bytes_sv(aTHX_ qw_text_bytes(text));

    qw_text_free(text);
    return value;
}

static void put(pTHX_ HV *row, const char *name, SV *value)
{
    if (hv_store(row, name, (I32)strlen(name), value, 0) == NULL)
        SvREFCNT_dec(value);
}

/* 64 bits fit an IV on every Perl that has them, and a double nearly so on the rest. */
static SV *integer_sv(pTHX_ int64_t value)
{
    return sizeof(IV) >= 8 ? newSViv((IV)value) : newSVnv((NV)value);
}

static SV *number_sv(pTHX_ double value)
{
    return value == (double)(IV)value ? newSViv((IV)value) : newSVnv(value);
}

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch

PROTOTYPES: DISABLE

BOOT:
    if (qw_abi_version() != QW_ABI_VERSION)
        croak(CLASS " was built for ABI %d of libqueuewatch, and version %s with ABI %u is loaded: rebuild it",
              (int)QW_ABI_VERSION, qw_version(), (unsigned)qw_abi_version());

const char *
library_version(...)
    CODE:
        PERL_UNUSED_VAR(items);
        RETVAL = qw_version();
    OUTPUT:
        RETVAL

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Options

SV *
_new(class)
        const char *class
    PREINIT:
        qw_options *options = NULL;
        qw_error *err = NULL;
    CODE:
        check(aTHX_ qw_options_new(&options, &err), &err);
        RETVAL = object(aTHX_ class, options);
    OUTPUT:
        RETVAL

void
_set(self, name, value)
        SV *self
        SV *name
        SV *value
    PREINIT:
        qw_error *err = NULL;
        STRLEN name_length, value_length;
        const char *name_text, *value_text;
        qw_options *options;
    CODE:
        options = handle(aTHX_ self, CLASS "::Options");
        name_text = input(aTHX_ name, &name_length);
        value_text = input(aTHX_ value, &value_length);
        check(aTHX_ qw_options_set(options, name_text, name_length, value_text, value_length, &err), &err);

SV *
_scan(self)
        SV *self
    PREINIT:
        qw_snapshot *snapshot = NULL;
        qw_error *err = NULL;
    CODE:
        check(aTHX_ qw_scan(handle(aTHX_ self, CLASS "::Options"), &snapshot, &err), &err);
        RETVAL = object(aTHX_ CLASS "::Snapshot", snapshot);
    OUTPUT:
        RETVAL

SV *
_shape(self, all)
        SV *self
        bool all
    PREINIT:
        qw_shape *shape = NULL;
        qw_error *err = NULL;
    CODE:
        check(aTHX_ qw_shape_scan(handle(aTHX_ self, CLASS "::Options"), all ? QW_SHAPE_ALL : 0, &shape, &err), &err);
        RETVAL = object(aTHX_ CLASS "::Shape", shape);
    OUTPUT:
        RETVAL

SV *
_check(self, snapshot)
        SV *self
        SV *snapshot
    PREINIT:
        qw_verdict *verdict = NULL;
        qw_error *err = NULL;
    CODE:
        check(aTHX_ qw_check(handle(aTHX_ self, CLASS "::Options"),
                             handle(aTHX_ snapshot, CLASS "::Snapshot"), &verdict, &err), &err);
        RETVAL = object(aTHX_ CLASS "::Verdict", verdict);
    OUTPUT:
        RETVAL

void
DESTROY(self)
        SV *self
    CODE:
        qw_options_free(taken(aTHX_ self));

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Snapshot

bool
complete(self)
        SV *self
    CODE:
        RETVAL = qw_snapshot_complete(handle(aTHX_ self, CLASS "::Snapshot")) != 0;
    OUTPUT:
        RETVAL

SV *
now(self)
        SV *self
    CODE:
        RETVAL = integer_sv(aTHX_ qw_snapshot_now(handle(aTHX_ self, CLASS "::Snapshot")));
    OUTPUT:
        RETVAL

void
measure(self, name)
        SV *self
        SV *name
    PREINIT:
        qw_error *err = NULL;
        qw_snapshot *snapshot;
        qw_text *detail = NULL;
        STRLEN length;
        const char *text;
        double value = 0;
        qw_quality quality = QW_QUALITY_UNKNOWN;
    PPCODE:
        snapshot = handle(aTHX_ self, CLASS "::Snapshot");
        text = input(aTHX_ name, &length);
        check(aTHX_ qw_snapshot_measure(snapshot, text, length, &value, &quality, &err), &err);
        EXTEND(SP, 3);
        PUSHs(quality == QW_QUALITY_UNKNOWN ? &PL_sv_undef : sv_2mortal(number_sv(aTHX_ value)));
        if (GIMME_V == G_ARRAY) {
            check(aTHX_ qw_snapshot_measure_detail(snapshot, text, length, &detail, &err), &err);
            PUSHs(sv_2mortal(newSViv(quality)));
            PUSHs(sv_2mortal(text_sv(aTHX_ detail)));
        }

void
problems(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_snapshot *snapshot;
        qw_problem row;
        size_t index, count;
        HV *fields;
    PPCODE:
        snapshot = handle(aTHX_ self, CLASS "::Snapshot");
        count = qw_snapshot_problem_count(snapshot);
        for (index = 0; index < count; index++) {
            check(aTHX_ qw_snapshot_problem(snapshot, index, &row, sizeof row, &err), &err);
            fields = newHV();
            put(aTHX_ fields, "path", bytes_sv(aTHX_ row.path));
            put(aTHX_ fields, "message", bytes_sv(aTHX_ row.message));
            put(aTHX_ fields, "remedy", bytes_sv(aTHX_ row.remedy));
            put(aTHX_ fields, "kind", newSViv(row.kind));
            put(aTHX_ fields, "queue", newSViv(row.queue));
            put(aTHX_ fields, "errno", newSViv(row.os_errno));
            XPUSHs(sv_2mortal(newRV_noinc((SV *)fields)));
        }

SV *
json(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        check(aTHX_ qw_snapshot_json(handle(aTHX_ self, CLASS "::Snapshot"), &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
state(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        check(aTHX_ qw_snapshot_state(handle(aTHX_ self, CLASS "::Snapshot"), &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
messages(self, queue = NULL)
        SV *self
        SV *queue
    PREINIT:
        qw_error *err = NULL;
        qw_messages *messages = NULL;
        qw_snapshot *snapshot;
        STRLEN length = 0;
        const char *name = NULL;
    CODE:
        snapshot = handle(aTHX_ self, CLASS "::Snapshot");
        if (queue != NULL && SvOK(queue))
            name = input(aTHX_ queue, &length);
        check(aTHX_ qw_messages_open(snapshot, name, length, &messages, &err), &err);
        RETVAL = object(aTHX_ CLASS "::Messages", messages);
    OUTPUT:
        RETVAL

void
reasons(self, queue = NULL)
        SV *self
        SV *queue
    PREINIT:
        qw_error *err = NULL;
        qw_reasons *reasons = NULL;
        qw_snapshot *snapshot;
        qw_reason row;
        STRLEN length = 0;
        const char *name = NULL;
        HV *fields;
    PPCODE:
        snapshot = handle(aTHX_ self, CLASS "::Snapshot");
        if (queue != NULL && SvOK(queue))
            name = input(aTHX_ queue, &length);
        check(aTHX_ qw_reasons_open(snapshot, name, length, &reasons, &err), &err);
        while (qw_reasons_next(reasons, &row, sizeof row, NULL) == QW_OK) {
            fields = newHV();
            put(aTHX_ fields, "domain", bytes_sv(aTHX_ row.domain));
            put(aTHX_ fields, "code", bytes_sv(aTHX_ row.code));
            put(aTHX_ fields, "reason", bytes_sv(aTHX_ row.reason));
            put(aTHX_ fields, "recipients", integer_sv(aTHX_ (int64_t)row.recipients));
            put(aTHX_ fields, "oldest", row.oldest == 0 ? newSV(0) : integer_sv(aTHX_ row.oldest));
            XPUSHs(sv_2mortal(newRV_noinc((SV *)fields)));
        }
        qw_reasons_free(reasons);

void
DESTROY(self)
        SV *self
    CODE:
        qw_snapshot_free(taken(aTHX_ self));

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Shape

bool
complete(self)
        SV *self
    CODE:
        RETVAL = qw_shape_complete(handle(aTHX_ self, CLASS "::Shape")) != 0;
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
        qw_error *err = NULL;
        qw_text *text = NULL;
        qw_shape *shape;
        STRLEN length = 0;
        const char *name = NULL;
    CODE:
        shape = handle(aTHX_ self, CLASS "::Shape");
        if (SvOK(queue))
            name = input(aTHX_ queue, &length);
        check(aTHX_ qw_shape_text(shape, name, length, (uint32_t)flags, min_subdomains, width, &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
_json(self, queue, flags, min_subdomains)
        SV *self
        SV *queue
        UV flags
        NV min_subdomains
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
        qw_shape *shape;
        STRLEN length = 0;
        const char *name = NULL;
    CODE:
        shape = handle(aTHX_ self, CLASS "::Shape");
        if (SvOK(queue))
            name = input(aTHX_ queue, &length);
        check(aTHX_ qw_shape_json(shape, name, length, (uint32_t)flags, min_subdomains, &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

void
_rows(self, queue, flags, min_subdomains)
        SV *self
        SV *queue
        UV flags
        NV min_subdomains
    PREINIT:
        qw_error *err = NULL;
        qw_shape_rows *rows = NULL;
        qw_shape_row row;
        qw_shape *shape;
        STRLEN length = 0;
        const char *name = NULL;
        HV *fields;
        AV *counts;
        size_t index;
    PPCODE:
        shape = handle(aTHX_ self, CLASS "::Shape");
        if (SvOK(queue))
            name = input(aTHX_ queue, &length);
        check(aTHX_ qw_shape_rows_open(shape, name, length, (uint32_t)flags, min_subdomains, &rows, &err), &err);
        while (qw_shape_rows_next(rows, &row, sizeof row, NULL) == QW_OK) {
            fields = newHV();
            counts = newAV();
            put(aTHX_ fields, "domain", bytes_sv(aTHX_ row.domain));
            put(aTHX_ fields, "total", integer_sv(aTHX_ (int64_t)row.total));
            put(aTHX_ fields, "counts", newRV_noinc((SV *)counts));
            for (index = 0; index < row.columns; index++)
                av_push(counts, integer_sv(aTHX_ (int64_t)row.counts[index]));
            XPUSHs(sv_2mortal(newRV_noinc((SV *)fields)));
        }
        qw_shape_rows_free(rows);

void
DESTROY(self)
        SV *self
    CODE:
        qw_shape_free(taken(aTHX_ self));

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Messages

SV *
next(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_messages *messages;
        qw_message row;
        qw_bytes address;
        qw_status status;
        uint64_t index;
        HV *fields;
        AV *recipients, *delays;
        HV *reason;
        qw_delay delay;
        SV *reference;
    CODE:
        messages = handle(aTHX_ self, CLASS "::Messages");
        status = qw_messages_next(messages, &row, sizeof row, &err);
        if (status == QW_END)
            XSRETURN_UNDEF;
        check(aTHX_ status, &err);
        fields = newHV();
        reference = sv_2mortal(newRV_noinc((SV *)fields));
        put(aTHX_ fields, "instance", bytes_sv(aTHX_ row.instance));
        put(aTHX_ fields, "queue_id", bytes_sv(aTHX_ row.queue_id));
        put(aTHX_ fields, "sender", bytes_sv(aTHX_ row.sender));
        put(aTHX_ fields, "arrival", row.arrival == 0 ? newSV(0) : integer_sv(aTHX_ row.arrival));
        put(aTHX_ fields, "next_retry", row.next_retry == 0 ? newSV(0) : integer_sv(aTHX_ row.next_retry));
        put(aTHX_ fields, "size", integer_sv(aTHX_ (int64_t)row.size));
        put(aTHX_ fields, "done", integer_sv(aTHX_ (int64_t)row.done));
        put(aTHX_ fields, "queue_number", newSViv(row.queue));
        put(aTHX_ fields, "mode", newSVuv(row.mode));
        put(aTHX_ fields, "damaged", newSViv(row.damaged));
        put(aTHX_ fields, "forced_expire", newSViv(row.forced_expire));
        recipients = newAV();
        put(aTHX_ fields, "recipients", newRV_noinc((SV *)recipients));
        if (row.recipients > 0)
            av_extend(recipients, (SSize_t)row.recipients - 1);
        for (index = 0; index < row.recipients; index++) {
            check(aTHX_ qw_messages_recipient(messages, index, &address, &err), &err);
            av_push(recipients, bytes_sv(aTHX_ address));
        }
        delays = newAV();
        put(aTHX_ fields, "delays", newRV_noinc((SV *)delays));
        for (index = 0; index < row.recipients; index++) {
            status = qw_messages_delay(messages, index, &delay, sizeof delay, &err);
            if (status == QW_END) {
                av_push(delays, newSV(0));
                continue;
            }
            check(aTHX_ status, &err);
            reason = newHV();
            av_push(delays, newRV_noinc((SV *)reason));
            put(aTHX_ reason, "status", bytes_sv(aTHX_ delay.status));
            put(aTHX_ reason, "reason", bytes_sv(aTHX_ delay.reason));
            put(aTHX_ reason, "address", bytes_sv(aTHX_ delay.address));
        }
        RETVAL = SvREFCNT_inc(reference);
    OUTPUT:
        RETVAL

SV *
unreadable(self)
        SV *self
    CODE:
        RETVAL = integer_sv(aTHX_ (int64_t)qw_messages_unreadable(handle(aTHX_ self, CLASS "::Messages")));
    OUTPUT:
        RETVAL

void
DESTROY(self)
        SV *self
    CODE:
        qw_messages_free(taken(aTHX_ self));

MODULE = Postfix::QueueWatch    PACKAGE = Postfix::QueueWatch::Verdict

SV *
state(self)
        SV *self
    PREINIT:
        static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
        qw_state state;
    CODE:
        state = qw_verdict_state(handle(aTHX_ self, CLASS "::Verdict"));
        /* A dualvar: the exit code as a number, the word as a text. */
        RETVAL = newSVpv(words[state >= 0 && state <= 3 ? state : 3], 0);
        (void)SvUPGRADE(RETVAL, SVt_PVIV);
        SvIV_set(RETVAL, state);
        SvIOK_on(RETVAL);
    OUTPUT:
        RETVAL

SV *
summary(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        check(aTHX_ qw_verdict_summary(handle(aTHX_ self, CLASS "::Verdict"), &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
perfdata(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        check(aTHX_ qw_verdict_perfdata(handle(aTHX_ self, CLASS "::Verdict"), &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
output(self, verbosity = 0)
        SV *self
        IV verbosity
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        if (verbosity < 0 || verbosity > 255)
            croak("the verbosity is a number from 0 to 255");
        check(aTHX_ qw_verdict_output(handle(aTHX_ self, CLASS "::Verdict"), (int32_t)verbosity, &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

SV *
json(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_text *text = NULL;
    CODE:
        check(aTHX_ qw_verdict_json(handle(aTHX_ self, CLASS "::Verdict"), &text, &err), &err);
        RETVAL = text_sv(aTHX_ text);
    OUTPUT:
        RETVAL

void
findings(self)
        SV *self
    PREINIT:
        qw_error *err = NULL;
        qw_verdict *verdict;
        qw_finding row;
        size_t index, count;
        HV *fields;
    PPCODE:
        verdict = handle(aTHX_ self, CLASS "::Verdict");
        count = qw_verdict_finding_count(verdict);
        for (index = 0; index < count; index++) {
            check(aTHX_ qw_verdict_finding(verdict, index, &row, sizeof row, &err), &err);
            fields = newHV();
            put(aTHX_ fields, "measure", bytes_sv(aTHX_ row.measure));
            put(aTHX_ fields, "range", bytes_sv(aTHX_ row.range));
            put(aTHX_ fields, "text", bytes_sv(aTHX_ row.text));
            put(aTHX_ fields, "value", row.quality == QW_QUALITY_UNKNOWN ? newSV(0) : number_sv(aTHX_ row.value));
            put(aTHX_ fields, "state", newSViv(row.state));
            put(aTHX_ fields, "quality", newSViv(row.quality));
            XPUSHs(sv_2mortal(newRV_noinc((SV *)fields)));
        }

void
DESTROY(self)
        SV *self
    CODE:
        qw_verdict_free(taken(aTHX_ self));
