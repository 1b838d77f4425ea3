//! What a task remembers about itself: name, spawn line, parent, since when.
//!
//! *Role.* `spawn` fills it, failure reports and `JoinHandle` read it. It is
//! the block's reserved place for inspection; without feature `inspect` it is empty.
//!
//! *Model.* Single writer, the loop's thread. What changes after the spawn is in relaxed atomics, so
//! that a copy taken from outside is torn at worst.

use std::panic::Location;

/// What `spawn` was told about a new task.
#[derive(Debug)]
pub(crate) struct SpawnMeta {
    pub(crate) name: Option<Box<str>>,
    pub(crate) location: &'static Location<'static>,
}

impl SpawnMeta {
    #[inline]
    pub(crate) fn at(location: &'static Location<'static>) -> SpawnMeta {
        SpawnMeta {
            name: None,
            location,
        }
    }
}

pub(crate) use imp::Record;

#[cfg(feature = "inspect")]
mod imp {
    use std::cell::OnceCell;
    use std::panic::Location;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use super::SpawnMeta;
    use crate::task::core::Core;

    #[derive(Debug)]
    #[repr(C)]
    pub(crate) struct Record {
        /// The low half of the parent's id; 0 for a task that no task spawned.
        parent: AtomicU32,
        /// The tick in which the task was spawned.
        spawned_in_tick: AtomicU32,
        location: &'static Location<'static>,
        /// Boxed twice: one word in the block.
        name: OnceCell<Box<Box<str>>>,
    }

    impl Record {
        #[inline]
        pub(crate) fn new(meta: SpawnMeta) -> Record {
            let name = OnceCell::new();
            if let Some(text) = meta.name {
                let _ = name.set(Box::new(text));
            }
            Record {
                parent: AtomicU32::new(0),
                spawned_in_tick: AtomicU32::new(0),
                location: meta.location,
                name,
            }
        }

        /// The loop takes the task over.
        #[inline]
        pub(crate) fn adopt(&self, core: &Core) {
            self.spawned_in_tick.store(core.tick.get(), Relaxed);
            if let Some(parent) = core.current_task() {
                self.parent.store(parent.id() as u32, Relaxed);
            }
        }

        /// Whether it owns a name, to be freed with it.
        #[inline]
        pub(crate) fn is_named(&self) -> bool {
            self.name.get().is_some()
        }

        pub(crate) fn name(&self) -> Option<&str> {
            self.name.get().map(|name| &***name)
        }

        pub(crate) fn spawned_at(&self) -> Option<&'static Location<'static>> {
            Some(self.location)
        }

        pub(crate) fn describe(&self, id: u64) -> String {
            match self.name() {
                Some(name) => format!("task {id} \"{name}\" (spawned at {})", self.location),
                None => format!("task {id} (spawned at {})", self.location),
            }
        }
    }
}

#[cfg(not(feature = "inspect"))]
mod imp {
    use std::panic::Location;

    use super::SpawnMeta;
    use crate::task::core::Core;

    #[derive(Debug)]
    pub(crate) struct Record;

    impl Record {
        #[inline]
        pub(crate) fn new(meta: SpawnMeta) -> Record {
            drop((meta.name, meta.location));
            Record
        }

        #[inline]
        pub(crate) fn adopt(&self, _core: &Core) {}

        #[inline]
        pub(crate) fn is_named(&self) -> bool {
            false
        }

        pub(crate) fn name(&self) -> Option<&str> {
            None
        }

        pub(crate) fn spawned_at(&self) -> Option<&'static Location<'static>> {
            None
        }

        pub(crate) fn describe(&self, id: u64) -> String {
            format!("task {id}")
        }
    }
}
