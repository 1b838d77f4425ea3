//! The kqueue backend: macOS and its kin, FreeBSD, NetBSD, OpenBSD, DragonFly.
//!
//! # The kernel's side
//!
//! A kqueue is a set of *filters*, each named by a pair: a number (for us a descriptor's) and a kind
//! (EVFILT_READ, EVFILT_WRITE …). Reading and writing are two independent entries, added, deleted and
//! reported apart. One call, `kevent`, takes a list of changes and gives a list of events.
//!
//! - **A level check at each EV_ADD.** Adding a filter, also one that is there already, asks the
//!   object whether the condition holds now, and if so the event is due. Nothing is lost between
//!   the last `read` and the registration.
//! - **EV_CLEAR** takes the event down as it is reported; the next *change* of the object (bytes
//!   arrived, room became free) runs the check again. This is the edge-triggered mode, except that an
//!   "edge" is any activity after which the condition holds: each arriving segment makes an event.
//! - **EV_EOF** is a flag of the event, not an event of its own. On READ it comes while unread bytes
//!   still stand there, and for a mere half-close. `fflags` then holds the socket's error.
//! - **Closing** a descriptor deletes its filters at once, whoever else holds a duplicate: the number
//!   is the key, not the open file. (epoll is the opposite.)
//! - **Errors of changes** come back as the call's errno if there is no room for events, and then
//!   the later changes are not made; else as entries with EV_ERROR. EV_RECEIPT asks for such an entry
//!   about each change, also of those that went well. Spare room is filled with real events.
//!
//! # What is made of it
//!
//! At `add` the filters of the interest, and only those, are registered with EV_CLEAR, all in one
//! call with receipts, and stay until `remove`. Events carry the token in `udata`.
//!
//! **Why `rearm` is nothing (B5).** The caller rearms after WouldBlock, or after a short transfer on a
//! stream socket that reported no hang-up. Both say: the condition did not hold a moment ago. If it
//! came to hold since, that was activity, and EV_CLEAR makes an event of it, before or after the
//! `rearm`. What the contract asks for beyond that, a level that held all along, the caller has
//! excluded. A direction that was not in the interest so far is another matter: its filter is added,
//! and EV_ADD is a level check.
//!
//! **Why no change waits for the next `wait`.** It would save a call, and cost three clauses: `add`
//! must report its own errors, `remove` must be over before the `close` that follows it (a number
//! that is reused within the turn would inherit a stranger's change, hz_c11), and after EINTR nobody
//! knows which changes were made. Per connection there is one call at its beginning and one at its
//! end; none in between.
//!
//! **Answers that are no receipts.** If a kernel gives fewer receipts than it was asked for (libkqueue's
//! suite notes so of OpenBSD's EVFILT_WRITE), real events move into their room, and EV_CLEAR has
//! taken them down. Each is put back by adding its filter again, which checks the level.
//!
//! **Events that are owed.** A pipe whose other end is gone refuses its filter with EPIPE. `add` takes
//! that for what it is, the end, and the next `wait` reports it.
//!
//! **FORGETS_ON_CLOSE is false**, although the kernel forgets. The table (B11) does not: the next
//! `add` of the number would have to ask the kernel whether the entry is stale, which costs the very
//! call that was saved.
//!
//! **PRIORITY** is EVFILT_EXCEPT with NOTE_OOB; FreeBSD and NetBSD have none.
//!
//! # Costs
//!
//! `add` and `remove`: one `fstat` (add only) and one `kevent`. `rearm`: nothing, once the
//! direction is known. `wait`: one `kevent`. The table is indexed by the descriptor's number, 16 bytes an
//! entry. On 32-bit systems `udata` holds half the token; the table has the whole.
//!
//! After a fork the child has no queue, and its number may be somebody else's: no call is made with it there
//! until `after_fork` has opened another.

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::backend::{Backend, Deadline, Triggering};
use crate::event::{Event, Events, Interest, Token};
use crate::fault::{self, Call};
use crate::kqueue::event::{
    Change, EV_ERROR, Filter, Reply, Verb, Verdict, Watched, filters_of, is_forgiven_on_delete,
    is_pipe, ready_of, refusal, timeout_of, verdict_of_add,
};
use crate::kqueue::raw::{List, Queue, Replies};
use crate::notify::pipe::Pipe;
use crate::notify::{Mechanism, Notifier};

/// The kqueue selector.
#[derive(Debug)]
pub struct Kqueue {
    queue: Queue,
    notifier: Notifier,
    table: Table,
    /// Reports that no filter will make, for the next `wait`.
    owed: Vec<Event>,
    list: List,
}

#[derive(Clone, Copy, Debug)]
struct Registration {
    token: Token,
    watched: Watched,
}

/// A notifier that is an event of the queue itself.
#[cfg(not(target_os = "linux"))]
fn user_event(queue: &Queue) -> io::Result<Mechanism> {
    crate::notify::user_event::UserEvent::new(queue).map(Mechanism::UserEvent)
}

