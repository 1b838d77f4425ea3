//! What a watch over the clocks tells, and when it is silent.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

fn is_readable(watch: &ClockWatch) -> bool {
    let mut fds = [PollFd::new(watch, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
}

#[test]
fn the_systems_clocks_are_watched_where_the_system_can() {
    let watch = ClockWatch::open(&Clock::Monotonic);
    let is_expected = cfg!(any(target_os = "linux", target_os = "android"));
    assert_eq!(watch.is_some(), is_expected);
    if let Some(watch) = watch {
        assert!(!is_readable(&watch), "nobody has set the clock");
        watch.quiet();
        let flags = rustix::io::fcntl_getfd(&watch).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert!(!watch.is_inherited());
    }
}

#[cfg(feature = "sim")]
#[test]
fn a_manual_clock_tells_of_each_jump_and_of_nothing_else() {
    use std::time::Duration;

    use crate::clock::{Instant, ManualClock, WallTime};

    let clock = ManualClock::starting_at(Instant::from_ns(0));
    let watch = ClockWatch::open(&Clock::Manual(clock.clone())).unwrap();
    clock.advance(Duration::from_secs(1));
    clock.set(Instant::from_ns(7));
    assert!(!is_readable(&watch));
    for _ in 0..200 {
        clock.set_wall(WallTime::EPOCH);
    }
    assert!(is_readable(&watch));
    watch.quiet();
    assert!(!is_readable(&watch));
    clock.suspend(Duration::from_secs(1));
    let other = ClockWatch::open(&Clock::Manual(clock.clone())).unwrap();
    assert!(is_readable(&watch) && !is_readable(&other));
    // Who is gone is told nothing.
    drop(watch);
    clock.suspend(Duration::from_secs(1));
    assert!(is_readable(&other));
}

#[cfg(feature = "sim")]
#[test]
fn none_is_had_where_the_system_refuses() {
    use crate::fault::{Fault, Plan};
    let emfile = Fault::Errno(libc::EMFILE);
    let _plan = Plan::new().at(Call::ClockWatch, 1, emfile).install();
    assert!(ClockWatch::open(&Clock::Monotonic).is_none());
}
