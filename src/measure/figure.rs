//! The value of a measure on a snapshot, and how reliable it is.

/// How reliable a figure is.
///
/// ```
/// use queuewatch::Quality;
///
/// assert!(Quality::Exact < Quality::AtLeast && Quality::AtLeast < Quality::Unknown);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// The figure is exact.
    Exact,
    /// The figure is a lower bound.
    AtLeast,
    /// The figure is not known.
    Unknown,
}

/// The value of a measure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Figure {
    /// In the measure's unit; 0 if it is unknown.
    pub value: f64,
    /// How reliable the value is.
    pub quality: Quality,
    /// The name that it is about (such as the top domain), or why it is unknown. Safe to print.
    pub detail: Option<String>,
    /// The damaged file because of which it is not exact, and the damage. Safe to print.
    pub damaged: Option<String>,
    /// Unknown only because there is no previous check. This is not a problem: the next check has the
    /// figure.
    pub pending: bool,
    /// Taken from a sample of the delay reasons. A sample is not a gap.
    pub sampled: bool,
}

impl Figure {
    pub(super) fn exact(value: f64) -> Self {
        Figure {
            value,
            quality: Quality::Exact,
            detail: None,
            damaged: None,
            pending: false,
            sampled: false,
        }
    }

    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Figure {
            value: 0.0,
            quality: Quality::Unknown,
            detail: Some(why.into()),
            damaged: None,
            pending: false,
            sampled: false,
        }
    }

    /// Unknown, and nothing is wrong with that.
    pub(crate) fn untold(why: &str) -> Self {
        Figure {
            pending: true,
            ..Figure::unknown(why)
        }
    }

    /// A number of things: a lower bound unless it is `complete`.
    pub(super) fn count(count: u64, complete: bool) -> Self {
        Figure {
            quality: match complete {
                true => Quality::Exact,
                false => Quality::AtLeast,
            },
            ..Figure::exact(count as f64)
        }
    }

    /// The value, if it is exact.
    pub fn known(&self) -> Option<f64> {
        (self.quality == Quality::Exact).then_some(self.value)
    }
}
