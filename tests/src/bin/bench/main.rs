//! `cargo xtask bench [memory|throughput|swarm|long-path|loss|small-files|listing|outages|page]`: measures the
//! built products, prints a table, and fails where a promised bound does not hold. The figures of our machines
//! are in docs/performance.md.
//!
//! Rates depend on the machine and on what else it does: only ratios within one run are bounded.

mod bare;
mod listing;
mod long_path;
mod loss;
mod memory;
mod outages;
mod page;
mod report;
mod small_files;
mod swarm;
mod throughput;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tests::network;

use crate::report::Report;

const MIB: u64 = 1 << 20;
const LARGE: u64 = 2048 * MIB;

#[tokio::main]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let mut report = Report::default();
    match name.as_deref() {
        None => {
            memory::run(&mut report).await;
            throughput::run(&mut report).await;
            swarm::run(&mut report).await;
            long_path::run(&mut report).await;
            loss::run(&mut report).await;
            small_files::run(&mut report).await;
            listing::run(&mut report).await;
            outages::run(&mut report).await;
            page::run(&mut report).await;
        }
        Some("memory") => memory::run(&mut report).await,
        Some("throughput") => throughput::run(&mut report).await,
        Some("swarm") => swarm::run(&mut report).await,
        Some("long-path") => long_path::run(&mut report).await,
        Some("outages") => outages::run(&mut report).await,
        Some("loss") => loss::run(&mut report).await,
        Some("listing") => listing::run(&mut report).await,
        Some("small-files") => small_files::run(&mut report).await,
        Some("page") => page::run(&mut report).await,
        Some(other) => {
            eprintln!(
                "there is no benchmark {other}; there are memory, throughput, swarm, long-path, loss, small-files, listing, outages and page"
            );
            return ExitCode::FAILURE;
        }
    }
    report.print()
}

/// For a benchmark that needs a network of its own: whether this process is not yet inside one. If so, it
/// has been run in another process that is.
fn is_outside(report: &mut Report, name: &str) -> bool {
    if network::is_inside() {
        return false;
    }
    let (value, held) = match network::enter(&[name]) {
        Ok(status) => ("see above".to_owned(), status.success()),
        Err(error) => (format!("no network of our own: {error}"), false),
    };
    report.line(name, value, Some(held));
    true
}

fn rate(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir(&path).expect("a folder can be made");
    path
}
