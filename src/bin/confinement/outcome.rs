//! What the kernel made of a confinement, for people.

use std::fmt;

use landlock::{ABI, LandlockStatus, RestrictionStatus, RulesetStatus};

/// What the kernel did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Files outside cannot be opened.
    InForce {
        /// The version of Landlock in this kernel.
        version: u32,
        /// Whether it restricts files alone, and no sockets and signals.
        files_alone: bool,
    },
    /// It confines nothing.
    Not {
        /// Why not.
        why: String,
        /// What helps.
        #[allow(dead_code, reason = "the plugin does not print it")]
        remedy: Option<String>,
    },
}

impl Outcome {
    pub(super) fn not(why: impl Into<String>, remedy: Option<&str>) -> Outcome {
        Outcome::Not {
            why: why.into(),
            remedy: remedy.map(str::to_owned),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::InForce {
                version,
                files_alone,
            } => {
                write!(
                    f,
                    "confined by Landlock (version {version}) to the spools, the configuration, /proc and its own \
                     outputs"
                )?;
                match files_alone {
                    true => {
                        f.write_str("; this version leaves out TCP, abstract sockets and signals")
                    }
                    false => Ok(()),
                }
            }
            Outcome::Not { why, .. } => write!(f, "not confined by Landlock: {why}"),
        }
    }
}

/// What `status` says of a ruleset that was made for the version `asked` of Landlock.
pub(super) fn outcome(status: &RestrictionStatus, asked: ABI) -> Outcome {
    match (&status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available {
                effective_abi,
                kernel_abi,
            },
        ) => Outcome::InForce {
            version: kernel_abi.map_or(effective_abi as u32, i32::unsigned_abs),
            files_alone: effective_abi < asked,
        },
        (_, LandlockStatus::NotEnabled) => Outcome::not(
            "it is switched off in this kernel",
            Some("add landlock to the list lsm= of the kernel's command line"),
        ),
        _ => Outcome::not(
            "this kernel or container has none (Linux 5.13 or later has)",
            None,
        ),
    }
}
