//! From one process to another program: what a child does before its `exec`.
//!
//! # Invariants
//!
//! - **EXEC-1** Between `clone` (or `fork`) and `exec` the child makes system calls and nothing else: no allocation, no lock, no
//!   panic. It reads the [`Plan`], which was made before, and writes the one [`Report`].
//! - **EXEC-2** A plan's pointers point into the `Spec` and the vectors that it borrows or owns; they live until `start` returns,
//!   and on Linux the child has left the parent's memory by then (CLONE_VFORK).
//! - **EXEC-3** All signals are blocked in the calling thread from before `clone` until the child has default dispositions, so
//!   no handler of the parent runs in the child, on the parent's memory.
#![expect(unsafe_code, reason = "execve, and the calls before it")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::{Limit, SpawnError, Spec, Step};

/// The number behind the last signal.
const SIGNALS_END: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    65
} else {
    128
};

/// What the child needs, ready to be used without an allocation.
pub(super) struct Plan<'a> {
    pub(super) spec: &'a Spec,
    pub(super) argv: Vec<*const libc::c_char>,
    envp: Option<Vec<*const libc::c_char>>,
    /// Number in the child, number here.
    pub(super) fds: Vec<(RawFd, RawFd)>,
    /// The same, while they are on their way: beside the numbers that anybody asked for.
    moved: Vec<std::cell::Cell<RawFd>>,
    /// The numbers that stay open, in order.
    pub(super) kept: Vec<RawFd>,
    /// For the death signal.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    parent: libc::pid_t,
    pub(super) all_signals: libc::sigset_t,
    pub(super) no_signals: libc::sigset_t,
}

/// What went wrong; 0, 0 is nothing. The child writes it, the parent reads it after the child is gone.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Report {
    step: i32,
    errno: i32,
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    let all = strings.iter().map(|string| string.as_ptr());
    all.chain([ptr::null()]).collect()
}

