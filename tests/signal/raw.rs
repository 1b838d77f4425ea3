//! Signals by hand: sent, handled, ignored, forked.
#![expect(
    unsafe_code,
    reason = "sigaction, kill, fork and pthread_kill have no safe form"
)]

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use mainspring::signal::{Signal, SignalSet};
use mainspring_sys::signal as sys;

static COUNTED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_number: libc::c_int) {
    COUNTED.fetch_add(1, Relaxed);
}

extern "C" fn count_with_info(
    number: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the kernel's own, valid while a handler runs.
    let told = unsafe { (*info).si_signo };
    COUNTED.fetch_add(u32::from(told == number), Relaxed);
}

/// How often the program's own handler was called.
pub(crate) fn counted() -> u32 {
    COUNTED.load(Relaxed)
}

fn set(signal: Signal, handler: usize, flags: i32) {
    // SAFETY: a whole action, whose handler adds to an atomic and no more.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(
            libc::sigaction(signal.number(), &action, std::ptr::null_mut()),
            0
        );
    }
}

/// A handler of the program's own.
pub(crate) fn install_counter(signal: Signal, with_info: bool) {
    match with_info {
        false => set(signal, count as *const () as usize, 0),
        true => set(
            signal,
            count_with_info as *const () as usize,
            libc::SA_SIGINFO,
        ),
    }
}

pub(crate) fn ignore(signal: Signal) {
    set(signal, libc::SIG_IGN, 0);
}

/// What the process does at the signal: whose address, and the flags that are the program's own.
pub(crate) fn disposition(signal: Signal) -> (usize, i32) {
    // SAFETY: a null action only asks.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(
            libc::sigaction(signal.number(), std::ptr::null(), &mut action),
            0
        );
        (action.sa_sigaction, action.sa_flags & libc::SA_SIGINFO)
    }
}

/// Sends this process a signal.
pub(crate) fn kill_self(signal: Signal) {
    sys::raise(signal).unwrap();
}

/// The same, and returns when it was delivered to whoever listens.
pub(crate) fn raise(signal: Signal) {
    let before = sys::count(signal);
    kill_self(signal);
    while sys::count(signal) == before {
        std::thread::yield_now();
    }
}

/// Sends a process that has not been waited for a signal.
pub(crate) fn kill_process(id: u32, signal: Signal) {
    // SAFETY: it touches no memory.
    let done = unsafe { libc::kill(id.try_into().unwrap(), signal.number()) };
    assert_eq!(done, 0);
}

/// Sends a thread a signal.
pub(crate) fn signal_thread<T>(thread: &std::thread::JoinHandle<T>, signal: Signal) {
    // SAFETY: the thread has not been joined, so its id is its own.
    unsafe { libc::pthread_kill(thread.as_pthread_t() as _, signal.number()) };
}

/// A thread of the process, by name.
#[derive(Clone, Copy)]
pub(crate) struct ThreadName(libc::pthread_t);

// SAFETY: a name is good on any thread.
unsafe impl Send for ThreadName {}

/// The thread that asks.
pub(crate) fn this_thread() -> ThreadName {
    // SAFETY: it has no preconditions.
    ThreadName(unsafe { libc::pthread_self() })
}

impl ThreadName {
    /// Sends it a signal. It must not have ended: it waits for who sends.
    pub(crate) fn signal(self, signal: Signal) {
        // SAFETY: the caller says that the thread lives, so its name is its own.
        unsafe { libc::pthread_kill(self.0, signal.number()) };
    }
}

/// The program begins with these signals blocked.
pub(crate) fn begin_with_blocked(command: &mut std::process::Command, set: SignalSet) {
    use std::os::unix::process::CommandExt;
    let block = move || {
        set.block_for_good();
        Ok(())
    };
    // SAFETY: it makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(block) };
}

/// Queues a signal for this process, with a value.
#[cfg(target_os = "linux")]
pub(crate) fn send_value(signal: Signal, value: i32) {
    // SAFETY: a union of an integer and a pointer, whose integer lies at its beginning in memory.
    unsafe {
        let mut sent: libc::sigval = std::mem::zeroed();
        (&raw mut sent).cast::<i32>().write(value);
        assert_eq!(libc::sigqueue(libc::getpid(), signal.number(), sent), 0);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn send_value(_signal: Signal, _value: i32) {
    unreachable!("asked on Linux only");
}

/// Forks a child that sends itself the signal and exits. Says whether it came to its exit.
pub(crate) fn fork_child_that_raises(signal: Signal) -> bool {
    // SAFETY: between fork and exit the child makes system calls only.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::kill(libc::getpid(), signal.number());
            libc::_exit(7);
        }
        let mut status = 0;
        while libc::waitpid(pid, &mut status, 0) == -1 {
            let interrupted = std::io::ErrorKind::Interrupted;
            assert_eq!(std::io::Error::last_os_error().kind(), interrupted);
        }
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7
    }
}
