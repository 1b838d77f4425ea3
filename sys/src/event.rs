//! What is asked of a selector and what it answers: token, interest, readiness, event, batch.
//!
//! *Role.* The portable vocabulary of the contract in [`crate::backend`]: the reactor speaks it, a
//! backend translates its kernel's words into it inside `wait`, and nobody above ever sees an
//! `EPOLLIN` or an `EV_EOF`.
//!
//! *Model.* [`Interest`] is what a caller wants to hear about; [`Ready`] is what a backend says.
//! `Ready` has three more bits than `Interest`: closed-for-read, closed-for-write and error. They
//! are hints (clause B12), never a substitute for doing the operation (clause B7).

use bitflags::bitflags;

/// Names a registration: chosen by whoever calls `add`, handed back in each [`Event`] about it.
///
/// A backend does not look inside. The reactor puts a slab index and a generation into it, so that
/// an event that outlived its registration (clause B8) finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

impl Token {
    /// Reserved for the backends' own notifier: `add` refuses it with `InvalidInput`.
    pub const NOTIFY: Token = Token(u64::MAX);
}

bitflags! {
    /// What a registration asks to hear about.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Interest: u8 {
        /// There is something to read: bytes, a connection to accept, an end of file.
        const READ = 1;
        /// There is room to write, or a `connect` came to its end.
        const WRITE = 2;
        /// Exceptional data, such as TCP's out-of-band byte. `Unsupported` where the kernel's
        /// selector lacks it.
        const PRIORITY = 4;
    }

    /// What a backend says of a registration. Every bit is a hint (clause B6).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Ready: u8 {
        /// A read would probably not block.
        const READABLE = 1;
        /// A write would probably not block.
        const WRITABLE = 2;
        /// Exceptional data waits.
        const PRIORITY = 4;
        /// Nothing more will arrive after what is buffered: the peer shut its writing side, or is gone.
        const READ_CLOSED = 8;
        /// What is written from now on reaches nobody.
        const WRITE_CLOSED = 16;
        /// The descriptor holds an error; the operation will tell which.
        const ERROR = 32;
    }
}

impl Ready {
    /// Clause B7: error and hang-up count as *every* armed direction ready, so that whoever waits,
    /// in whichever direction, wakes and finds the cause by doing the operation.
    #[must_use]
    pub fn with_armed(self, armed: Interest) -> Ready {
        let mut ready = self;
        if armed.contains(Interest::READ) {
            ready |= Ready::READABLE;
        }
        if armed.contains(Interest::WRITE) {
            ready |= Ready::WRITABLE;
        }
        if armed.contains(Interest::PRIORITY) {
            ready |= Ready::PRIORITY;
        }
        ready
    }
}

/// One report: the registration `token` is `ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which registration.
    pub token: Token,
    /// What for.
    pub ready: Ready,
}

/// A batch of events: `wait` fills it, the reactor walks it.
///
/// Its capacity is fixed at creation and bounds what one `wait` reports. What does not fit is
/// reported by a later `wait`, and the kernel's queue is rotated so that nobody is starved.
#[derive(Debug)]
pub struct Events {
    list: Vec<Event>,
    capacity: usize,
}

impl Events {
    /// An empty batch for at most `capacity` events.
    ///
    /// # Panics
    /// If `capacity` is 0: such a batch could never report anything.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        assert!(
            capacity > 0,
            "an event batch needs room for at least one event"
        );
        Events {
            list: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// How many events fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many events stand in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether no further event fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.list.len() >= self.capacity
    }

    /// The event at `index`, if there are so many.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Event> {
        self.list.get(index).copied()
    }

    /// The events in the order the backend gave them.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.list.iter().copied()
    }

    /// Empties the batch; every `wait` begins with it.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Appends one event. A full batch refuses and says so: the backend must then keep the event
    /// for its next `wait`.
    #[must_use = "an event that was refused must be reported by the next wait"]
    pub fn push(&mut self, event: Event) -> bool {
        if self.is_full() {
            return false;
        }
        self.list.push(event);
        true
    }
}
