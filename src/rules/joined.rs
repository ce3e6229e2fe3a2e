//! One thing, or several that `and` joins. A rule has its parts in one, and a finding the figures of those parts
//! in another, so that neither has a first part apart from the rest.

/// One thing, or several that `and` joins; never none.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined<T> {
    first: T,
    others: Vec<T>,
}

impl<T> Joined<T> {
    /// Starts with `first`.
    pub(crate) fn new(first: T) -> Joined<T> {
        Joined {
            first,
            others: Vec::new(),
        }
    }

    /// Joins `one`.
    pub(crate) fn push(&mut self, one: T) {
        self.others.push(one);
    }

    /// Returns the first.
    pub fn first(&self) -> &T {
        &self.first
    }

    /// Returns the only one, if nothing is joined to it.
    pub(crate) fn only(&self) -> Option<&T> {
        self.others.is_empty().then_some(&self.first)
    }

    /// Returns all in the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The same, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// Makes something of each.
    pub(crate) fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Joined<U> {
        Joined {
            first: of(&self.first),
            others: self.others.iter().map(of).collect(),
        }
    }
}
