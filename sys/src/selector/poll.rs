//! The poll(2) backend: one array, its armed entries in front, and no kernel object at all.
//!
//! # What poll(2) does
//!
//! 1. **It has no memory.** Each call brings the whole list of (descriptor, events asked, events
//!    found); the kernel asks every file in turn, and if none is ready hangs itself on all their
//!    queues, sleeps, and asks them all again. So a call costs O(n), and any number may be passed
//!    that happens to be open: no registration, no EEXIST, no ENOENT, nothing left behind by close.
//! 2. **It is level-triggered**: what is ready and not taken is reported again by the next call.
//! 3. **HUP, ERR and NVAL cannot be masked.** An entry that asks for nothing is still reported when
//!    its peer goes, at once and every time (hz_c14).
//! 4. **NVAL means "not open"**, and comes every time too (hz_c20). On macOS it also means "a device":
//!    /dev/null, /dev/tty and most other character devices cannot be polled there.
//! 5. **Regular files and directories are always ready**: a loop that trusts this blocks on the disk.
//!    Linux says the same of every file that epoll would refuse, such as /dev/null.
//! 6. **Time** is an `int` of milliseconds. `ppoll` takes a timespec; macOS has none, and old NetBSD.
//! 7. **nfds over the limit of open files** is EINVAL: also a reason not to pass what nobody waits for.
//!
//! # What follows
//!
//! Only what somebody waits for may be passed, or the loop spins (3). So the array has an **armed
//! prefix** and a **silent suffix**; a wait passes the prefix alone. A direction that was reported
//! is disarmed (B4); an entry with nothing armed moves to the suffix, until `rearm` fetches it back.
//! A direction that is armed again is looked at by the next call, so B5 holds by itself.
//!
//! ```text
//!      0          1 ..                     armed ..                  len
//!    ┌──────────┬────────────────────────┬─────────────────────────┐
//!    │ notifier │ armed, longest first   │ silent, in any order    │   fds, slots: parallel
//!    └──────────┴────────────────────────┴─────────────────────────┘
//!                 ▲      │ reported ─(1)──►   ▲
//!                 │      └─ still armed: to the end of the prefix (2)
//!     index[number]      ◄─(3)─ rearm: to the end of the prefix
//! ```
//!
//! *Fairness* (hz_c21). The batch may be smaller than what is ready. The scan starts at the front,
//! and whoever was reported comes back to the end of the prefix at best, (2) or (3): so each full
//! batch moves all others forward, and everybody is served within (armed / capacity) waits. `remove`
//! puts the last armed entry into the gap, which lets one go ahead and moves nobody back.
//!
//! *What can be polled.* `add` looks at the file's type and refuses regular files and directories.
//! For what is neither socket nor pipe, Linux's poll would hide the refusal (5); there a throw-away
//! epoll instance is asked, for the answer must not depend on the backend (B11). On macOS the file
//! is polled once and NVAL refused. Elsewhere devices are taken as they are.
//!
//! # What it costs
//!
//! `add`: one `fstat`. `rearm` and `remove`: no system call, O(1). `wait`: one call that costs
//! O(armed), and one pass over the prefix from the first entry reported. 12 to 24 bytes per
//! registration, 4 per descriptor number. Being level-triggered, it needs no draining from its user.
//!
//! # The clauses
//!
//! B1, B8: the entry is gone when `remove` returns. B2, B3, B5: by 2. B4: reported is disarmed. B6:
//! nothing is added. B7: `translate`; NVAL too counts as an error, so that the operation gives
//! EBADF, once. B9: `Sleep`, `ppoll`, else milliseconds rounded up (rustix does that). B10: the
//! notifier is drained. B11: `index`. B12: POLLPRI; POLLRDHUP where it exists, only beside READ,
//! for it would spin otherwise.
//!
//! # Invariants
//!
//! - **POLL-1** An entry's descriptor is kept open from `add` to `remove` by clause B1. If the caller
//!   breaks that, poll(2) is the one system call that only *says* of a wrong number that it is wrong.
//! - **POLL-2** `index[fds[i]] == i` for every i from 1 on, and nothing else is in `index`.
//! - **POLL-3** `slots[i].armed` is empty exactly from `armed` on; `fds[i]` asks for it.

#![expect(
    unsafe_code,
    reason = "the array outlives the borrow of each descriptor in it"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::{Sleep, check_add, drain_notifier, not_pollable, receiving_fd};
use crate::backend::{Backend, Deadline, Triggering};
use crate::event::{Event, Events, Interest, Ready, Token};
use crate::fault::{self, Call};
use crate::notify::{Mechanism, Notifier};

/// In `index`: this descriptor number is not registered.
const UNREGISTERED: u32 = u32::MAX;
/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
/// A `read` that may say "nothing more will come" says it by this flag, where it exists.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
))]
const RDHUP: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
)))]
const RDHUP: PollFlags = PollFlags::empty();

