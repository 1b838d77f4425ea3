//! Streams that block, awaited: `read_on_pool` and `write_on_pool`.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use mainspring::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, read_on_pool, write_on_pool,
};
use mainspring::time::timeout;

/// Reads what comes through a channel; its end is the stream's.
struct Fed(Receiver<Result<Vec<u8>>>);

impl Read for Fed {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let Ok(bytes) = self.0.recv() else {
            return Ok(0);
        };
        let bytes = bytes?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

/// Keeps what is written, and fails when it is told to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    bytes: Vec<u8>,
    /// How many writes go well before one fails, and what it fails with.
    failure: Option<(u32, ErrorKind)>,
    flushes: u32,
}

impl Write for Kept {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        let mut kept = self.0.lock().unwrap();
        match kept.failure {
            Some((0, kind)) => {
                kept.failure = None;
                return Err(kind.into());
            }
            Some((count, kind)) => kept.failure = Some((count - 1, kind)),
            None => {}
        }
        let count = buf.len().min(1000);
        kept.bytes.extend_from_slice(&buf[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.lock().unwrap().flushes += 1;
        Ok(())
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

#[test]
fn a_reader_that_blocks_is_awaited_while_others_run() {
    mainspring::run(async {
        let (feed, fed) = channel();
        let mut reader = read_on_pool(Fed(fed));
        let feeder = mainspring::spawn(async move {
            for chunk in pattern(200_000).chunks(777) {
                feed.send(Ok(chunk.to_vec())).unwrap();
                mainspring::yield_now().await;
            }
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.unwrap();
        assert!(all == pattern(200_000));
        feeder.await.unwrap();
        assert!(reader.into_inner().is_some());
    })
    .unwrap();
}

#[test]
fn a_read_that_is_dropped_loses_nothing() {
    mainspring::run(async {
        let (feed, fed) = channel();
        let mut reader = read_on_pool(Fed(fed));
        let mut buf = [0; 8];
        for round in 0..20 {
            let read = pin!(reader.read(&mut buf));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(read.poll(&mut cx).is_pending());
            feed.send(Ok(vec![round])).unwrap();
            assert_eq!(reader.read(&mut buf).await.unwrap(), 1);
            assert_eq!(buf[0], round);
        }
        drop(feed);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0, "it stays the end");
    })
    .unwrap();
}

#[test]
fn errors_of_a_reader_come_once_and_an_interrupt_is_another_try() {
    mainspring::run(async {
        let (feed, fed) = channel();
        feed.send(Err(ErrorKind::Interrupted.into())).unwrap();
        feed.send(Err(Error::from_raw_os_error(5))).unwrap();
        feed.send(Ok(b"on\n".to_vec())).unwrap();
        let mut reader = read_on_pool(Fed(fed));
        let mut buf = [0; 8];
        let error = reader.read(&mut buf).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
        let mut line = Vec::new();
        assert_eq!(reader.read_until(b'\n', &mut line).await.unwrap(), 3);
        assert_eq!(line, b"on\n");
    })
    .unwrap();
}

#[test]
fn a_reader_that_panics_is_lost_and_says_so() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> Result<usize> {
            panic!("a broken reader")
        }
    }
    mainspring::run(async {
        let mut reader = read_on_pool(Broken);
        let error = reader.read(&mut [0]).await.unwrap_err();
        assert!(error.to_string().contains("a broken reader"), "{error}");
        let error = reader.read(&mut [0]).await.unwrap_err();
        assert!(error.to_string().contains("the stream panicked"), "{error}");
        assert!(reader.into_inner().is_none());
    })
    .unwrap();
}

#[test]
fn a_writer_that_blocks_gets_all_bytes_in_order_and_a_flush() {
    mainspring::run(async {
        let kept = Kept::default();
        let mut writer = write_on_pool(kept.clone());
        for chunk in pattern(300_000).chunks(100_000) {
            writer.write_all(chunk).await.unwrap();
        }
        writer.flush().await.unwrap();
        assert!(kept.0.lock().unwrap().bytes == pattern(300_000));
        assert_eq!(kept.0.lock().unwrap().flushes, 1);
        writer.flush().await.unwrap();
        assert_eq!(
            kept.0.lock().unwrap().flushes,
            1,
            "there was nothing to flush"
        );
        writer.close().await.unwrap();
        let error = writer.write(b"late").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(writer.into_inner().is_some());
    })
    .unwrap();
}

#[test]
fn hz_g09_an_error_of_a_write_comes_out_once_and_loses_nothing() {
    for failed_at in 0..4 {
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            mainspring::run(async {
                let kept = Kept::default();
                let mut writer = write_on_pool(kept.clone());
                let mut errors = 0;
                for (index, chunk) in pattern(20_000).chunks(5_000).enumerate() {
                    if index == failed_at {
                        // Not while the bytes before are still on their way.
                        writer.flush().await.unwrap();
                        kept.0.lock().unwrap().failure = Some((2, kind));
                    }
                    while writer.write(chunk).await.map_err(|error| error.kind()) != Ok(5_000) {
                        errors += 1;
                    }
                }
                while writer.flush().await.is_err() {
                    errors += 1;
                }
                assert_eq!(errors, 1, "{kind} at {failed_at}");
                assert!(kept.0.lock().unwrap().bytes == pattern(20_000));
            })
            .unwrap();
        }
    }
}

#[test]
fn hz_g09_what_a_writer_took_is_written_though_it_is_dropped_meanwhile() {
    /// Waits, before its first byte, until it is let.
    struct Gated(Kept, Option<Receiver<()>>);
    impl Write for Gated {
        fn write(&mut self, buf: &[u8]) -> Result<usize> {
            if let Some(gate) = self.1.take() {
                gate.recv().unwrap();
            }
            self.0.write(buf)
        }
        fn flush(&mut self) -> Result<()> {
            self.0.flush()
        }
    }
    let kept = Kept::default();
    mainspring::run(async {
        let (open, gate) = channel();
        let mut writer = write_on_pool(Gated(kept.clone(), Some(gate)));
        assert_eq!(writer.write(&pattern(5_000)).await.unwrap(), 5_000);
        drop(writer);
        assert!(kept.0.lock().unwrap().bytes.is_empty());
        open.send(()).unwrap();
        let is_done = || {
            let statistics = mainspring::task::blocking::statistics().unwrap();
            statistics.queued == 0 && statistics.running == 0
        };
        while !is_done() {
            mainspring::yield_to_io().await;
        }
    })
    .unwrap();
    assert!(kept.0.lock().unwrap().bytes == pattern(5_000));
}

#[test]
fn where_no_loop_runs_nothing_is_taken() {
    let (feed, fed) = channel();
    feed.send(Ok(b"x".to_vec())).unwrap();
    let mut reader = read_on_pool(Fed(fed));
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(&mut reader).poll_read(&mut cx, &mut [0]) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::NotConnected),
        other => panic!("{other:?}"),
    }
    mainspring::run(async move {
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 1);
    })
    .unwrap();
}

#[test]
fn a_read_can_have_a_limit_of_time() {
    mainspring::run(async {
        let (feed, fed) = channel();
        let mut reader = read_on_pool(Fed(fed));
        let mut buf = [0; 4];
        let late = timeout(std::time::Duration::from_millis(2), reader.read(&mut buf)).await;
        assert!(late.is_err());
        let feeder = thread::spawn(move || feed.send(Ok(b"tick".to_vec())).unwrap());
        assert_eq!(reader.read(&mut buf).await.unwrap(), 4);
        feeder.join().unwrap();
    })
    .unwrap();
}
