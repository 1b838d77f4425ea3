//! `Tag`: by what name people know a primitive, where it was made, and who could let its waiters go on.
//!
//! *Role.* A lock, a channel, a gate has a tag; whoever waits for it puts the tag's number into its wait
//! node, and the inspector finds number, line and peer by it.
//!
//! *Model.* A tag costs a primitive nothing until somebody waits. Then it enters a table of this thread by
//! a number, and leaves it when the primitive is dropped. A number is never used twice, so a node that
//! was forgotten names nobody's lock rather than a stranger's.
//!
//! *Cost.* One allocation at a primitive's first wait. Nothing without the feature `inspect`.
//!
//! *Why not its address.* A primitive may move while the node of a forgotten future still names it.

use std::panic::Location;

/// Set in a [`Peer`] who holds what it is the peer of. No id of a task comes so far.
const HOLDS: u64 = 1 << 63;

/// A task that others may have to wait for, and what it is to the primitive: one word, written at each wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(u64);

/// What a [`Peer`] is, of the task with this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nobody is known.
    Nobody,
    /// Holds it: who waits goes on when this task lets go.
    Holder(u64),
    /// Was the last at the other end: who waits may go on when it comes again.
    LastSeen(u64),
}

impl Peer {
    pub(crate) const NOBODY: Peer = Peer(0);

    /// The task with this id holds it; nobody does, if that is 0.
    #[inline]
    pub(crate) fn holder(id: u64) -> Peer {
        Peer(id | HOLDS)
    }

    /// The task with this id was the last at the other end; nobody was, if that is 0.
    #[inline]
    pub(crate) fn last_seen(id: u64) -> Peer {
        Peer(id)
    }

    pub(crate) fn role(self) -> Role {
        match self.0 & !HOLDS {
            0 => Role::Nobody,
            id if self.0 & HOLDS != 0 => Role::Holder(id),
            id => Role::LastSeen(id),
        }
    }
}

/// What the table says of a primitive.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) made_at: &'static Location<'static>,
    /// Who could let its waiters go on,
    pub(crate) peer: Peer,
    /// ... or several, each of whom could.
    pub(crate) members: Vec<u64>,
}

pub(crate) use imp::find;
pub(crate) use imp::{Roll, Tag};

#[cfg(feature = "inspect")]
mod imp {
    use std::cell::{Cell, OnceCell, RefCell};
    use std::collections::BTreeMap;
    use std::panic::Location;
    use std::rc::{Rc, Weak};

    use super::{Found, Peer};

    /// What the table says of a primitive.
    #[derive(Debug)]
    pub(crate) struct Note {
        pub(crate) number: u64,
        pub(crate) made_at: &'static Location<'static>,
        pub(crate) peer: Cell<Peer>,
        roll: OnceCell<Roll>,
    }

    /// The tasks that are in a set, each at a place; 0 where none is.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Roll(Rc<RefCell<Vec<u64>>>);

    impl Roll {
        pub(crate) fn new() -> Roll {
            Roll::default()
        }

        /// The task with this id is at `place` from now on.
        pub(crate) fn set(&self, place: u32, id: u64) {
            let mut ids = self.0.borrow_mut();
            let place = place as usize;
            if place >= ids.len() {
                ids.resize(place + 1, 0);
            }
            ids[place] = id;
        }

        fn ids(&self) -> Vec<u64> {
            let ids = self.0.borrow();
            let mut ids: Vec<u64> = ids.iter().copied().filter(|id| *id != 0).collect();
            ids.sort_unstable();
            ids
        }
    }

    /// A primitive's entry for the table, made when somebody first waits.
    #[derive(Debug)]
    pub(crate) struct Tag {
        made_at: &'static Location<'static>,
        note: OnceCell<Rc<Note>>,
    }

    struct Table {
        next: u64,
        notes: BTreeMap<u64, Weak<Note>>,
    }

