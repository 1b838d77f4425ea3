//! Children whose handles are gone: they are waited for all the same.
//!
//! *Model.* While the loop runs, a task of the background waits. A child that has no loop, because its own ended before it
//! or it was dropped where none runs, is left on a list of the process; the next loop that starts a child, drops one, or is
//! told of an end takes it from there and waits for it.
//!
//! ```text
//!   dropped, loop runs ──► task of the background ──► waited for
//!   dropped, no loop ──┐       │ loop ends  ▲
//!                      └──► left ◄┘         │ adopt: at the next start, drop or end, on any loop
//!                              └────────────┘
//! ```
//!
//! Processes of others, adopted by [`become_subreaper`], are looked for when [`try_wait_orphan`] is called, and never by
//! themselves.

use std::io;
use std::panic::Location;
use std::process::ExitStatus;
use std::rc::Rc;

use mainspring_sys::child as sys;

use super::child::{Ending, Shared};
use crate::spawn::TaskBuilder;

/// Waits for the children that have no loop: at once for those that have ended, in the background for the others.
pub(super) fn adopt() {
    for process in sys::take_left() {
        let answer = process.try_wait();
        // It was waited for, or somebody else was faster.
        if process.is_over() {
            continue;
        }
        if answer.is_ok() && crate::context::is_entered() {
            wait_in_background(&Rc::new(Shared::new(process, Location::caller())));
        } else {
            sys::leave(process);
        }
    }
}

/// Waits for a child, when its handle is gone. Should the loop end before it, the drop of `shared` leaves the child.
pub(super) fn wait_in_background(shared: &Rc<Shared>) {
    if !crate::context::is_entered() {
        return;
    }
    let name = format!("the end of child process {}", shared.pid());
    let task = TaskBuilder::new().background(true).name(name);
    let shared = Rc::clone(shared);
    drop(task.spawn(async move {
        let mut ending = std::pin::pin!(Ending::new(&shared, shared.made_at));
        // After an error the next who looks for those that were left tries again.
        let _ = std::future::poll_fn(|cx| ending.as_mut().poll(cx)).await;
    }));
}

/// A process that was not started here, and whose end was waited for all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orphan {
    /// The number that it had.
    pub id: u32,
    /// How it ended.
    pub status: ExitStatus,
}

/// From here on, processes whose parents end before them become children of this process: for a supervisor, who wants to know
/// of them and let none become a zombie. Linux and FreeBSD.
///
/// # Errors
/// `Unsupported` elsewhere.
pub fn become_subreaper() -> io::Result<()> {
    sys::become_subreaper()
}

/// Says how an adopted process ended, if one has, and lets it go. Whenever SIGCHLD comes, call it until there is none:
/// signals that come together are one.
///
/// Children that a [`Command`](super::Command) started are known and left to their [`Child`](super::Child). Of those that
/// this program started in another way, say with `is_ours` that they must be left to whoever started them; one of these that has ended
/// hides the orphans behind it until it is waited for.
///
/// # Errors
/// What `waitid(2)` and `wait4(2)` say; that there are no children at all is `None`.
///
/// ```
/// use mainspring::process::{become_subreaper, try_wait_orphan};
/// use mainspring::signal::{Signal, signal};
/// # mainspring::run(async {
/// if become_subreaper().is_err() {
///     return Ok(()); // neither Linux nor FreeBSD
/// }
/// let mut ends = signal(Signal::CHLD)?;
/// let shell = mainspring::process::Command::shell("(sleep 0.1; exit 7) &").spawn()?;
/// assert!(shell.wait().await?.success());
/// let orphan = loop {
///     match try_wait_orphan(|_| false)? {
///         Some(orphan) => break orphan,
///         None => drop(ends.recv().await?),
///     }
/// };
/// assert_eq!(orphan.status.code(), Some(7));
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub fn try_wait_orphan(is_ours: impl Fn(u32) -> bool) -> io::Result<Option<Orphan>> {
    let found = sys::try_wait_orphan(|pid| is_ours(pid.unsigned_abs()))?;
    Ok(found.map(|(pid, status)| Orphan {
        id: pid.unsigned_abs(),
        status,
    }))
}
