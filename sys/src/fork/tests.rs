//! What is left alone in the child of a fork, and what it has of its own. (A test process has threads, so that real forks are
//! made by `tests/fork.rs`, each in a process of its own; but for those of `held`.)

use std::fs::File;
use std::sync::Mutex;

use super::held::{is_alone, while_held};
use super::*;

fn null() -> OwnedFd {
    OwnedFd::from(File::open("/dev/null").unwrap())
}

fn is_open(number: i32) -> bool {
    // SAFETY: the number is only asked about.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

#[test]
fn a_descriptor_that_is_not_passed_on_is_not_closed_in_a_child() {
    for (is_passed_on, is_inherited, stays_open) in [
        (false, false, false),
        (false, true, true),
        (true, false, false),
        (true, true, false),
    ] {
        // High up, where no other test of this process opens anything.
        let fd = rustix::io::fcntl_dupfd_cloexec(null(), 700).unwrap();
        let number = fd.as_raw_fd();
        let mut local = LocalFd::new(fd, is_passed_on);
        if is_inherited {
            local.generation = local.generation.wrapping_sub(1);
        }
        assert_eq!(local.is_inherited(), is_inherited);
        drop(local);
        assert_eq!(is_open(number), stays_open);
        if stays_open {
            // SAFETY: nobody else has it: the drop left it.
            unsafe { libc::close(number) };
        }
    }
}

#[test]
fn a_descriptor_is_replaced_under_its_number_and_closes_on_exec() {
    let old = null();
    let number = old.as_raw_fd();
    let (reader, writer) = crate::fd::pipe().unwrap();
    replace(old.as_fd(), reader).unwrap();
    assert_eq!(old.as_raw_fd(), number);
    assert_eq!(rustix::io::write(&writer, b"x"), Ok(1));
    assert_eq!(rustix::io::read(&old, &mut [0; 8]), Ok(1));
    let flags = rustix::io::fcntl_getfd(&old).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

static COPIED: PerProcess<Mutex<Vec<u8>>> = PerProcess::new(|parent| {
    let whole = parent.and_then(|parent| parent.try_lock().ok());
    Mutex::new(whole.map_or_else(|| b"first".to_vec(), |bytes| bytes.clone()))
});

#[test]
fn a_child_takes_over_what_is_whole_and_changes_its_own() {
    if !is_alone() {
        return;
    }
    COPIED.lock().extend(b", more");
    while_held(
        || (),
        || {
            assert_eq!(*COPIED.lock(), b"first, more");
            COPIED.lock().clear();
        },
    );
    while_held(
        || COPIED.lock(),
        || {
            assert_eq!(*COPIED.lock(), b"first", "the parent's may be half changed");
            COPIED.lock().clear();
            assert!(COPIED.lock().is_empty());
        },
    );
    assert_eq!(*COPIED.lock(), b"first, more");
}

#[test]
fn whoever_comes_first_makes_the_value_for_all() {
    static NUMBERS: PerProcess<u64> = PerProcess::new(|_parent| {
        std::thread::yield_now();
        7
    });
    let addresses = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| std::ptr::from_ref(NUMBERS.get()).addr()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(addresses, [addresses[0]; 8]);
}
