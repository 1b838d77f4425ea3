//! `Process`: a child that was started and not yet reaped.
//!
//! *Model.* Only who holds the `Process` reaps it, and it is signalled only while it is not reaped: until then its number
//! belongs to nobody else (hz_e02). Nothing here asks for any child but this one, so children of others are never taken
//! from them, and who takes ours is found out by ECHILD (hz_e04).
//!
//! ```text
//!    started ─┬─ try_wait says how it ended ────────────► reaped: signals say that it is gone
//!             ├─ a search for orphans met it: `table` ──► reaped
//!             └─ ECHILD: somebody else was faster ──────► lost
//! ```
//!
//! *Fork.* A child that this process inherited by a fork is its parent's child, not its own: the parent may have reaped it by now,
//! and its number may be anybody's, also that of a child of ours. So it is neither signalled nor asked for, and its
//! watch, where that is a kqueue, is not closed by its number.
//!
//! # Invariants
//!
//! - **CHILD-1** Structs that the system fills are made zeroed, and read only after the call has said that it filled them.
#![expect(unsafe_code, reason = "wait4, kill, pidfd_send_signal")]

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::table;
use crate::fault::{self, Call};
use crate::fork::{self, LocalFd};

/// What a process used, with what its own children used whom it has waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Time on a processor, in the program.
    pub user_time: Duration,
    /// Time on a processor, in the kernel.
    pub system_time: Duration,
    /// The most memory that was resident, in bytes.
    pub max_resident: u64,
    /// Pages that had to be fetched from a disk.
    pub major_faults: u64,
    /// Pages that were there.
    pub minor_faults: u64,
    /// How often it waited of its own accord.
    pub voluntary_switches: u64,
    /// How often it was made to wait.
    pub involuntary_switches: u64,
}

/// Whom a signal goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The process.
    Process,
    /// Every process of the group that it leads.
    Group,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Started,
    Reaped(ExitStatus, Usage),
    Lost,
}

/// A child process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    /// Readable from its end on. On Linux a pidfd, by which it is signalled as well.
    watch: Option<LocalFd>,
    state: Cell<State>,
    /// In which it was started: in the child of a fork it is the parent's.
    generation: u32,
}

impl Process {
    /// A child that was just started, with a descriptor of it, if there is one. With `takes_group`, what is left of its group
    /// is killed when it has ended.
    pub(super) fn new(pid: i32, pidfd: Option<OwnedFd>, takes_group: bool) -> Process {
        fork::watch();
        table::add(pid, takes_group);
        // A fork's child inherits a pidfd, and no kqueue.
        let watch = match pidfd {
            Some(pidfd) => Some(LocalFd::new(pidfd, true)),
            None => super::watch::open(pid).map(|queue| LocalFd::new(queue, false)),
        };
        Process {
            pid,
            watch,
            state: Cell::new(State::Started),
            generation: fork::generation(),
        }
    }

