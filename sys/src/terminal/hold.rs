//! `Hold`: a terminal in other modes than it was, until the guard goes, or the program does.
//!
//! *Model.* The old modes stand in a table in static memory, where a signal handler finds them.
//!
//! ```text
//!           hold                       drop
//!   FREE ───────► MAKING ───► ARMED ────────► FREE
//!                              │ exit, a guarded signal: the modes are put back, the state stays
//! ```
//!
//! # Invariants
//!
//! - **HOLD-1** A place's modes are written only by who has made it MAKING, and read only by who has seen it ARMED and is counted
//!   in `readers`. Who frees a place waits until nobody is, before the modes may be written again and the descriptor closed.
//! - **HOLD-2** `put_all_back` does only what a signal handler may: atomics in static memory, `getpid`, `getpgrp`, `tcgetpgrp`,
//!   `tcsetattr`.
//!
//! *Whose terminal.* A child of a fork has the table, and not the right: the process is kept in each place. A process in the
//! background leaves the terminal to whom it belongs now.

#![expect(
    unsafe_code,
    reason = "tcsetattr in a signal handler and at the exit, of modes in static memory"
)]

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Mutex, Once};

use super::{Modes, modes, set_modes};
use crate::fault::Call;
use crate::fork::PerProcess;
use crate::signal::{self, Signal};
use crate::socket::retry;

/// So many terminals may be held at once.
const HOLDS_MAX: usize = 8;

const FREE: u8 = 0;
const MAKING: u8 = 1;
const ARMED: u8 = 2;

/// What ends a program unless it says otherwise.
const FATAL: [Signal; 19] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::ILL,
    Signal::TRAP,
    Signal::ABRT,
    Signal::BUS,
    Signal::FPE,
    Signal::SEGV,
    Signal::SYS,
    Signal::PIPE,
    Signal::ALRM,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::XCPU,
    Signal::XFSZ,
    Signal::VTALRM,
    Signal::PROF,
];

struct Place {
    state: AtomicU8,
    /// How many look at it now, in handlers.
    readers: AtomicUsize,
    fd: AtomicI32,
    /// Whose it is.
    pid: AtomicI32,
    /// Which terminal.
    device: AtomicU64,
    before: UnsafeCell<MaybeUninit<libc::termios>>,
}

// SAFETY: all but `before` are atomics, and that is read and written as HOLD-1 says.
unsafe impl Sync for Place {}

#[expect(
    clippy::declare_interior_mutable_const,
    reason = "the seed of a static array"
)]
const PLACE: Place = Place {
    state: AtomicU8::new(FREE),
    readers: AtomicUsize::new(0),
    fd: AtomicI32::new(-1),
    pid: AtomicI32::new(0),
    device: AtomicU64::new(0),
    before: UnsafeCell::new(MaybeUninit::uninit()),
};

static PLACES: [Place; HOLDS_MAX] = [PLACE; HOLDS_MAX];

fn pid() -> i32 {
    // SAFETY: it has no preconditions.
    unsafe { libc::getpid() }
}

/// Whether another process group is in the terminal's foreground. Of a terminal that does not control this process nobody
/// says so.
fn is_elsewhere(fd: libc::c_int) -> bool {
    // SAFETY: neither call touches memory.
    unsafe {
        let foreground = libc::tcgetpgrp(fd);
        foreground > 0 && foreground != libc::getpgrp()
    }
}

/// HOLD-2.
fn put_all_back() {
    let own = pid();
    for place in &PLACES {
        // Before the state is looked at, so that who frees it waits (HOLD-1).
        place.readers.fetch_add(1, SeqCst);
        let is_ours = place.state.load(SeqCst) == ARMED && place.pid.load(Relaxed) == own;
        let fd = place.fd.load(Relaxed);
        if is_ours && !is_elsewhere(fd) {
            // SAFETY: HOLD-1: the place is ARMED and cannot be freed while we are counted.
            unsafe { libc::tcsetattr(fd, libc::TCSANOW, (*place.before.get()).as_ptr()) };
        }
        place.readers.fetch_sub(1, SeqCst);
    }
}

extern "C" fn at_exit() {
    put_all_back();
}

