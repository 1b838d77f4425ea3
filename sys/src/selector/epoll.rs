//! The epoll backend: edge-triggered, registered once, and no `epoll_ctl` per operation.
//!
//! # What epoll does
//!
//! An epoll instance is a kernel object with two collections. The *interest list* is a tree of
//! registrations; the *ready list* is a queue of those that may have something to report.
//!
//! 1. **A registration's key is (open file, number)**, not the number alone. The same number twice
//!    is EEXIST, a dup of it is a second registration. And since the *open file* holds it, a
//!    registration ends when the last duplicate is closed, wherever that is: a dup in a child
//!    process keeps it alive, reporting under a token whose descriptor we no longer have and can no
//!    longer remove (hz_c10).
//! 2. **A wake-up queues; the report is computed later.** When the file announces a change, the
//!    registration joins the tail of the ready list, once. `epoll_wait` takes it off the head and
//!    only then asks the file for its state. So a report carries *every* condition that holds at
//!    that moment, not the one that changed, and one that no longer holds makes no report.
//! 3. **Level-triggered** (the default) puts a reported registration back on the tail, to be asked
//!    again by the next wait. **Edge-triggered** (`EPOLLET`) does not: the next announcement must
//!    queue it. An announcement is an event of the *file*, such as "a packet arrived"; it comes also
//!    when there were bytes already. What makes none is what we do ourselves: leaving bytes unread.
//! 4. **ADD and MOD look at the level**: if a condition asked for holds, they queue the registration,
//!    edge-triggered or not.
//! 5. **HUP and ERR are always asked for**, by the kernel itself. RDHUP (the peer shut its writing
//!    side) is not; it has to be named. HUP may come alone: a pipe's read end whose writers are gone
//!    and whose bytes are read reports HUP without IN. A socket that is not connected yet is OUT|HUP.
//! 6. **Files without readiness are refused** with EPERM: regular files, directories, `/dev/null`;
//!    not by ADD alone, by MOD and DEL too.
//! 7. **More ready than room**: the rest stays on the list, in order, for the next call. Edge-triggered
//!    reports leave the list and announcements join its tail, so the queue rotates by itself.
//! 8. **Time**: `epoll_wait` takes whole milliseconds in an `int`; `epoll_pwait2` (Linux 5.11) takes a
//!    timespec. Old kernels, emulators and seccomp filters answer ENOSYS or EPERM to the latter.
//! 9. **A signal handler ends the wait with EINTR**, whatever SA_RESTART says.
//! 10. **fork shares the instance**: a child that deletes a registration deletes its parent's (hz_c25).
//!
//! # What follows
//!
//! Level-triggered would need an `epoll_ctl` each time a waiter comes or goes, or would spin on
//! every ready socket nobody waits for (and on HUP, which cannot be masked). Edge-triggered needs
//! none, if its user reads until EAGAIN or, on a stream socket, until a short transfer: then by 3
//! the next change announces itself. That is the rule in clause B5, and by it `rearm` has nothing
//! to do. `EPOLLONESHOT` would make B4 and B5 literal, at one `epoll_ctl` per operation: no.
//!
//! *How `rearm` knows that there is nothing to do.* A registration might have been made for READ
//! alone. So there is a memo by descriptor number: which token was registered, for what. It may be
//! stale, for a socket may be closed without `remove` ([`FORGETS_ON_CLOSE`](Backend::FORGETS_ON_CLOSE));
//! therefore it is *never believed against the token*: only if the caller's token (which carries a
//! generation) is the one in the memo, and the interest is within it, is nothing done. In every other
//! case the kernel is asked, by one MOD, which also looks at the level (4), and its ENOENT stands.
//! EEXIST, ENOENT and EPERM always come from the kernel, never from the memo.
//!
//! # What it costs
//!
//! `add` and `remove` one system call; `rearm` none, two loads; `wait` one, and 12 bytes copied per
//! event; a notification none on this side, for the eventfd is edge-triggered too and needs no read.
//! 16 bytes of memo per descriptor number, where the kernel's own entry takes over 100. One
//! thing is dearer than level-triggered: whoever stops reading before EAGAIN must remember it.
//!
//! # The clauses
//!
//! B1, B8: DEL takes it off both lists. B2: by 4. B3: by 2 and 3, given B5's rule. B4: by 3. B5: as
//! above. B6: by 2. B7: `translate`. B9: `Sleep`, `epoll_pwait2`, else milliseconds rounded up.
//! B10: the eventfd's reports are swallowed. B11: by 1 and 6. B12: EPOLLPRI, EPOLLRDHUP.
//!
//! # Invariants
//!
//! - **EPOLL-1** `epoll_pwait2` gets a buffer and the length of that same buffer, exclusively
//!   borrowed for the call; its elements are initialised before, so any prefix is good to read.

#![expect(
    unsafe_code,
    reason = "epoll_pwait2 has no wrapper that falls back on old kernels"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::{Sleep, check_add, not_pollable, receiving_fd};
