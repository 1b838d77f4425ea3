//! Several loops, a thread each: what it costs that they share a port, and how much faster they are.
//!
//! *Model.* Each loop serves what the kernel gives it of the connections to the one port, and is client of some itself. All
//! is in this process, so both sides count, and what one loop sends another crosses from processor to processor; `wall_ns` is the time per request of all loops together.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::figures::{Cpu, Figures, now_ns};
use crate::load;
use crate::peers::Workers;

/// Of all loops together.
const CONNECTIONS: u64 = 32;
const MESSAGE_LEN: usize = 64;
const BUFFER_LEN: usize = 512;
/// How often a loop that is done looks whether the others are.
const LOOK: Duration = Duration::from_millis(1);

/// One loop.
pub fn one<P: Workers>(count: u64) -> Figures {
    run::<P>(1, count)
}

/// Two.
pub fn two<P: Workers>(count: u64) -> Figures {
    run::<P>(2, count)
}

/// Holds this thread on the processor of this number, as far as there are so many.
pub fn stay_on(index: usize) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: zeros are the empty set, which is filled and read in its length.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(index % processors, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

fn run<P: Workers>(loops: u64, count: u64) -> Figures {
    let listeners = load::listen_shared(loops);
    let port = load::port_of(&listeners[0]);
    let done = Arc::new(AtomicU64::new(0));
    let each = count.div_ceil(CONNECTIONS);
    let (cpu, start_ns) = (Cpu::of_process(), now_ns());
    P::work(listeners, move |listener| {
        let done = Arc::clone(&done);
        Box::pin(async move {
            work::<P>(listener, port, CONNECTIONS / loops, each).await;
            done.fetch_add(1, Ordering::Release);
            // The others may have connections here.
            while done.load(Ordering::Acquire) < loops {
                P::sleep(LOOK).await;
            }
        })
    });
    let wall_ns = (now_ns() - start_ns) as f64;
    let count = each * CONNECTIONS;
    Figures::cpu_per_op(cpu, count).with("wall_ns", wall_ns / count as f64)
}

/// Serves until it is dropped or the process ends, and makes its share of the requests.
async fn work<P: Workers>(listener: TcpListener, port: u16, connections: u64, each: u64) {
    let listener = P::listener(listener);
    let server = P::spawn(async move {
        let mut open = Vec::new();
        loop {
            let stream = P::accept(&listener).await;
            open.push(P::spawn(P::serve(stream, BUFFER_LEN)));
        }
    });
    let call = |_| {
        let mut stream = P::stream(load::connect(port));
        P::spawn(async move {
            let mut message = [7; MESSAGE_LEN];
            for _ in 0..each {
                P::call(&mut stream, &mut message).await;
            }
        })
    };
    let clients: Vec<_> = (0..connections).map(call).collect();
    for client in clients {
        client.await;
    }
    // The others may have connections here, and its drop would cancel in some peers.
    std::mem::forget(server);
}
