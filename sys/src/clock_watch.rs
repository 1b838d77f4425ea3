//! A descriptor that becomes readable when the wall clock is set, or the machine comes back from a suspend.
//!
//! *Role.* Whoever waits for a point on the wall clock, or on the boot-time clock, sleeps by the monotonic clock until then.
//! When one of the others jumps, that length is wrong: this tells, and the clocks are read anew.
//!
//! | system | what it is |
//! |---|---|
//! | Linux, Android | a timerfd of CLOCK_REALTIME, for a day two centuries ahead, with `TFD_TIMER_CANCEL_ON_SET` |
//! | others | none: whoever waits looks at the clock now and then |
//! | a manual clock | a pipe |
//!
//! *One for both.* The kernel cancels such a timer whenever the distance between wall clock and monotonic clock jumps. That is so
//! when somebody sets the one, and when a suspend has held up the other: at resume the kernel goes through these timers as
//! it does for `clock_settime`. So no timer of CLOCK_BOOTTIME is needed, which would have to be set anew for each
//! deadline (hz_b16).
//!
//! *Slewing* is no jump: NTP makes both clocks run faster or slower together, and nobody is told.
//!
//! *Cost.* One descriptor for each loop that has such timers, two system calls to open it. Nothing while no clock jumps.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(feature = "sim")]
use std::rc::Rc;

use crate::clock::Clock;
use crate::fault::{self, Call};
use crate::fork;

/// Tells of jumps of the clocks.
pub struct ClockWatch {
    fd: OwnedFd,
    /// What a manual clock calls.
    #[cfg(feature = "sim")]
    _bell: Option<Rc<dyn Fn()>>,
    /// A child of a fork has the descriptor as well, and would take the parent's news.
    generation: u32,
}

impl ClockWatch {
    /// A watch over `clock`: from here on jumps make it readable. `None` where the system has no such thing, and where
    /// none is to be had, for want of descriptors, say.
    #[must_use]
    pub fn open(clock: &Clock) -> Option<ClockWatch> {
        fault::check(Call::ClockWatch, 0).ok()?;
        match clock {
            Clock::Monotonic => Some(ClockWatch {
                fd: open()?,
                #[cfg(feature = "sim")]
                _bell: None,
                generation: fork::generation(),
            }),
            #[cfg(feature = "sim")]
            Clock::Manual(clock) => over_manual(clock),
        }
    }

    /// Empties it. It is readable again after the next jump.
    pub fn quiet(&self) {
        let mut buf = [0; 64];
        // ECANCELED is the news itself: the clock was set. A manual clock may have jumped several times.
        while matches!(
            rustix::io::read(&self.fd, &mut buf),
            Ok(64) | Err(rustix::io::Errno::INTR)
        ) {}
    }

    /// Whether it was opened by the process that this one was forked from, who shares what it tells.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        fork::is_inherited(self.generation)
    }
}

impl AsFd for ClockWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::fmt::Debug for ClockWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClockWatch")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn open() -> Option<OwnedFd> {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    /// In the year 2200: it need only be ahead. The clock of a machine that comes there is noticed once, and then no more.
    const FAR_AHEAD_SECS: i64 = 7_258_118_400;
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let fd = timerfd_create(TimerfdClockId::Realtime, flags).ok()?;
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec {
            tv_sec: FAR_AHEAD_SECS,
            tv_nsec: 0,
        },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(&fd, flags, &once).ok()?;
    Some(fd)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open() -> Option<OwnedFd> {
    None
}

/// A pipe, into which the clock writes a byte at each jump.
#[cfg(feature = "sim")]
fn over_manual(clock: &crate::clock::ManualClock) -> Option<ClockWatch> {
    let (fd, writer) = crate::fd::pipe().ok()?;
    let for_writer = fd.try_clone().ok()?;
    let generation = fork::generation();
    let bell: Rc<dyn Fn()> = Rc::new(move || {
        // Held, so that there is a reader whenever something is written. A full pipe tells as well.
        let _reader = &for_writer;
        if !fork::is_inherited(generation) {
            let _ = rustix::io::write(&writer, &[0]);
        }
    });
    clock.listen(Rc::downgrade(&bell));
    Some(ClockWatch {
        fd,
        _bell: Some(bell),
        generation,
    })
}

#[cfg(test)]
mod tests;
