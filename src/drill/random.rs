//! Random numbers by splitmix64, implemented here so that a seed gives the same mail in every version
//! and on every machine. Integers only: libm differs between systems.

/// A reproducible stream of pseudo-random numbers. Not for secrets.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number in `0..end`, uniformly distributed; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `0..end` with a heavy head: each doubling of `rank + 1` is equally likely.
    /// Destinations, ages and sizes of real mail are distributed like this.
    pub(super) fn ranked(&mut self, end: u64) -> u64 {
        let doublings = u64::from(end.checked_ilog2().map_or(0, |bits| bits + 1));
        let first = 1u64 << self.below(doublings);
        let last = first.saturating_mul(2).min(end.saturating_add(1));
        first - 1 + self.below(last - first)
    }

    /// Returns true with a probability of `percent` in a hundred.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, uniformly distributed.
    pub(super) fn choose<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_splitmix64() {
        // The first words for seed 1234567, from the reference C program of Sebastiano Vigna.
        let mut random = Random::new(1_234_567);
        for word in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ] {
            assert_eq!(random.next(), word);
        }
    }

    #[test]
    fn a_rank_is_in_its_range_and_heavy_at_the_head() {
        let mut random = Random::new(1);
        for end in [1, 2, 3, 4, 5, 100, u64::MAX] {
            assert!((0..1000).all(|_| random.ranked(end) < end), "{end}");
        }
        assert_eq!(random.below(0), 0);
        let head = (0..10_000).filter(|_| random.ranked(1023) == 0).count();
        assert!((900..1100).contains(&head), "{head}");
    }
}
