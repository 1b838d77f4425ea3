//! `Target`: what a task waits for, in a form that programs can read and people too.
//!
//! *Role.* A wait node keeps a kind and a word, because that is small; a snapshot and the report of a deadlock
//! show this.
//!
//! *Cost.* Made when somebody looks, never before.

use std::fmt;
use std::os::fd::RawFd;
use std::panic::Location;
use std::time::Duration;

use mainspring_sys::signal::Signal;
use mainspring_sys::{Instant, Interest};

use super::info::TaskInfo;
use super::join::TaskId;
use super::resource::{self, Peer, Role};

/// Of a set with more tasks than this, the others are counted.
const MEMBERS_SHOWN: usize = 20;

/// What a task waits for. `Display` completes the sentence "it waits for …".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A point in time; `None` never comes.
    Timer(Option<Instant>),
    /// So much time, which begins to count with the next turn of the loop.
    Delay(Duration),
    /// A descriptor, to be ready in this direction.
    Descriptor {
        /// Its number.
        fd: RawFd,
        /// [`Interest::READ`], [`Interest::WRITE`] or [`Interest::PRIORITY`].
        interest: Interest,
    },
    /// The end of another task, whose handle it awaits.
    Task(TaskInfo),
    /// A lock, a channel, anything that was made by somebody and has a number.
    Resource(Resource),
    /// The end of the child process with this number.
    Child(u32),
    /// A signal to this process.
    Signal(Signal),
    /// Whoever holds a waker of it. That one waits, nobody knows for what.
    Waker,
    /// Something that has no number.
    Other(&'static str),
}

/// Something that tasks wait for and that was made by somebody: a lock, a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    what: &'static str,
    number: u64,
    made_at: Option<&'static Location<'static>>,
    peer: Peer,
    members: Vec<u64>,
    /// The peer is no unfinished task of this loop.
    pub(super) is_peer_gone: bool,
}

impl Resource {
    /// The resource with this number, if it is known. It is not without the feature `inspect`, and not once it
    /// is dropped.
    pub(crate) fn find(what: &'static str, number: u64) -> Resource {
        let found = resource::find(number);
        Resource {
            what,
            number: found.as_ref().map_or(0, |_| number),
            made_at: found.as_ref().map(|found| found.made_at),
            peer: found.as_ref().map_or(Peer::NOBODY, |found| found.peer),
            members: found.map_or_else(Vec::new, |found| found.members),
            is_peer_gone: false,
        }
    }

    /// What it is, or what of it is waited for: "lock", "an item of channel".
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// Its number: no two of one thread have the same. `None` where it is not known.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        (self.number != 0).then_some(self.number)
    }

    /// The line that made it.
    #[must_use]
    pub fn made_at(&self) -> Option<&'static Location<'static>> {
        self.made_at
    }

    /// The task that holds it: who waits goes on when that one lets go.
    #[must_use]
    pub fn holder(&self) -> Option<TaskId> {
        match self.peer.role() {
            Role::Holder(id) => Some(TaskId::new(id)),
            _ => None,
        }
    }

    /// The task that used its other end last: who waits may go on when that one comes again.
    #[must_use]
    pub fn last_user(&self) -> Option<TaskId> {
        match self.peer.role() {
            Role::LastSeen(id) => Some(TaskId::new(id)),
            _ => None,
        }
    }

    /// The tasks each of which lets who waits go on when it ends: those of a set, oldest first.
    pub fn members(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.members.iter().copied().map(TaskId::new)
    }

    /// Whether holder or last user has ended. A lock that its holder took into its grave is never free.
    #[must_use]
    pub fn is_peer_gone(&self) -> bool {
        self.is_peer_gone
    }

    /// Those who could let who waits go on, as far as they are there.
    pub(super) fn edges(&self) -> Vec<u64> {
        let peer = self.peer().filter(|_| !self.is_peer_gone);
        peer.into_iter()
            .chain(self.members.iter().copied())
            .collect()
    }

    /// The task that could let who waits go on.
    pub(crate) fn peer(&self) -> Option<u64> {
        match self.peer.role() {
            Role::Nobody => None,
            Role::Holder(id) | Role::LastSeen(id) => Some(id),
        }
    }

    /// Without the line.
    fn write_short(&self, f: &mut fmt::Formatter<'_>, made_at: bool) -> fmt::Result {
        f.write_str(self.what)?;
        if self.number != 0 {
            write!(f, " {}", self.number)?;
        }
        if let (true, Some(line)) = (made_at, self.made_at) {
            write!(f, " (made at {line})")?;
        }
        for (place, id) in self.members.iter().take(MEMBERS_SHOWN).enumerate() {
            let before = if place == 0 { ": task" } else { "," };
            write!(f, "{before} {id}")?;
        }
        if self.members.len() > MEMBERS_SHOWN {
            write!(f, " and {} more", self.members.len() - MEMBERS_SHOWN)?;
        }
        match self.peer.role() {
            Role::Nobody => return Ok(()),
            Role::Holder(id) => write!(f, ", held by task {id}")?,
            Role::LastSeen(id) => write!(f, ", last used by task {id}")?,
        }
        if self.is_peer_gone {
            f.write_str(", which has ended or is another loop's")?;
        }
        Ok(())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_short(f, true)
    }
}

impl Target {
    /// A timer due at `ns`.
    pub(super) fn timer(ns: u64) -> Target {
        Target::Timer((ns != u64::MAX).then(|| Instant::from_ns(ns)))
    }

    pub(super) fn delay(ns: u64) -> Target {
        if ns == u64::MAX {
            return Target::Timer(None);
        }
        Target::Delay(Duration::from_nanos(ns))
    }

    pub(super) fn descriptor(word: u64, interest: Interest) -> Target {
        Target::Descriptor {
            fd: RawFd::try_from(word).unwrap_or(-1),
            interest,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Timer(None) => f.write_str("a timer that never fires"),
            Target::Timer(Some(at)) => write!(f, "a timer due at {} ns", at.as_ns()),
            Target::Delay(length) => write!(f, "a delay of {length:?}, from the next turn on"),
            Target::Descriptor { fd, interest } if *interest == Interest::READ => {
                write!(f, "descriptor {fd} to become readable")
            }
            Target::Descriptor { fd, interest } if *interest == Interest::WRITE => {
                write!(f, "descriptor {fd} to become writable")
            }
            Target::Descriptor { fd, .. } => write!(f, "exceptional data on descriptor {fd}"),
            Target::Task(task) => write!(f, "the end of {task}"),
            Target::Resource(resource) => resource.fmt(f),
            Target::Child(pid) => write!(f, "child process {pid} to end"),
            Target::Signal(signal) => signal.fmt(f),
            Target::Waker => f.write_str("whoever holds its waker"),
            Target::Other(what) => f.write_str(what),
        }
    }
}

/// A target without lines, for a sentence that has several.
pub(super) struct Brief<'a>(pub(super) &'a Target);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Task(task) => write!(f, "the end of task {}", task.id()),
            Target::Resource(resource) => resource.write_short(f, false),
            other => other.fmt(f),
        }
    }
}
