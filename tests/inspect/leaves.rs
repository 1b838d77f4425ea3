//! One test per leaf kind: its line in the snapshot names the caller's file and line, and the right resource.

use std::cell::Cell;
use std::future::Future;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use mainspring::inspect;
use mainspring::io::{AsyncFd, AsyncReadExt, AsyncWriteExt, BufferPool, duplex};
use mainspring::net::{TcpListener, TcpStream, UnixStream};
use mainspring::task::TaskState;
use mainspring::task::blocking::{Class, JobBuilder};
use mainspring::time::{interval, now, sleep, sleep_until, timeout};
use mainspring::{JoinHandle, Runtime, TaskBuilder, sim, spawn, yield_to_io};

use super::settle;

const HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    static LINE: Cell<u32> = const { Cell::new(0) };
}

/// The line that this stands in is the one that the snapshot must name.
macro_rules! here {
    ($call:expr) => {{
        LINE.set(line!());
        $call
    }};
}
fn fd_of(stream: &impl AsFd) -> RawFd {
    stream.as_fd().as_raw_fd()
}

/// Runs `future` in a task of its own, named "leaf", until it waits.
async fn waiting<F: Future + 'static>(future: F) -> JoinHandle<()> {
    let task = TaskBuilder::new().name("leaf").spawn(async move {
        future.await;
    });
    settle().await;
    mainspring::yield_to_io().await;
    settle().await;
    task
}

/// The task that waits has one wait more or less than others, but one of them is for `target`, in the line that
/// `here!` marked; and the table says both in one line.
#[track_caller]
fn assert_waits(task: &JoinHandle<()>, target: &str) {
    let line = format!("tests/inspect/leaves.rs:{}:", LINE.get());
    let snapshot = inspect::snapshot();
    let seen = snapshot.task(task.id()).expect("it has not ended");
    assert_eq!(seen.state(), TaskState::Waiting, "{snapshot}");
    let is_named = seen.waits().iter().any(|wait| {
        let location = wait
            .location()
            .map_or_else(String::new, |at| at.to_string());
        location.starts_with(&line)
    });
    assert!(is_named, "no wait at {line}\n{snapshot}");
    let text = snapshot.to_string();
    let row = text.lines().find(|row| row.contains(&line));
    let row = row.unwrap_or_else(|| panic!("no row names {line}\n{text}"));
    assert!(row.contains(target), "not {target}: {row}");
}

/// As [`waiting`] and [`assert_waits`].
async fn assert_leaf<F: Future + 'static>(future: F, target: &str) -> JoinHandle<()> {
    let task = waiting(future).await;
    assert_waits(&task, target);
    task
}

#[test]
fn a_sleep() {
    sim::run(1, async {
        assert_leaf(async { here!(sleep(HOUR)).await }, "a timer due in 3600s").await;
        assert_leaf(
            async { here!(sleep_until(now() + 2 * HOUR)).await },
            "a timer due in 7200s",
        )
        .await;
        assert_leaf(
            async { here!(sleep(Duration::MAX)).await },
            "a timer that never fires",
        )
        .await;
    });
}

#[test]
fn a_sleep_before_the_turn_that_inserts_it() {
    sim::run(1, async {
        let task = spawn(async { here!(sleep(HOUR)).await });
        mainspring::yield_now().await;
        assert_waits(&task, "a delay of 3600s, from the next turn on");
    });
}

#[test]
fn a_timeout_and_what_is_in_it() {
    sim::run(1, async {
        let future = async {
            let body = sleep(2 * HOUR);
            let _ = here!(timeout(HOUR, body)).await;
        };
        let task = assert_leaf(future, "a timer due in 3600s").await;
        let snapshot = inspect::snapshot();
        assert_eq!(snapshot.task(task.id()).unwrap().waits().len(), 2);
    });
}

#[test]
fn an_interval() {
    sim::run(1, async {
        let future = async {
            let mut ticks = interval(HOUR);
            ticks.tick().await;
            here!(ticks.tick()).await;
        };
        assert_leaf(future, "a timer due in 3600s").await;
    });
}

#[test]
fn a_read_and_a_write() {
    sim::run(1, async {
        let (near, _far) = UnixStream::pair().unwrap();
        let fd = fd_of(&near);
        let reader = async move {
            let mut buf = [0; 1];
            let _ = here!(near.read(&mut buf)).await;
        };
        assert_leaf(reader, &format!("descriptor {fd} to become readable")).await;

        let (near, _far) = UnixStream::pair().unwrap();
        let fd = fd_of(&near);
        let writer = async move {
            let bytes = vec![0; 1 << 22];
            let _ = here!(near.write_all(&bytes)).await;
        };
        assert_leaf(writer, &format!("descriptor {fd} to become writable")).await;
    });
}