/// The queue made by hand has no such event, as on NetBSD 9: the backend takes the pipe.
#[cfg(target_os = "linux")]
fn user_event(_queue: &Queue) -> io::Result<Mechanism> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Backend for Kqueue {
    const NAME: &'static str = "kqueue";
    const TRIGGERING: Triggering = Triggering::Edge;
    const FORGETS_ON_CLOSE: bool = false;
    const IS_INHERITED: bool = false;

    fn new() -> io::Result<Kqueue> {
        fault::check(Call::Open, 0)?;
        let queue = Queue::open()?;
        let mechanism = match user_event(&queue) {
            Ok(mechanism) => mechanism,
            // The system lacks EVFILT_USER. If it lacks something else, so will the pipe.
            Err(_) => Mechanism::Pipe(Pipe::new()?),
        };
        let mut kqueue = Kqueue {
            queue,
            notifier: Notifier::new(mechanism),
            table: Table(Vec::new()),
            owed: Vec::new(),
            list: List::new(),
        };
        kqueue.watch_notifier()?;
        Ok(kqueue)
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        if interest.is_empty() || token == Token::NOTIFY {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let number = fd.as_raw_fd() as usize;
        if self.table.at(number).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let is_pipe = is_pipe(file_type(fd)?)?;
        let registration = Registration {
            token,
            watched: Watched { interest, is_pipe },
        };
        // First the table, by which `arm` knows an event of this very registration when it sees one.
        self.table.set(number, registration);
        let answer = self.arm(number, registration, interest);
        if answer.is_err() {
            self.table.clear(number);
        }
        answer
    }

    fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd() as usize;
        let Some(mut registration) = self.table.find(number, token) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let missing = interest.difference(registration.watched.interest);
        if missing.is_empty() {
            return Ok(());
        }
        registration.watched.interest |= missing;
        self.arm(number, registration, missing)?;
        self.table.set(number, registration);
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let number = fd.as_raw_fd() as usize;
        let Some(registration) = self.table.find(number, token) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.table.clear(number);
        self.owed.retain(|event| event.token != token);
        let Watched { interest, is_pipe } = registration.watched;
        self.disarm(number, interest, is_pipe)
    }

    fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
        events.clear();
        let mut timeout = timeout_of(deadline);
        if !self.owed.is_empty() {
            timeout = timeout_of(Deadline::Now);
            self.pay(events);
        }
        let room = events.capacity() - events.len();
        if room == 0 {
            return Ok(());
        }
        let answer = fault::check(Call::Wait, room)
            .and_then(|room| self.queue.wait(&mut self.list, room.max(1), timeout));
        match answer {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for reply in self.list.iter() {
            if let Some(event) = self.understand(reply) {
                let has_room = events.push(event);
                debug_assert!(
                    has_room,
                    "the kernel gave more events than there was room for"
                );
            }
        }
        Ok(())
    }

    fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.as_fd())
    }

    /// No change is ever queued; but a report that is owed makes the queue readable only if somebody
    /// rings.
    fn submit(&mut self) -> io::Result<()> {
        if self.owed.is_empty() {
            Ok(())
        } else {
            self.notifier.notify()
        }
    }

    fn after_fork(&mut self) -> io::Result<()> {
        fault::check(Call::Open, 0)?;
        // The notifier, if it is an event, is one of this very queue.
        self.queue.after_fork()?;
        self.notifier.after_fork()?;
        self.table = Table(Vec::new());
        self.owed.clear();
        self.watch_notifier()
    }
}