    /// Whether another process started it, from which this one was forked.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        fork::is_inherited(self.generation)
    }

    /// The process; in its place stays one of whom nothing is known.
    #[must_use]
    pub fn take(&mut self) -> Process {
        let (pid, generation) = (self.pid, self.generation);
        let nothing = Process {
            pid,
            watch: None,
            state: Cell::new(State::Lost),
            generation,
        };
        std::mem::replace(self, nothing)
    }

    /// Its number, which is its own until it is reaped.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A descriptor that is readable when it has ended, where the system has such.
    #[must_use]
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(AsFd::as_fd)
    }

    /// Whether it was reaped, or is lost, or the parent's: nothing more is to be heard of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self.state.get(), State::Started) || self.is_inherited()
    }

    /// What it used, once it was reaped.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match self.state.get() {
            State::Reaped(_, usage) => Some(usage),
            State::Started | State::Lost => None,
        }
    }

    /// How it ended, if it has; it is reaped by that. Says the same ever after.
    ///
    /// # Errors
    /// `NotFound` if somebody else has reaped it: a `waitpid(-1)` elsewhere in the program, or SIGCHLD is ignored; or if it
    /// was inherited by a fork.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        match self.state.get() {
            State::Reaped(status, _) => return Ok(Some(status)),
            State::Lost => return Err(lost(self.pid)),
            State::Started if self.is_inherited() => return Err(inherited(self.pid)),
            State::Started => {}
        }
        match table::reap(self.pid) {
            Ok(None) => Ok(None),
            Ok(Some((status, usage))) => {
                self.state.set(State::Reaped(status, usage));
                Ok(Some(status))
            }
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                self.state.set(State::Lost);
                Err(lost(self.pid))
            }
            Err(error) => Err(error),
        }
    }

    /// Sends it a signal; 0 only asks whether one could be sent.
    ///
    /// # Errors
    /// `NotFound` if it has ended and was reaped, or was inherited by a fork: the number may be another's by now. EPERM, if it
    /// changed its user; EINVAL for a number that is no signal.
    pub fn signal(&self, signal: i32, target: Target) -> io::Result<()> {
        if self.is_inherited() {
            return Err(inherited(self.pid));
        }
        if self.is_over() {
            return Err(over(self.pid));
        }
        fault::check(Call::Kill, 0)?;
        // Until this is dropped, no search for orphans reaps it.
        let Some(_unreaped) = table::hold(self.pid) else {
            return Err(over(self.pid));
        };
        if target == Target::Process {
            if let Some(sent) = self
                .watch
                .as_ref()
                .and_then(|it| pidfd_send_signal(it.as_fd(), signal))
            {
                return sent;
            }
        }
        let pid = match target {
            Target::Process => self.pid,
            Target::Group => -self.pid,
        };
        // SAFETY: it touches no memory. The child is not reaped, so its number, and that of the group it leads, are
        // nobody else's.
        match unsafe { libc::kill(pid, signal) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// Kills the group that a child leads, or led: the child has not been reaped.
pub(super) fn kill_group(pid: i32) {
    if fault::check(Call::Kill, 0).is_ok() {
        // SAFETY: it touches no memory. That there is nobody left is no error.
        let _ = unsafe { libc::kill(-pid, libc::SIGKILL) };
    }
}

#[cold]
fn inherited(pid: i32) -> io::Error {
    let text = format!(
        "process {pid} was started before a fork, by the parent: only the parent can wait for it and signal it"
    );
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cold]
fn over(pid: i32) -> io::Error {
    let text = format!("process {pid} has ended and was waited for");
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cold]
fn lost(pid: i32) -> io::Error {
    let text = format!(
        "how process {pid} ended is not known: something else in this program has waited for it, or SIGCHLD is ignored"
    );
    io::Error::new(io::ErrorKind::NotFound, text)
}

/// `None`: there is no such call, or the descriptor is no pidfd.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Option<io::Result<()>> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    let (number, flags) = (std::os::fd::AsRawFd::as_raw_fd(&pidfd), 0);
    // SAFETY: a null pointer is allowed: the kernel fills in who sent it.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, number, signal, no_info, flags) };
    match sent {
        -1 => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ENOSYS) => None,
            error => Some(Err(error)),
        },
        _ => Some(Ok(())),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pidfd_send_signal(_watch: BorrowedFd<'_>, _signal: i32) -> Option<io::Result<()>> {
    None
}

/// Whether `pid` has ended, and how; reaps it.
pub(super) fn wait(pid: i32) -> io::Result<Option<(ExitStatus, Usage)>> {
    loop {
        let checked = fault::check(Call::WaitChild, 0);
        let answer = checked.and_then(|_| wait_once(pid));
        match answer {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}

#[cfg(not(target_os = "illumos"))]
use libc::wait4;

#[cfg(target_os = "illumos")]
// SAFETY: its C library has it as the others do; the crate `libc` does not say so.
unsafe extern "C" {
    fn wait4(
        pid: libc::pid_t,
        status: *mut libc::c_int,
        options: libc::c_int,
        usage: *mut libc::rusage,
    ) -> libc::pid_t;
}

fn wait_once(pid: i32) -> io::Result<Option<(ExitStatus, Usage)>> {
    // SAFETY: CHILD-1.
    unsafe {
        let (mut status, mut usage): (libc::c_int, libc::rusage) = (0, std::mem::zeroed());
        match wait4(pid, &mut status, libc::WNOHANG, &mut usage) {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(None),
            _ => Ok(Some((ExitStatus::from_raw(status), used(&usage)))),
        }
    }
}

fn used(usage: &libc::rusage) -> Usage {
    // macOS counts bytes, the others KiB.
    let unit = if cfg!(target_vendor = "apple") {
        1
    } else {
        1024
    };
    let count = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    let time = |time: libc::timeval| {
        let micros = u32::try_from(time.tv_usec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), micros * 1000)
    };
    Usage {
        user_time: time(usage.ru_utime),
        system_time: time(usage.ru_stime),
        max_resident: count(usage.ru_maxrss) * unit,
        major_faults: count(usage.ru_majflt),
        minor_faults: count(usage.ru_minflt),
        voluntary_switches: count(usage.ru_nvcsw),
        involuntary_switches: count(usage.ru_nivcsw),
    }
}
