//! Picks messages by filters of several kinds, each of which may be given more than once.
//!
//! A message is picked if, of each kind of filter given, at least one holds, and no filter after `not` holds. Filters about
//! a delivery (recipient, domain, reason, cause, next hop) must hold for one and the same recipient.
//! The table of options has the names and help texts of the filters.

use std::cell::OnceCell;
use std::sync::Arc;

use super::delivery;
pub use super::spelled::is_address;
use super::spelled::{is_empty_address, is_printed, is_printed_exactly, is_sender};
use crate::cause::Cause;
use crate::cause::classify::{Classifier, Judgement};
use crate::error::{Error, ErrorKind, Result};
use crate::escape::domain;
use crate::escape::shown;
use crate::instance::{Instance, LeftOut, Settings};
use crate::postfix::address;
use crate::postfix::origin::{Network, address_of};
use crate::postfix::queue::Queue;
use crate::postfix::status_code::has_code;
use crate::scan::{Headers, Logged, MessageRow};
use crate::spelling::{option, with_value};

/// How tables show that a reason names no next hop.
const NO_HOP: &[u8] = b"-";

/// What a filter compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Recipient(Vec<u8>),
    Sender(Vec<u8>),
    Domain(Vec<u8>),
    Reason(String),
    Cause(Cause),
    /// The name of a next hop; `None` is a reason that names none.
    NextHop(Option<Vec<u8>>),
    Ours,
    Theirs,
    Login(Vec<u8>),
    Client(Vec<u8>, Option<Network>),
    Subject(String),
    Older(i64),
    Younger(i64),
    Expiring(i64),
    Larger(u64),
}

/// The parsers of values that a later room defines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grammar {
    /// An age in seconds.
    pub(crate) age: fn(&str) -> std::result::Result<i64, String>,
    /// A size in bytes.
    pub(crate) size: fn(&str) -> std::result::Result<u64, String>,
    /// An enhanced status code or prefix of one.
    pub(crate) code: fn(&str) -> Result<String>,
}

/// The filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    tests: Vec<(bool, Test)>,
    /// True if the next filter is negated.
    turned: bool,
}

