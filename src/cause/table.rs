//! The table of causes: which words and codes mean what.
//!
//! It is read from the top; the first row that fits decides. A row fits when the speaker is the one of its
//! section, the enhanced status code is or begins with the row's code (an empty one fits all), and the
//! text holds the row's words in any case. Where none fits, `LATER` and `VAGUE` are asked for a reply
//! whose code says little, then `BY_CODE`. Each row has the source of its text: a file of Postfix's
//! sources, an RFC, or who replies so.

// A row per line reads as a table only with bare names.
#[allow(clippy::enum_glob_use)]
use super::Cause::{self, *};
use super::parts::Said;

/// One row of the table of words.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who must have said it.
    pub said: Said,
    /// The enhanced status code or the beginning of it, part by part; empty for any.
    pub code: &'static str,
    /// The phrases, in lower case, separated by ` | `; an empty one fits all.
    pub words: &'static str,
    /// What they mean.
    pub cause: Cause,
    /// Where such texts come from.
    pub source: &'static str,
}

impl Row {
    /// Its phrases, any of which fits.
    pub(crate) fn phrases(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.words.split(" | ")
    }
}

const fn postfix(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Postfix, "", words, cause, source)
}

const fn connect(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Connect, "", words, cause, source)
}

const fn reply(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Reply, "", words, cause, source)
}

const fn coded(code: &'static str, words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Reply, code, words, cause, source)
}

const fn row(
    said: Said,
    code: &'static str,
    words: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    Row {
        said,
        code,
        words,
        cause,
        source,
    }
}

/// One row of the table of codes.
#[derive(Clone, Copy, Debug)]
pub struct CodeRow {
    /// Who must have said it.
    pub said: Said,
    /// The enhanced status code or the beginning of it (`4.7.28`), or a reply code (`421`).
    pub code: &'static str,
    /// What it means.
    pub cause: Cause,
    /// What the registry or the RFC calls it.
    pub source: &'static str,
}

const fn by(said: Said, code: &'static str, cause: Cause, source: &'static str) -> CodeRow {
    CodeRow {
        said,
        code,
        cause,
        source,
    }
}

