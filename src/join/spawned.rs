//! `spawn_many`: as many tasks as an iterator has futures.

use std::future::Future;
use std::panic::Location;

use crate::task::join::{self, JoinHandle};
use crate::task::record::SpawnMeta;

pub(super) const NO_LOOP: &str = "tasks are spawned inside a running loop";

/// Spawns each of the futures, in order, as [`spawn`](crate::spawn()) does.
///
/// If the iterator panics, what it gave before is spawned and goes on, detached.
///
/// # Panics
/// Where no loop runs.
///
/// ```
/// use mainspring::task::{join_all, spawn_many};
/// mainspring::run(async {
///     let handles = spawn_many((0..10).map(|n| async move { n * 2 }));
///     let doubled: Vec<_> = join_all(handles).await.into_iter().map(Result::unwrap).collect();
///     assert_eq!(doubled[9], 18);
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_many<I>(futures: I) -> Vec<JoinHandle<<I::Item as Future>::Output>>
where
    I: IntoIterator<Item: Future + 'static>,
{
    let location = Location::caller();
    let mut handles = Vec::new();
    for future in futures {
        match join::spawn_current(future, SpawnMeta::at(location)) {
            Some(handle) => handles.push(handle),
            None => panic!("{NO_LOOP}"),
        }
    }
    handles
}
