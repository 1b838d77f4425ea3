//! `peers client lines PORT COUNT`: so many lines, as fast as they are taken.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

/// How long the lines are, in turn, their ends included.
const LENGTHS: [usize; 8] = [12, 80, 33, 1, 57, 120, 24, 41];

/// So many lines go out in one write.
const BATCH: u64 = 1024;

/// The client's main function.
pub fn client(port: u16, count: u64) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    let mut begun = 0;
    while begun < count {
        let batch = BATCH.min(count - begun);
        let mut text = Vec::new();
        for index in begun..begun + batch {
            let len = LENGTHS[index as usize % LENGTHS.len()];
            text.resize(text.len() + len - 1, b'x');
            text.push(b'\n');
        }
        stream.write_all(&text).expect("it goes out");
        begun += batch;
    }
}
