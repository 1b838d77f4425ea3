//! Readiness of any descriptor, dropped at each of its waits.

use std::io;
use std::os::fd::OwnedFd;

use mainspring::Interest;
use mainspring::io::AsyncFd;
use rustix::net::{RecvFlags, recv};

use crate::everywhere::Case;
use crate::rig::{On, pattern, small_buffers};
use crate::wire::{self, Far, MUCH_FOR_UNIX as MUCH, Near};

everywhere! {
    what_is_readable_stays_so,
    what_is_writable_stays_so,
    urgent_data_stays_announced,
    an_operation_that_reads_takes_nothing,
    an_operation_that_writes_gives_nothing,
}

fn any_fd() -> (Near<AsyncFd<OwnedFd>>, Far) {
    let (near, far) = wire::unix_ends();
    wire::wire(near, far, AsyncFd::new)
}

fn narrow_fd() -> (Near<AsyncFd<OwnedFd>>, Far) {
    let (near, far) = wire::unix_ends();
    small_buffers(&near, 1 << 12);
    small_buffers(&far, 1 << 12);
    wire::wire(near, far, AsyncFd::new)
}

fn read(fd: &OwnedFd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(fd, buf)?)
}

/// What an operation under `try_io` did; `None`, if it has to wait.
fn done(result: io::Result<usize>) -> Option<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result.unwrap()),
    }
}

// cancels: AsyncFd::readable
fn what_is_readable_stays_so(on: On) {
    let waits = Case::new(on, any_fd).world(|far| far.send(3)).safe(
        async |near| {
            while near.got.len() < 12 {
                let ready = near.stream.readable().await.unwrap();
                assert!(ready.contains(mainspring::Ready::READABLE));
                let mut buf = [0; 5];
                let tried = near.stream.try_io(Interest::READ, |fd| read(fd, &mut buf));
                let count = done(tried).unwrap_or(0);
                near.got.extend_from_slice(&buf[..count]);
            }
        },
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert!(waits >= 4, "{waits}");
}

// cancels: AsyncFd::writable
fn what_is_writable_stays_so(on: On) {
    let waits = Case::new(on, narrow_fd).world(Far::make_room).safe(
        async |near| {
            let bytes = pattern(MUCH);
            while near.sent < MUCH {
                near.stream.writable().await.unwrap();
                let write = |fd: &OwnedFd| Ok(rustix::io::write(fd, &bytes[near.sent..])?);
                let tried = near.stream.try_io(Interest::WRITE, write);
                near.sent += done(tried).unwrap_or(0);
            }
        },
        async |_, far| {
            far.receive_all(MUCH);
            assert!(far.got == pattern(MUCH));
        },
    );
    assert!(waits >= 2, "{waits}");
}

// cancels: AsyncFd::priority
fn urgent_data_stays_announced(on: On) {
    let setup = || {
        let (near, far) = wire::tcp_ends();
        wire::wire(near, far, AsyncFd::<OwnedFd>::new)
    };
    let waits = Case::new(on, setup).world(Far::send_urgent).safe(
        async |near| {
            if let Err(error) = near.stream.priority().await {
                // Not every selector reports it; then there is nothing to wait for.
                assert_eq!(error.kind(), io::ErrorKind::Unsupported);
                mainspring::yield_now().await;
                near.got = b"!".to_vec();
            }
            if near.got.is_empty() {
                let mut buf = [0; 2];
                let urgent = |fd: &OwnedFd| Ok(recv(fd, &mut buf[..], RecvFlags::OOB)?.0);
                let tried = near.stream.try_io(Interest::PRIORITY, urgent);
                near.got.extend_from_slice(&buf[..tried.unwrap()]);
            }
        },
        async |near, _| assert_eq!(near.got, b"!"),
    );
    assert_eq!(waits, 1);
}

// cancels: AsyncFd::read_with
fn an_operation_that_reads_takes_nothing(on: On) {
    let waits = Case::new(on, any_fd).world(|far| far.send(3)).safe(
        async |near| {
            while near.got.len() < 12 {
                let mut buf = [0; 5];
                let count = near
                    .stream
                    .read_with(|fd| read(fd, &mut buf))
                    .await
                    .unwrap();
                near.got.extend_from_slice(&buf[..count]);
            }
        },
        async |near, _| assert_eq!(near.got, pattern(12)),
    );
    assert_eq!(waits, 4);
}

// cancels: AsyncFd::write_with
fn an_operation_that_writes_gives_nothing(on: On) {
    let waits = Case::new(on, narrow_fd).world(Far::make_room).safe(
        async |near| {
            let bytes = pattern(MUCH);
            while near.sent < MUCH {
                let rest = &bytes[near.sent..];
                let write = near
                    .stream
                    .write_with(|fd| Ok(rustix::io::write(fd, rest)?));
                near.sent += write.await.unwrap();
            }
        },
        async |_, far| {
            far.receive_all(MUCH);
            assert!(far.got == pattern(MUCH));
        },
    );
    assert!(waits >= 2, "{waits}");
}
