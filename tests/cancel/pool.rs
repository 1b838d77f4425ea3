//! Waits for the buffers of a pool, and reads into them, dropped at each of their waits.

use mainspring::io::{BufferPool, PooledBuf};
use mainspring::net::{TcpStream, UnixStream};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::wire::{self, Far, Near};

everywhere! {
    a_take_that_is_dropped_passes_its_buffer_on,
    a_pooled_read_takes_no_bytes_and_no_buffer,
    a_pooled_read_that_waits_for_a_buffer_takes_no_bytes,
}

// cancels: BufferPool::take
fn a_take_that_is_dropped_passes_its_buffer_on(on: On) {
    let setup = || {
        let pool = BufferPool::new(1, 8);
        let held = pool.try_take();
        (pool, held)
    };
    let waits = Case::new(on, setup)
        .world(|held: &mut Option<PooledBuf>| *held = None)
        .loses_its_place(
            async |pool| drop(pool.take().await),
            async |pool, held| {
                *held = None;
                assert_eq!(pool.available(), 1);
            },
        );
    assert_eq!(waits, 1);
}

/// A pool of one buffer, and streams of both kinds.
struct Ends {
    pool: BufferPool,
    tcp: Near<TcpStream>,
    unix: Near<UnixStream>,
}

impl Ends {
    async fn read(&mut self, total: usize) {
        while self.tcp.got.len() < total {
            let buf = self.tcp.stream.read_pooled(&self.pool).await.unwrap();
            self.tcp.got.extend_from_slice(&buf);
        }
        while self.unix.got.len() < total {
            let buf = self.unix.stream.read_pooled(&self.pool).await.unwrap();
            self.unix.got.extend_from_slice(&buf);
        }
    }
}

/// What the world holds: the far ends, and perhaps the buffer.
struct World {
    tcp: Far,
    unix: Far,
    held: Option<PooledBuf>,
}

fn ends() -> (Ends, World) {
    let (tcp, tcp_far) = wire::tcp();
    let (unix, unix_far) = wire::unix();
    let pool = BufferPool::new(1, 4);
    let world = World {
        tcp: tcp_far,
        unix: unix_far,
        held: None,
    };
    (Ends { pool, tcp, unix }, world)
}

// cancels: TcpStream::read_pooled, UnixStream::read_pooled
fn a_pooled_read_takes_no_bytes_and_no_buffer(on: On) {
    let waits = Case::new(on, ends)
        .world(|world| {
            world.tcp.send(3);
            world.unix.send(3);
        })
        .loses_its_place(
            async |near| near.read(9).await,
            async |near, _| {
                assert!(near.tcp.got[..9] == pattern(9) && near.unix.got[..9] == pattern(9));
                assert_eq!(near.pool.available(), 1);
            },
        );
    assert!(waits >= 3, "{waits}");
}

// cancels: TcpStream::read_pooled, UnixStream::read_pooled
fn a_pooled_read_that_waits_for_a_buffer_takes_no_bytes(on: On) {
    let setup = || {
        let (near, mut world) = ends();
        world.held = near.pool.try_take();
        (near, world)
    };
    let waits = Case::new(on, setup)
        .world(|world| {
            if world.tcp.sent == 0 {
                world.tcp.send(6);
                world.unix.send(6);
            } else {
                world.held = None;
            }
        })
        .loses_its_place(
            async |near| near.read(6).await,
            async |near, world| {
                world.held = None;
                assert!(near.tcp.got == pattern(6) && near.unix.got == pattern(6));
                assert_eq!(near.pool.available(), 1);
            },
        );
    assert_eq!(waits, 2, "for the socket, then for a buffer");
}