impl Pick {
    /// Negates the next filter: messages for which it holds are left out.
    ///
    /// # Errors
    /// If the previous `not` still has no filter.
    pub(crate) fn not(&mut self) -> Result<()> {
        if self.turned {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{} is given twice before one filter", option("not")),
            ));
        }
        self.turned = true;
        Ok(())
    }

    /// Adds the filter `name` with this value, negated: for callers whose options have no order.
    ///
    /// # Errors
    /// Those of [`Pick::not`] and of [`Pick::set`]; nothing has changed then.
    pub(crate) fn set_not(&mut self, name: &str, value: &[u8], grammar: &Grammar) -> Result<()> {
        self.not()?;
        let added = self.add(name, &format!("not-{name}"), value, grammar);
        self.turned = false;
        added
    }

    /// Adds the filter `name` with this value.
    ///
    /// # Errors
    /// Of kind `NotFound` if the filter does not exist, `Syntax` for a malformed value.
    pub(crate) fn set(&mut self, name: &str, value: &[u8], grammar: &Grammar) -> Result<()> {
        self.add(name, name, value, grammar)
    }

    /// Adds the filter `name`, which errors call `option`.
    fn add(&mut self, name: &str, option: &str, value: &[u8], grammar: &Grammar) -> Result<()> {
        let bad = |what: &str| {
            let text = shown(value, 64);
            Error::new(
                ErrorKind::Syntax,
                format!("{}: {what}", with_value(option, &text)),
            )
        };
        let text = || std::str::from_utf8(value).map_err(|_| bad("the text is not valid UTF-8"));
        let age = || (grammar.age)(text()?).map_err(|what| bad(&what));
        if value.is_empty() {
            return Err(bad("a value is missing"));
        }
        let filter = match name {
            "recipient" => Test::Recipient(value.to_vec()),
            "sender" => Test::Sender(value.to_vec()),
            "domain" => Test::Domain(value.to_vec()),
            "reason" => Test::Reason((grammar.code)(text()?)?),
            "cause" => match text()? {
                "ours" => Test::Ours,
                "theirs" => Test::Theirs,
                name => Test::Cause(cause_named(name).ok_or_else(|| {
                    let names = Cause::ALL.map(Cause::name).join(", ");
                    bad(&format!("a cause is one of {names}, ours, theirs"))
                })?),
            },
            "next-hop" => Test::NextHop(Some(value.to_vec()).filter(|name| name != NO_HOP)),
            "login" => Test::Login(value.to_vec()),
            "client" => {
                let network = Network::parse(value);
                if network.is_none() && value.contains(&b'/') {
                    return Err(bad("a network is ADDRESS/BITS, such as 192.0.2.0/24"));
                }
                Test::Client(value.to_vec(), network)
            }
            "subject" => Test::Subject(text()?.to_lowercase()),
            "older" => Test::Older(age()?),
            "younger" => Test::Younger(age()?),
            "expiring" => Test::Expiring(age()?),
            "larger" => Test::Larger((grammar.size)(text()?).map_err(|what| bad(&what))?),
            _ => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no filter {}", shown(name.as_bytes(), 64)),
                ));
            }
        };
        self.tests.push((std::mem::take(&mut self.turned), filter));
        Ok(())
    }

    /// Returns true if there are no filters.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Checks that a filter follows each `not`.
    ///
    /// # Errors
    /// If no filter follows the last `not`.
    pub(crate) fn checked(&self) -> Result<&Self> {
        if self.turned {
            let text = format!("{} is not followed by a filter", option("not"));
            return Err(Error::new(ErrorKind::Invalid, text)
                .with_remedy("give the filter that it negates after it"));
        }
        Ok(self)
    }

    /// Returns true if the filters need delay reasons.
    pub(crate) fn needs_reasons(&self) -> bool {
        self.any_is(|test| {
            use Test::{Cause, NextHop, Ours, Reason, Theirs};
            matches!(test, Reason(_) | Cause(_) | NextHop(_) | Ours | Theirs)
        })
    }

    /// Returns which headers the filters need.
    pub(crate) fn needs_headers(&self) -> Headers {
        match self.any_is(|test| matches!(test, Test::Subject(_))) {
            true => Headers::All,
            false => Headers::None,
        }
    }

    /// Returns true if the filters need the origins of messages.
    pub(crate) fn needs_origin(&self) -> bool {
        self.any_is(|test| matches!(test, Test::Login(_) | Test::Client(..)))
    }

    /// Returns true if the filters are about recipients of the destination domain `name`: a message that is picked
    /// may have others beside them.
    pub fn is_about_domain(&self, name: &[u8]) -> bool {
        let is_kind = |test: &Test| matches!(test, Test::Domain(_));
        self.any_or_none(is_kind, |test| test.is_domain(name))
    }

    /// Returns true if the filters are about certain causes or next hops.
    pub fn is_about_reasons(&self) -> bool {
        let is_about = |test: &Test| test.is_cause() || matches!(test, Test::NextHop(_));
        self.tests
            .iter()
            .any(|(turned, test)| !turned && is_about(test))
    }

    /// Returns true if the filters are about the reason of `judgement`.
    pub fn is_about(&self, judgement: &Judgement<'_>) -> bool {
        let is_hop = |test: &Test| matches!(test, Test::NextHop(_));
        self.any_or_none(Test::is_cause, |test| test.is_reason(judgement))
            && self.any_or_none(is_hop, |test| test.is_reason(judgement))
    }

    /// Returns true if one of the filters of a kind `holds`, or there is none; what `not` turns does not count.
    fn any_or_none(&self, is_kind: fn(&Test) -> bool, holds: impl FnMut(&Test) -> bool) -> bool {
        let given = self.tests.iter().filter(|(turned, _)| !turned);
        let mut given = given
            .map(|(_, test)| test)
            .filter(|test| is_kind(test))
            .peekable();
        given.peek().is_none() || given.any(holds)
    }

    fn any_is(&self, is: impl Fn(&Test) -> bool) -> bool {
        self.tests.iter().any(|(_, test)| is(test))
    }

    /// Returns true if `row`, a message of the instance of `context`, is picked.
    pub(crate) fn takes(&self, row: &MessageRow, context: &Context) -> bool {
        if context.left_out.is_message(&row.sender, row.recipients()) {
            return false;
        }
        let mut name = Vec::new();
        let given = self.tests.iter().filter(|(turned, _)| !turned);
        let given = given.map(|(_, test)| test);
        let of_message = given.clone().filter(|test| test.about() == About::Message);
        each_kind(&of_message, |test| test.holds(row, context, &mut name))
            && is_one_delivery(&given, row, context, &mut name)
            && self
                .tests
                .iter()
                .filter(|(turned, _)| *turned)
                .all(|(_, test)| match test.about() {
                    About::Message => !test.holds(row, context, &mut name),
                    _ => !is_one_delivery(&std::iter::once(test), row, context, &mut name),
                })
    }
}

