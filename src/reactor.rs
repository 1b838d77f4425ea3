//! The reactor: from a selector's events to the tasks that wait for them.
//!
//! *Role.* Step 4 of the tick calls [`Reactor::turn`]; a [`Source`] registers here at its first wait.
//!
//! *Stale events.* A token is a slab key with a generation; an event of a batch whose source has gone,
//! or whose number is somebody else's now, finds nobody (B8, hz_c09).
//!
//! *Cost.* An event costs a look into a slab; a wait allocates nothing.

mod source;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use mainspring_sys::backend::{Deadline, Triggering};
use mainspring_sys::fork::{self, LocalFd};
use mainspring_sys::notify::Notifier;
use mainspring_sys::{BackendKind, Event, Events, Interest, Selector, Token};

use crate::slab::{Key, Slab};

pub(crate) use source::{Direction, Source, loop_is_gone, no_loop};

pub(crate) struct Reactor {
    kind: BackendKind,
    /// None until somebody waits: a loop that never does makes no system call.
    selector: RefCell<Option<Selector>>,
    events: RefCell<Events>,
    sources: RefCell<Slab<Rc<Source>>>,
    triggering: Triggering,
    forgets_on_close: bool,
    /// The loop has ended: whoever still runs (a waker, a destructor) can't register any more.
    is_closed: Cell<bool>,
    /// In which it was made, or last renewed: in the child of a fork the selector is the parent's.
    generation: Cell<u32>,
    /// A source that was waited for when somebody last asked.
    last_waited: Cell<Option<Key>>,
}

impl Reactor {
    /// A reactor whose selector is opened when it is first needed.
    pub(crate) fn new(kind: BackendKind, event_capacity: usize) -> Reactor {
        Reactor {
            kind,
            triggering: kind.triggering(),
            forgets_on_close: kind.forgets_on_close(),
            is_closed: Cell::new(false),
            selector: RefCell::new(None),
            generation: Cell::new(fork::generation()),
            events: RefCell::new(Events::with_capacity(event_capacity)),
            last_waited: Cell::new(None),
            sources: RefCell::new(Slab::new()),
        }
    }

    /// A reactor over a selector made by hand.
    #[cfg(feature = "sim")]
    pub(crate) fn over(selector: Selector, event_capacity: usize) -> Reactor {
        Reactor {
            triggering: selector.triggering(),
            forgets_on_close: selector.forgets_on_close(),
            selector: RefCell::new(Some(selector)),
            ..Reactor::new(BackendKind::default(), event_capacity)
        }
    }

    /// Opens the selector, if it is not yet.
    ///
    /// # Errors
    /// That it can't be opened, with the kernel's errno. The next one who needs it tries again.
    pub(crate) fn open(&self) -> io::Result<()> {
        self.with_selector(|_| Ok(()))
    }

    #[inline]
    fn with_selector<R>(&self, f: impl FnOnce(&mut Selector) -> io::Result<R>) -> io::Result<R> {
        self.check_process()?;
        let selector = &mut *self.selector.borrow_mut();
        f(match selector {
            Some(selector) => selector,
            None => open_into(selector, self.kind)?,
        })
    }

    /// That the loop is this process's own (hz_c25): nothing that it does may reach the parent's selector.
    ///
    /// # Errors
    /// That it was inherited by a fork.
    #[inline]
    pub(crate) fn check_process(&self) -> io::Result<()> {
        if fork::is_inherited(self.generation.get()) {
            return Err(fork::inherited());
        }
        Ok(())
    }

