//! Connections that come and go, and connections that are merely there.

use std::collections::VecDeque;

use super::in_task;
use crate::figures::{Cpu, Figures, resident_bytes};
use crate::load;
use crate::peers::Net;

/// So many connections are under way at once.
pub const AT_ONCE: u64 = 32;
pub const MESSAGE_LEN: u64 = 64;
/// The server's buffer per connection.
pub const BUFFER_LEN: usize = 512;
/// So many go before the count begins.
pub const WARM_UP: u64 = 1000;

/// Accepts `count` connections, each of which sends one message, gets it back and closes.
pub fn churn<P: Net>(count: u64) -> Figures {
    let listener = load::listen();
    let numbers = [AT_ONCE, MESSAGE_LEN, WARM_UP + count];
    let client = load::start_as("churn", load::port_of(&listener), &numbers);
    let figures = in_task::<P>(async move {
        let listener = P::listener(listener);
        serve_each::<P>(&listener, WARM_UP).await;
        let cpu = Cpu::of_process();
        serve_each::<P>(&listener, count).await;
        Figures::cpu_per_op(cpu, count)
    });
    client.finish();
    figures
}

/// Handles are awaited, because dropping them would cancel in some peers; late enough that none is waited for.
async fn serve_each<P: Net>(listener: &P::Listener, count: u64) {
    let mut open = VecDeque::new();
    for _ in 0..count {
        let stream = P::accept(listener).await;
        open.push_back(P::spawn(P::serve(stream, BUFFER_LEN)));
        if open.len() as u64 > 4 * AT_ONCE {
            if let Some(task) = open.pop_front() {
                task.await;
            }
        }
    }
    for task in open {
        task.await;
    }
}

/// Memory per connection on which nothing happens, the server waiting for it with a buffer.
pub fn crowd<P: Net>(count: u64) -> Figures {
    let listener = load::listen();
    let _client = load::start_as("crowd", load::port_of(&listener), &[count]);
    in_task::<P>(async move {
        let listener = P::listener(listener);
        let mut tasks = Vec::with_capacity(count as usize);
        // The vector's pages are touched before the count begins.
        tasks.resize_with(count as usize, || None);
        let first = (count / 10).max(1);
        let mut before = 0;
        for (index, task) in tasks.iter_mut().enumerate() {
            if index as u64 == first {
                settle::<P>().await;
                before = resident_bytes();
            }
            let stream = P::accept(&listener).await;
            *task = Some(P::spawn(P::serve(stream, BUFFER_LEN)));
        }
        settle::<P>().await;
        let bytes = resident_bytes() - before;
        let figures = Figures::default().with("bytes", bytes as f64 / (count - first) as f64);
        // The end of so many is not what this cell is about.
        println!("{}", figures.to_json());
        std::process::exit(0)
    })
}

/// Every task has been polled, and waits.
async fn settle<P: Net>() {
    for _ in 0..3 {
        P::yield_now().await;
    }
}
