//! Echo: a server of N connections on one thread, each with one message under way.
//!
//! The load is another process (`load.rs`), the same for every peer. The clock starts when the
//! connections are accepted and stops when the last has ended.

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::load;
use crate::peers::Net;

/// The shape of the load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: u64,
    pub message_len: usize,
}

impl Load {
    /// That of a cell.
    pub fn of(cell: &str) -> Option<Load> {
        let (connections, message_len) = match cell {
            "echo-1" => (1, 64),
            "echo-50" => (50, 64),
            "echo-1000" => (1000, 64),
            "echo-16k" => (64, 16 * 1024),
            _ => return None,
        };
        Some(Load {
            connections,
            message_len,
        })
    }

    /// The server's buffer per connection: as long as the longest message, so that a full read leaves
    /// open whether more is there.
    pub fn buffer_len(self) -> usize {
        self.message_len.max(512)
    }

    /// So many requests that each connection makes the same number.
    pub fn requests(self, count: u64) -> u64 {
        count.div_ceil(self.connections) * self.connections
    }
}

/// Serves `count` requests.
pub fn echo<P: Net>(load: Load, count: u64) -> Figures {
    let listener = load::listen();
    let client = load::start(&listener, load, count);
    let cpu = in_task::<P>(async move {
        let listener = P::listener(listener);
        let mut streams = Vec::new();
        for _ in 0..load.connections {
            streams.push(P::accept(&listener).await);
        }
        let cpu = Cpu::of_process();
        let serve = |stream| P::spawn(P::serve(stream, load.buffer_len()));
        let tasks: Vec<_> = streams.into_iter().map(serve).collect();
        for task in tasks {
            task.await;
        }
        Figures::cpu_per_op(cpu, load.requests(count))
    });
    client.finish();
    cpu
}
