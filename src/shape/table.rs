//! Counts by domain and age bucket, which qshape keeps in its hash, and the parent domains that it
//! derives from them (postfix.md, "How qshape counts").
//!
//! Strangers choose the domains, so a table is bounded: after [`MAX_ROWS`] rows or [`MAX_NAME_BYTES`]
//! bytes of names, further domains count only in the total and in [`Table::unlisted`]. Hash keys are
//! random.

use std::collections::HashMap;

/// The maximum number of rows in one table.
pub(crate) const MAX_ROWS: usize = 2_000_000;
/// The maximum bytes of names in one table.
pub(crate) const MAX_NAME_BYTES: usize = 128 << 20;
/// The maximum number of cells in one table, for any number of columns.
pub(crate) const MAX_CELLS: usize = 1 << 26;

/// Rows of counts by name. Each row has a total and one cell per column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    places: HashMap<Box<[u8]>, u32>,
    cells: Vec<u64>,
    total: Vec<u64>,
    width: usize,
    bytes: usize,
    /// Addresses whose domain did not fit.
    pub unlisted: u64,
}

/// One printed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row<'t> {
    /// The domain. A parent domain has a leading dot; the total is `TOTAL`; addresses that end in `@`
    /// have an empty name.
    pub(crate) name: &'t [u8],
    /// The total, then the columns.
    pub(crate) cells: &'t [u64],
}

impl Table {
    /// An empty table with `width` cells per row, including the total.
    pub(crate) fn new(width: usize) -> Self {
        Table {
            total: vec![0; width],
            width,
            ..Table::default()
        }
    }

    /// Counts one address of `name` whose age belongs to `cell`.
    pub(crate) fn count(&mut self, name: &[u8], cell: usize) {
        // Like qshape, adds to the total cell and the age cell for each address.
        for place in [0, cell] {
            if let Some(cell) = self.total.get_mut(place) {
                *cell += 1;
            }
        }
        match self.row_of(name) {
            Some(start) => {
                for place in [start, start + cell] {
                    if let Some(cell) = self.cells.get_mut(place) {
                        *cell += 1;
                    }
                }
            }
            None => self.unlisted += 1,
        }
    }

    /// The index of the first cell of `name`'s row. Creates the row if it is new.
    fn row_of(&mut self, name: &[u8]) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place as usize * self.width);
        }
        let rows = self.places.len();
        let full = rows >= MAX_ROWS
            || self.bytes + name.len() > MAX_NAME_BYTES
            || self.cells.len() + self.width > MAX_CELLS;
        if full {
            return None;
        }
        self.bytes += name.len();
        self.places.insert(name.into(), rows as u32);
        self.cells.resize(self.cells.len() + self.width, 0);
        Some(rows * self.width)
    }

    fn add(&mut self, name: &[u8], counts: &[u64]) {
        match self.row_of(name) {
            Some(start) => {
                let row = self.cells.iter_mut().skip(start);
                for (sum, count) in row.zip(counts) {
                    *sum += count;
                }
            }
            None => self.unlisted += counts.first().copied().unwrap_or(0),
        }
    }

    /// Adds the counts of `other`, whose rows have the same width.
    pub(crate) fn merge(&mut self, other: &Table) {
        for (sum, count) in self.total.iter_mut().zip(&other.total) {
            *sum += count;
        }
        self.unlisted += other.unlisted;
        for row in other.rows() {
            self.add(row.name, row.cells);
        }
    }

    /// Removes all rows and frees their memory.
    pub(crate) fn clear(&mut self) {
        *self = Table::new(self.width);
    }

    /// The number of rows without the total.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The sums over all addresses.
    pub(crate) fn total(&self) -> Row<'_> {
        Row {
            name: b"TOTAL",
            cells: &self.total,
        }
    }

    /// The rows in any order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.places.iter().map(|(name, place)| {
            let start = *place as usize * self.width;
            Row {
                name,
                cells: self
                    .cells
                    .get(start..start + self.width)
                    .unwrap_or_default(),
            }
        })
    }

    /// This table with a row for every parent domain, and the number of immediate children of each. A
    /// parent's row is the sum of its children; the total does not count it again.
    fn with_parents(&self) -> (Table, HashMap<Box<[u8]>, u64>) {
        let mut all = self.clone();
        let mut children: HashMap<Box<[u8]>, u64> = HashMap::new();
        let mut parent = Vec::new();
        for row in self.rows() {
            parent.clear();
            parent.extend_from_slice(row.name);
            while let Some(rest) = after_label(&parent) {
                let rest = parent.split_off(rest);
                parent.clear();
                parent.push(b'.');
                parent.extend_from_slice(&rest);
                all.add(&parent, row.cells);
            }
        }
        for row in all.rows() {
            if let Some(rest) = after_label(row.name) {
                let mut parent = vec![b'.'];
                parent.extend_from_slice(row.name.get(rest..).unwrap_or_default());
                *children.entry(parent.into()).or_default() += 1;
            }
        }
        (all, children)
    }

    /// Calls `each` with every row that qshape prints, in its order: by descending total, then by name
    /// length, then by name (qshape: random). `parents` is the minimum number of subdomains for a parent
    /// domain to be shown; `None` shows no parents.
    pub(crate) fn each_printed(&self, parents: Option<f64>, mut each: impl FnMut(Row<'_>)) {
        let (with_parents, children) = match parents {
            Some(_) => self.with_parents(),
            None => (Table::default(), HashMap::new()),
        };
        let table = if parents.is_some() {
            &with_parents
        } else {
            self
        };
        let least = parents.unwrap_or(f64::INFINITY);
        // Every name with a leading dot counts as a parent, even from an odd address.
        let shown = |row: &Row<'_>| {
            row.name.first() != Some(&b'.')
                || children.get(row.name).copied().unwrap_or(0) as f64 >= least
        };
        let mut rows: Vec<Row<'_>> = table.rows().filter(shown).collect();
        rows.push(self.total());
        rows.sort_unstable_by(|a, b| {
            let total = |row: &Row<'_>| row.cells.first().copied().unwrap_or(0);
            total(b)
                .cmp(&total(a))
                .then_with(|| a.name.len().cmp(&b.name.len()))
                .then_with(|| a.name.cmp(b.name))
        });
        for row in rows {
            each(row);
        }
    }
}

