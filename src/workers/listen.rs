//! One address for all workers: a listener for each, over which the kernel spreads connections, or one that they share.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use mainspring_sys::socket::option::REUSE_PORT_SPREADS;

use crate::net::TcpSocket;

/// So many finished connections may wait at each listener.
const BACKLOG: u32 = 1024;

#[derive(Debug)]
pub(super) struct SharedListener {
    pub(super) addr: SocketAddr,
    /// One for each worker.
    listeners: Vec<StdListener>,
}

impl SharedListener {
    /// All or none. They listen at once: a connection that comes before its worker has started waits.
    pub(super) fn bind(addr: SocketAddr, count: usize) -> io::Result<SharedListener> {
        let first = listen(addr)?;
        let addr = first.local_addr()?;
        let mut listeners = vec![first];
        while listeners.len() < count {
            listeners.push(if REUSE_PORT_SPREADS {
                listen(addr)?
            } else {
                listeners[0].try_clone()?
            });
        }
        Ok(SharedListener { addr, listeners })
    }

    /// The next worker's.
    pub(super) fn take(&mut self) -> Option<StdListener> {
        self.listeners.pop()
    }
}

fn listen(addr: SocketAddr) -> io::Result<StdListener> {
    let socket = TcpSocket::for_addr(addr)?;
    socket.set_reuseaddr(true)?;
    if REUSE_PORT_SPREADS {
        socket.set_reuseport(true)?;
    }
    socket.bind(addr)?;
    Ok(socket.listen(BACKLOG)?.into_std())
}