/// The poll(2) backend; see the file's header.
#[derive(Debug)]
pub struct Poll {
    /// What is passed to the kernel, up to `armed`. Entry 0 is the notifier.
    fds: Vec<PollFd<'static>>,
    /// What belongs to each entry of `fds`.
    slots: Vec<Slot>,
    armed: usize,
    /// Where a descriptor number stands in `fds`.
    index: Vec<u32>,
    notifier: Notifier,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    token: Token,
    armed: Interest,
    /// Whether the wait under way has reported it.
    is_reported: bool,
}

impl Poll {
    fn position(&self, fd: BorrowedFd<'_>) -> Option<usize> {
        let position = *self.index.get(fd.as_raw_fd() as usize)?;
        (position != UNREGISTERED).then_some(position as usize)
    }

    /// Exchanges two entries, and keeps POLL-2.
    fn swap(&mut self, a: usize, b: usize) {
        if a != b {
            self.fds.swap(a, b);
            self.slots.swap(a, b);
            for position in [a, b] {
                self.index[self.fds[position].as_fd().as_raw_fd() as usize] = position as u32;
            }
        }
    }

    /// Sets what entry `position` asks for.
    fn arm(&mut self, position: usize, interest: Interest) {
        self.slots[position].armed = interest;
        let fd = lasting(self.fds[position].as_fd());
        self.fds[position] = PollFd::from_borrowed_fd(fd, flags_of(interest));
    }

    /// Walks the armed prefix for up to `count` reports and disarms what it puts into the batch.
    fn collect(&mut self, events: &mut Events, mut count: usize) {
        let mut first = None;
        for position in 1..self.armed {
            if count == 0 || events.is_full() {
                break;
            }
            let revents = self.fds[position].revents();
            if revents.is_empty() {
                continue;
            }
            count -= 1;
            let Slot { token, armed, .. } = self.slots[position];
            let ready = translate(revents, armed);
            let fits = events.push(Event { token, ready });
            debug_assert!(fits, "asked before");
            self.arm(position, armed - directions(ready));
            self.slots[position].is_reported = true;
            first.get_or_insert(position);
        }
        if let Some(first) = first {
            self.requeue_reported(first);
        }
    }

    /// Moves what was reported behind what was not, and what is disarmed out of the prefix. None
    /// before `first` was reported; the order of the others among themselves stays.
    fn requeue_reported(&mut self, first: usize) {
        let mut kept = first;
        for position in first..self.armed {
            if !self.slots[position].is_reported {
                self.swap(position, kept);
                kept += 1;
            }
        }
        let mut position = kept;
        while position < self.armed {
            self.slots[position].is_reported = false;
            if self.slots[position].armed.is_empty() {
                self.armed -= 1;
                self.swap(position, self.armed);
            } else {
                position += 1;
            }
        }
    }

    /// Swallows a notification, if there is one; how many of the `count` reports it was.
    fn swallow(&self) -> usize {
        if self.fds[0].revents().is_empty() {
            return 0;
        }
        drain_notifier(&self.notifier);
        1
    }
}

impl Backend for Poll {
    const NAME: &'static str = "poll";
    const TRIGGERING: Triggering = Triggering::Level;
    const FORGETS_ON_CLOSE: bool = false;
    const IS_INHERITED: bool = true;

