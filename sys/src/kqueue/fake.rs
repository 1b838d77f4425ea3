//! A kqueue made by hand, for the backend's tests on Linux, which has none.
//!
//! *Role.* Stands in for `kqueue/raw.rs` and keeps what the essay in [`kqueue.rs`](super) says of the
//! kernel: a level check at each EV_ADD, events taken down as they are reported, a receipt for each
//! change. Tests say which conditions hold ([`Kernel::set`]), which filters are refused, and which
//! give no receipt. It knows no descriptors: it is told, it does not look.

use std::cell::{RefCell, RefMut};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::event::{Change, EV_ERROR, Filter, RawChange, Reply, Verb};

pub(crate) const HAS_PRIORITY: bool = true;

/// One registered filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) ident: usize,
    pub(crate) filter: Filter,
    pub(crate) udata: usize,
    pub(crate) is_due: bool,
}

/// What the kernel knows.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) entries: Vec<Entry>,
    /// The conditions that hold: of which object, and what an event of it would say.
    conditions: Vec<(usize, RawChange)>,
    /// Adding such a filter fails with this errno.
    pub(crate) refused: Vec<(Filter, i32)>,
    /// Changes of such a filter give no receipt.
    pub(crate) unreceipted: Vec<Filter>,
    /// How many calls made changes.
    pub(crate) change_calls: usize,
    /// The timeout of the last wait.
    pub(crate) timeout: Option<Duration>,
}

impl Kernel {
    /// Makes a condition hold and, if its filter is registered, an event of it.
    pub(crate) fn set(&mut self, ident: usize, raw: RawChange) {
        self.reset(ident, raw.filter);
        self.conditions.push((ident, raw));
        for entry in &mut self.entries {
            entry.is_due |= entry.ident == ident && entry.filter == raw.filter;
        }
    }

    /// Ends a condition: the object was read empty, or written full.
    pub(crate) fn reset(&mut self, ident: usize, filter: Filter) {
        self.conditions
            .retain(|(at, raw)| (*at, raw.filter) != (ident, filter));
    }

    pub(crate) fn has(&self, ident: usize, filter: Filter) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.ident == ident && entry.filter == filter)
    }

    fn make(&mut self, change: Change) -> i32 {
        let Change {
            ident,
            filter,
            verb,
            udata,
        } = change;
        let had = self.has(ident, filter);
        let is_same = |entry: &Entry| entry.ident == ident && entry.filter == filter;
        match verb {
            Verb::Add => {
                if let Some((_, errno)) = self.refused.iter().find(|(at, _)| *at == filter) {
                    return *errno;
                }
                self.entries.retain(|entry| !is_same(entry));
                let is_due = self.condition(ident, filter).is_some();
                self.entries.push(Entry {
                    ident,
                    filter,
                    udata,
                    is_due,
                });
                0
            }
            Verb::Delete => {
                self.entries.retain(|entry| !is_same(entry));
                if had { 0 } else { libc::ENOENT }
            }
            Verb::Trigger => libc::ENOENT,
        }
    }

    fn condition(&self, ident: usize, filter: Filter) -> Option<RawChange> {
        let mut found = self
            .conditions
            .iter()
            .filter(|(at, raw)| (*at, raw.filter) == (ident, filter));
        found.next().map(|(_, raw)| *raw)
    }

    fn take_events(&mut self, room: usize) -> Vec<Reply> {
        let mut events = Vec::new();
        for index in 0..self.entries.len() {
            let Entry {
                ident,
                filter,
                udata,
                is_due,
            } = self.entries[index];
            if !is_due || events.len() == room {
                continue;
            }
            self.entries[index].is_due = false;
            if let Some(raw) = self.condition(ident, filter) {
                events.push(Reply { ident, udata, raw });
            }
        }
        events
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Queue {
    kernel: Rc<RefCell<Kernel>>,
    fd: Rc<OwnedFd>,
}

impl Queue {
    pub(crate) fn open() -> io::Result<Queue> {
        let fd = Rc::new(OwnedFd::from(std::fs::File::open("/dev/null")?));
        Ok(Queue {
            kernel: Rc::default(),
            fd,
        })
    }

    /// The child of a fork has no queue; this is another.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        *self.kernel() = Kernel::default();
        Ok(())
    }

    pub(crate) fn kernel(&self) -> RefMut<'_, Kernel> {
        self.kernel.borrow_mut()
    }

    pub(crate) fn apply(&self, change: Change) -> io::Result<()> {
        match self.kernel().make(change) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    pub(crate) fn change(&self, changes: &[Change]) -> io::Result<Replies> {
        let mut kernel = self.kernel();
        kernel.change_calls += 1;
        let mut list = Vec::new();
        for change in changes {
            let Change {
                ident,
                filter,
                udata,
                ..
            } = *change;
            let data = i64::from(kernel.make(*change));
            if data != 0 || !kernel.unreceipted.contains(&filter) {
                let raw = RawChange {
                    filter,
                    flags: EV_ERROR,
                    fflags: 0,
                    data,
                };
                list.push(Reply { ident, udata, raw });
            }
        }
        let events = kernel.take_events(changes.len() - list.len());
        list.extend(events);
        Ok(Replies(list))
    }

    pub(crate) fn wait(
        &self,
        list: &mut List,
        room: usize,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let mut kernel = self.kernel();
        kernel.timeout = timeout;
        list.0 = kernel.take_events(room);
        Ok(())
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(crate) struct Replies(Vec<Reply>);

impl Replies {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Reply> + '_ {
        self.0.iter().copied()
    }
}

#[derive(Debug)]
pub(crate) struct List(Vec<Reply>);

impl List {
    pub(crate) const fn new() -> List {
        List(Vec::new())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Reply> + '_ {
        self.0.iter().copied()
    }
}