#[test]
fn readiness_of_a_descriptor_in_each_direction() {
    sim::run(1, async {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let fd = fd_of(&near);
        let source = std::rc::Rc::new(AsyncFd::new(near).unwrap());
        let waits = std::rc::Rc::clone(&source);
        let reader = async move {
            loop {
                drop(here!(waits.readable()).await);
                let _ = waits.try_io(mainspring::Interest::READ, |_| {
                    Err::<(), _>(std::io::ErrorKind::WouldBlock.into())
                });
            }
        };
        assert_leaf(reader, &format!("descriptor {fd} to become readable")).await;
        let waits = std::rc::Rc::clone(&source);
        let urgent = async move { drop(here!(waits.priority()).await) };
        assert_leaf(urgent, &format!("exceptional data on descriptor {fd}")).await;
    });
}

#[test]
fn an_accept() {
    sim::run(1, async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let task = waiting(async move { drop(here!(listener.accept()).await) }).await;
        assert_waits(&task, " to become readable");
    });
}

#[test]
fn an_extension_method_of_a_socket() {
    sim::run(1, async {
        let (near, _far) = UnixStream::pair().unwrap();
        let fd = fd_of(&near);
        let future = async move {
            let mut near = &near;
            let mut buf = [0; 4];
            let _ = here!(near.read_exact(&mut buf)).await;
        };
        assert_leaf(future, &format!("descriptor {fd} to become readable")).await;
    });
}

#[test]
fn streams_in_memory() {
    sim::run(1, async {
        let (mut near, _far) = duplex(4);
        let reader = async move {
            let mut buf = [0; 1];
            let _ = here!(near.read_exact(&mut buf)).await;
        };
        assert_leaf(reader, "bytes in a stream in memory").await;
        let (mut near, _far) = duplex(4);
        let writer = async move {
            let _ = here!(near.write_all(b"more than four")).await;
        };
        assert_leaf(writer, "room in a stream in memory").await;
    });
}

#[test]
fn a_buffer_of_a_pool() {
    sim::run(1, async {
        let pool = BufferPool::new(1, 8);
        let _held = pool.try_take();
        assert_leaf(
            async move { drop(here!(pool.take()).await) },
            "a free buffer of a pool",
        )
        .await;
    });
}

#[test]
fn a_job_of_the_pool() {
    mainspring::run(async {
        let (open, closed) = std::sync::mpsc::channel::<()>();
        let work = move || assert!(closed.recv().is_err());
        let builder = JobBuilder::new().class(Class::Files).name("leaf");
        let job = here!(builder.spawn(work));
        settle().await;
        assert_waits(&job, "a job of the pool, of class files");
        let id = job.id();
        let task = waiting(job).await;
        let text = inspect::snapshot().to_string();
        assert!(
            text.contains(&format!("the end of task {id} \"leaf\"")),
            "{text}"
        );
        drop(open);
        task.await.unwrap();
    })
    .unwrap();
}

#[test]
fn a_turn_of_the_selector() {
    let runtime = Runtime::new().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let task = runtime.spawn(async move { here!(yield_to_io()).await });
    drop(runtime.spawn(async move {
        send.send(inspect::snapshot().to_string()).unwrap();
    }));
    runtime.tick().unwrap();
    let text = receive.recv().unwrap();
    let line = format!("leaves.rs:{}:", LINE.get());
    let row = text.lines().find(|row| row.contains(&line)).expect(&text);
    assert!(row.contains("the next turn of the selector"), "{row}");
    drop(task);
}

#[test]
fn the_end_of_a_task_with_its_name_and_the_line_that_spawned_it() {
    sim::run(1, async {
        let slow = TaskBuilder::new().name("slow");
        let slow = here!(slow.spawn(sleep(HOUR)));
        let id = slow.id();
        let task = waiting(slow).await;
        let text = inspect::snapshot().to_string();
        let line = LINE.get();
        let target =
            format!("the end of task {id} \"slow\" (spawned at tests/inspect/leaves.rs:{line}:");
        assert!(text.contains(&target), "{text}");
        drop(task);
    });
}

#[test]
fn a_waker_that_somebody_holds() {
    sim::run(1, async {
        let held = std::rc::Rc::new(Cell::new(None));
        let slot = std::rc::Rc::clone(&held);
        let task = waiting(std::future::poll_fn(move |cx| {
            slot.set(Some(cx.waker().clone()));
            std::task::Poll::<()>::Pending
        }))
        .await;
        let snapshot = inspect::snapshot();
        let seen = snapshot.task(task.id()).unwrap();
        assert_eq!(seen.waits()[0].target(), &inspect::Target::Waker);
        assert!(snapshot.to_string().contains("whoever holds its waker"));
    });
}

#[test]
fn a_connect() {
    sim::run(1, async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let task = spawn(async move { drop(here!(TcpStream::connect(address)).await) });
        // The next turn would see it connected.
        mainspring::yield_now().await;
        assert_waits(&task, " to become writable");
    });
}