    fn new() -> io::Result<Poll> {
        let notifier = Notifier::new(mechanism()?);
        let watched = receiving_fd(&notifier).ok_or(io::ErrorKind::Unsupported)?;
        let watched = lasting(watched);
        let entry = PollFd::from_borrowed_fd(watched, PollFlags::IN);
        let slot = Slot {
            token: Token::NOTIFY,
            armed: Interest::READ,
            is_reported: false,
        };
        Ok(Poll {
            fds: vec![entry],
            slots: vec![slot],
            armed: 1,
            index: Vec::new(),
            notifier,
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        check_add(token, interest)?;
        if self.position(fd).is_some() {
            return Err(Errno::EXIST.into());
        }
        check_file(fd)?;
        let number = fd.as_raw_fd() as usize;
        if number >= self.index.len() {
            self.index.resize(number + 1, UNREGISTERED);
        }
        let position = self.fds.len();
        self.index[number] = position as u32;
        self.fds
            .push(PollFd::from_borrowed_fd(lasting(fd), flags_of(interest)));
        self.slots.push(Slot {
            token,
            armed: interest,
            is_reported: false,
        });
        self.swap(position, self.armed);
        self.armed += 1;
        Ok(())
    }

    fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let mut position = self.position(fd).ok_or(Errno::NOENT)?;
        self.slots[position].token = token;
        let union = self.slots[position].armed | interest;
        if union != self.slots[position].armed {
            self.arm(position, union);
            if position >= self.armed {
                self.swap(position, self.armed);
                position = self.armed;
                self.armed += 1;
            }
        }
        debug_assert_eq!(position < self.armed, !union.is_empty(), "POLL-3");
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _token: Token) -> io::Result<()> {
        let mut position = self.position(fd).ok_or(Errno::NOENT)?;
        if position < self.armed {
            self.armed -= 1;
            self.swap(position, self.armed);
            position = self.armed;
        }
        self.swap(position, self.fds.len() - 1);
        self.fds.pop();
        self.slots.pop();
        self.index[fd.as_raw_fd() as usize] = UNREGISTERED;
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
        events.clear();
        let time = match Sleep::until(deadline) {
            Sleep::Zero => Some(timespec(0)),
            Sleep::Ns(ns) => Some(timespec(ns)),
            Sleep::Endless => None,
        };
        let answer = fault::check(Call::Wait, self.armed)
            .and_then(|_| Ok(poll(&mut self.fds[..self.armed], time.as_ref())?));
        match answer {
            Ok(0) => Ok(()),
            Ok(count) => {
                let notified = self.swallow();
                self.collect(events, count - notified);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// None: there is no kernel object.
    fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Nothing: the kernel remembers no changes.
    fn submit(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The table is this process's own; the notifier is shared with the parent, and keeps its number.
    fn after_fork(&mut self) -> io::Result<()> {
        self.notifier.after_fork()?;
        self.fds.truncate(1);
        self.slots.truncate(1);
        self.armed = 1;
        self.index.clear();
        Ok(())
    }
}

/// An eventfd where the kernel has one and lets us, else a pipe: this backend needs neither.
fn mechanism() -> io::Result<Mechanism> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(eventfd) = crate::notify::eventfd::EventFd::new() {
        return Ok(Mechanism::EventFd(eventfd));
    }
    Ok(Mechanism::Pipe(crate::notify::pipe::Pipe::new()?))
}

/// The descriptor, free of its borrow, to stand in the array.
fn lasting(fd: BorrowedFd<'_>) -> BorrowedFd<'static> {
    // SAFETY: the number is only ever passed to poll(2). It is open until `remove` takes the entry
    // out (POLL-1), or, for the notifier's, as long as the notifier in the same struct.
    unsafe { BorrowedFd::borrow_raw(fd.as_raw_fd()) }
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: (ns / SECOND_NS) as _,
        tv_nsec: (ns % SECOND_NS) as _,
    }
}

/// What is asked of the kernel for `interest`.
fn flags_of(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN | RDHUP, interest.contains(Interest::READ));
    flags.set(PollFlags::OUT, interest.contains(Interest::WRITE));
    flags.set(PollFlags::PRI, interest.contains(Interest::PRIORITY));
    flags
}

/// The step from a raw report to the portable one. An error, a hang-up, NVAL, and bits that a future
/// kernel may invent count as every armed direction ready (B7): a report that disarms nothing spins.
fn translate(revents: PollFlags, armed: Interest) -> Ready {
    let mut ready = Ready::empty();
    ready.set(Ready::READABLE, revents.intersects(PollFlags::IN | RDHUP));
    ready.set(Ready::WRITABLE, revents.contains(PollFlags::OUT));
    ready.set(Ready::PRIORITY, revents.contains(PollFlags::PRI));
    ready.set(
        Ready::READ_CLOSED,
        revents.intersects(PollFlags::HUP | RDHUP),
    );
    ready.set(Ready::WRITE_CLOSED, revents.contains(PollFlags::HUP));
    ready.set(
        Ready::ERROR,
        revents.intersects(PollFlags::ERR | PollFlags::NVAL),
    );
    let is_cause_unknown = revents.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
        || !directions(ready).intersects(armed);
    if is_cause_unknown {
        ready.with_armed(armed)
    } else {
        ready
    }
}

/// The directions that a report names.
fn directions(ready: Ready) -> Interest {
    let mut directions = Interest::empty();
    directions.set(Interest::READ, ready.contains(Ready::READABLE));
    directions.set(Interest::WRITE, ready.contains(Ready::WRITABLE));
    directions.set(Interest::PRIORITY, ready.contains(Ready::PRIORITY));
    directions
}

/// Refuses the files that no selector can watch, as epoll would (see *What can be polled*).
fn check_file(fd: BorrowedFd<'_>) -> io::Result<()> {
    match FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) {
        FileType::RegularFile | FileType::Directory => Err(not_pollable()),
        FileType::Socket | FileType::Fifo => Ok(()),
        _ => check_device(fd),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn check_device(fd: BorrowedFd<'_>) -> io::Result<()> {
    use rustix::event::epoll;
    // Where there is no epoll (a sandbox, an emulator) nobody can compare answers either.
    let Ok(judge) = epoll::create(epoll::CreateFlags::CLOEXEC) else {
        return Ok(());
    };
    match epoll::add(
        &judge,
        fd,
        epoll::EventData::new_u64(0),
        epoll::EventFlags::IN,
    ) {
        Err(Errno::PERM) => Err(not_pollable()),
        _ => Ok(()),
    }
}

#[cfg(target_vendor = "apple")]
fn check_device(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut probe = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut probe, Some(&timespec(0)))?;
    if probe[0].revents().contains(PollFlags::NVAL) {
        Err(not_pollable())
    } else {
        Ok(())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn check_device(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