    thread_local! {
        static TABLE: RefCell<Table> =
            const { RefCell::new(Table { next: 1, notes: BTreeMap::new() }) };
    }

    impl Tag {
        #[inline]
        pub(crate) const fn new(made_at: &'static Location<'static>) -> Tag {
            Tag {
                made_at,
                note: OnceCell::new(),
            }
        }

        /// The number to wait under. 0, which names nothing, where the thread is at its end.
        #[inline]
        pub(crate) fn number(&self) -> u64 {
            match self.note.get() {
                Some(note) => note.number,
                None => self.enter(Peer::NOBODY),
            }
        }

        /// As [`Tag::number`], and [`Tag::set_peer`] with it.
        #[inline(always)]
        pub(crate) fn number_with(&self, peer: Peer) -> u64 {
            match self.note.get() {
                Some(note) => {
                    note.peer.set(peer);
                    note.number
                }
                None => self.enter(peer),
            }
        }

        /// Whether somebody waited before, and so the next wait is short.
        #[inline]
        pub(crate) fn is_entered(&self) -> bool {
            self.note.get().is_some()
        }

        /// The first wait.
        #[cold]
        #[inline(never)]
        fn enter(&self, peer: Peer) -> u64 {
            let entered = TABLE.try_with(|table| {
                let mut table = table.borrow_mut();
                let number = table.next;
                table.next += 1;
                let note = Rc::new(Note {
                    number,
                    made_at: self.made_at,
                    peer: Cell::new(peer),
                    roll: OnceCell::new(),
                });
                table.notes.insert(number, Rc::downgrade(&note));
                note
            });
            match entered {
                Ok(note) => self.note.get_or_init(|| note).number,
                Err(_) => 0,
            }
        }

        /// Who could let the waiters go on, from now on. Nothing while nobody ever waited.
        #[inline]
        pub(crate) fn set_peer(&self, peer: Peer) {
            if let Some(note) = self.note.get() {
                note.peer.set(peer);
            }
        }
    }

    impl Tag {
        /// Those of `roll` could let the waiters go on. Nothing while nobody ever waited.
        pub(crate) fn set_roll(&self, roll: &Roll) {
            if let Some(note) = self.note.get() {
                note.roll.get_or_init(|| roll.clone());
            }
        }
    }

    impl Drop for Tag {
        fn drop(&mut self) {
            if let Some(note) = self.note.get() {
                let _ = TABLE.try_with(|table| table.borrow_mut().notes.remove(&note.number));
            }
        }
    }

    /// What is known of the primitive with this number, if it lives.
    pub(crate) fn find(number: u64) -> Option<Found> {
        let found =
            TABLE.try_with(|table| table.borrow().notes.get(&number).and_then(Weak::upgrade));
        let note = found.ok().flatten()?;
        Some(Found {
            made_at: note.made_at,
            peer: note.peer.get(),
            members: note.roll.get().map(Roll::ids).unwrap_or_default(),
        })
    }
}

#[cfg(not(feature = "inspect"))]
mod imp {
    use std::panic::Location;

    use super::{Found, Peer};

    #[derive(Debug)]
    pub(crate) struct Tag;

    impl Tag {
        #[inline]
        pub(crate) const fn new(_made_at: &'static Location<'static>) -> Tag {
            Tag
        }

        #[inline]
        pub(crate) fn number(&self) -> u64 {
            0
        }

        #[inline]
        pub(crate) fn is_entered(&self) -> bool {
            true
        }

        #[inline]
        pub(crate) fn set_peer(&self, _peer: Peer) {}

        pub(crate) fn set_roll(&self, _roll: &Roll) {}
    }

    #[derive(Debug)]
    pub(crate) struct Roll;

    impl Roll {
        pub(crate) fn new() -> Roll {
            Roll
        }

        pub(crate) fn set(&self, _place: u32, _id: u64) {}
    }

    /// Nothing is known.
    pub(crate) fn find(_number: u64) -> Option<Found> {
        None
    }
}
