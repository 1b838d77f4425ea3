//! What a file took is in it, in order and once, whatever was dropped, failed or ended on the way.

use std::io::{ErrorKind, SeekFrom};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;

use mainspring::fs::{self, File};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::blocking::statistics;
use mainspring::{Runtime, spawn_blocking, yield_now};

use crate::rig::{On, pattern};
use crate::{Folder, both_ways, builder, jobs};

on_both! {
    p61_hz_g09_a_file_that_is_dropped_has_all_that_it_took,
    p61_hz_g09_a_loop_that_ends_first_writes_what_no_thread_had_time_for,
    p61_hz_g09_what_could_not_be_written_is_told_once_and_tried_again,
    p61_hz_g09_errors_at_every_place_lose_and_double_nothing,
    p61_hz_g09_a_clone_is_made_when_what_came_before_is_written,
    p61_hz_g09_operations_come_after_the_writes_before_them,
    p61_a_read_that_was_dropped_gives_its_bytes_to_the_next,
    p61_a_write_goes_back_over_what_a_dropped_read_brought,
    p61_many_small_writes_are_few_calls,
    hz_g09_a_loop_ends_while_a_thread_reads,
}

/// One thread, with a plan of its own, and nothing asked on the loop's thread.
pub(crate) fn one_thread(on: On, plan: impl Fn() -> Plan + Send + Sync + 'static) -> Runtime {
    builder(on, false)
        .blocking_threads_max(1)
        .on_thread_start(move || std::mem::forget(plan().install()))
        .build()
        .unwrap()
}

/// A pipe: what is written waits for the test once 64 KiB are in it.
fn pipe() -> (std::fs::File, std::fs::File) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let file = |fd: OwnedFd| std::fs::File::from(fd);
    (file(reader), file(writer))
}

fn p61_hz_g09_a_file_that_is_dropped_has_all_that_it_took(on: On) {
    use std::io::Read as _;
    let bytes = pattern(300_000);
    let (mut reader, writer) = pipe();
    let runtime = builder(on, true).build().unwrap();
    runtime
        .block_on(async {
            let mut file = File::from_std(writer);
            // The thread that writes waits for a reader: some is in the pipe, some with it, some with the file.
            file.write_all(&bytes[..100_000]).await.unwrap();
            yield_now().await;
            file.write_all(&bytes[100_000..]).await.unwrap();
            drop(file);
        })
        .unwrap();
    let thread = std::thread::spawn(move || {
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        got
    });
    drop(runtime);
    assert!(thread.join().unwrap() == bytes);
}

fn p61_hz_g09_a_loop_that_ends_first_writes_what_no_thread_had_time_for(on: On) {
    let folder = Folder::new();
    let path = folder.path("late");
    let (open, closed) = mpsc::channel::<()>();
    let runtime = builder(on, true)
        .blocking_threads_max(1)
        .blocking_shutdown_timeout(Duration::ZERO)
        .build()
        .unwrap();
    runtime
        .block_on(async {
            let mut file = File::create(&path).await.unwrap();
            let busy = spawn_blocking(move || {
                let _ = closed.recv();
            });
            while statistics().unwrap().running == 0 {
                yield_now().await;
            }
            file.write_all(b"nobody had time").await.unwrap();
            drop(file);
            drop(busy);
        })
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    drop(runtime);
    assert_eq!(std::fs::read(&path).unwrap(), b"nobody had time");
    drop(open);
}

fn p61_hz_g09_what_could_not_be_written_is_told_once_and_tried_again(on: On) {
    for errno in [libc::ENOSPC, libc::EIO, libc::EDQUOT] {
        let folder = Folder::new();
        let path = folder.path("retry");
        // Three bytes fit, then there is no room for three calls.
        let plan = move || {
            Plan::new().at(Call::Write, 1, Fault::Short(3)).from(
                Call::Write,
                2,
                3,
                Fault::Errno(errno),
            )
        };
        let runtime = one_thread(on, plan);
        runtime
            .block_on(async {
                let mut file = File::create(&path).await.unwrap();
                file.write_all(b"tick ").await.unwrap();
                let told = file.flush().await.unwrap_err();
                assert_eq!(told.raw_os_error(), Some(errno));
                assert_eq!(std::fs::read(&path).unwrap(), b"tic");
                // A flush tries once more; so does a sync.
                let told = file.flush().await.unwrap_err();
                assert_eq!(told.raw_os_error(), Some(errno));
                let told = file.sync_all().await.unwrap_err();
                assert_eq!(told.raw_os_error(), Some(errno));
                file.write_all(b"tock").await.unwrap();
                file.flush().await.unwrap();
                file.flush().await.unwrap();
            })
            .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"tick tock", "{errno}");
    }
}

fn p61_hz_g09_errors_at_every_place_lose_and_double_nothing(on: On) {
    for fault in [
        Fault::Errno(libc::ENOSPC),
        Fault::Errno(libc::EIO),
        Fault::Errno(libc::EINTR),
        Fault::Short(1),
        Fault::Short(0),
    ] {
        for nth in 1..6 {
            let folder = Folder::new();
            let path = folder.path("everywhere");
            let runtime = one_thread(on, move || Plan::new().at(Call::Write, nth, fault));
            let mut told = 0;
            runtime
                .block_on(async {
                    let mut file = File::create(&path).await.unwrap();
                    for word in [&b"one "[..], b"two ", b"three ", b"four"] {
                        // An error is of an earlier word: this one was not taken.
                        while file.write_all(word).await.is_err() {
                            told += 1;
                        }
                        if word == b"two " {
                            while file.flush().await.is_err() {
                                told += 1;
                            }
                        }
                    }
                    while file.close().await.is_err() {
                        told += 1;
                    }
                })
                .unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"one two three four");
            let is_silent = matches!(fault, Fault::Errno(libc::EINTR) | Fault::Short(1));
            assert!(
                told <= 1 && (!is_silent || told == 0),
                "{fault:?} {nth}: {told}"
            );
            if nth == 1 && !is_silent {
                assert_eq!(told, 1, "{fault:?} was swallowed");
            }
        }
    }
    // Every call fails: it is told, and nothing spins.
    let folder = Folder::new();
    let path = folder.path("never");
    let plan = || Plan::new().from(Call::Write, 1, u64::MAX, Fault::Errno(libc::ENOSPC));
    let runtime = one_thread(on, plan);
    runtime
        .block_on(async {
            let mut file = File::create(&path).await.unwrap();
            file.write_all(b"tick").await.unwrap();
            for _ in 0..3 {
                let error = file.flush().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
            }
            let error = file.into_std().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        })
        .unwrap();
}

