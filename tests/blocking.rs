//! Streams lent to code that blocks: what std's traits ask for, by a loop that runs only meanwhile.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::io::{BufRead, BufReader, Cursor, ErrorKind, IoSlice, IoSliceMut, Read, Seek, Write};
use std::io::{Result, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mainspring::Runtime;
use mainspring::io::{AsyncWriteExt, Blocking, BufStream, duplex};
use mainspring::net::UnixStream;
use mainspring::time::sleep;

use rig::{On, pattern, small_buffers, std_unix_pair, tcp_pair};

const SECOND: Duration = Duration::from_secs(1);

on_both! {
    code_that_blocks_talks_to_a_task_of_its_own_loop,
    what_is_larger_than_the_kernel_holds_passes_both_ways,
    a_call_that_is_late_loses_nothing,
    a_close_is_the_end_for_the_other_side,
    inside_a_running_loop_it_panics_in_one_sentence_and_takes_nothing,
    errors_are_those_of_the_stream,
}

/// Answers each line with the same in capitals.
async fn shout(stream: UnixStream) -> Result<()> {
    let mut stream = BufStream::over(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        stream.write_all(line.to_uppercase().as_bytes()).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

fn code_that_blocks_talks_to_a_task_of_its_own_loop(on: On) {
    let runtime = on.runtime();
    let (near, far) = UnixStream::pair().unwrap();
    let task = runtime.spawn(shout(far));
    // std's own reader, over ours.
    let mut near = BufReader::new(runtime.blocking(near));
    for round in 0..10 {
        writeln!(near.get_mut(), "tick {round}").unwrap();
        let mut line = String::new();
        near.read_line(&mut line).unwrap();
        assert_eq!(line, format!("TICK {round}\n"));
    }
    drop(near);
    runtime.block_on(task).unwrap().unwrap().unwrap();
}

fn what_is_larger_than_the_kernel_holds_passes_both_ways(on: On) {
    let runtime = on.runtime();
    let (near, far) = runtime.block_on(tcp_pair()).unwrap();
    small_buffers(&near, 16 << 10);
    small_buffers(&far, 16 << 10);
    let echo = runtime.spawn(async move {
        let (mut reader, mut writer) = far.into_split();
        mainspring::io::copy(&mut reader, &mut writer).await
    });
    let sent = pattern(256 << 10);
    let mut near = runtime.blocking(near);
    let mut got = Vec::new();
    for piece in sent.chunks(8 << 10) {
        let (head, tail) = piece.split_at(1000);
        let count = near
            .write_vectored(&[IoSlice::new(head), IoSlice::new(tail)])
            .unwrap();
        near.write_all(&piece[count..]).unwrap();
        let mut buf = vec![0; piece.len()];
        let (head, tail) = buf.split_at_mut(7);
        let mut bufs = [IoSliceMut::new(head), IoSliceMut::new(tail)];
        let count = near.read_vectored(&mut bufs).unwrap();
        near.read_exact(&mut buf[count..]).unwrap();
        got.extend_from_slice(&buf);
    }
    assert!(got == sent);
    near.close().unwrap();
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
    let moved = runtime.block_on(echo).unwrap().unwrap().unwrap();
    assert_eq!(moved, sent.len() as u64);
}

fn a_call_that_is_late_loses_nothing(on: On) {
    let runtime = on.sim_runtime();
    let (near, far) = UnixStream::pair().unwrap();
    runtime.spawn(async move {
        far.write_all(b"ti").await.unwrap();
        sleep(SECOND * 3).await;
        far.write_all(b"ck").await.unwrap();
    });
    let mut near = runtime.blocking(near);
    assert_eq!(near.timeout(), None);
    near.set_timeout(Some(SECOND));
    let start = runtime.now();
    let mut buf = [0; 8];
    assert_eq!(near.read(&mut buf).unwrap(), 2);
    assert_eq!(runtime.now() - start, Duration::ZERO);
    for _ in 0..2 {
        let error = near.read(&mut buf[2..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
    assert_eq!(runtime.now() - start, SECOND * 2);
    near.set_timeout(None);
    assert_eq!(near.read(&mut buf[2..]).unwrap(), 2);
    assert_eq!(&buf[..4], b"tick");
    assert_eq!(runtime.now() - start, SECOND * 3);
}

fn a_close_is_the_end_for_the_other_side(on: On) {
    let runtime = on.runtime();
    let (near, mut far) = std_unix_pair();
    let mut near = runtime.blocking(mainspring::io::BufWriter::new(near));
    near.write_all(b"tick").unwrap();
    assert_eq!(near.get_ref().unsent(), 4);
    near.flush().unwrap();
    assert_eq!(near.get_mut().unsent(), 0);
    near.write_all(b" tock").unwrap();
    near.close().unwrap();
    let mut all = String::new();
    far.read_to_string(&mut all).unwrap();
    assert_eq!(all, "tick tock");
}

fn inside_a_running_loop_it_panics_in_one_sentence_and_takes_nothing(on: On) {
    let (runtime, other) = (on.runtime(), on.runtime());
    let (near, mut far) = std_unix_pair();
    far.write_all(b"tick").unwrap();
    let mut near = runtime.blocking(near);
    for running in [&runtime, &other] {
        let call = async { catch_unwind(AssertUnwindSafe(|| near.read(&mut [0; 8]))) };
        let panic = running.block_on(call).unwrap().unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert_eq!(
            text,
            "Runtime::block_on was called inside a running loop; a thread runs one loop at a time"
        );
    }
    let mut buf = [0; 8];
    assert_eq!(near.read(&mut buf).unwrap(), 4);
    assert_eq!(&buf[..4], b"tick");
}

fn errors_are_those_of_the_stream(on: On) {
    let runtime = on.runtime();
    let (near, far) = std_unix_pair();
    drop(far);
    let mut near = runtime.blocking(near);
    let error = near.write_all(b"tick").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    let error = near.read_exact(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn lines_and_places_are_std_s() {
    let runtime = Runtime::new().unwrap();
    let stream = mainspring::io::BufReader::new(Cursor::new(b"tick\ntock\nlast".to_vec()));
    let mut stream = runtime.blocking(stream);
    assert_eq!(stream.fill_buf().unwrap(), b"tick\ntock\nlast");
    let mut line = Vec::new();
    BufRead::read_until(&mut stream, b'\n', &mut line).unwrap();
    assert_eq!(line, b"tick\n");
    assert_eq!(Seek::stream_position(&mut stream).unwrap(), 5);
    assert_eq!(Seek::seek(&mut stream, SeekFrom::End(-9)).unwrap(), 5);
    let lines: Vec<String> = stream.lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["tock", "last"]);
}

#[test]
fn several_streams_borrow_one_loop() {
    let runtime = Runtime::new().unwrap();
    let (near, far) = duplex(64);
    let mut near: Blocking<'_, _> = runtime.blocking(near);
    let mut far = runtime.blocking(far);
    near.write_all(b"tick").unwrap();
    near.close().unwrap();
    let mut all = Vec::new();
    std::io::copy(&mut far, &mut all).unwrap();
    assert_eq!(all, b"tick");
    assert!(format!("{near:?}").starts_with("Blocking"));
    drop(near.into_inner());
}

#[test]
fn a_wait_that_nobody_can_end_panics_and_names_the_line() {
    let runtime = Runtime::new().unwrap();
    let (near, _far) = duplex(64);
    let mut near = runtime.blocking(near);
    let line = line!() + 1;
    let panic = catch_unwind(AssertUnwindSafe(|| near.read(&mut [0; 8]))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    if cfg!(feature = "inspect") {
        assert!(text.contains(&format!("{}:{line}", file!())), "{text}");
    }
}
