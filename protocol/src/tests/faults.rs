//! Thousands of rooms in which everything goes wrong: see `simulation/faults.rs`.
//!
//! Proves, for every seed: nobody stores, commits or finishes what was not verified; nobody fetches
//! again what was committed; nobody honest is shut out; when the faults are over, everybody ends with
//! the right bytes; and how a share stands always has a name.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::simulation::faults::{Fault, Story, go_through};

/// In how many rooms something happened.
#[derive(Debug, Default)]
struct Seen {
    kinds: BTreeSet<Fault>,
    /// Somebody lied and was shut out.
    banned: u64,
    /// Nobody lied, and yet bytes came in vain: late, or after they were cancelled.
    late: u64,
    /// Somebody connected again.
    reconnected: u64,
}

impl Seen {
    fn note(&mut self, story: Story) {
        self.banned += u64::from(story.banned > 0);
        self.late += u64::from(story.liars == 0 && story.wasted > 0);
        self.reconnected += u64::from(story.reconnected > 0);
        self.kinds.extend(story.faults);
    }

    fn add(&mut self, other: Self) {
        self.kinds.extend(other.kinds);
        self.banned += other.banned;
        self.late += other.late;
        self.reconnected += other.reconnected;
    }
}

#[test]
fn whatever_goes_wrong_everyone_honest_ends_with_the_right_bytes() {
    if let Some(seed) = std::env::var("SHOAL_SEED").ok().and_then(|seed| seed.parse().ok()) {
        println!("{:?}", go_through(seed));
        return;
    }
    let seeds = if std::env::var_os("SHOAL_LONG").is_some() { 150_000 } else { 20_000 };
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let seen = Mutex::new(Seen::default());
    let work = || {
        let mut noted = Seen::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || failed.lock().unwrap().len() > 20 {
                break seen.lock().unwrap().add(noted);
            }
            match catch_unwind(AssertUnwindSafe(|| go_through(seed))) {
                Ok(story) => noted.note(story),
                Err(_) => failed.lock().unwrap().push(seed),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "these seeds failed: {failed:?}; run one of them alone with\n\
         SHOAL_SEED={} cargo test --release -p protocol whatever_goes_wrong",
        failed[0]
    );
    let seen = seen.into_inner().unwrap();
    println!("{seeds} rooms: {seen:?}");
    assert_eq!(seen.kinds.len(), Fault::ALL.len(), "every kind of fault happened: {seen:?}");
    // What somebody honest might be shut out for by mistake happened, too.
    for often in [seen.banned, seen.late, seen.reconnected] {
        assert!(often >= seeds / 20, "in too few of {seeds} rooms: {seen:?}");
    }
}
