//! `rawepoll`, a floor: the server and the wakes as an edge-triggered epoll loop written by hand.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::cells::Run;
use crate::cells::connections::{AT_ONCE, BUFFER_LEN, MESSAGE_LEN, WARM_UP};
use crate::cells::echo::Load;
use crate::cells::wakes::{Exchange, LoopSide};
use crate::epoll::Epoll;
use crate::figures::{Cpu, Figures, resident_bytes};
use crate::load;

const EDGES: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32;

/// The cells that need no tasks.
pub fn find(cell: &str) -> Option<Run> {
    if let Some(load) = Load::of(cell) {
        return Some(Box::new(move |count| echo(load, count)));
    }
    match cell {
        "churn" => return Some(Box::new(churn)),
        "idle-conns" => return Some(Box::new(crowd)),
        _ => {}
    }
    let exchange: fn(u64) -> Arc<Exchange> = match cell {
        "wake-oneway" => Exchange::one_way,
        "wake-rtt" => Exchange::round_trip,
        // Not wake-storm: a write per wake is no floor, and coalescing them is a runtime's work.
        _ => return None,
    };
    Some(Box::new(move |count| wakes(exchange(count))))
}

fn echo(load: Load, count: u64) -> Figures {
    let listener = load::listen();
    let client = load::start(&listener, load, count);
    let epoll = Epoll::new();
    let streams: Vec<OwnedFd> = (0..load.connections).map(|_| accept(&listener)).collect();
    let cpu = Cpu::of_process();
    for stream in &streams {
        epoll.add(stream.as_raw_fd(), EDGES, stream.as_raw_fd() as u64);
    }
    let mut buffer = vec![0; load.buffer_len()];
    let mut left = load.connections;
    while left > 0 {
        for fd in epoll.wait() {
            if is_over_after(fd as RawFd, &mut buffer) {
                epoll.remove(fd as RawFd);
                left -= 1;
            }
        }
    }
    drop(streams);
    let figures = Figures::cpu_per_op(cpu, load.requests(count));
    client.finish();
    figures
}

/// Level-triggered for the listener, so that an accept that finds nothing is not needed; edges for the rest.
/// A close takes a connection out of the epoll.
fn churn(count: u64) -> Figures {
    let listener = load::listen();
    let all = WARM_UP + count;
    let client = load::start_as(
        "churn",
        load::port_of(&listener),
        &[AT_ONCE, MESSAGE_LEN, all],
    );
    let epoll = Epoll::new();
    let listening = listener.as_raw_fd();
    epoll.add(listening, libc::EPOLLIN as u32, listening as u64);
    let mut buffer = vec![0; BUFFER_LEN];
    let mut cpu = Cpu::of_process();
    let mut closed = 0;
    while closed < all {
        for fd in epoll.wait() {
            let fd = fd as RawFd;
            if fd == listening {
                let stream = accept(&listener).into_raw_fd();
                epoll.add(stream, EDGES, stream as u64);
            } else if is_over_after(fd, &mut buffer) {
                // SAFETY: it came from `accept`, and this is its end.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
                closed += 1;
                if closed == WARM_UP {
                    cpu = Cpu::of_process();
                }
            }
        }
    }
    let figures = Figures::cpu_per_op(cpu, count);
    client.finish();
    figures
}

/// The descriptor and the buffer.
fn crowd(count: u64) -> Figures {
    let listener = load::listen();
    let _client = load::start_as("crowd", load::port_of(&listener), &[count]);
    let epoll = Epoll::new();
    let mut connections = Vec::with_capacity(count as usize);
    let first = (count / 10).max(1);
    let mut before = 0;
    for index in 0..count {
        if index == first {
            before = resident_bytes();
        }
        let stream = accept(&listener);
        epoll.add(stream.as_raw_fd(), EDGES, index);
        connections.push((stream, vec![1_u8; BUFFER_LEN]));
    }
    let bytes = resident_bytes() - before;
    Figures::default().with("bytes", bytes as f64 / (count - first) as f64)
}

/// A connection of a listener that does not block: poll(2), then accept.
fn accept(listener: &TcpListener) -> OwnedFd {
    let fd = listener.as_raw_fd();
    let mut wait = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let (address, len) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: `wait` is one entry, as said; the address may be null; the descriptor is new and ours.
    unsafe {
        assert_eq!(libc::poll(&mut wait, 1, -1), 1, "a connection comes");
        let stream = libc::accept4(fd, address, len, libc::SOCK_NONBLOCK);
        assert!(stream >= 0, "a connection");
        OwnedFd::from_raw_fd(stream)
    }
}

/// Echoes until a short read says that nothing is left; says whether the stream has ended.
fn is_over_after(fd: RawFd, buffer: &mut [u8]) -> bool {
    loop {
        // SAFETY: the kernel writes into the buffer at most as many bytes as it has.
        let len = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        if len <= 0 {
            return len == 0;
        }
        let mut message = &buffer[..len as usize];
        while !message.is_empty() {
            // SAFETY: the kernel reads at most the bytes of the message.
            let sent = unsafe { libc::write(fd, message.as_ptr().cast(), message.len()) };
            assert!(sent > 0, "one message always has room");
            message = &message[sent as usize..];
        }
        if (len as usize) < buffer.len() {
            return false;
        }
    }
}

/// The wake is a write to an eventfd, which the loop reads.
fn wakes(exchange: Arc<Exchange>) -> Figures {
    // SAFETY: a system call without pointers; the descriptor is new and ours.
    let bell = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    assert!(bell >= 0, "an eventfd");
    let epoll = Epoll::new();
    epoll.add(bell, EDGES, 0);
    let mut side = LoopSide::new(Arc::clone(&exchange));
    let thread = exchange.start(move || {
        let one = 1u64;
        // SAFETY: the eight bytes of a number; the descriptor is open until the process ends.
        unsafe { libc::write(bell, (&raw const one).cast(), 8) };
    });
    side.answer_to(&thread);
    loop {
        for _ in epoll.wait() {
            let mut count = 0u64;
            // SAFETY: room for the eight bytes of a number.
            unsafe { libc::read(bell, (&raw mut count).cast(), 8) };
        }
        if side.is_over_after_wake() {
            return side.finish(thread);
        }
    }
}
