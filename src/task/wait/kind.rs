//! `Kind`: what a node waits for, and how people are told.

use std::fmt;

use super::Waiter;
use crate::task::resource::Named;

/// The classes of jobs, by what [`Kind::Job`]'s word says.
pub(crate) const JOB_CLASSES: [&str; 3] = ["files", "names", "user"];

/// What a node waits for; with its word (a descriptor, a deadline, an address) the whole reason.
#[allow(dead_code, reason = "its users land next")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A span of time that begins at the next turn; the word is its length in nanoseconds. The most
    /// frequent kind stands first: a new node's state is then all zeros.
    Delay,
    /// A point in time; the word is the deadline in nanoseconds.
    Timer,
    /// A timer whose loop is gone.
    Orphan,
    /// A source to become readable; the word is the descriptor.
    Read,
    /// A source to become writable; the word is the descriptor.
    Write,
    /// A source to have exceptional data; the word is the descriptor.
    Priority,
    /// A stream in memory to hold something.
    MemoryRead,
    /// A stream in memory to have room.
    MemoryWrite,
    /// A buffer of a pool to be free.
    Buffer,
    /// Somebody to ask a connection for something.
    Transport,
    /// The selector to be asked once more.
    SelectorTurn,
    /// Everybody else to wait.
    Quiet,
    /// A lock to be free; here and below, unless it says otherwise, the word is the number of a
    /// [`Tag`](crate::task::resource::Tag).
    Lock,
    /// A lock of many readers to be free for one more.
    ReadLock,
    /// A lock of many readers to be free for a writer.
    WriteLock,
    /// Permits of a semaphore or a limiter.
    Permit,
    /// An event to be set.
    Event,
    /// A notification.
    Notify,
    /// A condition to be notified.
    Condvar,
    /// The others at a barrier.
    Barrier,
    /// A turn in a fixed order of steps.
    #[cfg(feature = "sim")]
    Sequence,
    /// A cell to be filled by somebody else.
    OnceCell,
    /// Those inside a gate to leave.
    Gate,
    /// A value that is sent once.
    Oneshot,
    /// Room in a channel.
    Send,
    /// An item of a channel.
    Receive,
    /// All items of a channel to be done.
    Drained,
    /// Nobody to receive any more.
    Closed,
    /// A message to all.
    Broadcast,
    /// A new value of a watched cell.
    Watch,
    /// A token to be cancelled.
    Cancel,
    /// The children of a scope.
    Children,
    /// A child of a scope to say that it is ready.
    Started,
    /// One of several tasks to end.
    Tasks,
    /// A job of the blocking pool; the word is the place of its class in [`JOB_CLASSES`].
    Job,
    /// Nothing: marks a place in a queue while it is walked.
    Marker,
}

impl Kind {
    /// The kind of a timer: a span, or a point.
    #[inline]
    pub(super) fn of_timer(is_delay: bool) -> Kind {
        if is_delay { Kind::Delay } else { Kind::Timer }
    }
}

impl Kind {
    /// Writes what it is that a node of this kind with this word waits for.
    pub(super) fn describe(self, word: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            |f: &mut fmt::Formatter<'_>, what| write!(f, "{}", Named { what, number: word });
        match self {
            Kind::Orphan => write!(f, "a timer whose loop is gone"),
            Kind::Timer | Kind::Delay if word == u64::MAX => write!(f, "a timer that never fires"),
            Kind::Delay => write!(f, "a delay of {word} ns, from the next turn on"),
            Kind::Timer => write!(f, "a timer due at {word} ns"),
            Kind::Read => write!(f, "descriptor {word} to become readable"),
            Kind::Write => write!(f, "descriptor {word} to become writable"),
            Kind::Priority => write!(f, "exceptional data on descriptor {word}"),
            Kind::MemoryRead => write!(f, "bytes in a stream in memory"),
            Kind::MemoryWrite => write!(f, "room in a stream in memory"),
            Kind::Buffer => write!(f, "a free buffer of a pool"),
            Kind::Transport => write!(f, "somebody to call its transport"),
            Kind::SelectorTurn => write!(f, "the next turn of the selector"),
            Kind::Quiet => write!(f, "all other tasks to wait"),
            Kind::Lock => named(f, "lock"),
            Kind::ReadLock => named(f, "read lock"),
            Kind::WriteLock => named(f, "write lock"),
            Kind::Permit => named(f, "a permit of semaphore"),
            Kind::Event => named(f, "event"),
            Kind::Notify => named(f, "a notification of notify"),
            Kind::Condvar => named(f, "condvar"),
            #[cfg(feature = "sim")]
            Kind::Sequence => named(f, "a turn of sequencer"),
            Kind::Barrier => named(f, "the others at barrier"),
            Kind::OnceCell => named(f, "once cell"),
            Kind::Gate => named(f, "those inside gate"),
            Kind::Oneshot => named(f, "the value of oneshot"),
            Kind::Send => named(f, "room in channel"),
            Kind::Receive => named(f, "an item of channel"),
            Kind::Drained => named(f, "all items to be done of channel"),
            Kind::Closed => named(f, "the end of channel"),
            Kind::Broadcast => named(f, "a message of broadcast"),
            Kind::Watch => named(f, "a new value of watch"),
            Kind::Cancel => named(f, "cancel token"),
            Kind::Children => named(f, "the children of scope"),
            Kind::Started => named(f, "a child to be ready in scope"),
            Kind::Tasks => named(f, "one of the tasks of set"),
            Kind::Job => {
                let class = JOB_CLASSES.get(word as usize).unwrap_or(&"?");
                write!(f, "a job of the pool, of class {class}")
            }
            Kind::Marker => write!(f, "nothing"),
        }
    }
}

impl fmt::Display for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_new() { 0 } else { self.word() };
        self.kind.get().describe(word, f)?;
        #[cfg(feature = "inspect")]
        write!(
            f,
            ", at {}, since tick {}",
            self.location.get(),
            self.since.get()
        )?;
        Ok(())
    }
}
