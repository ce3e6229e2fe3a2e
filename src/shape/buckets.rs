//! The columns of qshape's table: their age intervals (postfix.md, "How qshape counts") and headings.

use super::perl_number::Sum;
use crate::error::{Error, ErrorKind, Result};

/// The maximum number of columns. A day by the minute needs 1,440.
pub(crate) const MAX_COLUMNS: u32 = 10_000;

/// A sequence of age intervals. Like qshape, accepts any positive number for count and tick, also
/// fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buckets {
    count: f64,
    tick: f64,
    linear: bool,
}

/// qshape's defaults: ten columns, the first of 5 minutes, each further one twice as long.
impl Default for Buckets {
    fn default() -> Self {
        Buckets {
            count: 10.0,
            tick: 5.0,
            linear: false,
        }
    }
}

impl Buckets {
    /// Sets the number of columns. Like qshape, ignores a number that is not above 0.
    ///
    /// # Errors
    /// Above [`MAX_COLUMNS`].
    pub(crate) fn set_count(&mut self, count: f64) -> Result<()> {
        if count > f64::from(MAX_COLUMNS) {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("at most {MAX_COLUMNS} columns are possible"),
            ));
        }
        if count > 0.0 {
            self.count = count;
        }
        Ok(())
    }

    /// Sets the minutes of the first column; ignores a number that is not above 0.
    pub(crate) fn set_tick(&mut self, minutes: f64) {
        if minutes > 0.0 {
            self.tick = minutes;
        }
    }

    /// Sets whether all columns have the length of the first.
    pub(crate) fn set_linear(&mut self, linear: bool) {
        self.linear = linear;
    }

    /// The number of cells in a row: the total and the columns.
    pub(crate) fn cells(&self) -> usize {
        (self.count as usize).max(1) + 1
    }

    /// The cell for an age in seconds. A negative age belongs to the first column.
    pub(crate) fn cell(&self, age: f64) -> usize {
        let ticks = age / (60.0 * self.tick);
        if ticks < 1.0 {
            return 1;
        }
        let bucket = if self.linear {
            (ticks + 1.0).trunc()
        } else {
            2.0 + (ticks.ln() / 2.0_f64.ln()).trunc()
        };
        // Every comparison with NaN is false, so it belongs to the last column.
        let capped = if bucket < self.count {
            bucket
        } else {
            self.count
        };
        capped as usize
    }

    /// The headings: `T`, then the minutes at which each column ends; the last one has a `+`.
    pub(crate) fn headings(&self) -> Vec<String> {
        let mut headings = Vec::new();
        let mut minutes = Sum::Whole(0);
        let mut head = String::new();
        let mut place = 0.0;
        while place <= self.count {
            headings.push(if place == 0.0 {
                "T".to_owned()
            } else {
                head.clone()
            });
            place += 1.0;
            if place < self.count {
                let doubling = minutes != Sum::Whole(0) && !self.linear;
                minutes = minutes.plus(if doubling {
                    minutes
                } else {
                    Sum::of_text(self.tick)
                });
                head = minutes.to_string();
            } else {
                head = format!("{minutes}+");
            }
        }
        headings
    }

    /// Start and end of each column, in seconds; the last has no end.
    pub(crate) fn edges(&self) -> Vec<(f64, Option<f64>)> {
        let last = self.cells() - 1;
        let start = |column: usize| match column {
            1 => 0.0,
            _ if self.linear => (column - 1) as f64 * self.tick * 60.0,
            _ => 2.0_f64.powi(column as i32 - 2) * self.tick * 60.0,
        };
        (1..=last)
            .map(|column| (start(column), (column < last).then(|| start(column + 1))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(count: f64, tick: f64, linear: bool) -> Buckets {
        let mut buckets = Buckets::default();
        buckets.set_count(count).unwrap();
        buckets.set_tick(tick);
        buckets.set_linear(linear);
        buckets
    }

    /// Headings that the real qshape printed.
    #[test]
    fn heads_are_qshapes() {
        for (count, tick, linear, headings) in [
            (10.0, 5.0, false, "T 5 10 20 40 80 160 320 640 1280 1280+"),
            (1.0, 5.0, false, "T 0+"),
            (2.5, 5.0, false, "T 5 10"),
            (3.0, 0.3, false, "T 0.3 0.6 0.6+"),
            (4.0, 5.0, true, "T 5 10 15 15+"),
            (0.5, 5.0, false, "T"),
            (2.0, 1e17, true, "T 100000000000000000 100000000000000000+"),
            (0.0, -1.0, false, "T 5 10 20 40 80 160 320 640 1280 1280+"),
        ] {
            assert_eq!(buckets(count, tick, linear).headings().join(" "), headings);
        }
    }

    #[test]
    fn ages_fall_where_qshape_puts_them() {
        let doubling = Buckets::default();
        for (minutes, cell) in [
            (-100.0, 1),
            (0.0, 1),
            (4.99, 1),
            (5.0, 2),
            (9.99, 2),
            (10.0, 3),
            (1280.0, 10),
            (1e9, 10),
        ] {
            assert_eq!(doubling.cell(minutes * 60.0), cell, "{minutes}");
        }
        let linear = buckets(4.0, 5.0, true);
        assert_eq!(
            [0.0, 5.0, 14.9, 15.0, 99.0].map(|m| linear.cell(m * 60.0)),
            [1, 2, 3, 4, 4]
        );
        assert_eq!(linear.cells(), 5);
        assert_eq!(linear.edges()[3], (900.0, None));
        assert_eq!(doubling.edges()[1], (300.0, Some(600.0)));
    }
}
