//! `Extra`: what few tasks have and the header has no room for: a name, values of their own.
//!
//! *Role.* One word of the header. `spawn` fills it for a named task, [`super::local`] for one that has
//! values, and nobody for all the others.
//!
//! *Who drops what.* The name goes with the block, on any thread. The values may be of any type, so they go
//! as the task finishes, on the loop's thread ([`Extra::take_locals`]), and none come after that.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;

use super::local::Locals;

/// What is behind the word, if anything is.
#[derive(Default)]
pub(crate) struct Rare {
    name: RefCell<Option<Box<str>>>,
    locals: Cell<Option<Locals>>,
    is_background: bool,
}

impl Rare {
    /// Of a task that is about to be spawned.
    pub(crate) fn new(name: Option<Box<str>>, locals: Locals, is_background: bool) -> Rare {
        Rare {
            name: RefCell::new(name),
            locals: Cell::new(Some(locals).filter(|locals| !locals.is_empty())),
            is_background,
        }
    }

    /// Whether the task was spawned as one that keeps no loop alive.
    pub(crate) fn is_background(&self) -> bool {
        self.is_background
    }

    /// The values, another share of them.
    pub(crate) fn locals(&self) -> Option<Locals> {
        let locals = self.locals.take();
        self.locals.set(locals.clone());
        locals
    }

    pub(crate) fn set_name(&self, name: Box<str>) {
        self.name.replace(Some(name));
    }

    /// The place of the values.
    pub(crate) fn place_of_locals(&self) -> &Cell<Option<Locals>> {
        &self.locals
    }
}

impl fmt::Debug for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rare")
            .field("name", &self.name)
            .field("is_background", &self.is_background)
            .finish_non_exhaustive()
    }
}

/// One word: see the module's header.
#[derive(Debug)]
pub(crate) struct Extra(OnceCell<Box<Rare>>);

impl Extra {
    #[inline]
    pub(crate) fn new(rare: Option<Box<Rare>>) -> Extra {
        match rare {
            None => Extra(OnceCell::new()),
            Some(rare) => Extra(OnceCell::from(rare)),
        }
    }

    /// Whether there is anything, to be freed with the block.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.0.get().is_some()
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&Rare> {
        self.0.get().map(|rare| &**rare)
    }

    /// What is there, made on the way if nothing was; its block must know ([`super::raw::TaskRef::rare`]).
    pub(super) fn rare(&self) -> &Rare {
        self.0.get_or_init(Box::default)
    }

    pub(crate) fn name(&self) -> Option<String> {
        let name = self.get()?.name.borrow();
        name.as_deref().map(str::to_owned)
    }

    /// The values leave a task that ends.
    pub(crate) fn take_locals(&self) -> Option<Locals> {
        self.get()?.locals.take()
    }
}