use crate::backend::{Backend, Deadline, Triggering};
use crate::event::{Event, Events, Interest, Ready, Token};
use crate::fault::{self, Call};
use crate::notify::{Mechanism, Notifier, eventfd::EventFd};

/// Nanoseconds in a millisecond, the grain of `epoll_wait`.
const MS_NS: u64 = 1_000_000;
/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000 * MS_NS;
/// What a raw buffer is filled with before the kernel writes into it.
const BLANK: epoll::Event = epoll::Event {
    flags: epoll::EventFlags::empty(),
    data: epoll::EventData::new_u64(0),
};

/// The epoll backend; see the file's header.
pub struct Epoll {
    epoll: OwnedFd,
    notifier: Notifier,
    /// What was last registered for each descriptor number: a hint, see the header.
    memo: Vec<Memo>,
    raw: Vec<epoll::Event>,
    /// Whether `epoll_pwait2` is there, as far as is known.
    has_pwait2: bool,
}

/// A registration as it was made. One with an empty interest stands for none.
#[derive(Clone, Copy, Debug)]
struct Memo {
    token: Token,
    interest: Interest,
}

impl Memo {
    const NONE: Memo = Memo {
        token: Token::NOTIFY,
        interest: Interest::empty(),
    };
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Epoll {
            epoll,
            notifier,
            memo: _,
            raw: _,
            has_pwait2,
        } = self;
        f.debug_struct("Epoll")
            .field("epoll", epoll)
            .field("notifier", notifier)
            .field("has_pwait2", has_pwait2)
            .finish_non_exhaustive()
    }
}

impl Epoll {
    fn remember(&mut self, fd: BorrowedFd<'_>, memo: Memo) {
        let number = fd.as_raw_fd() as usize;
        if number >= self.memo.len() {
            self.memo.resize(number + 1, Memo::NONE);
        }
        self.memo[number] = memo;
    }

    fn recall(&self, fd: BorrowedFd<'_>) -> Memo {
        self.memo
            .get(fd.as_raw_fd() as usize)
            .copied()
            .unwrap_or(Memo::NONE)
    }

    /// Enters the kernel; how many raw events it wrote.
    fn wait_raw(&mut self, room: usize, sleep: Sleep) -> Result<usize, Errno> {
        if self.raw.len() < room {
            self.raw.resize(room, BLANK);
        }
        let buffer = &mut self.raw[..room];
        match sleep {
            Sleep::Zero => epoll::wait(&self.epoll, buffer, Some(&Timespec::default())),
            Sleep::Endless => epoll::wait(&self.epoll, buffer, None),
            Sleep::Ns(ns) => {
                if self.has_pwait2 {
                    match pwait2(self.epoll.as_fd(), buffer, ns) {
                        Err(Errno::NOSYS | Errno::PERM) => self.has_pwait2 = false,
                        answer => return answer,
                    }
                }
                epoll::wait(&self.epoll, buffer, Some(&whole_ms(ns)))
            }
        }
    }
}

impl Backend for Epoll {
    const NAME: &'static str = "epoll";
    const TRIGGERING: Triggering = Triggering::Edge;
    const FORGETS_ON_CLOSE: bool = true;
    const IS_INHERITED: bool = true;

    fn new() -> io::Result<Epoll> {
        fault::check(Call::Open, 0)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let eventfd = EventFd::new()?;
        watch_notifier(&epoll, eventfd.as_fd())?;
        let notifier = Notifier::new(Mechanism::EventFd(eventfd));
        Ok(Epoll {
            epoll,
            notifier,
            memo: Vec::new(),
            raw: Vec::new(),
            has_pwait2: true,
        })
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        check_add(token, interest)?;
        fault::check(Call::Control, 0)?;
        let data = epoll::EventData::new_u64(token.0);
        match epoll::add(&self.epoll, fd, data, flags_of(interest)) {
            Ok(()) => {
                self.remember(fd, Memo { token, interest });
                Ok(())
            }
            Err(Errno::PERM) => Err(not_pollable()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let memo = self.recall(fd);
        if memo.token == token && memo.interest.contains(interest) {
            return Ok(());
        }
        fault::check(Call::Control, 0)?;
        // If the MOD succeeds there is a registration, and the last one of this number is the one in
        // the memo: what it asked for stays armed.
        let interest = memo.interest | interest;
        let data = epoll::EventData::new_u64(token.0);
        epoll::modify(&self.epoll, fd, data, flags_of(interest)).map_err(not_registered)?;
        self.remember(fd, Memo { token, interest });
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, _token: Token) -> io::Result<()> {
        fault::check(Call::Control, 0)?;
        epoll::delete(&self.epoll, fd).map_err(not_registered)?;
        self.remember(fd, Memo::NONE);
        Ok(())
    }

    fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
        events.clear();
        let answer = fault::check(Call::Wait, events.capacity()).and_then(|room| {
            let room = room.clamp(1, events.capacity());
            Ok(self.wait_raw(room, Sleep::until(deadline))?)
        });
        let count = match answer {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        for raw in &self.raw[..count] {
            let token = Token(raw.data.u64());
            if token != Token::NOTIFY {
                let fits = events.push(Event {
                    token,
                    ready: translate(raw.flags),
                });
                debug_assert!(fits, "the raw buffer is no longer than the batch");
            }
        }
        Ok(())
    }

    fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.epoll.as_fd())
    }

