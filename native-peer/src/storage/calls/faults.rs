//! Calls of the file system that fail, for tests. Linux only, as these are.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Call;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no room (ENOSPC).
    Full,
    /// The disk fails (EIO).
    Failed,
    /// A read or write ends half way; if it is a write, there is no room for the rest.
    Short,
    /// The power fails: of a write part is there, of what was not made durable some is lost, and nothing
    /// happens any more.
    Torn,
}

/// Counts the calls of a [`DiskStorage`](crate::storage::DiskStorage), and may make one of them fail.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: u64,
    /// What is to happen, and at which call.
    plan: Option<(Fault, u64)>,
    /// A short write was made: the next call finds no room.
    no_room: bool,
    dead: bool,
    /// What was written and is not durable: which file, where, and how much.
    loose: Vec<(File, u64, usize)>,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Full, Self::Failed, Self::Short, Self::Torn];
}

impl Faults {
    /// The call of this number, counted from 1, fails. [`Fault::Short`] waits for one that can be short.
    pub fn at(call: u64, fault: Fault) -> Self {
        Self(Arc::new(Mutex::new(State { plan: Some((fault, call)), ..State::default() })))
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Whether what was planned has happened, or nothing was.
    pub fn is_over(&self) -> bool {
        self.lock().plan.is_none()
    }

    /// Whether the power has failed.
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Counts a call. Gives how many bytes of a read or write are to happen, if not all.
    pub(super) fn next(&self, call: Call) -> io::Result<Option<usize>> {
        let mut state = self.lock();
        if state.dead {
            return Err(power_cut());
        }
        state.calls += 1;
        if std::mem::take(&mut state.no_room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let Some((fault, _)) = state.plan.filter(|&(_, at)| at <= state.calls) else {
            return Ok(None);
        };
        let half = match call {
            Call::Read(length) | Call::Write(length) => Some(length / 2).filter(|&half| half > 0),
            Call::Other => None,
        };
        if fault == Fault::Short && half.is_none() {
            return Ok(None);
        }
        state.plan = None;
        let writes = matches!(call, Call::Write(_));
        match fault {
            Fault::Full => Err(io::ErrorKind::StorageFull.into()),
            // EIO, as the system would say it.
            Fault::Failed => Err(io::Error::from_raw_os_error(5)),
            Fault::Short => {
                state.no_room = writes;
                Ok(half)
            }
            Fault::Torn => {
                state.dead = true;
                lose(&std::mem::take(&mut state.loose));
                half.filter(|_| writes).map(Some).ok_or_else(power_cut)
            }
        }
    }

    /// Bytes were written that are not durable yet.
    pub(super) fn written(&self, file: &File, offset: u64, length: usize) {
        let mut state = self.lock();
        if state.dead || state.plan.is_none() {
            return;
        }
        // Opened anew: a duplicate would share the lock that the journal has.
        let again = format!("/proc/self/fd/{}", file.as_raw_fd());
        if let Ok(file) = File::options().write(true).open(again) {
            state.loose.push((file, offset, length));
        }
    }

    /// A file, or everything, was made durable.
    pub(super) fn synced(&self, file: Option<&File>) {
        let loose = &mut self.lock().loose;
        match file {
            Some(file) => loose.retain(|(other, ..)| identity(other) != identity(file)),
            None => loose.clear(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every other write that was not durable is half gone, the latest first.
fn lose(loose: &[(File, u64, usize)]) {
    for (file, offset, length) in loose.iter().rev().step_by(2) {
        let half = length / 2;
        // Where that cannot be done, nothing is lost.
        let _ = file.write_all_at(&vec![0; length - half], offset + half as u64);
    }
}

fn identity(file: &File) -> Option<(u64, u64)> {
    let metadata = file.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn power_cut() -> io::Error {
    io::Error::other("the power has failed")
}
