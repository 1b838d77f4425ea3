//! Pipes and FIFOs, at the level of their users, on both backends.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::cell::Cell;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::rc::Rc;

use mainspring::io::{AsyncReadExt, AsyncWriteExt};
use mainspring::pipe::{self, FifoOptions, PipeReader, PipeWriter};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::{inspect, spawn, yield_now};
use rig::{On, open_fds, pattern};

on_both! {
    bytes_come_in_order_and_then_the_end,
    a_mebibyte_passes_through_a_pipe_that_holds_less,
    a_writer_whose_reader_goes_while_it_waits_is_told,
    a_reader_is_told_of_the_end_while_it_waits,
    a_closed_writer_writes_no_more,
    several_buffers_go_with_one_call,
    a_descriptor_becomes_an_end_and_comes_out_again,
    packets_of_a_stranger_are_read_to_the_last,
    a_fifo_is_read_and_written,
    a_fifo_that_keeps_itself_open_never_ends,
    a_wait_names_its_line,
    faults_lose_nothing_and_leak_nothing,
}

fn bytes_come_in_order_and_then_the_end(on: On) {
    on.alone(|| bytes_come_in_order_and_then_the_end_alone(on));
}

fn bytes_come_in_order_and_then_the_end_alone(on: On) {
    let before = open_fds();
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            let task = spawn(async move {
                for part in [&b"tick"[..], b"-", b"tock"] {
                    writer.write_all(part).await.unwrap();
                    yield_now().await;
                }
            });
            let mut reader = reader;
            let mut text = String::new();
            reader.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "tick-tock");
            task.await.unwrap();
        })
        .unwrap();
    drop(runtime);
    assert_eq!(open_fds(), before);
}

fn a_mebibyte_passes_through_a_pipe_that_holds_less(on: On) {
    on.runtime()
        .block_on(async {
            let (mut reader, writer) = pipe::pipe().unwrap();
            let sent = pattern(1 << 20);
            let copy = sent.clone();
            let task = spawn(async move { writer.write_all(&copy).await.unwrap() });
            let mut got = Vec::new();
            reader.read_to_end(&mut got).await.unwrap();
            task.await.unwrap();
            assert!(got == sent);
        })
        .unwrap();
}

/// Fills a pipe, and says by how much.
fn fill(writer: &PipeWriter) -> usize {
    let mut count = 0;
    loop {
        match writer.try_write(&[7; 4096]) {
            Ok(done) => count += done,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return count;
            }
        }
    }
}

fn a_writer_whose_reader_goes_while_it_waits_is_told(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            assert!(fill(&writer) >= 4096);
            let task = spawn(async move { writer.write(b"x").await });
            yield_now().await;
            assert!(!task.is_finished());
            drop(reader);
            let error = task.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        })
        .unwrap();
}

fn a_reader_is_told_of_the_end_while_it_waits(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            let task = spawn(async move {
                let mut buf = [0; 4];
                (reader.read(&mut buf).await, reader.read(&mut buf).await)
            });
            yield_now().await;
            assert!(!task.is_finished());
            drop(writer);
            let (first, second) = task.await.unwrap();
            assert_eq!((first.unwrap(), second.unwrap()), (0, 0));
        })
        .unwrap();
}

fn a_closed_writer_writes_no_more(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, mut writer) = pipe::pipe().unwrap();
            writer.write_all(b"x").await.unwrap();
            writer.close().await.unwrap();
            writer.close().await.unwrap();
            let mut buf = [0; 4];
            assert_eq!(reader.read(&mut buf).await.unwrap(), 1);
            assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
            for error in [
                writer.write(b"y").await.unwrap_err(),
                writer.try_write(b"y").unwrap_err(),
                writer.writable().await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
        })
        .unwrap();
}

fn several_buffers_go_with_one_call(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            let parts = [&b"tick"[..], b"-tock"].map(IoSlice::new);
            assert_eq!(writer.write_vectored(&parts).await.unwrap(), 9);
            let (mut head, mut tail) = ([0; 5], [0; 16]);
            let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
            assert_eq!(reader.read_vectored(&mut bufs).await.unwrap(), 9);
            assert_eq!((&head, &tail[..4]), (b"tick-", &b"tock"[..]));
            assert_eq!(
                reader.try_read(&mut tail).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
        })
        .unwrap();
}

fn a_descriptor_becomes_an_end_and_comes_out_again(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            let fd = writer.into_blocking_fd().unwrap();
            let flags = rustix::fs::fcntl_getfl(&fd).unwrap();
            assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
            let writer = PipeWriter::from_fd(fd).unwrap();
            writer.write_all(b"x").await.unwrap();
            let reader = PipeReader::from_fd(reader.into_nonblocking_fd()).unwrap();
            assert_eq!(reader.read(&mut [0; 4]).await.unwrap(), 1);
            let socket = std::os::unix::net::UnixStream::pair().unwrap().0;
            let error = PipeReader::from_fd(socket.into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        })
        .unwrap();
}

