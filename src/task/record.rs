//! What a task remembers about itself: spawn line, parent, since when.
//!
//! *Role.* `spawn` fills it, failure reports and `JoinHandle` read it. (A name is in [`super::extra`].) It is
//! the block's reserved place for inspection; without feature `inspect` it is empty.
//!
//! *Model.* Single writer, the loop's thread. What changes after the spawn is in relaxed atomics, so
//! that a copy taken from outside is torn at worst.

use std::panic::Location;

use super::extra::Rare;
use super::local::Locals;

/// What `spawn` was told about a new task.
#[derive(Debug)]
pub(crate) struct SpawnMeta {
    /// What few tasks have.
    pub(crate) extra: Option<Box<Rare>>,
    pub(crate) location: &'static Location<'static>,
}

impl SpawnMeta {
    #[inline]
    pub(crate) fn at(location: &'static Location<'static>) -> SpawnMeta {
        SpawnMeta {
            extra: None,
            location,
        }
    }

    /// Of a task that has a name, if it has one.
    pub(crate) fn named(name: Option<Box<str>>, location: &'static Location<'static>) -> SpawnMeta {
        let extra = |name| Box::new(Rare::new(Some(name), Locals::default(), false));
        SpawnMeta {
            extra: name.map(extra),
            location,
        }
    }
}

pub(crate) use imp::Record;

#[cfg(feature = "inspect")]
mod imp {
    use std::panic::Location;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use crate::task::raw::TaskRef;

    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct Record {
        /// The low half of the parent's id; 0 for a task that no task spawned.
        parent: AtomicU32,
        /// The core's epoch in which the task was spawned.
        epoch: AtomicU32,
        location: &'static Location<'static>,
    }

    impl Record {
        #[inline]
        pub(crate) fn new(location: &'static Location<'static>) -> Record {
            Record {
                parent: AtomicU32::new(0),
                epoch: AtomicU32::new(0),
                location,
            }
        }

        /// The loop takes the task over, in this epoch.
        #[inline]
        pub(crate) fn adopt(&self, epoch: u32, parent: Option<TaskRef>) {
            self.epoch.store(epoch, Relaxed);
            if let Some(parent) = parent {
                self.parent.store(parent.id() as u32, Relaxed);
            }
        }

        /// The low half of the parent's id, if it has one.
        pub(crate) fn parent_low(&self) -> Option<u32> {
            Some(self.parent.load(Relaxed)).filter(|low| *low != 0)
        }

        /// The epoch of its spawn.
        pub(crate) fn epoch(&self) -> Option<u32> {
            Some(self.epoch.load(Relaxed))
        }

        pub(crate) fn spawned_at(&self) -> Option<&'static Location<'static>> {
            Some(self.location)
        }
    }
}

#[cfg(not(feature = "inspect"))]
mod imp {
    use std::panic::Location;

    use crate::task::raw::TaskRef;

    #[derive(Debug)]
    pub(crate) struct Record;

    impl Record {
        #[inline]
        pub(crate) fn new(_location: &'static Location<'static>) -> Record {
            Record
        }

        #[inline]
        pub(crate) fn adopt(&self, _epoch: u32, _parent: Option<TaskRef>) {}

        pub(crate) fn parent_low(&self) -> Option<u32> {
            None
        }

        pub(crate) fn epoch(&self) -> Option<u32> {
            None
        }

        pub(crate) fn spawned_at(&self) -> Option<&'static Location<'static>> {
            None
        }
    }
}