/// The offset of the parent of a domain, without its own leading dot: after the first label, if another
/// dot follows on that line. So a top level domain is not a parent, and qshape's `.` matches no newline.
fn after_label(domain: &[u8]) -> Option<usize> {
    let start = usize::from(domain.first() == Some(&b'.'));
    let label = domain
        .get(start..)?
        .iter()
        .take_while(|byte| **byte != b'.')
        .count();
    let rest = start + label + 1;
    if label == 0 || domain.len() < rest {
        return None;
    }
    let line = domain.get(rest..)?.split(|byte| *byte == b'\n').next()?;
    line.contains(&b'.').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, parents: Option<f64>) -> String {
        let mut text = Vec::new();
        table.each_printed(parents, |row| {
            text.push(format!("{}={}", row.name.escape_ascii(), row.cells[0]));
        });
        text.join(" ")
    }

    #[test]
    fn rows_come_by_count_then_length_then_name() {
        let mut table = Table::new(3);
        for (name, count) in [
            ("bb.example", 2),
            ("a.example", 2),
            ("b.example", 2),
            ("x", 6),
            ("", 1),
            (".odd", 9),
        ] {
            for _ in 0..count {
                table.count(name.as_bytes(), 2);
            }
        }
        assert_eq!(
            printed(&table, None),
            "TOTAL=22 x=6 a.example=2 b.example=2 bb.example=2 =1"
        );
        assert_eq!(table.total().cells, [22, 0, 22]);
    }

    #[test]
    fn parents_count_their_distinct_children() {
        let mut table = Table::new(2);
        for name in [
            "a.x.example",
            "b.x.example",
            "c.d.x.example",
            "y.example",
            "example",
            "a.co.uk",
            "n.l\nm.o",
        ] {
            table.count(name.as_bytes(), 1);
            table.count(name.as_bytes(), 1);
        }
        assert_eq!(
            printed(&table, Some(1.0)),
            "TOTAL=14 .x.example=6 .co.uk=2 a.co.uk=2 example=2 n.l\\nm.o=2 y.example=2 \
             a.x.example=2 b.x.example=2 .d.x.example=2 c.d.x.example=2"
        );
        assert!(printed(&table, Some(3.0)).contains(" .x.example=6 "));
        assert!(!printed(&table, Some(4.0)).contains(" .x.example"));
    }

    #[test]
    fn merging_adds_up() {
        let mut one = Table::new(3);
        one.count(b"a", 1);
        one.count(b"b", 2);
        let mut other = Table::new(3);
        other.count(b"b", 2);
        one.merge(&other);
        assert_eq!(printed(&one, None), "TOTAL=3 b=2 a=1");
        assert_eq!(one.total().cells, [3, 1, 2]);
        one.clear();
        assert!(one.len() == 0 && one.total().cells == [0, 0, 0]);
    }
}