/// A terminal that is held in other modes. Its drop brings the old ones back; so do the end of the program, and signals.
#[derive(Debug)]
#[must_use = "the old modes come back when it is dropped"]
pub struct Hold {
    place: usize,
    fd: OwnedFd,
    guarded: Vec<Signal>,
    before: Modes,
    is_released: bool,
}

/// Puts a terminal into `new` modes, until the guard goes.
///
/// # Errors
/// ENOTTY: it is no terminal. `ResourceBusy`: it is held already, or too many are. EMFILE.
pub fn hold(fd: &impl AsFd, new: &Modes) -> io::Result<Hold> {
    static AT_EXIT: Once = Once::new();
    let before = modes(fd)?;
    // Terminals are told apart by their device, however often they are open.
    let device = device_of(fd.as_fd())?;
    let fd = retry(Call::OpenFile, 0, |_| {
        rustix::io::fcntl_dupfd_cloexec(fd, 3)
    })?;
    let mut hold = Hold {
        place: claim(device)?,
        fd,
        guarded: Vec::new(),
        before,
        is_released: false,
    };
    let place = &PLACES[hold.place];
    // SAFETY: HOLD-1, `claim` has made it MAKING.
    unsafe { (*place.before.get()).write(before.0) };
    place.fd.store(hold.fd.as_raw_fd(), Relaxed);
    place.pid.store(pid(), Relaxed);
    place.state.store(ARMED, SeqCst);
    // SAFETY: HOLD-2.
    unsafe { signal::set_last_words(put_all_back) };
    AT_EXIT.call_once(|| {
        // SAFETY: a function without arguments; it does no more than a handler may.
        unsafe { libc::atexit(at_exit) };
    });
    for signal in FATAL {
        if signal::guard(signal)? {
            hold.guarded.push(signal);
        }
    }
    set_modes(&hold.fd, new)?;
    Ok(hold)
}

fn device_of(fd: BorrowedFd<'_>) -> io::Result<u64> {
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "its type differs between systems"
    )]
    Ok(rustix::fs::fstat(fd)?.st_rdev as u64)
}

/// A place of the table that was free, for a terminal that has none.
fn claim(device: u64) -> io::Result<usize> {
    // One at a time, so that two do not claim two places for one terminal.
    static CLAIMING: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));
    let _claiming = CLAIMING.lock();
    let own = pid();
    let is_held = |place: &Place| {
        place.state.load(Acquire) != FREE
            && place.pid.load(Relaxed) == own
            && place.device.load(Relaxed) == device
    };
    if PLACES.iter().any(is_held) {
        let text = "the terminal is held already; one `Hold` of it may live at a time";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    for (index, place) in PLACES.iter().enumerate() {
        let claimed = place.state.compare_exchange(FREE, MAKING, AcqRel, Acquire);
        if claimed.is_ok() {
            place.pid.store(own, Relaxed);
            place.device.store(device, Relaxed);
            return Ok(index);
        }
    }
    let text = "too many terminals are held at once";
    Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
}

impl Hold {
    /// The modes that come back.
    #[must_use]
    pub fn before(&self) -> &Modes {
        &self.before
    }

    /// Brings the old modes back, and says what came of it.
    ///
    /// # Errors
    /// EIO: the terminal is gone.
    pub fn release(mut self) -> io::Result<()> {
        self.is_released = true;
        self.put_back()
    }

    fn put_back(&self) -> io::Result<()> {
        let is_ours = PLACES[self.place].pid.load(Relaxed) == pid();
        if !is_ours || is_elsewhere(self.fd.as_raw_fd()) {
            return Ok(());
        }
        set_modes(&self.fd, &self.before)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_released {
            // A terminal that is gone has no modes.
            let _ = self.put_back();
        }
        let place = &PLACES[self.place];
        place.state.store(MAKING, SeqCst);
        // HOLD-1. A handler is short; one that interrupts this thread has returned by the time we look.
        while place.readers.load(SeqCst) > 0 {
            std::hint::spin_loop();
        }
        place.state.store(FREE, SeqCst);
        for signal in std::mem::take(&mut self.guarded) {
            signal::unguard(signal);
        }
    }
}