    /// Nothing: changes are never queued.
    fn submit(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// By 10 the inherited instance is the parent's; closing its number here leaves it that.
    fn after_fork(&mut self) -> io::Result<()> {
        fault::check(Call::Open, 0)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        self.notifier.after_fork()?;
        if let Some(eventfd) = receiving_fd(&self.notifier) {
            watch_notifier(&epoll, eventfd)?;
        }
        self.epoll = epoll;
        self.memo.clear();
        Ok(())
    }
}

/// Edge-triggered, so that nobody need read it.
fn watch_notifier(epoll: &OwnedFd, eventfd: BorrowedFd<'_>) -> io::Result<()> {
    let data = epoll::EventData::new_u64(Token::NOTIFY.0);
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    Ok(epoll::add(epoll, eventfd, data, flags)?)
}

/// The error of a MOD or a DEL. Of a file that could never be registered the kernel says EPERM
/// before it looks for a registration; the contract says that there is none (B11).
fn not_registered(errno: Errno) -> Errno {
    if errno == Errno::PERM {
        Errno::NOENT
    } else {
        errno
    }
}

/// What is registered for `interest`. RDHUP comes along always: it costs nothing (the end of file
/// announces itself anyway) and tells a half-close from data.
fn flags_of(interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::ET | epoll::EventFlags::RDHUP;
    flags.set(epoll::EventFlags::IN, interest.contains(Interest::READ));
    flags.set(epoll::EventFlags::OUT, interest.contains(Interest::WRITE));
    flags.set(
        epoll::EventFlags::PRI,
        interest.contains(Interest::PRIORITY),
    );
    flags
}

/// The step from a raw report to the portable one. A report does not say what is armed, so for an
/// error or a hang-up (B7) every direction is named; one that nobody waits for is a spurious report
/// (B6). ERR sets no closed bit: on a UDP socket it is one lost datagram, not the end.
#[inline]
fn translate(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as Raw;
    let mut ready = Ready::empty();
    ready.set(Ready::READABLE, flags.contains(Raw::IN));
    ready.set(Ready::WRITABLE, flags.contains(Raw::OUT));
    if (Raw::IN | Raw::OUT).contains(flags) {
        return ready;
    }
    ready | translate_rare(flags)
}

/// What a report says beyond "there is something to read" and "there is room".
#[cold]
fn translate_rare(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as Raw;
    let mut ready = Ready::empty();
    ready.set(Ready::READABLE, flags.contains(Raw::RDHUP));
    ready.set(Ready::PRIORITY, flags.contains(Raw::PRI));
    ready.set(Ready::READ_CLOSED, flags.intersects(Raw::RDHUP | Raw::HUP));
    ready.set(Ready::WRITE_CLOSED, flags.contains(Raw::HUP));
    ready.set(Ready::ERROR, flags.contains(Raw::ERR));
    if flags.intersects(Raw::ERR | Raw::HUP) {
        ready.with_armed(Interest::all())
    } else {
        ready
    }
}

/// `ns` as whole milliseconds, rounded up: rounded down, the loop would spin through the last one.
fn whole_ms(ns: u64) -> Timespec {
    let up = ns.div_ceil(MS_NS) * MS_NS;
    Timespec {
        tv_sec: (up / SECOND_NS) as _,
        tv_nsec: (up % SECOND_NS) as _,
    }
}

/// The kernel's own 64-bit timespec, also where libc's has 32 bits.
#[repr(C)]
struct KernelTimespec {
    tv_sec: i64,
    tv_nsec: i64,
}

/// `epoll_pwait2(2)` with the signal mask left alone.
fn pwait2(epoll: BorrowedFd<'_>, buffer: &mut [epoll::Event], ns: u64) -> Result<usize, Errno> {
    let time = KernelTimespec {
        tv_sec: (ns / SECOND_NS) as i64,
        tv_nsec: (ns % SECOND_NS) as i64,
    };
    // SAFETY: the kernel writes at most `maxevents` events from the pointer on and reads `time`;
    // pointer and length are those of one exclusively borrowed buffer (EPOLL-1), whose element type
    // is declared with the kernel's layout; a null mask has size 0.
    let count = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            libc::c_long::from(epoll.as_raw_fd()),
            buffer.as_mut_ptr(),
            buffer.len().min(libc::c_int::MAX as usize) as libc::c_long,
            &raw const time,
            std::ptr::null::<libc::sigset_t>(),
            0 as libc::c_long,
        )
    };
    if count >= 0 {
        return Ok(count as usize);
    }
    let error = io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

#[cfg(test)]
mod tests;
