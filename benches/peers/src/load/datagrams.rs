//! `peers client datagrams PORT COUNT`: datagrams, so many under way at once, each of which comes back.
//!
//! They go out and come back by system calls for many, so that this side is the faster one and the server finds
//! several. It says hello first, so that the server learns whom to connect to; that one does not come back.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

/// So many are under way at once: no queue of the kernel's is too short for them, so none is lost.
const UNDER_WAY: u64 = 128;
/// So many go out, and come back, by one system call.
pub const WINDOW: u64 = 32;
pub const LEN: usize = 64;

/// The client's main function.
pub fn client(port: u16, count: u64) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.connect((Ipv4Addr::LOCALHOST, port)).expect("a peer");
    take_trains(&socket);
    let message = [7; LEN];
    socket.send(b"hello").expect("it goes out");
    let (mut begun, mut under_way) = (0, 0);
    while begun < count || under_way > 0 {
        let more = (count - begun).min(UNDER_WAY - under_way);
        send_all(&socket, &message, more);
        begun += more;
        under_way += more;
        under_way -= receive_some(&socket);
    }
}

/// Several that were sent as one packet to be cut may come as one, uncut.
fn take_trains(socket: &UdpSocket) {
    let on = 1 as libc::c_int;
    let (option, len) = ((&raw const on).cast(), size_of_val(&on) as libc::socklen_t);
    // SAFETY: the option's value has the length that is told. An old kernel refuses it, and cuts.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            option,
            len,
        )
    };
}

/// Receives as many as are there, at least one.
fn receive_some(socket: &UdpSocket) -> u64 {
    let mut buffers = [[0; LEN * WINDOW as usize]; WINDOW as usize];
    let mut slices = buffers.each_mut().map(|buffer| libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    });
    let mut headers = slices.each_mut().map(|slice| {
        // SAFETY: a message of zeros has no name and no control data.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_iov = slice;
        header.msg_hdr.msg_iovlen = 1;
        header
    });
    let (list, len) = (headers.as_mut_ptr(), headers.len() as u32);
    let (flags, no_limit) = (libc::MSG_WAITFORONE, std::ptr::null_mut());
    // SAFETY: each header has a slice of its own, and that a buffer; all outlive the call.
    let count = unsafe { libc::recvmmsg(socket.as_raw_fd(), list, len, flags, no_limit) };
    assert!(count > 0, "they come back");
    let bytes: u32 = headers[..count as usize]
        .iter()
        .map(|header| header.msg_len)
        .sum();
    assert_eq!(bytes as usize % LEN, 0, "whole datagrams come back");
    u64::from(bytes) / LEN as u64
}

/// Sends `message` so many times.
fn send_all(socket: &UdpSocket, message: &[u8], count: u64) {
    let mut slice = libc::iovec {
        iov_base: message.as_ptr().cast_mut().cast(),
        iov_len: message.len(),
    };
    // SAFETY: a message of zeros has no name and no control data; each is given the slice.
    let mut headers: Vec<libc::mmsghdr> = vec![unsafe { std::mem::zeroed() }; count as usize];
    for header in &mut headers {
        header.msg_hdr.msg_iov = &mut slice;
        header.msg_hdr.msg_iovlen = 1;
    }
    let mut sent = 0;
    while sent < headers.len() {
        let left = &mut headers[sent..];
        // SAFETY: the headers and the slice they point to outlive the call, which reads the message.
        let more =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), left.as_mut_ptr(), left.len() as u32, 0) };
        assert!(more > 0, "they go out");
        sent += more as usize;
    }
}