fn p61_hz_g09_a_clone_is_made_when_what_came_before_is_written(on: On) {
    both_ways(on, async |folder| {
        let path = folder.path("clone");
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"first ").await.unwrap();
        let mut twin = file.try_clone().await.unwrap();
        twin.write_all(b"second ").await.unwrap();
        twin.flush().await.unwrap();
        file.write_all(b"third").await.unwrap();
        let mut std_file = file.into_std().await.unwrap();
        std::io::Write::write_all(&mut std_file, b".").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first second third.");
    });
}

fn p61_hz_g09_operations_come_after_the_writes_before_them(on: On) {
    both_ways(on, async |folder| {
        for _ in 0..50 {
            let path = folder.path("after");
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true);
            let mut file = options.open(&path).await.unwrap();
            file.write_all(b"0123456789").await.unwrap();
            assert_eq!(file.metadata().await.unwrap().len(), 10);
            file.write_all(b"abc").await.unwrap();
            file.set_len(12).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"0123456789ab");
            file.write_all(b"Z").await.unwrap();
            file.seek(SeekFrom::Start(8)).await.unwrap();
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"89ab\0Z");
            file.write_all(b"!").await.unwrap();
            let mut byte = [0];
            assert_eq!(file.read_at(&mut byte, 14).await.unwrap(), 1);
            assert_eq!(byte, *b"!");
        }
    });
}

/// Polls once a future that waits, and drops it.
async fn begin(future: impl Future) {
    let mut future = std::pin::pin!(future);
    let is_waiting =
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending()));
    assert!(is_waiting.await);
}

fn p61_a_read_that_was_dropped_gives_its_bytes_to_the_next(on: On) {
    let folder = Folder::new();
    let path = folder.file("dropped", &pattern(1000));
    let runtime = one_thread(on, Plan::new);
    runtime
        .block_on(async {
            let mut file = File::open(&path).await.unwrap();
            begin(file.read(&mut [0; 100])).await;
            let mut got = vec![0; 100];
            file.read_exact(&mut got).await.unwrap();
            begin(file.read(&mut [0; 300])).await;
            file.read_to_end(&mut got).await.unwrap();
            assert!(got == pattern(1000));
        })
        .unwrap();
}

fn p61_a_write_goes_back_over_what_a_dropped_read_brought(on: On) {
    let folder = Folder::new();
    let path = folder.file("back", b"0123456789");
    let runtime = one_thread(on, Plan::new);
    runtime
        .block_on(async {
            let mut options = fs::OpenOptions::new();
            let mut file = options.read(true).write(true).open(&path).await.unwrap();
            let mut one = [0; 1];
            file.read_exact(&mut one).await.unwrap();
            begin(file.read(&mut [0; 5])).await;
            file.write_all(b"xy").await.unwrap();
            begin(file.read(&mut [0; 3])).await;
            assert_eq!(file.stream_position().await.unwrap(), 3);
            begin(file.read(&mut [0; 3])).await;
            assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 4);
            file.write_all(b"z").await.unwrap();
            file.close().await.unwrap();
        })
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"0xy3z56789");
}

/// While a thread writes, what comes is gathered.
fn p61_many_small_writes_are_few_calls(on: On) {
    use std::io::Read as _;
    let bytes = pattern(200_000);
    let (mut reader, writer) = pipe();
    let runtime = one_thread(on, Plan::new);
    runtime
        .block_on(async {
            let mut file = File::from_std(writer);
            // It does not fit into the pipe, so the thread stays with it ...
            file.write_all(&bytes[..100_000]).await.unwrap();
            while statistics().unwrap().running == 0 {
                yield_now().await;
            }
            // ... while a thousand writes are taken.
            for part in bytes[100_000..].chunks(100) {
                file.write_all(part).await.unwrap();
            }
            let thread = std::thread::spawn(move || {
                let mut got = vec![0; 200_000];
                reader.read_exact(&mut got).unwrap();
                (got, reader)
            });
            file.flush().await.unwrap();
            assert!(thread.join().unwrap().0 == bytes);
            assert!(jobs() <= 2, "{} jobs", jobs());
        })
        .unwrap();
}

fn hz_g09_a_loop_ends_while_a_thread_reads(on: On) {
    let (reader, mut writer) = pipe();
    let runtime = builder(on, true)
        .blocking_shutdown_timeout(Duration::ZERO)
        .build()
        .unwrap();
    runtime
        .block_on(async {
            let mut file = File::from_std(reader);
            begin(file.read(&mut [0; 10])).await;
            while statistics().unwrap().running == 0 {
                yield_now().await;
            }
            drop(file);
        })
        .unwrap();
    drop(runtime);
    // The thread that was left ends by itself.
    std::io::Write::write_all(&mut writer, b"end").unwrap();
}
