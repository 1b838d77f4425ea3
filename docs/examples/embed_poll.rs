//! A loop inside a loop: a plain poll(2) loop, as many programs have one, drives a runtime beside its own descriptors.
//!
//! ```text
//! cargo run --example embed_poll
//! ```
//!
//! The outer loop waits for its descriptors, for the runtime's (`selector_fd`), and no longer than until the runtime's next
//! deadline; then it ticks. That is all there is to it:
//!
//! ```text
//!   outer loop:  poll(own descriptors + selector_fd, until next_deadline) ──► its own work
//!        ▲                                                                ──► Runtime::tick
//!        └────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The descriptor is readable when a descriptor of the runtime has news, and when another thread has woken it.

use std::io;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use mainspring::channel::thread::bounded;
use mainspring::net::{TcpListener, TcpStream};
use mainspring::time::sleep;
use mainspring::{BackendKind, Builder, JoinHandle, Runtime, spawn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What runs inside: sockets, timers, and what comes from another thread.
async fn inside() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    let address = listener.local_addr()?;
    let server = spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut buf = [0; 16];
        let count = stream.read(&mut buf).await?;
        stream.write_all(&buf[..count]).await
    });
    let client = TcpStream::connect(address).await?;
    client.write_all(b"echo").await?;
    let mut buf = [0; 16];
    let count = client.read(&mut buf).await?;
    let echo = String::from_utf8_lossy(&buf[..count]).into_owned();
    server.await.expect("the server does not panic")?;

    sleep(Duration::from_millis(5)).await;

    let (far, mut items) = bounded(1);
    let thread = thread::spawn(move || far.send_blocking("a thread's word"));
    let word = items.recv().await.expect("the thread sends");
    thread.join().expect("it ends").expect("the loop receives");
    Ok(format!("{echo}, a sleep, {word}"))
}

/// How long the outer loop may wait; `None`: until something happens.
fn time_left(runtime: &Runtime) -> Option<Timespec> {
    let left = runtime.next_deadline()? - runtime.now();
    // A deadline that is too far for the system is as good as none.
    Timespec::try_from(left).ok()
}

/// The outer loop: echoes what comes to `own`, and runs the tasks of `runtime`, until `task` has ended.
fn outer_loop<T>(
    runtime: &Runtime,
    task: &JoinHandle<T>,
    own: &mut UnixStream,
) -> io::Result<(usize, usize)> {
    let selector = runtime
        .selector_fd()
        .ok_or_else(|| io::Error::other("this backend has no descriptor to wait for"))?;
    let (mut ticks, mut own_bytes) = (0, 0);
    // The first tick begins what was spawned.
    runtime.tick()?;
    while !task.is_finished() {
        let (is_own, is_inner) = {
            let own = own.as_fd();
            let mut fds = [
                PollFd::new(&own, PollFlags::IN),
                PollFd::new(&selector, PollFlags::IN),
            ];
            match poll(&mut fds, time_left(runtime).as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            (!fds[0].revents().is_empty(), !fds[1].revents().is_empty())
        };
        if is_own {
            let mut buf = [0; 64];
            own_bytes += own.read(&mut buf)?;
        }
        // A tick that comes for nothing is harmless; one too few is not.
        let is_due = runtime
            .next_deadline()
            .is_some_and(|at| at <= runtime.now());
        if is_inner || is_due {
            runtime.tick()?;
            ticks += 1;
        }
    }
    Ok((ticks, own_bytes))
}

fn main() -> io::Result<()> {
    let runtime = Builder::new().backend(BackendKind::Native).build()?;
    let (mut own, mut peer) = UnixStream::pair()?;
    let task = runtime.spawn(inside());
    peer.write_all(b"work of the outer loop")?;

    let (ticks, own_bytes) = outer_loop(&runtime, &task, &mut own)?;
    let said = runtime.block_on(task)?.expect("it does not panic")?;
    println!("inside: {said}");
    println!("outside: {own_bytes} bytes");
    // Each tick had a reason: an event, a deadline, a wake.
    println!("ticks: {}", if ticks < 50 { "few" } else { "too many" });
    Ok(())
}
