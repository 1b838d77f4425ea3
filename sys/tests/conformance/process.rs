//! What a backend has to do with the rest of its process: signals, closed numbers.
//!
//! # Invariants
//!
//! - **PROC-1** The numbers closed behind a backend's back are from the top of the descriptor table,
//!   where nobody else in this process opens one.

#![expect(
    unsafe_code,
    reason = "signal handlers, resource limits, closing by number"
)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mainspring_sys::Ready;
use mainspring_sys::backend::{Backend, Deadline};

use crate::rig::{PATIENCE, READ, Rig, fill, now, pair, within};

/// As many open files as the system allows, up to 8192; how many that is.
pub(crate) fn raise_descriptor_limit() -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a pointer to an initialised rlimit of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return 0;
        }
        let wanted = limit.rlim_max.min(8192);
        if limit.rlim_cur < wanted {
            let raised = libc::rlimit {
                rlim_cur: wanted,
                rlim_max: limit.rlim_max,
            };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
                limit.rlim_cur = wanted;
            }
        }
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// poll(2) says NVAL and the operation then EBADF, once; the others forget it with the close.
pub(crate) fn hz_c20_a_number_closed_behind_our_back_does_not_spin<B: Backend>() {
    static NEXT_FROM_THE_TOP: AtomicUsize = AtomicUsize::new(1);
    let top =
        raise_descriptor_limit().min(8192) - NEXT_FROM_THE_TOP.fetch_add(1, Ordering::Relaxed);
    let mut rig = Rig::<B>::new();
    let (left, _right) = pair();
    fill(&left);
    let high: OwnedFd = rustix::io::fcntl_dupfd_cloexec(&left, top as _).unwrap();
    drop(left);
    rig.add(&high, 1, crate::rig::BOTH);
    rig.assert_sleeps();
    let number = high.into_raw_fd();
    // SAFETY: nobody else owns the number (PROC-1), and nobody will get it while it is borrowed.
    let gone = unsafe {
        libc::close(number);
        BorrowedFd::borrow_raw(number)
    };
    if B::NAME == "poll" {
        let ready = rig.wait_for(1, Ready::READABLE | Ready::WRITABLE);
        assert!(ready.contains(Ready::ERROR));
        assert_eq!(
            rustix::io::read(gone, &mut [0; 1]),
            Err(rustix::io::Errno::BADF)
        );
        rig.assert_sleeps();
        rig.rearm(gone, 1, READ);
        assert!(rig.wait_for(1, Ready::READABLE).contains(Ready::ERROR));
        rig.remove(gone, 1);
    }
    rig.assert_sleeps();
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Ends the storm on drop.
struct Storm {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Its panic, if it had one, is printed; this may be an unwinding already.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// A storm of signals on the waiting thread, its handler without SA_RESTART.
pub(crate) fn hz_c01_eintr_is_an_empty_return<B: Backend>() {
    // SAFETY: the action is made whole, its handler touches one atomic.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
        assert_eq!(
            libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()),
            0
        );
    }
    let mut rig = Rig::<B>::new();
    // SAFETY: it has no preconditions.
    let waiting = unsafe { libc::pthread_self() } as usize;
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&is_over);
    let thread = std::thread::spawn(move || {
        let mut gap = Rig::<B>::new();
        while !stop.load(Ordering::SeqCst) {
            // SAFETY: the waiting thread does not end before `Storm` has joined this one, also if its
            // test fails, so the id is alive.
            unsafe { libc::pthread_kill(waiting as libc::pthread_t, libc::SIGUSR2) };
            gap.wait(within(Duration::from_micros(100)));
        }
    });
    let storm = Storm {
        is_over,
        thread: Some(thread),
    };
    // One wait for all of it, but for the signals: each ends it early, and empty.
    let end = now() + PATIENCE;
    let (mut interrupted, before) = (0, HANDLED.load(Ordering::Relaxed));
    while interrupted < 50 {
        let now = now();
        assert!(
            now < end,
            "{}: {interrupted} waits were interrupted",
            B::NAME
        );
        // `wait` unwraps: an EINTR that came out as an error would end the test here.
        assert!(rig.wait(Deadline::At { at: end, now }).is_empty());
        interrupted += 1;
    }
    drop(storm);
    assert!(HANDLED.load(Ordering::Relaxed) > before);
}

/// The notifier's number belongs to its last clone: nothing else may close it, and it nothing else.
pub(crate) fn hz_c02_a_late_notifier_closes_nobody_elses_number<B: Backend>() {
    for _ in 0..20 {
        let backend = B::new().unwrap();
        let notifier = backend.notifier();
        drop(backend);
        // These get the numbers that the selector gave up.
        let pairs: Vec<_> = (0..4).map(|_| pair()).collect();
        notifier.notify().unwrap();
        drop(notifier);
        for (left, right) in &pairs {
            for end in [left, right] {
                let fd = end.as_fd();
                rustix::io::fcntl_getfd(fd).unwrap_or_else(|_| panic!("{}", fd.as_raw_fd()));
                assert_eq!(
                    crate::rig::drain(end),
                    (0, false),
                    "a late wake came through"
                );
            }
        }
    }
}