/// The table of words. Phrases of one row are separated by ` | `. It is data, so rustfmt leaves it alone.
#[rustfmt::skip]
pub(crate) const BY_WORDS: &[Row] = &[
    // Postfix about space: every agent ends with the system's error text (ENOSPC).
    postfix("no space left on device", Storage, "errno ENOSPC, mail_copy.c"),
    postfix("queue file write error", Storage, "cleanup_strerror.c"),
    postfix("insufficient system storage", Storage, "smtpd_check.c, queue_minfree"),

    // What a command says concerns that command, whatever its words are.
    postfix("command output:", Delivery, "pipe_command.c"),

    // Postfix about its own settings.
    postfix("unknown mail transport error | mail transport unavailable", Configuration, "qmgr_deliver.c"),
    postfix("loops back to myself", Configuration, "smtp_addr.c, smtp_proto.c"),
    postfix("unable to find primary relay for", Configuration, "smtp_addr.c"),
    postfix("our tls engine is unavailable", Configuration, "smtp_proto.c"),
    postfix("client tls configuration problem | temporary lookup error", Configuration, "smtp_tls_policy.c"),
    postfix("no requisite library support | configured with dnssec lookups disabled", Configuration, "smtp_tls_policy.c, dane"),
    postfix("configured with mx lookup errors ignored", Configuration, "smtp_tls_policy.c, dane"),
    postfix("dns resolver options incompatible", Configuration, "smtp_tls_policy.c, dane"),
    postfix("requiretls policy configuration error", Configuration, "smtp_connect.c"),
    postfix("all network protocols are disabled", Configuration, "smtp_connect.c"),
    postfix("configuration error", Configuration, "local, virtual, pipe, smtp_connect.c"),
    postfix("address resolver failure", Configuration, "qmgr_message.c, local/resolve.c"),
    postfix("deferred transport", Configuration, "qmgr_message.c, defer_transports"),
    postfix("alias expansion error", Configuration, "cleanup_map1n.c"),
    postfix("invalid dns reply filter syntax", Configuration, "dns_lookup.c"),

    // Postfix about logins.
    postfix("sasl authentication failed", Authentication, "smtp_sasl_proto.c, smtp_sasl_glue.c"),
    postfix("sasl [cached] authentication failed", Authentication, "smtp_sasl_glue.c"),

    // Postfix about names.
    postfix("name service error | host or domain name not found", Dns, "dns_lookup.c"),
    postfix("error looking up name=", Dns, "dns_lookup.c"),
    postfix("unable to look up host | : host not found", Dns, "smtp_addr.c"),
    postfix("does not accept mail (nullmx)", Recipient, "dns_lookup.c, RFC 7505"),

    // Postfix about encryption.
    postfix("tls is required | cannot start tls | server certificate not", Tls, "smtp_proto.c"),
    postfix("tlsa | non dnssec destination | mx rrset is insecure", Tls, "smtp_tls_policy.c, dane"),
    postfix("sender requested requiretls", Tls, "smtp_connect.c"),
    postfix("requiretls", Tls, "smtp_proto.c, RFC 8689"),

    postfix("mta-sts | certificate", Tls, "smtp_proto.c, policies of RFC 8461"),

    // Postfix about names, in words of the system's resolver.
    postfix("hostname lookup | host name lookup | name resolution | dns", Dns, "gai_strerror(3), smtp_addr.c"),

    // Postfix about servers that it cannot use.
    postfix("network address conversion failed", Network, "smtp_connect.c"),
    postfix("server unavailable or unable to receive mail", Unreachable, "smtp_connect.c"),
    postfix("unexpected server message", Busy, "smtp_proto.c"),
    postfix("protocol error", Busy, "smtp_trouble.c"),

    // Local delivery: local(8), virtual(8), pipe(8) and the commands they run.
    postfix("address verification", Recipient, "verify(8)"),
    postfix("disk quota exceeded", Mailbox, "errno EDQUOT, mbox_open.c"),
    postfix("file too large", Mailbox, "errno EFBIG, mbox_open.c"),
    row(Said::Postfix, "4.2.2", "", Mailbox, "RFC 3463, a mailbox is full"),
    postfix("temporary failure", Delivery, "sys_exits.c, EX_TEMPFAIL"),
    postfix("system resource problem", Delivery, "sys_exits.c, EX_OSERR"),
    postfix("command died with | command time limit exceeded", Delivery, "pipe_command.c"),
    postfix("delivery failed", Delivery, "pipe_command.c, virtual, local"),
    postfix("cannot update mailbox", Delivery, "local/mailbox.c"),
    postfix("cannot append message to file", Delivery, "local/file.c"),
    postfix("create maildir file", Delivery, "local/maildir.c, virtual/maildir.c"),
    postfix("is not owned by recipient", Delivery, "local/mailbox.c, virtual/mailbox.c"),
    postfix("cannot access home directory", Delivery, "local/dotforward.c"),
    postfix("error reading forwarding file", Delivery, "local/token.c"),
    postfix("alias database", Delivery, "local/alias.c"),
    postfix("table lookup failure", Delivery, "local/mailbox.c, local/unknown.c"),
    postfix("user lookup error", Delivery, "local/mailbox.c, local/dotforward.c"),
    postfix("unable to forward message", Delivery, "local/indirect.c, local/forward.c"),
    postfix("unable to lock for exclusive access", Delivery, "mbox_open.c, dot_lockfile.c"),
    postfix("error writing message | error reading message", Delivery, "mail_copy.c"),
    postfix("input/output error", Delivery, "sys_exits.c, EX_IOERR"),
    postfix("permission denied", Delivery, "sys_exits.c, EX_NOPERM"),
    postfix("user unknown", Recipient, "sys_exits.c, EX_NOUSER; soft_bounce"),
    postfix("unknown user", Recipient, "local/unknown.c; soft_bounce"),

    // The system about connections (errno); a loopback or a socket was already found to be ours.
    connect("network is unreachable", Network, "ENETUNREACH"),
    connect("no route to host", Network, "EHOSTUNREACH"),
    connect("network is down", Network, "ENETDOWN"),
    connect("host is down", Network, "EHOSTDOWN"),
    connect("cannot assign requested address", Network, "EADDRNOTAVAIL, smtp_bind_address"),
    connect("can't assign requested address", Network, "EADDRNOTAVAIL on BSD"),
    connect("address family not supported", Network, "EAFNOSUPPORT"),
    connect("permission denied", Network, "EACCES, a local packet filter"),
    connect("operation not permitted", Network, "EPERM, a local packet filter"),
    connect("invalid argument", Network, "EINVAL, a route without an address"),
    connect("server refused to talk", Busy, "smtp_connect.c"),
    connect("", Unreachable, "ECONNREFUSED, ETIMEDOUT, ECONNRESET"),
    row(Said::Session, "", "timed out while receiving the initial server greeting", Unreachable, "smtp_trouble.c, a port that nothing answers at"),
    row(Said::Session, "", "", Busy, "smtp_trouble.c"),

    // A verified address, and then the reason of the probe, which quotes any text.
    reply("sender address rejected: unverified | sender address rejected: undeliverable", Blocked, "Postfix smtpd"),
    reply("unverified address | undeliverable address", Recipient, "Postfix smtpd"),

    // Replies about space: of a service of this host it is ours, of any other server it is busy.
    reply("insufficient system storage | insufficient disk | queue file write error", Storage, "Postfix smtpd and cleanup, Sendmail"),
    reply("no space left on device", Storage, "errno ENOSPC, filters and LMTP servers"),

    // Replies about loops: mail passes here again and again, and only the routes end that.
    reply("mail loop | too many hops | hop count exceeded | routing loop", Configuration, "Sendmail, Exchange, Postfix cleanup"),
    reply("mail is looping | loops back to", Configuration, "qmail, Postfix smtp behind a relay"),

    // Replies about logins.
    reply("authentication required | authentication failed", Authentication, "RFC 4954"),
    reply("authentication credentials invalid", Authentication, "RFC 4954"),
    reply("unauthenticated senders", Authentication, "SendGrid"),
    reply("must be authenticated | client was not authenticated", Authentication, "Exchange"),
    reply("not authenticated to send", Authentication, "Exchange"),
    reply("please authenticate | smtp auth | authorization required", Authentication, "relays of providers"),
    reply("temporary authentication failure", Authentication, "RFC 4954, Exchange"),
    reply("too many login attempts | cannot authenticate due to", Authentication, "Gmail"),

    // Replies that refuse to relay.
    reply("relay access denied", Relay, "Postfix smtpd"),
    reply("relaying denied", Relay, "Sendmail"),
    reply("unable to relay", Relay, "Exchange"),
    reply("relay not permitted | not permitted to relay", Relay, "Exim"),
    reply("allowed rcpthosts", Relay, "qmail"),

    // Replies of greylisting.
    reply("greylist", Greylisted, "postgrey, rspamd, Exim, Zoho"),
    reply("grey list | grey-list", Greylisted, "Exim"),
    reply("graylist", Greylisted, "IronPort, SmarterMail"),
    reply("gray list | gray-list", Greylisted, "SmarterMail"),
    reply("[gl01]", Greylisted, "Yahoo"),
    reply("policy rejection- please try later", Greylisted, "policyd"),
    reply("not yet known | come back in", Greylisted, "milter-greylist"),
    reply("first time", Greylisted, "SQLgrey, Exim"),
    reply("come back later", Greylisted, "postgrey and others"),
    reply("internal resource temporarily unavailable", Greylisted, "Mimecast, greylisting"),
    reply("internal resources are temporarily unavailable", Greylisted, "Mimecast, greylisting"),
    reply("retrying too fast", Greylisted, "policyd-weight"),
    reply("try again in | retry in | please retry after | temporary reject", Greylisted, "greylisting of many"),
    reply("early retry", Greylisted, "gld"),
    reply("soft reject", Greylisted, "rspamd"),
    reply("must retry", Greylisted, "greylisting of many"),

    // Limits of what we may send; before those about one mailbox, for both are called quota.
    reply("throttling failure", Throttled, "Amazon SES"),
    reply("daily message quota | daily sending quota | sending quota | sending limit", Throttled, "relays of providers"),
    reply("daily quota | daily limit | hourly quota | rate quota", Throttled, "relays of providers, policyd"),
    reply("messages per connection | concurrent sessions | messaging limits", Throttled, "several servers"),

    // Replies about one mailbox. They come before those about rates, because a mailbox may have a rate.
    reply("over quota", Mailbox, "Cyrus, Dovecot, Yahoo"),
    reply("overquota", Mailbox, "iCloud, qmail"),
    reply("over its quota | out of storage | receiving mail at", Mailbox, "Gmail"),
    reply("receiving mail too quickly | receiving too much mail", Mailbox, "Gmail"),
    reply("quota exceeded", Mailbox, "Dovecot"),
    reply("exceeded quota", Mailbox, "Exim"),
    reply("exceeds quota", Mailbox, "Cyrus"),
    reply("exceeded his quota | exceeded their quota", Mailbox, "Zimbra"),
    reply("quota full | ratelimit exceeded for mailbox", Mailbox, "Mail.ru"),
    reply("quota limit | storage limit | recipient thread limit exceeded", Mailbox, "Exchange"),
    reply("storage quota", Mailbox, "Gmail, Mail.ru"),
    reply("mailbox full | mailbox size limit | mailbox has exceeded", Mailbox, "several servers"),
    reply("inbox is full | full mailbox | too many messages for this recipient", Mailbox, "several servers"),
    reply("recipient's mailbox | mailbox locked | mailbox busy", Mailbox, "several servers"),
    reply("mailbox temporarily disabled | mailbox is temporarily", Mailbox, "several servers"),
    reply("mailbox is disabled | account is temporarily | user is over", Mailbox, "several servers"),
    reply("disk quota", Mailbox, "several servers"),
    reply("mailbox is full", Mailbox, "Exchange, T-Online"),
    reply("mailbox too full", Mailbox, "qmail"),
    reply("mailbox voll", Mailbox, "T-Online"),
    reply("message store is full", Mailbox, "MDaemon"),
    reply("exceeded message rate limit | recipient has exceeded", Mailbox, "Yandex"),
    reply("recipient is receiving | user is receiving | mailbox is receiving", Mailbox, "several servers"),
    reply("over the quota | domain is over | overdrawn", Mailbox, "several servers"),
    reply("recipient rate limit", Mailbox, "Exchange, Mimecast"),
    reply("mailbox is locked", Mailbox, "Cyrus, Courier"),
    reply("mailbox disabled", Mailbox, "RFC 3463"),

    // Replies that refuse for good although the code is temporary; before those about rates.
    reply("permanently deferred", Blocked, "Yahoo, TS03, TSS09"),
    reply("temporarily blocked | temporarily rejected because of", Blocked, "several servers"),
    reply("temporarily blacklisted", Blocked, "Mimecast"),
    reply("due to poor reputation", Blocked, "Proofpoint"),
    reply("poor reputation", Blocked, "IronPort"),
    reply("too many spams", Blocked, "Free"),
    reply("too many errors from", Blocked, "Free, servers that count our errors"),

    // Codes of mail without authentication: Gmail limits its rate, and only authentication ends that.
    coded("4.7.20", "", Blocked, "no passing DKIM signature, RFC 7372"),
    coded("4.7.21", "", Blocked, "no acceptable DKIM signature, RFC 7372"),
    coded("4.7.22", "", Blocked, "no DKIM signature that fits the author, RFC 7372"),
    coded("4.7.23", "", Blocked, "SPF validation failed, RFC 7372; Gmail: no PTR record"),
    coded("4.7.24", "", Blocked, "SPF validation error, RFC 7372"),
    coded("4.7.25", "", Blocked, "reverse DNS validation failed, RFC 7372"),
    coded("4.7.26", "", Blocked, "multiple authentication checks failed, RFC 7372, Gmail"),
    coded("4.7.27", "", Blocked, "Gmail: SPF; RFC 7505"),
    coded("4.7.30", "", Blocked, "Gmail: DKIM"),
    coded("4.7.32", "", Blocked, "Gmail: author and domain do not fit"),
    coded("4.7.40", "", Blocked, "Gmail: DMARC"),
    coded("4.7.29", "", Tls, "Gmail: no TLS"),

    // Replies about our rate.
    reply("rate limit", Throttled, "Gmail, Outlook, Barracuda"),
    reply("rate-limit | unusual amount | too many concurrent connections from", Throttled, "several servers"),
    reply("too many simultaneous connections | too many emails | too many mails", Throttled, "several servers"),
    reply("too fast | too frequent | too often | connections limit", Throttled, "several servers"),
    reply("message limit | limit exceeded | per minute | per day | reduce your", Throttled, "several servers"),
    reply("reduce the | delivery rate | sending rate | volume of | excessive", Throttled, "several servers"),
    reply("ratelimit", Throttled, "rspamd, Exim"),
    reply("unusual rate", Throttled, "Gmail"),
    reply("unexpected volume | [ts01] | [ts02] | [tss0", Throttled, "Yahoo"),
    reply("user complaints", Throttled, "Yahoo, Verizon Media"),
    reply("throttl", Throttled, "Comcast, Exchange"),
    reply("slow down", Throttled, "Orange"),
    reply("too many connections from | too much mail | too many new tls sessions", Throttled, "Postfix smtpd"),
    reply("too many auth commands | too many errors", Throttled, "Postfix smtpd"),
    reply("too many concurrent smtp connections from | connections from this", Throttled, "Exim"),
    reply("connections from your", Throttled, "GMX, many"),
    reply("too many sessions", Throttled, "Comcast"),
    reply("too many messages", Throttled, "Barracuda, many"),
    reply("too many recipients", Throttled, "Postfix smtpd, IronPort, RFC 5321"),
    reply("frequency limited", Throttled, "QQ"),
    reply("frequency limit", Throttled, "QQ, 163"),
    reply("connection rate", Throttled, "Sendmail"),
    reply("connection limit", Throttled, "Outlook RP-002, Exim"),
    reply("exceeded the", Throttled, "Outlook RP-001"),
    reply("hourly limit", Throttled, "cPanel"),
    reply("per hour", Throttled, "IronPort, cPanel"),
    reply("this hour", Throttled, "IronPort"),
    reply("flood", Throttled, "RFC 7372 family"),
    reply("trop de", Throttled, "Orange, Free"),
    coded("4.7.500", "server busy", Throttled, "Outlook, AS(4810)"),
    coded("4.7.0", "try again later, closing connection", Throttled, "Gmail"),

    // Scanners that fail; before the rows about spam and viruses.
    reply("virus engine | virus scanner | scanner failed | content scan | clamd", Busy, "milters, amavis, Exim"),

    // Replies about encryption.
    reply("must issue a starttls | starttls command first", Tls, "RFC 3207"),
    reply("starttls is required | tls is required | requires tls | require tls", Tls, "several servers"),
    reply("starttls", Tls, "several servers"),
    reply("tls required", Tls, "Gmail"),
    reply("encryption required", Tls, "Postfix smtpd, RFC 3207"),
    reply("encryption needed | session encryption is required | tls not available", Tls, "Postfix smtpd"),
    reply("tls currently unavailable", Tls, "Exim"),
    reply("tls 1.0 | tls version | unsupported tls", Tls, "Outlook 4.7.66"),

    // Replies about our name, our address, our sender's domain, our reputation.
    reply("cannot find your | reverse hostname | sender address rejected", Blocked, "Postfix smtpd"),
    reply("client host rejected", Blocked, "Postfix smtpd"),
    reply("reverse dns", Blocked, "Comcast, GMX, many"),
    reply("reverse name | rdns | ehlo | sender domain | sender verification", Blocked, "several servers"),
    reply("sender rejected | client host blocked | blocklist | blacklist", Blocked, "several servers"),
    reply("black list | blocked | banned | dnsbl | rbl | spam | abuse", Blocked, "several servers"),
    reply("access rejected | not allowed to send | junkmail | message rejected", Blocked, "several servers"),
    reply("virus | permission to send | contact your", Blocked, "several servers"),
    reply("ptr", Blocked, "Gmail, GMX"),
    reply("helo", Blocked, "Postfix smtpd, Exim"),
    reply("sender address does not | access was rejected", Blocked, "IronPort"),
    reply("domain of sender address", Blocked, "Sendmail, IronPort"),
    reply("sender verify | verify sender", Blocked, "Exim"),
    reply("client host [", Blocked, "Postfix smtpd, reject_rbl_client"),
    reply("spf", Blocked, "RFC 7208"),
    reply("dkim", Blocked, "RFC 6376"),
    reply("dmarc", Blocked, "RFC 7489"),
    reply("unauthenticated email | unsolicited | not in whitelist", Blocked, "Gmail"),
    reply("reputation", Blocked, "IronPort, Proofpoint"),
    reply("block list", Blocked, "Outlook S3140, GMX"),
    reply("listed", Blocked, "Spamhaus, SpamCop"),
    reply("barracuda", Blocked, "Barracuda"),
    reply("proofpoint.com", Blocked, "Proofpoint"),
    reply("senderscore", Blocked, "Return Path"),
    reply("suspicious", Blocked, "Gmail, Outlook"),
    reply("access denied", Blocked, "Outlook, Postfix smtpd"),
    reply("not accepting mail from", Blocked, "Mimecast"),
    reply("not accept mail from | bad dns", Blocked, "GMX"),
    reply("policy", Blocked, "GMX, many"),
    reply("tosa@rx.t-online.de | problem occurred. ask your postmaster", Blocked, "T-Online"),
    reply("ofr_ | ofr0 | service refus", Blocked, "Orange"),
    reply("content rejected", Blocked, "Postfix cleanup"),
    reply("mail content denied", Blocked, "QQ"),

    // A rate again: the words above say more than that mail is deferred.
    reply("temporarily deferred", Throttled, "Yahoo, Proofpoint"),
    reply("per-source limit | per-client limit | per-ip limit | limit per source", Throttled, "Exchange"),

    // Replies about the recipient.
    reply("recipient address rejected: domain not found", Recipient, "Postfix smtpd"),
    reply("address verification in progress", Recipient, "Postfix verify"),
    reply("recipient verify | verify recipient | recipient callout | callout", Recipient, "Exim"),
    reply("user unknown | unknown user | unknown recipient | recipient unknown", Recipient, "several servers"),
    reply("no such user | no such recipient | no such mailbox | does not exist", Recipient, "several servers"),
    reply("doesn't exist | mailbox not found | user not found | account not found", Recipient, "several servers"),
    reply("invalid recipient | mailbox currently unavailable | not our customer", Recipient, "several servers"),
    reply("account has been disabled | account disabled | account inactive", Recipient, "several servers"),
    reply("user is inactive", Recipient, "several servers"),
    reply("recipient not found", Recipient, "Exchange"),
    reply("recipient validation | recipient check | validate recipient", Recipient, "several servers"),
    reply("account is unavailable | account unavailable | domain not active", Recipient, "Facebook, XO"),
    reply("account suspended | user suspended | mailbox suspended", Recipient, "several servers"),
    reply("unknown in", Recipient, "Postfix smtpd, table of recipients"),
    reply("recipient temporarily unavailable", Recipient, "Mimecast"),
    reply("mailbox unavailable", Recipient, "RFC 5321"),

    // Replies of a server in trouble.
    reply("queue is full | disk is full | spool is full", Busy, "several servers"),
    reply("too many connections", Busy, "Postfix postscreen, Sendmail"),
    reply("all server ports are busy | all screening ports are busy", Busy, "Postfix postscreen"),
    reply("service currently unavailable", Busy, "Postfix postscreen"),
    reply("lookup failure | lookup error | server configuration", Busy, "Postfix smtpd"),
    reply("temporary local problem | unexpected failure", Busy, "Exim"),
    reply("insufficient system", Busy, "Postfix smtpd, Exchange"),
    reply("temporary system problem", Busy, "Gmail"),
    reply("internal error | temporarily unavailable | temporary failure | timeout", Busy, "several servers"),
    reply("busy | database | maintenance", Busy, "several servers"),
    reply("server error", Busy, "Exchange"),
    reply("service unavailable | service not available", Busy, "RFC 5321"),
    reply("local error in processing", Busy, "RFC 5321"),
    reply("temporary problem", Busy, "qmail"),
    reply("temporary error | queue full", Busy, "IronPort"),
    reply("resources temporarily", Busy, "Yahoo"),
    reply("load", Busy, "Sendmail, Exim"),
    reply("shutting down", Busy, "Dovecot, Sendmail"),
    reply("error in processing", Busy, "amavis"),
    reply("milter | not responding | out of memory | disk full | resources unavailable", Busy, "Sendmail, qmail, Yahoo"),
];

