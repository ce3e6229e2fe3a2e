//! Verdicts: check, state, texts, findings.

use std::sync::Arc;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Opaque};
use super::input::first_release_ends;
use super::options::qw_options;
use super::snapshot::{quality_of, qw_snapshot};
use super::text::{self, qw_text};
use super::{QW_OK, QW_STATE_UNKNOWN, qw_quality, qw_state, qw_status};
use crate::error::{Error, ErrorKind};
use crate::render::{json, plugin};
use crate::rules::Verdict;
use crate::snapshot::Snapshot;
use crate::spelling::{self, Spelling};

/// A snapshot judged by rules. Immutable: any number of threads may use it.
pub struct qw_verdict {
    snapshot: Arc<Snapshot>,
    verdict: Verdict,
    counts: bool,
    texts: Vec<Texts>,
    spelling: Spelling,
}

impl Opaque for qw_verdict {
    fn spelling(&self) -> Option<Spelling> {
        Some(self.spelling)
    }
}

struct Texts {
    measure: String,
    range: String,
    text: String,
}

/// One finding that is not OK. The bytes are printable ASCII and live as long as the verdict.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_finding {
    /// The measure, as rules spell it.
    pub measure: qw_bytes,
    /// The range as the rule gave it.
    pub range: qw_bytes,
    /// The text for people: `deferred.messages is 5200 (critical 2000)`.
    pub text: qw_bytes,
    /// The figure, in the measure's unit.
    pub value: f64,
    /// QW_STATE_.
    pub state: qw_state,
    /// QW_QUALITY_ of the figure.
    pub quality: qw_quality,
}

first_release_ends!(qw_finding, quality: qw_quality);

/// Judges `snapshot` by the rules in `options` (`warning`, `critical`), or by the defaults if there are none.
/// Free the verdict with qw_verdict_free. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_check(
    options: *const qw_options,
    snapshot: *const qw_snapshot,
    out: *mut *mut qw_verdict,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(options), shared(snapshot)], {
        let snapshot = Arc::clone(&snapshot.snapshot);
        spelling::set(options.spelling);
        let verdict = options.options.check(&snapshot)?;
        *out = give_verdict(
            snapshot,
            verdict,
            options.options.counts(),
            options.spelling,
        );
        Ok(QW_OK)
    })
}

/// Gives `verdict` on `snapshot` to the caller. `counts` is true if only names were counted.
pub(super) fn give_verdict(
    snapshot: Arc<Snapshot>,
    verdict: Verdict,
    counts: bool,
    spelling: Spelling,
) -> *mut qw_verdict {
    let texts = verdict.findings.iter().map(|finding| {
        let part = finding.rule.parts.first();
        Texts {
            measure: part.measure.to_string(),
            range: part.range.spelling().to_owned(),
            text: finding.text(),
        }
    });
    handle::give(qw_verdict {
        texts: texts.collect(),
        counts,
        spelling,
        snapshot,
        verdict,
    })
}

/// Returns the worst state; QW_STATE_UNKNOWN for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_state(verdict: *const qw_verdict) -> qw_state {
    infallible!(
        QW_STATE_UNKNOWN,
        [shared(verdict)],
        verdict.verdict.state.code()
    )
}

/// Returns the service output, `POSTFIX QUEUE WARNING: ...`: one line without performance data and newline.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_summary(
    verdict: *const qw_verdict,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(verdict)], {
        Ok(text::give(
            out,
            plugin::service_output(&verdict.snapshot, &verdict.verdict),
        ))
    })
}

/// Returns the performance data, items separated by blanks. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_perfdata(
    verdict: *const qw_verdict,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(verdict)], {
        let (snapshot, judged) = (&verdict.snapshot, &verdict.verdict);
        Ok(text::give(
            out,
            plugin::performance_data(snapshot, judged, verdict.counts),
        ))
    })
}

/// Returns exactly what check_postfix_queue prints, newlines included. `verbosity` is its number of -v.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_output(
    verdict: *const qw_verdict,
    verbosity: i32,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(verdict)], {
        let verbosity = u8::try_from(verbosity.clamp(0, 255)).unwrap_or(0);
        let (snapshot, judged) = (&verdict.snapshot, &verdict.verdict);
        Ok(text::give(
            out,
            plugin::output(snapshot, judged, verbosity, verdict.counts),
        ))
    })
}

/// Returns snapshot and verdict as a JSON document, schema queuewatch/1. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_json(
    verdict: *const qw_verdict,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(verdict)], {
        Ok(text::give(
            out,
            json::document(&verdict.snapshot, Some(&verdict.verdict), &[]).to_string(),
        ))
    })
}

/// Returns the number of findings that are not OK; 0 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_finding_count(verdict: *const qw_verdict) -> usize {
    infallible!(0, [shared(verdict)], verdict.texts.len())
}

/// Fills `row` with the finding at `index`, from 0, worst first. `row_size` is sizeof *row.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_finding(
    verdict: *const qw_verdict,
    index: usize,
    row: *mut qw_finding,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(verdict), row(row, row_size)], {
        let found = verdict.verdict.findings.get(index);
        let (finding, texts) = found
            .zip(verdict.texts.get(index))
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "there is no finding at this index"))?;
        let figure = finding.figures.first();
        let filled = qw_finding {
            measure: qw_bytes::of(texts.measure.as_bytes()),
            range: qw_bytes::of(texts.range.as_bytes()),
            text: qw_bytes::of(texts.text.as_bytes()),
            value: figure.value,
            state: finding.state.code(),
            quality: quality_of(figure.quality),
        };
        row.give(filled);
        Ok(QW_OK)
    })
}

/// Frees a verdict. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_verdict_free(verdict: *mut qw_verdict) {
    freed!(verdict);
}
