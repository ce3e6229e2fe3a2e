//! Counts where the mail of some spools comes from: messages by login, client, local user, or another
//! property of their origin.
//!
//! It takes spools and the filters of a list, and returns a bounded [`Table`]. `postfix::origin` defines what
//! an origin is; renderings print it.

pub(crate) mod table;

use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::instance::{self, Instance};
use crate::listing::pick::Context;
use crate::listing::{ListOutcome, ListRequest, opened};
use crate::postfix::address;
use crate::postfix::origin::{Kind, address_of, network_of};
use crate::scan::{Headers, MessageRow, RowObserver, RowReceiver, Spool};

pub use table::Table;

/// The property by which messages are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// The best that is known: login, client, local user.
    #[default]
    Best,
    /// The SASL login.
    Login,
    /// The address of the client.
    Client,
    /// Its network: `/24` of IPv4, `/64` of IPv6.
    Network,
    /// The local user.
    User,
    /// The envelope sender.
    Sender,
    /// The domain of the envelope sender.
    SenderDomain,
    /// What the client said in HELO.
    Helo,
    /// The decoded subject.
    Subject,
}

impl Grouping {
    /// All groupings that can be selected by name.
    pub const NAMED: [Grouping; 8] = [
        Grouping::Login,
        Grouping::Client,
        Grouping::Network,
        Grouping::User,
        Grouping::Sender,
        Grouping::SenderDomain,
        Grouping::Helo,
        Grouping::Subject,
    ];

    /// Returns its name in options and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Grouping::Best => "",
            Grouping::Login => "login",
            Grouping::Client => "client",
            Grouping::Network => "network",
            Grouping::User => "user",
            Grouping::Sender => "sender",
            Grouping::SenderDomain => "sender-domain",
            Grouping::Helo => "helo",
            Grouping::Subject => "subject",
        }
    }

    /// Returns the grouping of that name.
    pub fn from_name(name: &str) -> Option<Grouping> {
        Grouping::NAMED.into_iter().find(|by| by.name() == name)
    }

    /// Returns which headers it needs.
    fn headers(self) -> Headers {
        match self {
            Grouping::Best | Grouping::User => Headers::Local,
            Grouping::Subject => Headers::All,
            _ => Headers::None,
        }
    }

    /// Returns the name in JSON of a kind in the table.
    pub fn kind_name(self, kind: u8) -> &'static str {
        let best = [Kind::Login, Kind::Client, Kind::User, Kind::Unknown];
        match self {
            Grouping::Best => best.get(usize::from(kind)).map_or("", |kind| kind.name()),
            by => by.name(),
        }
    }

    /// Writes the name under which `row` counts to `name`, and returns its kind.
    fn of(self, row: &MessageRow, name: &mut Vec<u8>) -> u8 {
        let origin = &row.origin;
        name.clear();
        match self {
            Grouping::Best => {
                let kind = origin.kind();
                origin.name(kind, name);
                return kind as u8;
            }
            Grouping::Login => origin.name(Kind::Login, name),
            Grouping::Client => origin.name(Kind::Client, name),
            Grouping::User => origin.name(Kind::User, name),
            Grouping::Network => match address_of(&origin.client) {
                Some(address) => name.extend_from_slice(network_of(address).as_bytes()),
                None => name.extend_from_slice(&origin.client),
            },
            Grouping::Sender => address::fold(&row.sender, name),
            Grouping::SenderDomain => address::destination(&row.sender, name),
            Grouping::Helo => name.extend_from_slice(&origin.helo),
            Grouping::Subject => {
                *name = row.subject();
                name.truncate(MAX_SUBJECT);
            }
        }
        0
    }
}

/// How many bytes of a subject are compared.
const MAX_SUBJECT: usize = 255;

/// Returns the origins of the messages that `request` picks, and the outcome of reading them.
///
/// # Errors
/// If no spool can be opened. The error of one instance among several is in the outcome.
pub fn take(
    instances: Vec<Result<Instance>>,
    request: &ListRequest,
    by: Grouping,
) -> Result<(Table, ListOutcome)> {
    if by.headers() == Headers::All {
        instance::refuse_content("the subject")?;
    }
    let mut outcome = ListOutcome::default();
    let spools: Vec<(Spool, Instance)> = opened(instances, &mut outcome)?;
    let table = Mutex::new(Table::default());
    let mut plan = request.plan(request.queues);
    // A check counts damage. Here a file counts as far as it can be read.
    plan.headers = plan.headers.max(by.headers());
    plan.origins = true;
    for (spool, instance) in &spools {
        let context = Context::of(instance, request.now);
        let piece = || {
            RowObserver::new(OriginCounter {
                table: &table,
                request,
                context: &context,
                by,
                name: Vec::new(),
                sender: Vec::new(),
                domains: Vec::new(),
            })
            .with_plan(&plan)
        };
        for rows in spool.scan(&plan, request.readers, request.deadline, piece) {
            let (gaps, unreadable, cut, _) = rows.finish();
            outcome.take_in(gaps, unreadable, cut);
        }
    }
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.messages = table.messages;
    Ok((table, outcome))
}

/// The part of one thread.
struct OriginCounter<'t> {
    table: &'t Mutex<Table>,
    request: &'t ListRequest,
    context: &'t Context,
    by: Grouping,
    name: Vec<u8>,
    sender: Vec<u8>,
    /// The destination domains of one message, sorted.
    domains: Vec<Vec<u8>>,
}

impl RowReceiver for OriginCounter<'_> {
    fn receive(&mut self, row: &MessageRow) -> bool {
        if !self.request.pick.takes(row, self.context) {
            return true;
        }
        let kind = self.by.of(row, &mut self.name);
        address::fold(&row.sender, &mut self.sender);
        self.domains.clear();
        let mut domain = Vec::new();
        let mut recipients = 0;
        for recipient in row.destinations() {
            recipients += 1;
            address::destination(recipient, &mut domain);
            if self.domains.last() != Some(&domain) {
                self.domains.push(domain.clone());
            }
        }
        self.domains.sort_unstable();
        self.domains.dedup();
        let part = table::Part {
            recipients,
            arrival: row.arrival(),
            queue_id: &row.queue_id,
            sender: &self.sender,
        };
        // Reading a file takes many times as long as this.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.add(
            kind,
            &self.name,
            &part,
            self.domains.iter().map(Vec::as_slice),
        );
        true
    }
}
