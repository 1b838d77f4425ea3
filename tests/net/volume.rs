//! Much through little: no byte is lost, repeated or out of its place, however little the kernel holds.

use mainspring::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use mainspring::net::UnixStream;

use crate::rig::{On, both, small_buffers, soak, tcp_pair};

on_both! {
    hz_d08_a_volume_passes_a_tiny_tcp_buffer_with_its_checksum,
    hz_d08_a_volume_passes_a_tiny_unix_buffer_with_its_checksum,
}

const MIB: usize = 1 << 20;
/// What the kernel is asked to hold; it has a least of its own, of some KiB.
const TINY: usize = 1;

/// Bytes that do not repeat themselves, and a sum that knows each one's place.
#[derive(Clone, Copy, Debug)]
struct Bytes(u64);

impl Bytes {
    fn fill(&mut self, buf: &mut [u8]) {
        for byte in buf {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
    }
}

/// FNV-1a, of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    hash: u64,
    count: usize,
}

impl Sum {
    const EMPTY: Sum = Sum {
        hash: 0xcbf2_9ce4_8422_2325,
        count: 0,
    };

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        self.count += bytes.len();
    }
}

/// Writes `volume` bytes in pieces of many sizes, some by `write` alone, and ends the stream.
async fn send(mut stream: impl AsyncWrite + Unpin, volume: usize) -> Sum {
    let (mut bytes, mut sum) = (Bytes(1), Sum::EMPTY);
    let mut piece = vec![0; 64 << 10];
    let mut round = 0;
    while sum.count < volume {
        let len = (1 + round * 7919 % piece.len()).min(volume - sum.count);
        let piece = &mut piece[..len];
        bytes.fill(piece);
        let begun = match round % 2 {
            0 => stream.write(piece).await.unwrap(),
            _ => 0,
        };
        stream.write_all(&piece[begun..]).await.unwrap();
        sum.add(piece);
        round += 1;
    }
    stream.close().await.unwrap();
    sum
}

/// Reads to the end, with room for more and less at a time.
async fn receive(mut stream: impl AsyncRead + Unpin) -> Sum {
    let (mut sum, mut round) = (Sum::EMPTY, 0);
    let mut buf = vec![0; 64 << 10];
    loop {
        let len = 1 + (1 << 10) + round * 104_729 % (60 << 10);
        match stream.read(&mut buf[..len]).await.unwrap() {
            0 => return sum,
            count => sum.add(&buf[..count]),
        }
        round += 1;
    }
}

fn hz_d08_a_volume_passes_a_tiny_tcp_buffer_with_its_checksum(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, TINY);
        let volume = soak(MIB, 64 * MIB);
        let (sent, got) = both(send(near, volume), receive(far)).await;
        assert_eq!((sent, sent.count), (got, volume));
    });
}

fn hz_d08_a_volume_passes_a_tiny_unix_buffer_with_its_checksum(on: On) {
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        small_buffers(&near, TINY);
        let volume = soak(MIB, 64 * MIB);
        let (sent, got) = both(send(near, volume), receive(far)).await;
        assert_eq!((sent, sent.count), (got, volume));
    });
}
