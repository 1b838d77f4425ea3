//! The start of a child: `clone` on Linux, `posix_spawn` on macOS where that can do what was asked, `fork` elsewhere.
//!
//! # Invariants
//!
//! - **START-1** The child's stack is a block of its own, aligned to 16, that outlives `clone`'s return; so does what the child is
//!   told, for the thread that called stands still until the child has left its memory (CLONE_VFORK).
//! - **START-2** The child runs `Plan::run` and leaves by `_exit` (EXEC-1), with all signals blocked (EXEC-3).
#![expect(unsafe_code, reason = "clone and fork")]

#[cfg(target_vendor = "apple")]
mod apple;

use std::io;
use std::os::fd::OwnedFd;
use std::ptr;

use super::exec::{Plan, Report, errno};
use super::{SpawnError, Step};

/// Waits for a child that ended before it became a program.
fn reap(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: the call fills an integer of ours. Nobody else knows the pid yet.
    while unsafe { libc::waitpid(pid, &mut status, 0) } == -1 && errno() == libc::EINTR {}
}

/// Blocks all signals of this thread for as long as it lives (EXEC-3).
struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    fn new(all: &libc::sigset_t) -> SignalsBlocked {
        // SAFETY: sets of ours, the second filled by the call.
        unsafe {
            let mut before = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_SETMASK, all, &mut before);
            SignalsBlocked(before)
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set that `new` was given.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

/// Starts the program: its pid, and a descriptor of the process where the system has such and it is wanted.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn start(
    plan: &Plan<'_>,
    wants_pidfd: bool,
) -> Result<(i32, Option<OwnedFd>), SpawnError> {
    use std::os::fd::FromRawFd;

    /// For a handful of frames, also those of a debug build.
    const STACK_WORDS: usize = 64 * 1024 / size_of::<u128>();

    struct Shared<'a> {
        plan: &'a Plan<'a>,
        report: std::cell::Cell<Report>,
    }

    extern "C" fn child(shared: *mut libc::c_void) -> libc::c_int {
        // SAFETY: START-1, it is the `Shared` of `start`, whose thread stands still.
        let shared = unsafe { &*shared.cast::<Shared<'_>>() };
        shared.report.set(shared.plan.run());
        // SAFETY: it does not return, and runs nothing of the parent's on its way.
        unsafe { libc::_exit(127) }
    }

    // Without zeros, which would be written over all of it: the child touches the upper end.
    let mut stack = Box::<[u128]>::new_uninit_slice(STACK_WORDS);
    let shared = Shared {
        plan,
        report: std::cell::Cell::new(Report::NOTHING),
    };
    let mut pidfd: libc::c_int = -1;
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    if wants_pidfd {
        // Linux 5.2; older kernels leave the number alone.
        flags |= libc::CLONE_PIDFD;
    }
    let blocked = SignalsBlocked::new(&plan.all_signals);
    // SAFETY: START-1: stack and argument live on, and this thread stands still until the child has become
    // another program or is gone.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(STACK_WORDS).cast();
        let argument = (&raw const shared).cast_mut().cast();
        libc::clone(child, top, flags, argument, &raw mut pidfd)
    };
    let error = io::Error::last_os_error();
    drop(blocked);
    drop(stack);
    if pid == -1 {
        let step = Step::Fork;
        return Err(SpawnError { step, error });
    }
    // SAFETY: the kernel has just made it, for us.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    if let Err(failure) = shared.report.get().into_result() {
        reap(pid);
        return Err(failure);
    }
    Ok((pid, pidfd))
}

/// As on Linux, by `fork`, which copies the parent's page tables; what goes wrong comes through a pipe that the exec closes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn start(
    plan: &Plan<'_>,
    _wants_pidfd: bool,
) -> Result<(i32, Option<OwnedFd>), SpawnError> {
    use std::os::fd::AsRawFd;

    #[cfg(target_vendor = "apple")]
    if let Some(started) = apple::start(plan) {
        return started.map(|pid| (pid, None));
    }
    let failed = |error| SpawnError {
        step: Step::Fork,
        error,
    };
    crate::fault::check(crate::fault::Call::Pipe, 0).map_err(failed)?;
    let (reader, writer) = crate::fd::pipe().map_err(|errno| failed(errno.into()))?;
    // Under a number that a closed standard stream has left, the child would take it for that stream.
    let above = |end| rustix::io::fcntl_dupfd_cloexec(end, 3).map_err(|errno| failed(errno.into()));
    let (reader, writer) = (above(reader)?, above(writer)?);
    crate::pipe::set_nonblocking(&reader, false).map_err(failed)?;
    let blocked = SignalsBlocked::new(&plan.all_signals);
    // SAFETY: START-2, the child makes system calls only.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // The number must not be one that the program gets.
        let above = plan.kept.last().copied().unwrap_or(2) + 1;
        // SAFETY: the calls touch no memory but the report's.
        unsafe {
            let out = libc::fcntl(writer.as_raw_fd(), libc::F_DUPFD_CLOEXEC, above);
            let report = plan.run();
            libc::write(out, (&raw const report).cast(), size_of::<Report>());
            libc::_exit(127);
        }
    }
    let error = io::Error::last_os_error();
    drop(blocked);
    drop(writer);
    if pid == -1 {
        return Err(failed(error));
    }
    let mut report = Report::NOTHING;
    let len = size_of::<Report>();
    loop {
        // SAFETY: the report is integers, of which any bytes are a value, and as long as is said.
        let count = unsafe { libc::read(reader.as_raw_fd(), (&raw mut report).cast(), len) };
        if count != -1 || errno() != libc::EINTR {
            break;
        }
    }
    if let Err(failure) = report.into_result() {
        reap(pid);
        return Err(failure);
    }
    Ok((pid, None))
}
