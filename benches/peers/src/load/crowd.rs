//! `peers client crowd PORT CONNECTIONS`: connections that are there and say nothing, until standard input ends.

use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};

/// The client's main function.
pub fn client(port: u16, connections: u64) {
    let connect = |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    let open: Vec<TcpStream> = (0..connections).map(connect).collect();
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
    drop(open);
}