impl<'a> Plan<'a> {
    pub(super) fn new(spec: &'a Spec, fds: &'a [(RawFd, BorrowedFd<'a>)]) -> Plan<'a> {
        let numbers: Vec<_> = fds
            .iter()
            .map(|(to, from)| (*to, from.as_raw_fd()))
            .collect();
        let mut kept: Vec<_> = (0..3).chain(numbers.iter().map(|(to, _)| *to)).collect();
        kept.sort_unstable();
        kept.dedup();
        // SAFETY: sets of ours, filled by the calls.
        let (all_signals, no_signals) = unsafe {
            let (mut all, mut none) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&mut all);
            libc::sigemptyset(&mut none);
            (all, none)
        };
        Plan {
            spec,
            argv: pointers(&spec.argv),
            envp: spec.envp.as_deref().map(pointers),
            moved: numbers.iter().map(|_| std::cell::Cell::new(-1)).collect(),
            fds: numbers,
            kept,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            parent: match spec.death_signal {
                // SAFETY: it has no preconditions.
                Some(_) => unsafe { libc::getpid() },
                None => 0,
            },
            all_signals,
            no_signals,
        }
    }

    pub(super) fn envp(&self) -> *const *const libc::c_char {
        // SAFETY: every libc has it under this name and type, `environ(7)`.
        unsafe extern "C" {
            static environ: *const *const libc::c_char;
        }
        match &self.envp {
            Some(envp) => envp.as_ptr(),
            // SAFETY: the C library's own; who changes it meanwhile breaks std's rule for `set_var`.
            None => unsafe { environ },
        }
    }

    /// Becomes the program, or says why not. In the child only (EXEC-1).
    pub(super) fn run(&self) -> Report {
        for (step, action) in [
            (Step::Exec, Plan::reset_signals as fn(&Plan<'a>) -> bool),
            (Step::Session, Plan::enter_session),
            // On their way they have numbers that a limit may not allow.
            (Step::Descriptors, Plan::place_descriptors),
            // A plain user may not raise one.
            (Step::Limits, Plan::set_limits),
            (Step::Ids, Plan::set_ids),
            // Into which the new user must be allowed.
            (Step::Folder, Plan::enter_folder),
            (Step::Terminal, Plan::take_terminal),
            (Step::DeathSignal, Plan::set_death_signal),
        ] {
            if !action(self) {
                return Report::last(step);
            }
        }
        self.exec()
    }

    /// The default for every signal: a handler's address means nothing to the new program, and an ignored signal stays
    /// ignored over an exec. Signals are blocked meanwhile (EXEC-3).
    fn reset_signals(&self) -> bool {
        for signal in 1..SIGNALS_END {
            reset_signal(signal);
        }
        true
    }

    fn enter_session(&self) -> bool {
        // SAFETY: none of these calls touches memory.
        unsafe {
            if self.spec.is_session && libc::setsid() == -1 {
                return false;
            }
            if let Some(group) = self.spec.group {
                if libc::setpgid(0, group) == -1 {
                    return false;
                }
            }
            if let Some(umask) = self.spec.umask {
                libc::umask(umask as libc::mode_t);
            }
        }
        true
    }

    fn set_limits(&self) -> bool {
        self.spec.limits.iter().all(|limit| set_limit(*limit))
    }

    fn set_ids(&self) -> bool {
        let spec = self.spec;
        if let Some(groups) = &spec.groups {
            if ids::setgroups(groups) == -1 {
                return false;
            }
        }
        if let Some(gid) = spec.gid {
            if ids::setgid(gid) == -1 {
                return false;
            }
        }
        if let Some(uid) = spec.uid {
            // Who may not say so keeps the groups he has, which are his own.
            if spec.groups.is_none() && is_root() && ids::setgroups(&[]) == -1 {
                return false;
            }
            if ids::setuid(uid) == -1 {
                return false;
            }
        }
        true
    }

    fn enter_folder(&self) -> bool {
        match &self.spec.folder {
            // SAFETY: a C string of the plan's.
            Some(folder) => unsafe { libc::chdir(folder.as_ptr()) == 0 },
            None => true,
        }
    }

    /// Each descriptor under its number. First all are moved out of the way, above every number that was asked for, so
    /// that the order does not matter, also if two change places.
    fn place_descriptors(&self) -> bool {
        let above = self.kept.last().copied().unwrap_or(2) + 1;
        for ((_, from), moved) in self.fds.iter().zip(&self.moved) {
            // SAFETY: it touches no memory.
            let copy = unsafe { libc::fcntl(*from, libc::F_DUPFD_CLOEXEC, above) };
            if copy == -1 {
                return false;
            }
            moved.set(copy);
        }
        for ((to, _), moved) in self.fds.iter().zip(&self.moved) {
            // SAFETY: it touches no memory. The copy that it makes is not closed on exec.
            if unsafe { libc::dup2(moved.get(), *to) } == -1 {
                return false;
            }
        }
        if !(0..3).all(has_standard_stream) {
            return false;
        }
        close_others(&self.kept);
        true
    }

    fn take_terminal(&self) -> bool {
        if !self.spec.takes_terminal {
            return true;
        }
        // SAFETY: the request takes an integer.
        unsafe { libc::ioctl(0, libc::TIOCSCTTY as _, 0) == 0 }
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_death_signal(&self) -> bool {
        let Some(signal) = self.spec.death_signal else {
            return true;
        };
        // SAFETY: the calls touch no memory.
        unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong) != 0 {
                return false;
            }
            // It may have died before the call.
            if libc::getppid() != self.parent {
                libc::kill(libc::getpid(), signal);
            }
        }
        true
    }

    #[cfg(target_os = "freebsd")]
    fn set_death_signal(&self) -> bool {
        let Some(mut signal) = self.spec.death_signal else {
            return true;
        };
        let data = (&raw mut signal).cast();
        // SAFETY: the call reads an integer of ours.
        unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_PDEATHSIG_CTL, data) == 0 }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    fn set_death_signal(&self) -> bool {
        self.spec.death_signal.is_none() || {
            set_errno(libc::ENOTSUP);
            false
        }
    }

    fn exec(&self) -> Report {
        let mut refused = None;
        // SAFETY: EXEC-2; a set of ours.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &self.no_signals, ptr::null_mut()) };
        for path in &self.spec.candidates {
            // SAFETY: EXEC-2: both arrays end with null, and their strings live.
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.envp()) };
            let report = Report::last(Step::Exec);
            match report.errno {
                // As a shell does: look further, but remember that there was one.
                libc::EACCES => refused = Some(report),
                libc::ENOENT | libc::ENOTDIR => {}
                _ => return report,
            }
        }
        refused.unwrap_or(Report {
            step: Step::Exec as i32,
            errno: libc::ENOENT,
        })
    }
}

impl Report {
    pub(super) const NOTHING: Report = Report { step: 0, errno: 0 };

    fn last(step: Step) -> Report {
        Report {
            step: step as i32,
            errno: errno(),
        }
    }

    pub(super) fn into_result(self) -> Result<(), SpawnError> {
        if self.step == 0 {
            return Ok(());
        }
        Err(SpawnError {
            step: Step::from_number(self.step),
            error: io::Error::from_raw_os_error(self.errno),
        })
    }
}

