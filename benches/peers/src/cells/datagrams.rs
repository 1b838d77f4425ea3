//! Datagrams there and back over a connected socket, one at a time and in batches.

use std::net::{Ipv4Addr, UdpSocket};

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::load;
use crate::load::datagrams::WINDOW;
use crate::peers::Datagrams;

/// A system call for each.
pub fn single<P: Datagrams>(count: u64) -> Figures {
    echo::<P>(count, |socket, count| P::echo(socket, count))
}

/// As many per system call as the peer can.
pub fn batch<P: Datagrams>(count: u64) -> Figures {
    echo::<P>(count, |socket, count| P::echo_in_batches(socket, count))
}

fn echo<P: Datagrams>(count: u64, serve: impl AsyncFnOnce(UdpSocket, u64) + 'static) -> Figures {
    let count = count.div_ceil(WINDOW) * WINDOW;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = socket.local_addr().expect("it is bound").port();
    let client = load::start_as("datagrams", port, &[count]);
    let (_, peer) = socket.recv_from(&mut [0; 8]).expect("a hello");
    socket.connect(peer).expect("a peer");
    socket.set_nonblocking(true).expect("an option");
    let figures = in_task::<P>(async move {
        let cpu = Cpu::of_process();
        serve(socket, count).await;
        Figures::cpu_per_op(cpu, count)
    });
    client.finish();
    figures
}
