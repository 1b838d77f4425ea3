//! Processes that come to a subreaper when their parents end, and children of ours that a search for them meets.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring::io::AsyncWriteExt;
use mainspring::process::{Child, Command, Orphan, Stdio, become_subreaper, try_wait_orphan};
use mainspring::signal::{self, Listener, Signal};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::{pipe, yield_now};

use crate::rig::On;
use crate::starts::children;

on_both! {
    an_orphan_comes_to_a_subreaper_who_learns_how_it_ended,
    hz_e04_a_child_that_nobody_has_asked_for_hides_no_orphan,
    hz_e04_a_child_that_was_started_by_others_is_left_to_them,
    hz_e04_a_start_on_another_thread_is_no_orphan,
    a_fault_of_the_search_is_told_and_takes_nobody,
}

/// Whether this system can adopt; says so if not.
fn adopts() -> bool {
    match become_subreaper() {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            eprintln!("this system has no subreapers");
            false
        }
    }
}

/// A process that is an orphan of ours, and ends with 7 when the writer closes.
async fn orphan() -> pipe::PipeWriter {
    let (reader, writer) = pipe::pipe().unwrap();
    let input = reader.into_blocking_fd().unwrap();
    let parent = Command::shell("(read line <&3; exit 7) &").fd(3, input);
    assert!(parent.status().await.unwrap().success());
    writer
}

/// The next orphan that ends.
async fn adopted(ends: &mut Listener, is_ours: impl Fn(u32) -> bool) -> Orphan {
    loop {
        if let Some(orphan) = try_wait_orphan(&is_ours).unwrap() {
            return orphan;
        }
        ends.recv().await.unwrap();
    }
}

/// Until it has ended, and nobody has waited for it.
async fn until_zombie(pid: u32) {
    let stat = ["-o", "stat=", "-p", &pid.to_string()].map(str::to_owned);
    loop {
        let output = std::process::Command::new("ps").args(&stat).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(!text.trim().is_empty(), "process {pid} is gone");
        if text.trim().starts_with('Z') {
            return;
        }
        yield_now().await;
    }
}

/// A child that ends with 3 when its input does.
fn ours() -> Child {
    let command = Command::shell("read line; exit 3");
    command.stdin(Stdio::Piped).spawn().unwrap()
}

fn an_orphan_comes_to_a_subreaper_who_learns_how_it_ended(on: On) {
    on.alone(|| {
        if !adopts() {
            return;
        }
        on.run(async {
            let mut ends = signal::signal(Signal::CHLD).unwrap();
            assert_eq!(try_wait_orphan(|_| false).unwrap(), None, "no children");
            let mut writer = orphan().await;
            assert_eq!(try_wait_orphan(|_| false).unwrap(), None, "none has ended");
            writer.close().await.unwrap();
            let found = adopted(&mut ends, |_| false).await;
            assert_eq!(found.status.code(), Some(7));
            assert_eq!(try_wait_orphan(|_| false).unwrap(), None);
        });
        assert_eq!(children(), 0);
    });
}

fn hz_e04_a_child_that_nobody_has_asked_for_hides_no_orphan(on: On) {
    on.alone(|| {
        if !adopts() {
            return;
        }
        on.run(async {
            let mut ends = signal::signal(Signal::CHLD).unwrap();
            // Older than the orphan: the system shows them first.
            let [mut asked, mut awaited, mut dropped] = [ours(), ours(), ours()];
            let writer = orphan().await;
            for child in [&mut asked, &mut awaited, &mut dropped] {
                child.stdin = None;
                until_zombie(child.id()).await;
            }
            drop(writer);
            let found = adopted(&mut ends, |_| false).await;
            assert_eq!(found.status.code(), Some(7));
            // They are reaped by now, and their numbers may be others'.
            assert_eq!(children(), 0);
            for result in [asked.kill(), asked.kill_group()] {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
            }
            assert_eq!(asked.try_wait().unwrap().unwrap().code(), Some(3));
            assert!(asked.usage().unwrap().max_resident > 0);
            assert_eq!(awaited.wait().await.unwrap().code(), Some(3));
            assert_eq!(awaited.wait().await.unwrap().code(), Some(3));
            drop(dropped);
        });
    });
}

fn hz_e04_a_child_that_was_started_by_others_is_left_to_them(on: On) {
    on.alone(|| {
        if !adopts() {
            return;
        }
        on.run(async {
            let mut ends = signal::signal(Signal::CHLD).unwrap();
            let mut other = std::process::Command::new("true").spawn().unwrap();
            let writer = orphan().await;
            until_zombie(other.id()).await;
            drop(writer);
            let is_ours = |pid| pid == other.id();
            for _ in 0..3 {
                assert_eq!(try_wait_orphan(is_ours).unwrap(), None);
            }
            assert!(other.wait().unwrap().success());
            let found = adopted(&mut ends, |_| false).await;
            assert_eq!(found.status.code(), Some(7));
        });
        assert_eq!(children(), 0);
    });
}

fn hz_e04_a_start_on_another_thread_is_no_orphan(on: On) {
    const STARTS: usize = 100;
    on.alone(|| {
        let is_over = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::clone(&is_over);
        let search = std::thread::spawn(move || {
            while !has_ended.load(Ordering::Relaxed) {
                assert_eq!(try_wait_orphan(|_| false).unwrap(), None);
                std::thread::yield_now();
            }
        });
        let start = move || {
            on.run(async {
                for _ in 0..STARTS {
                    assert!(Command::new("true").status().await.unwrap().success());
                    // One that has ended before its start has.
                    assert!(Command::new("/no/such").spawn().is_err());
                }
            });
        };
        let loops = [(); 2].map(|()| std::thread::spawn(start));
        let ended = loops.map(std::thread::JoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        search.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
        assert_eq!(children(), 0);
    });
}

fn a_fault_of_the_search_is_told_and_takes_nobody(on: On) {
    use rustix::io::Errno;
    on.alone(|| {
        if !adopts() {
            return;
        }
        on.run(async {
            let mut ends = signal::signal(Signal::CHLD).unwrap();
            let mut child = ours();
            let writer = orphan().await;
            child.stdin = None;
            until_zombie(child.id()).await;
            drop(writer);
            // The first call looks, the second reaps what is ours.
            for nth in [1, 2] {
                let fault = |errno: Errno| Fault::Errno(errno.raw_os_error());
                let guard = Plan::new()
                    .at(Call::WaitChild, nth, fault(Errno::INVAL))
                    .install();
                let error = try_wait_orphan(|_| false).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                drop(guard);
            }
            let interrupted = Fault::Errno(Errno::INTR.raw_os_error());
            let guard = Plan::new().at(Call::WaitChild, 1, interrupted).install();
            assert_eq!(adopted(&mut ends, |_| false).await.status.code(), Some(7));
            drop(guard);
            assert_eq!(child.wait().await.unwrap().code(), Some(3));
        });
        assert_eq!(children(), 0);
    });
}
