//! Random points for tests, from a seed that is printed, so that a failure can be seen again.

use std::time::SystemTime;

/// Gives random numbers that follow from a seed: that in `SHOAL_SEED` if there is one, else a new one.
#[derive(Debug)]
pub struct Random {
    bytes: blake3::OutputReader,
}

impl Random {
    /// Starts, and prints the seed.
    ///
    /// # Panics
    /// If `SHOAL_SEED` is there and no number.
    pub fn announced() -> Self {
        let seed: u64 = std::env::var("SHOAL_SEED").map_or_else(
            |_| {
                let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
                u64::from(now.subsec_nanos())
            },
            |seed| seed.parse().expect("SHOAL_SEED is a number"),
        );
        println!("the seed is {seed}: SHOAL_SEED={seed} makes the same points again");
        Self::new(seed)
    }

    fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        Self { bytes: hasher.finalize_xof() }
    }

    /// A number from `least` to `most`, both included.
    ///
    /// # Panics
    /// If there is none.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        assert!(least <= most, "there is no number from {least} to {most}");
        let mut bytes = [0; 8];
        self.bytes.fill(&mut bytes);
        least + u64::from_le_bytes(bytes) % (most - least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_from_the_seed_and_stay_within_bounds() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (0..50).map(|_| random.between(5, 9)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!((5..=9).all(|number| numbers(7).contains(&number)));
        assert!(numbers(7).iter().all(|number| (5..=9).contains(number)));
    }
}
