//! Outages of 5, 20 and 60 seconds in the middle of transfers, between browsers of both kinds and the
//! command side by side, each in a network namespace of its own: once of the path between the two, and
//! once of the paths to the server as well. The figure is the time from the path's return until verified
//! bytes move again.

use std::time::Duration;

use tempfile::TempDir;
use tests::outage::{Cut, Machines};

use crate::{MIB, Report};

/// Outages, and within what time after one things must move again.
const OUTAGES: [(Duration, Duration); 3] = [
    (Duration::from_secs(5), Duration::from_secs(5)),
    (Duration::from_secs(20), Duration::from_secs(5)),
    (Duration::from_secs(60), Duration::from_secs(15)),
];
/// More than comes in all that time.
const SIZE: u64 = 256 * MIB;
/// After this it is not waited any longer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(report: &mut Report) {
    if crate::is_outside(report, "outages") {
        return;
    }
    let folder = TempDir::with_prefix("shoal-bench-").expect("a temporary directory");
    let machines = Machines::start().await;
    let transfers = machines.transfer(folder.path(), SIZE).await;
    for (cut, what) in [(Cut::Path, "path"), (Cut::Everything, "path and server")] {
        for (time, bound) in OUTAGES {
            machines.cut(&transfers, cut, time).await;
            let took = machines.moving(&transfers, PATIENCE).await;
            for (transfer, took) in transfers.iter().zip(took) {
                let what = format!("{} s, {what}: {}", time.as_secs(), transfer.name);
                let value = took.map_or_else(
                    || format!("not within {} s", PATIENCE.as_secs()),
                    |took| format!("{:.1} s (at most {})", took.as_secs_f64(), bound.as_secs()),
                );
                report.line(&what, value, Some(took.is_some_and(|took| took <= bound)));
            }
            machines.settle(&transfers).await;
        }
    }
}
