//! `Datagrams`: a UDP socket that hears nobody but one server.
//!
//! *Why not `UdpSocket`.* That one is bound first and connected afterwards; what arrives in between comes
//! from anybody, and is read later. This one is connected while it has no port yet: the kernel chooses one, at
//! random, and drops what comes from elsewhere from the first moment. And its waits name the line of whoever
//! looks up.

use std::io;
use std::net::SocketAddr;

use mainspring_sys::socket::{self, Connecting};

use super::Here;
use crate::io::endpoint::transfer::{Read, Reading, Wait, Write, Writing};
use crate::io::endpoint::{Endpoint, Family};

pub(super) struct Datagrams {
    socket: Endpoint,
}

impl Datagrams {
    pub(super) fn connect(server: SocketAddr) -> io::Result<Datagrams> {
        let fd = socket::udp_socket(server)?;
        // Nothing is sent, so nothing is in progress, unless a signal came in between.
        if socket::connect(&fd, server)? == Connecting::InProgress && !socket::is_connected(&fd)? {
            let _ = socket::connect(&fd, server)?;
        }
        Ok(Datagrams {
            socket: Endpoint::new(fd, Family::Datagram),
        })
    }

    /// Sends one message, and says how much of it went.
    pub(super) fn send<'a>(&'a self, message: &'a [u8], here: Here) -> Write<'a> {
        Write::new(Wait::new(&self.socket, Writing, here), message)
    }

    /// Receives one message; what does not fit is lost.
    pub(super) fn recv<'a>(&'a self, buf: &'a mut [u8], here: Here) -> Read<'a> {
        Read::new(Wait::new(&self.socket, Reading, here), buf)
    }
}