/// What a filter looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Message,
    /// The address of a recipient.
    Address,
    /// The reason for which a recipient waits.
    Reason,
}

/// Returns true if of each kind of filter in `tests` at least one `holds`.
fn each_kind<'t>(
    tests: &(impl Iterator<Item = &'t Test> + Clone),
    mut holds: impl FnMut(&Test) -> bool,
) -> bool {
    tests.clone().enumerate().all(|(place, test)| {
        // The first filter of a kind decides for all of that kind.
        let is_like = |other: &&Test| other.option() == test.option();
        if tests.clone().take(place).any(|other| is_like(&other)) {
            return true;
        }
        tests.clone().skip(place).filter(is_like).any(&mut holds)
    })
}

/// Returns true if those of `tests` that are about a delivery hold for one recipient of `row`.
fn is_one_delivery<'t>(
    tests: &(impl Iterator<Item = &'t Test> + Clone),
    row: &MessageRow,
    context: &Context,
    name: &mut Vec<u8>,
) -> bool {
    let about = |what| tests.clone().filter(move |test| test.about() == what);
    let (addresses, reasons) = (about(About::Address), about(About::Reason));
    let waits = reasons.clone().next().map(|_| {
        |entry: &Logged<'_>| {
            let judgement = OnceCell::new();
            let judge = || context.classifier.judge(entry.status, entry.reason);
            each_kind(&reasons, |test| match test {
                Test::Reason(code) => has_code(entry.status, code.as_bytes()),
                test => test.is_reason(judgement.get_or_init(judge)),
            })
        }
    });
    if waits.is_none() && addresses.clone().next().is_none() {
        return true;
    }
    let goes = |address: &[u8]| {
        each_kind(&addresses, |test| {
            test.is_address(address, &context.settings, name)
        })
    };
    delivery::is_any(row, goes, waits)
}

impl Test {
    /// Returns a number for each option. Tests of one option are alternatives.
    fn option(&self) -> usize {
        match self {
            Test::Recipient(_) => 0,
            Test::Sender(_) => 1,
            Test::Domain(_) => 2,
            Test::Reason(_) => 3,
            Test::Cause(_) | Test::Ours | Test::Theirs => 4,
            Test::Login(_) => 5,
            Test::Client(..) => 6,
            Test::Subject(_) => 7,
            Test::Older(_) => 8,
            Test::Younger(_) => 9,
            Test::Expiring(_) => 10,
            Test::Larger(_) => 11,
            Test::NextHop(_) => 12,
        }
    }

    fn about(&self) -> About {
        match self {
            Test::Recipient(_) | Test::Domain(_) => About::Address,
            Test::Reason(_) | Test::Cause(_) | Test::Ours | Test::Theirs | Test::NextHop(_) => {
                About::Reason
            }
            _ => About::Message,
        }
    }

    fn is_cause(&self) -> bool {
        matches!(self, Test::Cause(_) | Test::Ours | Test::Theirs)
    }

    /// Returns true if it is about the destination domain `name`.
    fn is_domain(&self, name: &[u8]) -> bool {
        matches!(self, Test::Domain(given) if domain::is_same(given, name))
    }

