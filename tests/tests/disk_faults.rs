//! A disk that fails while a share is received: the real core and a real folder, in a simulated room, and
//! each of the first 2 000 calls of the file system failing in each way there is:
//! - a full disk is waited for, and receiving goes on by itself once there is room;
//! - a disk that fails, and a power cut, end in a sentence that names the file and says what to do, and
//!   trying again goes on from there;
//! - what was told to be durable is never fetched again, and no journal claims a piece that is not there;
//! - "complete" is said once everything lies in its place with the right bytes, and not before.
//!
//! In the memory of this machine: what is tested is what we ask of a file system, not how fast it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use native_peer::storage::{self, DiskStorage, Fault, Faults};
use native_peer::{Event, Failure, FileIndex, Selection, ShareId, StorageError, Wait, Waiting};
use protocol::simulation::{World, data};
use protocol::time::Duration;
use tempfile::TempDir;

/// The calls that are made to fail.
const CALLS: u64 = 2000;
/// Of these, every so many-th in the short form of the test.
const STEP: u64 = 53;
/// The one who receives.
const RECEIVER: usize = 1;

/// How much is received, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Everything at once.
    All,
    /// Some files first, which are moved to their place one by one; then the rest.
    InParts,
}

#[test]
fn whichever_call_of_the_file_system_fails_nothing_is_lost_and_nothing_false_is_said() {
    for wanted in [Wanted::All, Wanted::InParts] {
        let faults = Faults::default();
        Reception::new(wanted).run(&faults);
        assert!(faults.calls() > CALLS, "only {} calls are made", faults.calls());
    }
    let step = if tests::is_long() { 1 } else { STEP };
    let next = AtomicU64::new(1);
    let endings = Mutex::new(BTreeMap::<_, u32>::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(call) = Some(next.fetch_add(step, Relaxed)).filter(|&c| c <= CALLS) {
                    for (i, fault) in (0..).zip(Fault::ALL) {
                        // Both ways of moving files have their turn with every fault.
                        let all = (call / step + i).is_multiple_of(2);
                        let wanted = if all { Wanted::All } else { Wanted::InParts };
                        let ending = Reception::new(wanted).run(&Faults::at(call, fault));
                        let key = (format!("{fault:?}"), ending);
                        *endings.lock().unwrap().entry(key).or_default() += 1;
                    }
                }
            });
        }
    });
    println!("calls 1 to {CALLS}, every {step}., and what a failure led to:");
    for ((fault, ending), count) in endings.into_inner().unwrap() {
        println!("{count:>6}  {fault:<8} {ending}");
        let may_fail = fault == format!("{:?}", Fault::Failed);
        assert!(may_fail || ending != "an error", "{fault} ended in an error");
    }
}

/// A share on its way into a folder.
struct Reception {
    world: World,
    share: ShareId,
    wanted: Wanted,
    files: Vec<(String, Vec<u8>)>,
    folder: TempDir,
    /// How many of the events were seen.
    seen: usize,
    /// Whether the power cut was seen.
    dead: bool,
    /// Bytes that were told to be durable before the last attempt.
    durable: u64,
    /// What the fault led to.
    led_to: &'static str,
}

/// What came of an attempt.
enum End {
    Complete,
    Failed(Failure),
    PowerCut,
}

