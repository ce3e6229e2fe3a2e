//! What Postfix writes: pure readers of its formats, with no I/O.
//!
//! Every byte here may come from an attacker: any local user can write into maildrop, and any sender
//! chooses addresses. Readers cannot panic and cannot loop, use memory in proportion to limits named
//! as constants, and are fuzzed (`tests/fuzz`).
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

pub mod address;
pub(crate) mod buffered;
pub mod defer_log;
pub mod delay_reason;
pub mod envelope;
pub mod main_cf;
pub mod queue;
pub mod queue_id;
pub mod quote;
pub mod record;