impl Kqueue {
    /// Registers the filters of `wanted`, which is part of the registration's interest: all or none.
    fn arm(
        &mut self,
        number: usize,
        registration: Registration,
        wanted: Interest,
    ) -> io::Result<()> {
        if wanted.contains(Interest::PRIORITY) && !crate::kqueue::raw::HAS_PRIORITY {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let Registration { token, watched } = registration;
        let replies = self.change(
            number,
            Verb::Add,
            token,
            filters_of(wanted, watched.is_pipe),
        )?;
        let mut refused = None;
        let mut owed = Vec::new();
        for reply in replies.iter() {
            let Some(errno) = self.receipt(reply) else {
                continue;
            };
            match verdict_of_add(reply.raw.filter, errno, watched) {
                Verdict::Accepted => {}
                Verdict::Owes(ready) => owed.push(Event { token, ready }),
                Verdict::Refused(errno) => refused = Some(errno),
            }
        }
        if let Some(errno) = refused {
            // The error of the way back would hide the one that matters.
            let _ = self.disarm(number, wanted, watched.is_pipe);
            return Err(refusal(errno));
        }
        self.owed.append(&mut owed);
        Ok(())
    }

    /// Deletes the filters of `interest`.
    fn disarm(&mut self, number: usize, interest: Interest, is_pipe: bool) -> io::Result<()> {
        let filters = filters_of(interest, is_pipe);
        let replies = self.change(number, Verb::Delete, Token::NOTIFY, filters)?;
        let mut answer = Ok(());
        for reply in replies.iter() {
            match self.receipt(reply) {
                Some(errno) if !is_forgiven_on_delete(errno) => {
                    answer = Err(io::Error::from_raw_os_error(errno));
                }
                _ => {}
            }
        }
        answer
    }

    /// One call for all `filters` of one descriptor. EINTR is repeated: adding and deleting twice is
    /// as good as once.
    fn change(
        &self,
        ident: usize,
        verb: Verb,
        token: Token,
        filters: impl Iterator<Item = Filter>,
    ) -> io::Result<Replies> {
        let blank = Change {
            ident,
            filter: Filter::Read,
            verb,
            udata: token.0 as usize,
        };
        let mut changes = [blank; 3];
        let mut count = 0;
        for filter in filters {
            changes[count].filter = filter;
            count += 1;
        }
        loop {
            match fault::check(Call::Control, 0).and_then(|_| self.queue.change(&changes[..count]))
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    /// The errno (0: none) that a receipt gives. An event that came in a receipt's place is put back.
    fn receipt(&self, reply: Reply) -> Option<i32> {
        if reply.raw.flags & EV_ERROR != 0 {
            // An errno is small on every system.
            return Some(reply.raw.data as i32);
        }
        let Reply { ident, udata, raw } = reply;
        let verb = if raw.filter == Filter::User {
            Verb::Trigger
        } else {
            Verb::Add
        };
        if raw.filter == Filter::User || self.table.knows(ident, udata) {
            // It fails only if the descriptor was closed without `remove`, and then nobody waits.
            let _ = self.queue.apply(Change {
                ident,
                filter: raw.filter,
                verb,
                udata,
            });
        }
        None
    }

    /// Moves reports that are owed into the batch, as many as fit.
    fn pay(&mut self, events: &mut Events) {
        let count = self.owed.len().min(events.capacity() - events.len());
        for event in self.owed.drain(..count) {
            let has_room = events.push(event);
            debug_assert!(has_room, "counted before");
        }
    }

    /// What an event of the kernel says to the caller: nothing, if it is the notifier's, or a stale
    /// one (B8).
    fn understand(&self, reply: Reply) -> Option<Event> {
        if reply.raw.filter == Filter::User || !self.table.knows(reply.ident, reply.udata) {
            return None;
        }
        let Registration { token, watched } = self.table.at(reply.ident)?;
        if token == Token::NOTIFY {
            // A full pipe takes no byte, and without a byte there is no edge: it must be emptied.
            if let Mechanism::Pipe(pipe) = self.notifier.mechanism() {
                pipe.drain();
            }
            return None;
        }
        ready_of(reply.raw, watched).map(|ready| Event { token, ready })
    }

    /// The fallback's pipe is registered like any descriptor, under a token that nobody else can use.
    fn watch_notifier(&mut self) -> io::Result<()> {
        let number = match self.notifier.mechanism() {
            Mechanism::Pipe(pipe) => pipe.as_fd().as_raw_fd() as usize,
            _ => return Ok(()),
        };
        let watched = Watched {
            interest: Interest::READ,
            is_pipe: true,
        };
        let registration = Registration {
            token: Token::NOTIFY,
            watched,
        };
        self.table.set(number, registration);
        self.arm(number, registration, Interest::READ)
    }
}

/// The registrations, by descriptor number (B11). Numbers are dense: the kernel gives the lowest.
#[derive(Debug)]
struct Table(Vec<Option<Registration>>);

impl Table {
    fn at(&self, number: usize) -> Option<Registration> {
        self.0.get(number).copied().flatten()
    }

    fn find(&self, number: usize, token: Token) -> Option<Registration> {
        self.at(number)
            .filter(|registration| registration.token == token)
    }

    /// Whether `udata` is that of the registration under this number. (Where a pointer has 32 bits
    /// it is the token's lower half, and B8 stands on `remove` being immediate.)
    fn knows(&self, number: usize, udata: usize) -> bool {
        self.at(number)
            .is_some_and(|registration| registration.token.0 as usize == udata)
    }

    fn set(&mut self, number: usize, registration: Registration) {
        if self.0.len() <= number {
            self.0.resize(number + 1, None);
        }
        self.0[number] = Some(registration);
    }

    fn clear(&mut self, number: usize) {
        if let Some(slot) = self.0.get_mut(number) {
            *slot = None;
        }
    }
}

fn file_type(fd: BorrowedFd<'_>) -> io::Result<rustix::fs::FileType> {
    let status = rustix::fs::fstat(fd)?;
    Ok(rustix::fs::FileType::from_raw_mode(status.st_mode))
}
