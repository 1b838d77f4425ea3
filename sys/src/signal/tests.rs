//! Which signals there are, and what a bell hears of them.
#![expect(unsafe_code, reason = "sigaction, as another library calls it")]

use std::os::fd::AsFd;
use std::ptr::{null, null_mut};

use super::*;
use crate::fork::held::{is_alone, while_held};

/// Dispositions are the whole process's: one test at a time.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn is_rung(bell: &Bell) -> bool {
    let mut fds = [rustix::event::PollFd::new(
        bell,
        rustix::event::PollFlags::IN,
    )];
    let no_time = rustix::time::Timespec::default();
    rustix::event::poll(&mut fds, Some(&no_time)).unwrap() == 1
}

#[test]
fn a_bell_is_rung_by_its_own_signals_and_counts_them_all() {
    let _turn = TURN.lock();
    let (mut one, mut other) = (Bell::new().unwrap(), Bell::new().unwrap());
    one.listen(Signal::USR1).unwrap();
    other.listen(Signal::WINCH).unwrap();
    let before = count(Signal::USR1);
    for _ in 1..=3 {
        raise_here(Signal::USR1).unwrap();
    }
    assert_eq!(count(Signal::USR1), before + 3);
    assert!(is_rung(&one) && !is_rung(&other));
    let who = sender(Signal::USR1, before).unwrap();
    assert_eq!(who.pid, i32::try_from(std::process::id()).unwrap());
    one.quiet();
    assert!(!is_rung(&one));
    raise_here(Signal::USR1).unwrap();
    assert!(is_rung(&one), "it rings again");
}

#[test]
fn a_bell_that_is_free_is_taken_again() {
    let _turn = TURN.lock();
    let number = std::os::fd::AsRawFd::as_raw_fd(&Bell::new().unwrap().as_fd());
    let again = std::os::fd::AsRawFd::as_raw_fd(&Bell::new().unwrap().as_fd());
    assert_eq!(number, again);
}

#[test]
fn hz_f06_numbers_that_nobody_can_catch_are_refused_with_the_reason() {
    let mut bell = Bell::new().unwrap();
    for (signal, reason) in [
        (Signal::KILL, "no program"),
        (Signal::STOP, "no program"),
        (Signal::SEGV, "went wrong"),
        (Signal::from_number(0), "between 1 and 64"),
        (Signal::from_number(65), "between 1 and 64"),
        (Signal::from_number(-1), "between 1 and 64"),
    ] {
        let error = bell.listen(signal).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(Signal::from_name("term"), Some(Signal::TERM));
    assert_eq!(Signal::from_name("SIGHUP"), Some(Signal::HUP));
    assert_eq!(Signal::TERM.to_string(), "SIGTERM");
    assert_eq!(Signal::from_number(40).to_string(), "signal 40");
}

/// What is in force for the signal; and puts it back.
fn disposition(signal: Signal, new: Option<&libc::sigaction>) -> libc::sigaction {
    let new = new.map_or(null(), std::ptr::from_ref);
    // SAFETY: null asks only; else it is what this very call told before. The other is filled.
    unsafe {
        let mut old: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal.number(), null(), &mut old), 0);
        assert_eq!(libc::sigaction(signal.number(), new, null_mut()), 0);
        old
    }
}

#[test]
fn a_handler_of_ours_that_somebody_put_back_is_not_called_by_itself() {
    let _turn = TURN.lock();
    let first = disposition(Signal::URG, None);
    let mut bell = Bell::new().unwrap();
    bell.listen(Signal::URG).unwrap();
    let ours = disposition(Signal::URG, None);
    drop(bell);
    assert_eq!(
        disposition(Signal::URG, Some(&ours)).sa_sigaction,
        first.sa_sigaction
    );
    let mut bell = Bell::new().unwrap();
    bell.listen(Signal::URG).unwrap();
    let before = count(Signal::URG);
    raise_here(Signal::URG).unwrap();
    assert_eq!(count(Signal::URG), before + 1);
    drop(bell);
    // What had been in force is not known any more: the default is.
    assert_eq!(disposition(Signal::URG, None).sa_sigaction, libc::SIG_DFL);
}

#[test]
fn a_handler_that_another_thread_changes_at_a_fork_can_be_changed_in_the_child() {
    if !is_alone() {
        return;
    }
    let _turn = TURN.lock();
    let mut kept = Bell::new().unwrap();
    kept.listen(Signal::URG).unwrap();
    let child = || {
        assert!(is_listened_to(Signal::URG) && !is_ignored(Signal::URG));
        let mut bell = Bell::new().unwrap();
        bell.listen(Signal::IO).unwrap();
        raise_here(Signal::IO).unwrap();
        assert!(is_rung(&bell));
        drop(bell);
        assert_eq!(disposition(Signal::IO, None).sa_sigaction, libc::SIG_DFL);
        // What the parent counted is not lost: the last one puts back what there was.
        handler::end(Signal::URG);
        assert_eq!(disposition(Signal::URG, None).sa_sigaction, libc::SIG_DFL);
    };
    while_held(handler::hold_changes, child);
    while_held(second::hold_changes, || {
        drop(SecondEnds::new(Signal::IO, 0))
    });
    drop(kept);
}
