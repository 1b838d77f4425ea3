//! `Kind`: what a node waits for, and how people are told.

use mainspring_sys::Interest;
use mainspring_sys::signal::Signal;

use crate::task::target::{Resource, Target};

/// The classes of jobs, by what [`Kind::Job`]'s word says.
const JOBS: [&str; 3] = [
    "a job of the pool, of class files",
    "a job of the pool, of class names",
    "a job of the pool, of class user",
];

/// What a node waits for; with its word (a descriptor, a deadline, an address) the whole reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
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
    /// A value that is sent once; with the word 0, the line is the one where it was made.
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
    /// A job of the blocking pool; the word is the place of its class in [`JOBS`].
    Job,
    /// A child process to end; the word is its number.
    Child,
    /// A signal; the word is its number.
    Signal,
    /// A clock that is waited for to be set, or the machine to be suspended.
    ClockJump,
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
    /// What a node of this kind with this word waits for.
    pub(super) fn target(self, word: u64) -> Target {
        let other = Target::Other;
        let named = |what| Target::Resource(Resource::find(what, word));
        match self {
            Kind::Orphan => other("a timer whose loop is gone"),
            Kind::Delay => Target::delay(word),
            Kind::Timer => Target::timer(word),
            Kind::Read => Target::descriptor(word, Interest::READ),
            Kind::Write => Target::descriptor(word, Interest::WRITE),
            Kind::Priority => Target::descriptor(word, Interest::PRIORITY),
            Kind::MemoryRead => other("bytes in a stream in memory"),
            Kind::MemoryWrite => other("room in a stream in memory"),
            Kind::Buffer => other("a free buffer of a pool"),
            Kind::Transport => other("somebody to call its transport"),
            Kind::SelectorTurn => other("the next turn of the selector"),
            Kind::Quiet => other("all other tasks to wait"),
            Kind::Lock => named("lock"),
            Kind::ReadLock => named("read lock"),
            Kind::WriteLock => named("write lock"),
            Kind::Permit => named("a permit of semaphore"),
            Kind::Event => named("event"),
            Kind::Notify => named("a notification of notify"),
            Kind::Condvar => named("condvar"),
            #[cfg(feature = "sim")]
            Kind::Sequence => named("a turn of sequencer"),
            Kind::Barrier => named("the others at barrier"),
            Kind::OnceCell => named("once cell"),
            Kind::Gate => named("those inside gate"),
            Kind::Oneshot => named("the value of oneshot"),
            Kind::Send => named("room in channel"),
            Kind::Receive => named("an item of channel"),
            Kind::Drained => named("all items to be done of channel"),
            Kind::Closed => named("the end of channel"),
            Kind::Broadcast => named("a message of broadcast"),
            Kind::Watch => named("a new value of watch"),
            Kind::Cancel => named("cancel token"),
            Kind::Children => named("the children of scope"),
            Kind::Started => named("a child to be ready in scope"),
            Kind::Tasks => named("one of the tasks of set"),
            Kind::Job => other(
                JOBS.get(word as usize)
                    .copied()
                    .unwrap_or("a job of the pool"),
            ),
            Kind::Child => Target::Child(u32::try_from(word).unwrap_or(0)),
            Kind::Signal => Target::Signal(Signal::from_number(i32::try_from(word).unwrap_or(0))),
            Kind::ClockJump => other("a jump of the wall clock"),
            Kind::Marker => other("nothing"),
        }
    }
}
