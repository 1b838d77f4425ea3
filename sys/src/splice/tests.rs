//! What goes through a pipe, and SIGPIPE, which does not come out of it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::*;

fn pair() -> (Fd, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (crate::socket::adopt(near.into()).unwrap(), far)
}

#[test]
fn bytes_go_from_socket_to_socket_through_the_pipe() {
    let ((source, mut giver), (target, mut taker)) = (pair(), pair());
    let pipe = Pipe::new(256 << 10).unwrap();
    assert!(pipe.size() >= 4096);
    assert_eq!(
        pipe.fill(&source).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    giver.write_all(b"tick tock").unwrap();
    assert_eq!(pipe.fill(&source).unwrap(), 9);
    assert_eq!(pipe.drain(&target, 5).unwrap(), 5);
    let mut buf = [0; 5];
    taker.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"tick ");
    let mut rest = [0; 16];
    assert_eq!(pipe.read(&mut rest).unwrap(), 4);
    assert_eq!(&rest[..4], b"tock");
    drop(giver);
    assert_eq!(pipe.fill(&source).unwrap(), 0, "the end");
}

#[test]
fn a_pipe_larger_than_the_system_grants_is_a_usual_one() {
    let pipe = Pipe::new(usize::MAX >> 1).unwrap();
    assert!(pipe.size() >= 4096, "{}", pipe.size());
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_raises_no_sigpipe() {
    crate::sigpipe::tests::in_a_process_of_default_sigpipe(
        "splice::tests::a_peer_that_is_gone_is_an_error_and_raises_no_sigpipe",
        meet_a_peer_that_is_gone,
    );
}

fn meet_a_peer_that_is_gone() {
    let (target, taker) = pair();
    let (source, mut giver) = pair();
    let pipe = Pipe::new(4096).unwrap();
    giver.write_all(b"tick").unwrap();
    assert_eq!(pipe.fill(&source).unwrap(), 4);
    drop(taker);
    for _ in 0..2 {
        let shield = Shield::new();
        let error = pipe.drain(&target, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let file = std::fs::File::open("Cargo.toml").unwrap();
        let sent = crate::sendfile::sendfile(&target, std::os::fd::AsFd::as_fd(&file), 0, 4);
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(shield);
    }
    // And blocked by its owner: what we raised is gone, what he raised is not taken for ours.
    crate::sigpipe::tests::block_and_count(|| {
        let _shield = Shield::new();
        assert!(pipe.drain(&target, 4).is_err());
    });
}

#[cfg(feature = "sim")]
#[test]
fn a_plan_can_refuse_a_pipe_and_cut_a_splice_short() {
    use crate::fault::{Fault, Plan};
    let ((source, mut giver), _far) = (pair(), ());
    giver.write_all(b"tick").unwrap();
    let plan = Plan::new()
        .at(Call::Open, 1, Fault::Errno(libc::EMFILE))
        .at(Call::Splice, 1, Fault::Errno(libc::EINTR))
        .at(Call::Splice, 2, Fault::Short(3))
        .at(Call::Splice, 3, Fault::Errno(libc::EINVAL));
    let guard = plan.install();
    let error = Pipe::new(4096).unwrap_err();
    assert!(!is_refused(&error));
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let pipe = Pipe::new(4096).unwrap();
    assert_eq!(pipe.fill(&source).unwrap(), 3);
    assert!(is_refused(&pipe.drain(&source, 3).unwrap_err()));
    drop(guard);
}