/// By the system call: the C library keeps two signals to itself, which may be ignored all the same.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reset_signal(signal: i32) {
    /// As long as the kernel's structure is anywhere, or longer; zeros are the default.
    static DEFAULT: [u64; 6] = [0; 6];
    const MASK_LEN: usize = 8;
    // SAFETY: the call reads the structure. What is no signal, or not to be changed, is refused.
    unsafe {
        let (action, no_old) = (DEFAULT.as_ptr(), ptr::null_mut::<u64>());
        libc::syscall(libc::SYS_rt_sigaction, signal, action, no_old, MASK_LEN);
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reset_signal(signal: i32) {
    // SAFETY: an all-zero action is the default. What is no signal, or not to be changed, is refused.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

fn is_root() -> bool {
    // SAFETY: it has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

pub(super) fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn set_errno(errno: i32) {
    rustix::io::Errno::from_raw_os_error(errno);
    // SAFETY: an invalid descriptor: the call sets an errno, and which one does not matter to anybody.
    unsafe { libc::close(-1) };
}

fn set_limit(limit: Limit) -> bool {
    let limits = libc::rlimit {
        rlim_cur: limit.soft as libc::rlim_t,
        rlim_max: limit.hard as libc::rlim_t,
    };
    // SAFETY: the call reads a struct of ours.
    unsafe { libc::setrlimit(limit.resource as _, &limits) == 0 }
}

/// Closes on exec what nobody asked for. Where the kernel can't, what was opened without close-on-exec is inherited, as by
/// every other way to start a program.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn close_others(kept: &[RawFd]) {
    let mut first = 3;
    for &number in kept.iter().filter(|number| **number >= 3) {
        close_range(first, number - 1);
        first = number + 1;
    }
    close_range(first, RawFd::MAX);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn close_range(first: RawFd, last: RawFd) {
    /// From linux/close_range.h; not in every libc.
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 1 << 2;
    if first <= last {
        // SAFETY: it touches no memory; nothing is closed before the exec.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) };
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn close_others(kept: &[RawFd]) {
    // SAFETY: `getdtablesize` and `fcntl` touch no memory.
    unsafe {
        let end = libc::getdtablesize().clamp(3, 4096);
        for number in (3..end).filter(|number| !kept.contains(number)) {
            let flags = libc::fcntl(number, libc::F_GETFD);
            if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
                libc::fcntl(number, libc::F_SETFD, flags | libc::FD_CLOEXEC);
            }
        }
    }
}

/// Sees to it that the program has something under this number of 0, 1 and 2, those below it being open: what is inherited may
/// be close-on-exec, or nothing. A program that has no descriptor 1 would get it with the first file it opens, and
/// write its output there (hz_e11).
fn has_standard_stream(number: RawFd) -> bool {
    // SAFETY: none of these calls touches memory, but for a C string that is read.
    unsafe {
        match libc::fcntl(number, libc::F_GETFD) {
            // The lowest that is free.
            -1 => libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) == number,
            0 => true,
            flags => libc::fcntl(number, libc::F_SETFD, flags & !libc::FD_CLOEXEC) != -1,
        }
    }
}

/// On Linux the C library's functions change the ids of *all* threads, by signals: not for a child that shares its parent's
/// memory. The system calls change those of the caller.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod ids {
    // These numbers of old take ids of 16 bits.
    #[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
    use libc::{
        SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID,
    };
    #[cfg(any(target_arch = "x86", target_arch = "arm"))]
    use libc::{
        SYS_setgroups32 as SETGROUPS, SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
    };

    pub(super) fn setgroups(groups: &[u32]) -> libc::c_long {
        // SAFETY: the call reads as many numbers as the slice has.
        unsafe { libc::syscall(SETGROUPS, groups.len(), groups.as_ptr()) }
    }

    pub(super) fn setgid(gid: u32) -> libc::c_long {
        // SAFETY: it touches no memory.
        unsafe { libc::syscall(SETRESGID, gid, gid, gid) }
    }

    pub(super) fn setuid(uid: u32) -> libc::c_long {
        // SAFETY: it touches no memory.
        unsafe { libc::syscall(SETRESUID, uid, uid, uid) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod ids {
    pub(super) fn setgroups(groups: &[u32]) -> libc::c_int {
        // SAFETY: the call reads as many numbers as the slice has; a gid is 32 bits on all of these systems.
        unsafe { libc::setgroups(groups.len() as _, groups.as_ptr().cast()) }
    }

    pub(super) fn setgid(gid: u32) -> libc::c_int {
        // SAFETY: it touches no memory.
        unsafe { libc::setgid(gid) }
    }

    pub(super) fn setuid(uid: u32) -> libc::c_int {
        // SAFETY: it touches no memory.
        unsafe { libc::setuid(uid) }
    }
}