/// A read stops behind each packet, and the end that reads cannot know: a short one is not the last.
fn packets_of_a_stranger_are_read_to_the_last(on: On) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    on.runtime()
        .block_on(async {
            use rustix::pipe::{PipeFlags, pipe_with};
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::DIRECT).unwrap();
            let reader = PipeReader::from_fd(reader).unwrap();
            let task = spawn(async move {
                let mut buf = [0; 100];
                let first = reader.read(&mut buf).await.unwrap();
                let second = reader.read(&mut buf[first..]).await.unwrap();
                buf[..first + second].to_vec()
            });
            yield_now().await;
            for packet in [&b"tick"[..], b"-tock"] {
                assert_eq!(rustix::io::write(&writer, packet).unwrap(), packet.len());
            }
            let both = mainspring::time::timeout(std::time::Duration::from_secs(20), task).await;
            let both = both.expect("the second packet wakes nobody");
            assert_eq!(both.unwrap(), b"tick-tock");
            drop(writer);
        })
        .unwrap();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = on;
}

/// A FIFO of its own, removed on drop.
struct Fifo(PathBuf);

impl Fifo {
    fn new(on: On) -> Fifo {
        let name = format!(
            "mainspring-{}-{}",
            std::process::id(),
            on.test.replace(':', "-")
        );
        let fifo = Fifo(std::env::temp_dir().join(name));
        let _ = std::fs::remove_file(&fifo.0);
        pipe::make_fifo(&fifo.0, 0o600).unwrap();
        fifo
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn a_fifo_is_read_and_written(on: On) {
    let fifo = Fifo::new(on);
    let exists = pipe::make_fifo(&fifo.0, 0o600).unwrap_err();
    assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
    on.runtime()
        .block_on(async {
            let lonely = FifoOptions::new().open_writer(&fifo.0).unwrap_err();
            assert_eq!(
                lonely.raw_os_error(),
                Some(rustix::io::Errno::NXIO.raw_os_error())
            );
            let reader = FifoOptions::new().open_reader(&fifo.0).unwrap();
            let writer = FifoOptions::new().open_writer(&fifo.0).unwrap();
            let task = spawn(async move {
                let mut buf = [0; 16];
                let count = reader.read(&mut buf).await.unwrap();
                assert_eq!(reader.read(&mut buf[count..]).await.unwrap(), 0);
                count
            });
            yield_now().await;
            writer.write_all(b"tick").await.unwrap();
            drop(writer);
            assert_eq!(task.await.unwrap(), 4);
        })
        .unwrap();
}

fn a_fifo_that_keeps_itself_open_never_ends(on: On) {
    let fifo = Fifo::new(on);
    on.runtime()
        .block_on(async {
            let options = FifoOptions::new().keeps_open(true);
            let reader = options.open_reader(&fifo.0).unwrap();
            let count = Rc::new(Cell::new(0));
            let seen = Rc::clone(&count);
            let task = spawn(async move {
                let mut buf = [0; 16];
                while seen.get() < 8 {
                    let count = reader.read(&mut buf).await.unwrap();
                    assert!(count > 0, "it never comes to the end");
                    seen.set(seen.get() + count);
                }
            });
            for _ in 0..2 {
                let writer = FifoOptions::new().open_writer(&fifo.0).unwrap();
                writer.write_all(b"tick").await.unwrap();
                drop(writer);
                yield_now().await;
            }
            task.await.unwrap();
            assert_eq!(count.get(), 8);
        })
        .unwrap();
}

fn a_wait_names_its_line(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, _writer) = pipe::pipe().unwrap();
            let line = line!() + 1;
            let task = spawn(async move { reader.read(&mut [0; 4]).await.map(drop) });
            yield_now().await;
            let text = format!("{:#}", inspect::snapshot());
            assert!(text.contains(&format!("tests/pipe.rs:{line}")), "{text}");
            assert!(text.contains("read"), "{text}");
            task.abort();
        })
        .unwrap();
}

fn faults_lose_nothing_and_leak_nothing(on: On) {
    on.alone(|| faults_lose_nothing_and_leak_nothing_alone(on));
}

fn faults_lose_nothing_and_leak_nothing_alone(on: On) {
    let before = open_fds();
    let runtime = on.runtime();
    let errno = |errno: rustix::io::Errno| Fault::Errno(errno.raw_os_error());
    runtime
        .block_on(async {
            let plan = Plan::new().at(Call::Pipe, 1, errno(rustix::io::Errno::MFILE));
            let guard = plan.install();
            let error = pipe::pipe().unwrap_err();
            assert_eq!(
                error.raw_os_error(),
                Some(rustix::io::Errno::MFILE.raw_os_error())
            );
            drop(guard);
            for nth in 1..6 {
                let plan = Plan::new()
                    .at(Call::Write, nth, errno(rustix::io::Errno::INTR))
                    .at(Call::Write, nth + 1, Fault::Short(1))
                    .at(Call::Read, nth, errno(rustix::io::Errno::INTR))
                    .at(Call::Read, nth + 1, Fault::Short(3));
                let guard = plan.install();
                let (mut reader, writer) = pipe::pipe().unwrap();
                let sent = pattern(100_000);
                let copy = sent.clone();
                let task = spawn(async move { writer.write_all(&copy).await.unwrap() });
                let mut got = Vec::new();
                reader.read_to_end(&mut got).await.unwrap();
                task.await.unwrap();
                drop(guard);
                assert!(got == sent, "with faults from the {nth}th call on");
            }
        })
        .unwrap();
    drop(runtime);
    assert_eq!(open_fds(), before);
}
