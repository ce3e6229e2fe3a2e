//! What Postfix writes: pure readers of its formats, with no I/O.
//!
//! Every byte here may come from an attacker: any local user can write into maildrop, and any sender
//! chooses addresses. Readers cannot panic and cannot loop, use memory in proportion to limits named
//! as constants, and are fuzzed (`tests/fuzz`).

pub mod queue;
