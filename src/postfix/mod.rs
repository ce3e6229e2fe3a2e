//! What Postfix writes: pure readers of its formats. They take bytes, or a [`Source`](crate::source::Source)
//! of them, and make no system call.
//!
//! A queue file has three readers over one reader of records (`record`): as qmgr(8) reads it
//! (`envelope`), as showq(8) (`showq`), and as qshape(1) (`qshape`).
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
pub mod body;
mod buffered;
mod charset;
pub mod damage;
pub mod defer_log;
pub mod delay_reason;
pub mod envelope;
pub mod header;
pub mod main_cf;
pub(crate) mod origin;
pub mod perl_number;
pub mod qshape;
pub mod queue;
pub mod queue_id;
pub mod quote;
pub mod record;
pub mod showq;
pub mod status_code;
pub(crate) mod word_shape;
