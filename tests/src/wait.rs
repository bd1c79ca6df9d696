//! Waiting for something to become so, with an end and a sentence.

use std::time::Duration;

use tokio::time::Instant;

/// Between two looks at something that cannot tell us when it changes.
pub const POLL: Duration = Duration::from_millis(100);
/// For things that take seconds at most even on a busy machine: a page, a connection, an event.
pub const SOON: Duration = Duration::from_secs(60);
/// A transfer that shows no progress for so long has stalled.
pub const STALL: Duration = Duration::from_secs(60);

/// Looks until `probe` gives something.
///
/// # Panics
/// If it does not within `limit`; `what` completes "waited in vain for: ".
pub async fn until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// What a look at something that grows found.
pub enum Look<T, P> {
    /// It is there.
    Done(T),
    /// It is not, but so far did it come.
    Progress(P),
}

/// Looks until `probe` is done, for as long as it takes while there is progress.
///
/// # Panics
/// If progress stays the same for [`STALL`].
pub async fn while_progressing<T, P: PartialEq + std::fmt::Debug>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Look<T, P>,
) -> T {
    let mut last: Option<(P, Instant)> = None;
    loop {
        let progress = match probe().await {
            Look::Done(found) => return found,
            Look::Progress(progress) => progress,
        };
        match &last {
            Some((before, since)) if *before == progress => {
                assert!(
                    since.elapsed() < STALL,
                    "stalled at {progress:?} while waiting for: {what}"
                );
            }
            _ => last = Some((progress, Instant::now())),
        }
        tokio::time::sleep(POLL).await;
    }
}