    /// Returns true if it is about the cause or the next hop of `judgement`.
    fn is_reason(&self, judgement: &Judgement<'_>) -> bool {
        match self {
            Test::Cause(cause) => judgement.cause == *cause,
            Test::Ours => judgement.acts.is_ours(),
            Test::Theirs => judgement.acts.is_theirs(),
            Test::NextHop(None) => judgement.next_hop.is_none(),
            Test::NextHop(Some(given)) => judgement.next_hop.is_some_and(|hop| {
                let mut name = Vec::new();
                hop.name(&mut name);
                is_printed(given, &name)
            }),
            _ => false,
        }
    }

    /// Returns true if it is about the recipient `address`.
    fn is_address(&self, address: &[u8], settings: &Settings, name: &mut Vec<u8>) -> bool {
        match (self, address) {
            (Test::Recipient(given), []) => is_empty_address(given, settings),
            (Test::Recipient(given), address) => is_address(given, address),
            (Test::Domain(_), address) => {
                address::destination_domain(address, name);
                self.is_domain(name)
            }
            _ => false,
        }
    }

    /// Returns true if it is about the message `row`, whoever its recipients are.
    fn holds(&self, row: &MessageRow, context: &Context, name: &mut Vec<u8>) -> bool {
        let Context { settings, now, .. } = context;
        let age = || now.saturating_sub(row.arrival());
        match self {
            Test::Sender(given) => match row.sender.as_slice() {
                [] => is_empty_address(given, settings),
                sender => is_sender(given, sender, name),
            },
            Test::Login(given) => is_printed_exactly(given, &row.origin.login),
            Test::Client(given, network) => match (network, address_of(&row.origin.client)) {
                (Some(network), Some(address)) => network.contains(address),
                (Some(_), None) => false,
                (None, _) => {
                    let client_name = &row.origin.client_name;
                    !client_name.is_empty() && domain::is_same(given, client_name)
                }
            },
            Test::Subject(part) => {
                let subject = row.subject();
                let subject = String::from_utf8_lossy(&subject).to_lowercase();
                subject.contains(part.as_str())
            }
            Test::Older(limit) => age() > *limit,
            Test::Younger(limit) => age() < *limit,
            Test::Expiring(limit) => {
                expires(row, settings).is_some_and(|end| end.saturating_sub(*now) <= *limit)
            }
            Test::Larger(limit) => row.size > *limit,
            _ => false,
        }
    }
}

/// What filters need to know about an instance.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Its settings.
    pub(crate) settings: Settings,
    /// Finds the causes of its delay reasons.
    pub(crate) classifier: Arc<Classifier>,
    /// The second of the epoch from which ages count.
    pub(crate) now: i64,
    left_out: Arc<LeftOut>,
}

impl Context {
    /// Returns the context of `instance` at the second `now`.
    pub(crate) fn of(instance: &Instance, now: i64) -> Self {
        let settings = instance.settings.clone();
        Context {
            classifier: Arc::clone(&instance.classifier),
            settings,
            now,
            left_out: Arc::default(),
        }
    }

    /// The same for a list, which has no message that rules and figures leave out.
    pub(crate) fn of_list(instance: &Instance, now: i64) -> Self {
        Context {
            left_out: Arc::clone(&instance.left_out),
            ..Context::of(instance, now)
        }
    }
}

fn cause_named(name: &str) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| cause.name() == name)
}

/// Returns when qmgr(8) gives `row` up, in seconds of the epoch; `None` on hold and in corrupt, where it never
/// looks.
pub(crate) fn expires(row: &MessageRow, settings: &Settings) -> Option<i64> {
    if matches!(row.queue, Some(Queue::Hold | Queue::Corrupt)) {
        return None;
    }
    let lifetime = match row.envelope.null_sender {
        true => settings.bounce_queue_lifetime,
        false => settings.maximal_queue_lifetime,
    };
    let begun = row.envelope.created.unwrap_or_else(|| row.arrival());
    Some(begun.saturating_add(lifetime))
}