/// Replies that only ask to come again: greylisting in the words of many. They are asked for where the
/// enhanced status code is absent, says nothing (`4.0.0`) or names a policy (`4.7.0`, `4.7.1`). `code` is
/// the reply code here: 421 ends a session and 452 is about space, so they speak of the server.
#[rustfmt::skip]
pub(crate) const LATER: &[Row] = &[
    coded("450", "try again | try later | retry later | please retry | come back | deferred", Greylisted, "policy services"),
    coded("451", "try again | try later | retry later | please retry | come back | deferred", Greylisted, "rspamd, milters, Barracuda"),
];

/// Words that many texts have, asked for where the enhanced status code is absent or says nothing
/// (`4.0.0`). `code` is the beginning of the reply code here.
#[rustfmt::skip]
pub(crate) const VAGUE: &[Row] = &[
    coded("4", " is full", Mailbox, "several servers: the mailbox of ADDRESS is full"),
    coded("4", "connection refused | connect to | timed out", Busy, "a server about another one behind it"),
    coded("", "recipient address rejected", Recipient, "Postfix smtpd, policy services"),
    coded("", "not allowed | refused", Blocked, "several servers"),
    coded("421", "too many", Busy, "Exim and others: the server has too many sessions of all clients"),
    coded("", "too many", Throttled, "several servers"),
    coded("", "unavailable", Busy, "several servers"),
];