impl Reception {
    fn new(wanted: Wanted) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.expect("a temporary directory can be made");
        let mut world = World::new(7);
        world.net.latency = Duration::from_millis(2);
        world.add();
        world.add();
        let small = (0..350).map(|i| (format!("album/{}/{i}.jpg", i % 5), 40 * i));
        let large = (0..3).map(|i| (format!("album/film {i}.mkv"), 600_000));
        let files: Vec<(String, Vec<u8>)> = small
            .chain(large)
            .enumerate()
            .map(|(i, (name, size))| (name, data(i as u8, size)))
            .collect();
        let parts = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone()));
        let share = world.share(0, &parts.collect::<Vec<_>>());
        Self {
            world,
            share,
            wanted,
            files,
            folder,
            seen: 0,
            dead: false,
            durable: 0,
            led_to: "nothing that shows",
        }
    }

    /// Receives, again and again, until all is there. Says what the fault led to.
    fn run(mut self, faults: &Faults) -> &'static str {
        self.open(faults.clone());
        self.until("the share is on the shelf", |world, share| {
            world.view(RECEIVER, share).is_some()
        });
        loop {
            if self.wanted == Wanted::InParts {
                self.select(Selection::only((0..300).step_by(2).map(FileIndex)));
            }
            self.world.receive(RECEIVER, self.share);
            match self.end_of_attempt(faults) {
                End::Complete if self.wanted == Wanted::All => break,
                End::Complete => {
                    self.wanted = Wanted::All;
                    self.select(Selection::all());
                }
                End::Failed(reason) => {
                    self.led_to = "an error";
                    self.assert_helps(&reason);
                    self.assert_durable_is_kept(|_| ());
                }
                End::PowerCut => {
                    self.led_to = "a power cut";
                    self.assert_durable_is_kept(|reception| {
                        reception.world.crash(RECEIVER);
                        reception.open(Faults::default());
                        reception.world.restart(RECEIVER);
                    });
                }
            }
        }
        self.assert_landed();
        self.led_to
    }

    /// A new start of the store, as that of a process.
    fn open(&mut self, faults: Faults) {
        // The earlier one lets go of its locks, as a process that ended does.
        self.world.peers[RECEIVER].storage = None;
        let disk = DiskStorage::with_faults(&self.destination(), faults.clone()).expect("a folder");
        self.world.peers[RECEIVER].storage = Some(Box::new(move |request| {
            let response = storage::carry_out(&disk, request);
            response.filter(|_| !faults.is_dead())
        }));
    }

    fn destination(&self) -> PathBuf {
        self.folder.path().join("into")
    }

    fn select(&mut self, selection: Selection) {
        let share = self.share;
        let selected = self.world.with(RECEIVER, |swarm, now| swarm.select(now, share, selection));
        selected.expect("it is on the shelf");
    }

    fn until(&mut self, what: &str, done: impl Fn(&World, ShareId) -> bool) {
        let share = self.share;
        self.world.until(Duration::from_secs(60), what, |world| done(world, share));
    }

    /// Lets things happen until the share is complete or cannot go on.
    fn end_of_attempt(&mut self, faults: &Faults) -> End {
        let limit = self.world.now + Duration::from_secs(600);
        loop {
            if faults.is_dead() && !std::mem::replace(&mut self.dead, true) {
                return End::PowerCut;
            }
            while let Some(event) = self.world.peers[RECEIVER].events.get(self.seen).cloned() {
                self.seen += 1;
                match event {
                    Event::Waiting {
                        wait: Some(Wait { cause: Waiting::DiskFull { .. }, .. }),
                        ..
                    } => {
                        self.led_to = "a wait";
                    }
                    Event::Completed { .. } => return End::Complete,
                    Event::Failed { reason, .. } => return End::Failed(reason),
                    _ => {}
                }
            }
            assert!(self.world.step(limit), "it hangs:\n{}", self.world.describe());
        }
    }

    /// An error names the file and says what to do.
    fn assert_helps(&self, reason: &Failure) {
        let text = reason.to_string();
        assert!(text.contains("try again"), "it does not say what to do: {text}");
        let Failure::Storage(StorageError::Other(_)) = reason else {
            panic!("another kind of failure: {text}");
        };
        assert!(text.contains("album") || text.contains(".shoal"), "it names no file: {text}");
    }

    /// Whatever happens, what was told to be durable is there, is what the journal says, and is used again.
    fn assert_durable_is_kept(&mut self, happens: impl FnOnce(&mut Self)) {
        let view = |this: &Self| this.world.view(RECEIVER, this.share);
        let durable = view(self).expect("it is on the shelf").have;
        let room = self.world.peers[RECEIVER].swarm.invite().room_id();
        happens(self);
        let audit = storage::audit(&self.destination(), room).expect("the folder can be read");
        assert_eq!(audit.broken, 0, "{audit:?}");
        self.until("the share is on the shelf", |world, share| {
            world.view(RECEIVER, share).is_some()
        });
        self.durable = durable;
    }

    /// All files are in their place, and nothing but them.
    fn assert_landed(&self) {
        let view = self.world.view(RECEIVER, self.share).expect("it is complete");
        assert!(view.reused >= self.durable, "{} of {} was lost", view.reused, self.durable);
        assert_eq!(view.fetched + view.reused, view.manifest.total(), "fetched twice");
        for (name, bytes) in &self.files {
            let found = fs::read(self.destination().join(name));
            let found = found.unwrap_or_else(|error| panic!("{name} is not there: {error}"));
            assert!(found == *bytes, "{name} is complete and has other bytes");
        }
        let tree = tests::files::tree(&self.destination());
        let files = tree.iter().filter(|(path, kind)| kind.is_some() && path.starts_with("album"));
        assert_eq!(files.count(), self.files.len(), "something else is there");
        let tops = tree.keys().filter(|path| path.iter().count() == 1);
        assert!(tops.clone().all(|top| top == "album" || top == ".shoal"), "{:?}", tops);
    }
}