    /// In the child of a fork: the selector is opened anew, and whoever waits for a source registers it there.
    /// The loop must be entered.
    ///
    /// # Errors
    /// That it can't be opened; then nothing is changed, and it may be tried again.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        if let Some(selector) = &mut *self.selector.borrow_mut() {
            selector.after_fork()?;
        }
        self.generation.set(fork::generation());
        let sources = self.sources.replace(Slab::new());
        for (_, source) in sources.iter() {
            source.forget_loop();
        }
        Ok(())
    }

    /// What wakes the selector from other threads.
    pub(crate) fn notifier(&self) -> io::Result<Notifier> {
        self.with_selector(|selector| Ok(selector.notifier()))
    }

    /// Hands queued changes to the kernel, so that the selector's descriptor tells the truth.
    pub(crate) fn submit(&self) -> io::Result<()> {
        self.with_selector(Selector::submit)
    }

    /// A duplicate of the selector's descriptor, if it has one and another can be opened.
    pub(crate) fn duplicate_fd(&self) -> Option<LocalFd> {
        let duplicate = |selector: &mut Selector| match selector.selector_fd() {
            Some(fd) => fd.try_clone_to_owned().map(Some),
            None => Ok(None),
        };
        let fd = self.with_selector(duplicate).ok().flatten()?;
        Some(LocalFd::new(fd, self.kind.is_inherited()))
    }

    /// The backend's name.
    pub(crate) fn backend_name(&self) -> &'static str {
        match &*self.selector.borrow() {
            Some(selector) => selector.name(),
            None => self.kind.name(),
        }
    }

    /// Whether nothing is registered, so that the kernel need not be asked.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sources.borrow().is_empty()
    }

    /// How many sources are registered.
    pub(crate) fn source_count(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Whether anybody waits for a source. Asked before each sleep without end: the source that was
    /// waited for last time is looked at first (a server's listener, say), else all of them.
    pub(crate) fn has_waiters(&self) -> bool {
        let sources = self.sources.borrow();
        let last = self.last_waited.get().and_then(|key| sources.get(key));
        if last.is_some_and(|source| source.has_waiters()) {
            return true;
        }
        let waited = sources.iter().find(|(_, source)| source.has_waiters());
        self.last_waited.set(waited.map(|(key, _)| key));
        self.last_waited.get().is_some()
    }

    fn add(
        &self,
        source: &Rc<Source>,
        fd: BorrowedFd<'_>,
        direction: Direction,
    ) -> io::Result<Key> {
        if self.is_closed.get() {
            return Err(loop_is_gone());
        }
        // One registration for life where it costs nothing to have all; else what is asked.
        let interest = match self.triggering {
            Triggering::Edge => Interest::all(),
            Triggering::Level => direction.interest(),
        };
        let key = self.sources.borrow_mut().insert(Rc::clone(source));
        let added = self.with_selector(|selector| {
            let added = selector.add(fd, token(key), interest);
            let lacks = matches!(&added, Err(error) if error.kind() == io::ErrorKind::Unsupported);
            if lacks && self.triggering == Triggering::Edge && direction != Direction::Priority {
                // Priority may be what it lacks (B12); a file that it does not take, it refuses again.
                return selector.add(fd, token(key), Interest::READ | Interest::WRITE);
            }
            added
        });
        if let Err(error) = added {
            // hz_c22: a registration that failed leaves no entry.
            let _ = self.sources.borrow_mut().remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn rearm(&self, fd: BorrowedFd<'_>, key: Key, interest: Interest) -> io::Result<()> {
        self.with_selector(|selector| selector.rearm(fd, token(key), interest))
    }

    fn remove(&self, fd: Option<BorrowedFd<'_>>, key: Key, is_private: bool) {
        let source = self.sources.borrow_mut().remove(key);
        drop(source);
        let Some(fd) = fd else { return };
        if is_private && self.forgets_on_close {
            return;
        }
        // NotFound: the kernel forgot it already, for the descriptor was closed behind our back.
        let _ = self.with_selector(|selector| selector.remove(fd, token(key)));
    }

    /// Asks the kernel and passes on what it says. Says how many events there were.
    ///
    /// # Errors
    /// What the wait says; EINTR is no error.
    pub(crate) fn turn(&self, deadline: Deadline) -> io::Result<usize> {
        let mut events = self.events.borrow_mut();
        self.with_selector(|selector| selector.wait(&mut events, deadline))?;
        for event in events.iter() {
            self.dispatch(event);
        }
        Ok(events.len())
    }

    #[inline]
    fn dispatch(&self, event: Event) {
        // The clone keeps the source while foreign wakers run, which may close it.
        let source = self
            .sources
            .borrow()
            .get(Key::from_bits(event.token.0))
            .map(Rc::clone);
        if let Some(source) = source {
            source.apply(event.ready);
        }
    }

    /// The loop ends: every source learns that it has none.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        loop {
            let first = self.sources.borrow().iter().next().map(|(key, _)| key);
            let Some(key) = first else { return };
            let source = self.sources.borrow_mut().remove(key);
            if let Some(source) = source {
                source.orphan();
            }
        }
    }
}

/// Apart, because it runs once in a loop's life, in the middle of what runs at each sleep.
#[cold]
#[inline(never)]
fn open_into(slot: &mut Option<Selector>, kind: BackendKind) -> io::Result<&mut Selector> {
    Ok(slot.insert(Selector::new(kind)?))
}

fn token(key: Key) -> Token {
    Token(key.to_bits())
}
