//! Terminals against the kernel's own pseudo-terminals.

use std::io;
use std::os::fd::AsFd;

use super::*;

fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}

#[test]
fn a_pair_is_a_terminal_with_a_name_on_one_side() {
    let pair = open_pair().unwrap();
    assert!(is_terminal(&pair.slave));
    let name = slave_name(&pair.master).unwrap();
    let again = open(&name).unwrap();
    assert_eq!(
        modes(&again).unwrap().is_canonical(),
        modes(&pair.slave).unwrap().is_canonical()
    );
    let (reader, _writer) = pipe::pipe().unwrap();
    assert!(!is_terminal(&reader));
    assert!(slave_name(&reader).is_err());
    assert_eq!(errno(&size(&reader).unwrap_err()), Some(libc::ENOTTY));
    assert_eq!(errno(&modes(&reader).unwrap_err()), Some(libc::ENOTTY));
}

#[test]
fn both_sides_are_non_blocking_and_a_childs_is_not() {
    let pair = open_pair().unwrap();
    let flags = |fd: &dyn AsFdDyn| rustix::fs::fcntl_getfl(fd.fd()).unwrap();
    assert!(flags(&pair.master).contains(OFlags::NONBLOCK));
    assert!(flags(&pair.slave).contains(OFlags::NONBLOCK));
    let other = open_slave(&pair.master, false).unwrap();
    assert!(!flags(&other).contains(OFlags::NONBLOCK));
    assert!(
        flags(&pair.slave).contains(OFlags::NONBLOCK),
        "it has a file of its own"
    );
    for fd in [pair.master.as_fd(), pair.slave.as_fd(), other.as_fd()] {
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}

/// So that one closure takes either.
trait AsFdDyn {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}

impl<T: AsFd> AsFdDyn for T {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

#[test]
fn raw_modes_treat_nothing_and_the_echo_can_be_had_alone() {
    let pair = open_pair().unwrap();
    let before = modes(&pair.slave).unwrap();
    assert!(before.is_canonical() && before.echoes());
    assert_eq!(before.end_of_input(), 4);
    set_modes(&pair.slave, &before.to_raw()).unwrap();
    let raw = modes(&pair.slave).unwrap();
    assert!(!raw.is_canonical() && !raw.echoes());
    set_modes(&pair.slave, &before.with_echo(false)).unwrap();
    let silent = modes(&pair.slave).unwrap();
    assert!(silent.is_canonical() && !silent.echoes());
    assert!(silent.with_echo(true).echoes());
}

#[test]
fn a_size_that_is_said_on_one_side_is_seen_on_the_other() {
    let pair = open_pair().unwrap();
    let said = Size {
        width_px: 640,
        height_px: 480,
        ..Size::new(24, 80)
    };
    set_size(&pair.master, said).unwrap();
    assert_eq!(size(&pair.slave).unwrap(), said);
}

#[test]
fn the_master_comes_to_the_end_when_the_slave_is_closed() {
    let Pair { master, slave } = open_pair().unwrap();
    write(&slave, b"last words").unwrap();
    drop(slave);
    let (mut all, mut buf) = (Vec::new(), [0; 4]);
    loop {
        match read_master(&master, &mut buf).unwrap().done {
            0 => break,
            count => all.extend_from_slice(&buf[..count]),
        }
    }
    assert_eq!(all, b"last words");
    assert_eq!(
        read_master(&master, &mut buf).unwrap().done,
        0,
        "and stays there"
    );
}

#[test]
fn a_name_that_is_asked_for_while_the_program_forks_can_be_asked_for_in_the_child() {
    if !crate::fork::held::is_alone() {
        return;
    }
    let pair = open_pair().unwrap();
    let name = slave_name(&pair.master).unwrap();
    crate::fork::held::while_held(pair::hold_names, || {
        assert_eq!(slave_name(&pair.master).unwrap(), name);
    });
}
