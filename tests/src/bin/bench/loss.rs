//! A long path on which 1, 2 and 5 % of all packets are lost: a transfer from tab to tab completes, and its
//! goodput stands beside that of one bare data channel in the same run.

use std::time::Duration;

use tests::link::Shape;

use crate::long_path::{LONG, Place};
use crate::{MIB, Report};

const SIZE: u64 = 24 * MIB;
/// A transfer that takes longer is not complete.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn run(report: &mut Report) {
    if crate::is_outside(report, "loss") {
        return;
    }
    let place = Place::start(SIZE, PATIENCE).await;
    for percent in [1_u8, 2, 5] {
        let name = format!("{percent} % lost");
        let shape = Shape { loss: f64::from(percent) / 100.0, ..LONG };
        let (bare, ours) = place.browsers(report, &name, shape).await;
        report.line(&format!("{name}: ours / bare"), format!("{:.1}", ours / bare), None);
        let took = SIZE as f64 / ours;
        let complete = took < PATIENCE.as_secs_f64();
        report.line(&format!("{name}: complete after"), format!("{took:.0} s"), Some(complete));
    }
}
