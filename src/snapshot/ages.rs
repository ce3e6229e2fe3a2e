//! Age by domain: qshape's buckets.

use std::ops::AddAssign;

use super::name_counts::{Count, Uncount};

/// The number of columns of the table, with qshape's defaults.
pub const COLUMNS: usize = 10;
/// The end of the first column, in minutes. Each further column is twice as long.
const TICK: i64 = 5;

/// The age in seconds at which each column ends; the last one has no end.
pub(crate) const EDGES: [i64; COLUMNS - 1] = {
    let mut edges = [0; COLUMNS - 1];
    let mut column = 0;
    while column < edges.len() {
        edges[column] = (60 * TICK) << column;
        column += 1;
    }
    edges
};

/// Recipients of one domain, by the age of their message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// The sum.
    pub total: u64,
    /// By column: under 5 minutes, under 10, 20, 40, ... 1280, and more. 32 bits wide, because there is one set
    /// for each of very many domains; a column stops at its maximum.
    pub columns: [u32; COLUMNS],
}

impl Ages {
    /// Counts one recipient whose message is `age` seconds old.
    pub(crate) fn one(age: i64) -> Self {
        let mut ages = Ages {
            total: 1,
            ..Ages::default()
        };
        ages.columns[column(age)] = 1;
        ages
    }
}

impl Ages {
    /// Counts `count` recipients of that age.
    #[must_use]
    pub(crate) fn times(self, count: u64) -> Self {
        let few = u32::try_from(count).unwrap_or(u32::MAX);
        Ages {
            total: self.total.saturating_mul(count),
            columns: self.columns.map(|column| column.saturating_mul(few)),
        }
    }
}

impl Uncount for Ages {
    fn take_away(&mut self, other: &Ages) {
        self.total = self.total.saturating_sub(other.total);
        for (sum, count) in self.columns.iter_mut().zip(other.columns) {
            *sum = sum.saturating_sub(count);
        }
    }
}

impl AddAssign<&Ages> for Ages {
    fn add_assign(&mut self, other: &Ages) {
        self.total += other.total;
        for (sum, count) in self.columns.iter_mut().zip(other.columns) {
            *sum = sum.saturating_add(count);
        }
    }
}

impl Count for Ages {
    fn total(&self) -> u64 {
        self.total
    }
}

/// Returns the column of an age in seconds. A message from the future is new. It computes in double precision
/// as qshape does, so that the edges are the same (postfix.md, "How qshape counts").
pub(crate) fn column(age: i64) -> usize {
    let ticks = age as f64 / (60 * TICK) as f64;
    if ticks < 1.0 {
        return 0;
    }
    let column = 1 + (ticks.ln() / 2.0_f64.ln()) as usize;
    column.min(COLUMNS - 1)
}

/// Returns the headings of the columns, in minutes: `5` to `1280`, and `1280+`.
pub fn heads() -> [String; COLUMNS] {
    std::array::from_fn(|column| match EDGES.get(column) {
        Some(edge) => (edge / 60).to_string(),
        None => format!("{}+", EDGES[COLUMNS - 2] / 60),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_begin_where_qshapes_do() {
        for (age, column_wanted) in [
            (-5, 0),
            (0, 0),
            (299, 0),
            (300, 1),
            (599, 1),
            (600, 2),
            (1199, 2),
            (1200, 3),
            (76_799, 8),
            (76_800, 9),
            (i64::MAX, 9),
        ] {
            assert_eq!(column(age), column_wanted, "{age} s");
        }
        assert_eq!(heads().join(" "), "5 10 20 40 80 160 320 640 1280 1280+");
    }
}
