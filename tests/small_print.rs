//! Small print: what `docs/features.md` says and no larger suite shows.

#![cfg(feature = "sim")]

use std::io::{Cursor, Write as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::panic::Location;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
use mainspring::net::{TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::time::{now, sleep, timeout};
use mainspring::{Runtime, TaskBuilder, current_task_id, sim, spawn, yield_now};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_task_is_known_by_its_name_its_number_and_its_line() {
    assert_eq!(current_task_id(), None);
    sim::run(1, async {
        let own = current_task_id();
        assert!(own.is_some());
        let other = spawn(async { current_task_id() });
        let line = Location::caller().line() + 1;
        let named = TaskBuilder::new().name("clock").spawn(async {
            yield_now().await;
            current_task_id()
        });
        let number = named.id();
        assert_ne!(number, other.id());
        assert_eq!(other.name(), None);
        if cfg!(feature = "inspect") {
            assert_eq!(named.name().as_deref(), Some("clock"));
            let spawned_at = named.spawned_at().expect("it was spawned");
            assert_eq!((spawned_at.file(), spawned_at.line()), (file!(), line));
        }
        assert_eq!(named.await.unwrap(), Some(number));
        assert_eq!(current_task_id(), own);
    });
}

#[test]
fn a_handle_says_whether_its_task_has_finished_and_takes_nothing() {
    sim::run(1, async {
        let task = spawn(sleep(SECOND));
        assert!(!task.is_finished());
        sleep(2 * SECOND).await;
        assert!(task.is_finished());
        assert!(task.is_finished());
        task.await.unwrap();
    });
}

#[test]
fn the_end_of_a_timeout_can_be_moved_while_it_runs() {
    sim::run(1, async {
        let start = now();
        let mut limited = pin!(timeout(SECOND, sleep(10 * SECOND)));
        // It runs.
        assert!(timeout(SECOND / 2, limited.as_mut()).await.is_err());
        limited.as_mut().reschedule(start + 3 * SECOND);
        assert_eq!(limited.deadline(), start + 3 * SECOND);
        assert!(limited.as_mut().await.is_err());
        assert!(limited.is_expired());
        assert_eq!(now() - start, 3 * SECOND);

        let mut limited = pin!(timeout(3 * SECOND, sleep(2 * SECOND)));
        assert!(timeout(SECOND / 2, limited.as_mut()).await.is_err());
        limited.as_mut().reschedule(now() + SECOND / 2);
        assert!(limited.as_mut().await.is_err(), "sooner than it was");
    });
}

#[test]
fn a_reader_and_a_writer_are_joined_into_one_stream() {
    sim::run(1, async {
        let (mut far, writer) = io::simplex(8);
        let mut stream = io::join(Cursor::new(b"tick".to_vec()), writer);
        stream.write_all(b"tock").await.unwrap();
        let mut came = String::new();
        stream.read_to_string(&mut came).await.unwrap();
        assert_eq!(came, "tick");
        stream.close().await.unwrap();
        came.clear();
        far.read_to_string(&mut came).await.unwrap();
        assert_eq!(came, "tock");
        let (reader, _writer) = stream.into_parts();
        assert_eq!(reader.position(), 4);
    });
}

#[test]
fn streams_that_lead_nowhere_are_endless_or_over() {
    sim::run(1, async {
        let mut came = Vec::new();
        let mut two = io::empty().chain(io::repeat(b'z').take(3));
        two.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, b"zzz");
        let mut endless = io::repeat(b'z').take(1 << 20);
        let moved = io::copy(&mut endless, &mut io::sink()).await.unwrap();
        assert_eq!(moved, 1 << 20);
    });
}

#[test]
fn connections_that_are_there_are_accepted_without_a_wait_between_them() {
    sim::run(1, async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients = [(); 20].map(|()| std::net::TcpStream::connect(address).unwrap());
        let _guard = Plan::new().install();
        for client in &clients {
            let (_stream, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        }
        assert_eq!((count_of(Call::Accept), count_of(Call::Wait)), (20, 0));
    });
}

#[test]
fn what_is_ready_is_never_registered() {
    let is_epoll = Runtime::new().unwrap().backend_name() == "epoll";
    sim::run(1, async {
        let (near, mut far) = StdUnixStream::pair().unwrap();
        let near = UnixStream::from_std(near).unwrap();
        let _guard = Plan::new().install();
        for _ in 0..10 {
            far.write_all(b"tick").unwrap();
            assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 4);
            near.write_all(b"tock").await.unwrap();
        }
        assert_eq!(count_of(Call::Control), 0);
        // What waits is. (kqueue may say so within the wait, and poll(2) does.)
        assert!(timeout(SECOND, near.read(&mut [0; 4])).await.is_err());
        assert!(count_of(Call::Control) == 1 || !is_epoll);
    });
}

#[test]
fn two_threads_have_a_loop_each_and_talk() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let other = thread::spawn(move || {
        mainspring::run(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let (stream, _peer) = listener.accept().await.unwrap();
            let mut buf = [0; 4];
            while stream.read(&mut buf).await.unwrap() == 4 {
                stream.write_all(&buf).await.unwrap();
            }
        })
    });
    mainspring::run(async {
        let stream = TcpStream::connect(address).await.unwrap();
        for number in 0..100_u32 {
            stream.write_all(&number.to_ne_bytes()).await.unwrap();
            let mut buf = [0; 4];
            assert_eq!(stream.read(&mut buf).await.unwrap(), 4);
            assert_eq!(buf, number.to_ne_bytes());
        }
    })
    .unwrap();
    other.join().unwrap().unwrap();
}
