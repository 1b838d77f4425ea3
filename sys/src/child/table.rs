//! The children that were started here and are not reaped yet; and how those ended that a search for orphans had to reap.
//!
//! *Why a table.* `waitid(P_ALL)` shows *one* child that has ended, and there is no way past it: a child of ours that nobody
//! has asked for yet would hide every orphan behind it. So the search reaps it, and how it ended is kept here until its
//! `Process` asks.
//!
//! *Model.* A child stands in the table from its start until its `Process` knows its end. Reaping, and signals by number, are
//! done under the table's lock, so no number is used that the system may have given away. A start holds a second lock, shared
//! with other starts: between the clone and the entry its child would look like a stranger.
//!
//! ```text
//!   start ──► alive ──┬── reap ──────────────────────► not in the table
//!                     └── a search reaps it ──► ended ── reap ──┘
//! ```
//!
//! *Cost.* Two locks that nobody else has, and an entry of a tree, per child.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::orphan::{first_ended, has_ended};
use super::process::{Usage, kill_group, wait};
use crate::fork::PerProcess;

/// How a child ended.
type End = (ExitStatus, Usage);

/// A child that was started here.
#[derive(Clone, Copy)]
struct Entry {
    /// `None` while nobody has reaped it.
    end: Option<End>,
    /// Whether what is left of its group is killed when it has ended.
    takes_group: bool,
}

/// By their numbers.
#[derive(Default)]
struct Children(BTreeMap<i32, Entry>);

impl Children {
    fn is_unreaped(&self, pid: i32) -> bool {
        self.0.get(&pid).is_some_and(|entry| entry.end.is_none())
    }
}

/// The child of a fork has none of its parent's children, nor of the locks that the parent's threads held.
static CHILDREN: PerProcess<Mutex<Children>> = PerProcess::new(|_parent| Mutex::default());

/// Shared by those who start a child; a search waits until nobody does.
static STARTS: PerProcess<RwLock<()>> = PerProcess::new(|_parent| RwLock::new(()));

/// Nothing that is called under the lock panics with the table half changed.
fn children() -> MutexGuard<'static, Children> {
    CHILDREN.lock()
}

fn no_start() -> RwLockWriteGuard<'static, ()> {
    let starts = STARTS.get();
    starts.write().unwrap_or_else(PoisonError::into_inner)
}

/// From before a child is made until it stands here.
pub(super) fn begin_start() -> RwLockReadGuard<'static, ()> {
    let starts = STARTS.get();
    starts.read().unwrap_or_else(PoisonError::into_inner)
}

/// A child was started.
pub(super) fn add(pid: i32, takes_group: bool) {
    let end = None;
    children().0.insert(pid, Entry { end, takes_group });
}

/// [`wait`]; before the child is reaped, while its number is its own, what is left of the group that it leads is killed.
fn wait_with_group(pid: i32, takes_group: bool) -> io::Result<Option<End>> {
    if takes_group {
        if !has_ended(pid)? {
            return Ok(None);
        }
        kill_group(pid);
    }
    wait(pid)
}

/// How the child ended, if it has: reaps it, unless a search has.
pub(super) fn reap(pid: i32) -> io::Result<Option<End>> {
    let mut children = children();
    let entry = children.0.get(&pid).copied();
    if let Some(end) = entry.and_then(|entry| entry.end) {
        children.0.remove(&pid);
        return Ok(Some(end));
    }
    let answer = wait_with_group(pid, entry.is_some_and(|entry| entry.takes_group));
    let goes_on = match &answer {
        Ok(end) => end.is_none(),
        Err(error) => error.raw_os_error() != Some(libc::ECHILD),
    };
    if !goes_on {
        children.0.remove(&pid);
    }
    answer
}

/// Keeps the child from being reaped while the guard lives; `None` if it was reaped already.
pub(super) fn hold(pid: i32) -> Option<impl Drop> {
    let children = children();
    children.is_unreaped(pid).then_some(children)
}

/// A child that has ended and was not started here. Those of ours that stand before it are reaped.
pub(super) fn first_stranger() -> io::Result<Option<i32>> {
    let _no_start = no_start();
    let mut children = children();
    loop {
        let Some(pid) = first_ended()? else {
            return Ok(None);
        };
        // One that was reaped has left its number to whoever this is.
        let Some(Entry {
            end: end @ None,
            takes_group,
        }) = children.0.get_mut(&pid)
        else {
            return Ok(Some(pid));
        };
        *end = wait_with_group(pid, *takes_group)?;
    }
}

/// Reaps a child that was not started here; `None` if somebody else was faster.
pub(super) fn reap_stranger(pid: i32) -> io::Result<Option<ExitStatus>> {
    let _no_start = no_start();
    let children = children();
    if children.is_unreaped(pid) {
        return Ok(None);
    }
    match wait(pid) {
        Ok(end) => Ok(end.map(|(status, _)| status)),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