/// The table of codes, asked when no words decide. The names are those of the registry of enhanced status
/// codes (RFC 3463, RFC 5248), where a row names no other source.
#[rustfmt::skip]
pub(crate) const BY_CODE: &[CodeRow] = &[
    by(Said::Reply, "4.1.7", Blocked, "bad sender's mailbox address syntax"),
    by(Said::Reply, "4.1.8", Blocked, "bad sender's system address"),
    by(Said::Reply, "4.1.10", Recipient, "recipient address has null MX"),
    by(Said::Reply, "4.1", Recipient, "addressing status"),
    by(Said::Reply, "4.2", Mailbox, "mailbox status"),
    by(Said::Reply, "4.3", Busy, "mail system status"),
    by(Said::Reply, "4.4", Busy, "network and routing status"),
    by(Said::Reply, "4.5.3", Throttled, "too many recipients"),
    by(Said::Reply, "4.5", Busy, "mail delivery protocol status"),
    by(Said::Reply, "4.7.4", Tls, "security features not supported"),
    by(Said::Reply, "4.7.5", Tls, "cryptographic failure"),
    by(Said::Reply, "4.7.6", Tls, "cryptographic algorithm not supported"),
    by(Said::Reply, "4.7.8", Authentication, "authentication credentials invalid"),
    by(Said::Reply, "4.7.9", Authentication, "authentication mechanism is too weak"),
    by(Said::Reply, "4.7.10", Tls, "encryption needed"),
    by(Said::Reply, "4.7.11", Tls, "encryption required for the mechanism"),
    by(Said::Reply, "4.7.12", Authentication, "a password transition is needed"),
    by(Said::Reply, "4.7.28", Throttled, "mail flood detected"),
    by(Said::Reply, "4.7", Blocked, "security or policy status"),
    by(Said::Reply, "5.1", Recipient, "addressing status; soft_bounce"),
    by(Said::Reply, "5.2", Mailbox, "mailbox status; soft_bounce"),
    by(Said::Reply, "5.7", Blocked, "security or policy status; soft_bounce"),
    by(Said::Reply, "220", Busy, "a greeting or reply that SMTP does not allow; smtp_trouble.c, protocol error"),
    by(Said::Reply, "250", Busy, "the same"),
    by(Said::Reply, "420", Busy, "no code of RFC 5321; Yahoo, Barracuda"),
    by(Said::Reply, "421", Busy, "service not available, closing channel; RFC 5321"),
    by(Said::Reply, "432", Busy, "a password transition, or Exchange's mailbox store"),
    by(Said::Reply, "450", Recipient, "mailbox unavailable; RFC 5321"),
    by(Said::Reply, "451", Busy, "local error in processing; RFC 5321"),
    by(Said::Reply, "452", Busy, "insufficient system storage; RFC 5321"),
    by(Said::Reply, "454", Busy, "temporary failure; RFC 4954, RFC 3207"),
    by(Said::Reply, "530", Authentication, "authentication required; RFC 4954"),
    by(Said::Reply, "535", Authentication, "credentials invalid; RFC 4954"),
    by(Said::Reply, "550", Recipient, "mailbox unavailable; RFC 5321, soft_bounce"),
    by(Said::Reply, "553", Blocked, "mailbox name not allowed; RFC 5321, used against senders"),
    by(Said::Reply, "554", Blocked, "no SMTP service here; RFC 5321"),
    by(Said::Postfix, "4.1.8", Blocked, "bad sender's system address"),
    by(Said::Postfix, "4.1", Recipient, "addressing status"),
    by(Said::Postfix, "4.2.2", Mailbox, "mailbox full"),
    by(Said::Postfix, "4.2", Delivery, "mailbox status, of a local agent"),
    by(Said::Postfix, "4.3.1", Storage, "mail system full"),
    by(Said::Postfix, "4.3.2", Configuration, "system not accepting messages, of qmgr"),
    by(Said::Postfix, "4.3.5", Configuration, "system incorrectly configured"),
    by(Said::Postfix, "4.3", Delivery, "mail system status, of a local agent"),
    by(Said::Postfix, "4.4.1", Unreachable, "no answer from host"),
    by(Said::Postfix, "4.4.2", Busy, "bad connection"),
    by(Said::Postfix, "4.4.3", Dns, "directory server failure"),
    by(Said::Postfix, "4.4.4", Dns, "unable to route"),
    by(Said::Postfix, "4.4.6", Configuration, "routing loop detected"),
    by(Said::Postfix, "4.7.4", Tls, "security features not supported"),
    by(Said::Postfix, "4.7.5", Tls, "cryptographic failure"),
    by(Said::Postfix, "4.7.8", Authentication, "authentication credentials invalid"),
    by(Said::Postfix, "4.7.10", Tls, "encryption needed"),
    by(Said::Postfix, "5.1", Recipient, "addressing status; soft_bounce"),
    by(Said::Postfix, "5.2.2", Mailbox, "mailbox full; soft_bounce"),
    by(Said::Postfix, "5.3.5", Configuration, "system incorrectly configured; soft_bounce"),
    by(Said::Postfix, "5.4.6", Configuration, "routing loop detected; soft_bounce"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_well_formed_and_can_be_reached() {
        for (place, row) in BY_WORDS.iter().enumerate() {
            assert_eq!(row.words, row.words.to_ascii_lowercase());
            assert_ne!(row.source, "", "{}", row.words);
            for phrase in row.phrases() {
                let before = BY_WORDS[..place].iter();
                let hides = |before: &&Row| {
                    before.said == row.said
                        && before.code.is_empty()
                        && before.phrases().any(|earlier| phrase.contains(earlier))
                };
                let hidden = before.clone().find(hides);
                assert!(hidden.is_none(), "{hidden:?} hides {phrase:?}");
            }
        }
        for (place, row) in BY_CODE.iter().enumerate() {
            let hides = |before: &&CodeRow| {
                before.said == row.said
                    && crate::postfix::delay_reason::has_code(
                        row.code.as_bytes(),
                        before.code.as_bytes(),
                    )
            };
            assert!(
                BY_CODE[..place].iter().find(hides).is_none(),
                "{}",
                row.code
            );
        }
    }
}
