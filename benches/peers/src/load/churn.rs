//! `peers client churn PORT AT_ONCE MESSAGE_LEN COUNT`: connections that send one message, get it back, and close.
//!
//! So many are open at once; when one is answered it is closed and the next is opened. They come from several
//! addresses of the loopback network in turn, or the ports of one would run out: each is kept for a minute
//! after the close.

use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

use crate::epoll::Epoll;

/// From how many addresses connections come.
const ADDRESSES: u64 = 64;

/// The client's main function.
pub fn client(port: u16, at_once: u64, message_len: usize, count: u64) {
    let epoll = Epoll::new();
    let message = vec![7; message_len];
    let mut buffer = vec![0; message_len];
    let mut begun = 0;
    let mut open: Vec<Option<(TcpStream, usize)>> = (0..at_once).map(|_| None).collect();
    let pause = super::pause();
    let mut begin = |slot: &mut Option<(TcpStream, usize)>, index: u64| {
        *slot = (begun < count).then(|| {
            let mut stream = connect(begun % ADDRESSES, port);
            stream.write_all(&message).expect("it goes out");
            epoll.add(stream.as_raw_fd(), libc::EPOLLIN as u32, index);
            begun += 1;
            (stream, message_len)
        });
        u64::from(slot.is_none())
    };
    let mut idle = 0;
    for (index, slot) in open.iter_mut().enumerate() {
        idle += begin(slot, index as u64);
    }
    while idle < at_once {
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        for index in epoll.wait() {
            let slot = &mut open[index as usize];
            let Some((stream, missing)) = slot else {
                continue;
            };
            match stream.read(&mut buffer[..*missing]) {
                Ok(0) => panic!("the server closed"),
                Ok(len) => *missing -= len,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("the server broke off: {error}"),
            }
            if *missing == 0 {
                // Its close takes it out of the epoll.
                idle += begin(slot, index);
            }
        }
    }
}

/// Connects from the `index`th address.
fn connect(index: u64, port: u16) -> TcpStream {
    let from = Ipv4Addr::new(127, 0, 1, 1 + index as u8);
    // SAFETY: plain calls; addresses and options have the lengths that are told and outlive the calls, and the
    // descriptor is new and ours.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        assert!(fd >= 0, "a socket");
        let stream = TcpStream::from_raw_fd(fd);
        let (one, option) = (1 as libc::c_int, libc::IP_BIND_ADDRESS_NO_PORT);
        let len = mem::size_of_val(&one) as libc::socklen_t;
        libc::setsockopt(fd, libc::IPPROTO_IP, option, (&raw const one).cast(), len);
        let (from, to) = (address(from, 0), address(Ipv4Addr::LOCALHOST, port));
        let len = mem::size_of_val(&from) as libc::socklen_t;
        assert_eq!(
            libc::bind(fd, (&raw const from).cast(), len),
            0,
            "an address"
        );
        let status = libc::connect(fd, (&raw const to).cast(), len);
        assert_eq!(
            status,
            0,
            "a connection: {}",
            std::io::Error::last_os_error()
        );
        stream
    }
}

fn address(ip: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(ip).to_be(),
        },
        sin_zero: [0; 8],
    }
}
