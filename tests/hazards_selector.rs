//! The hazards of group C, selectors, at the level of the loop: what a user of a socket would notice.
//!
//! The suite in `sys/tests/conformance.rs` holds each backend to its contract; here the whole road is
//! walked, from the kernel's report to the task. No sleep stands for an event: bounds are counted in
//! polls, system calls and virtual time.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "net/signals.rs"]
mod signals;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::io::{AsyncFd, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use mainspring::net::{TcpStream, UnixStream};
use mainspring::sim::fault::{self, Call, Fault, Plan, count_of};
use mainspring::time::{now, sleep, timeout};
use mainspring::{Ready, Runtime};
use mainspring_sys::Selector;
use mainspring_sys::selector::scripted::{Script, Scripted, Step};
use rig::{
    On, both, listener, open_fds, pattern, read_to_end, reset_on_close, small_buffers,
    std_tcp_pair, std_unix_pair, tcp_pair, turns,
};

on_both! {
    hz_c01_an_interrupted_wait_goes_on_with_the_time_that_is_left,
    hz_c01_a_storm_of_signals_is_not_noticed,
    hz_c02_no_close_under_signals_hits_anybody_else,
    hz_c04_a_firehose_starves_nobody,
    hz_c04_who_only_asks_starves_nobody,
    hz_c05_what_was_sent_before_the_close_is_read_before_the_end,
    hz_c06_a_report_at_any_step_is_not_lost,
    hz_c07_every_operation_wakes_after_it_would_have_blocked,
    hz_c08_a_selector_that_lies_changes_no_result,
    hz_c09_a_stale_event_of_the_batch_is_not_the_new_owners,
    hz_c10_a_duplicate_kept_by_a_child_reports_nothing,
    hz_c11_close_and_open_within_one_turn,
    hz_c12_what_no_selector_takes_is_an_error_and_the_loop_goes_on,
    hz_c13_twice_the_same_number_is_refused_and_a_duplicate_is_not,
    hz_c14_a_reset_that_nobody_waits_for_is_no_spin,
    hz_c15_whatever_the_peer_ends_wakes_who_waits,
    hz_c15_a_pipe_that_loses_its_other_end_wakes_who_waits,
    hz_c17_a_waker_that_closes_everything_ends_the_event,
    hz_c20_a_number_closed_behind_our_back_is_no_spin,
    hz_c21_more_ready_than_fit_are_all_served,
    hz_c22_a_refused_registration_leaves_nothing_behind,
    hz_c24_a_socket_that_outlives_its_loop_says_so,
    hz_c25_a_forked_child_that_executes_leaves_the_parents_registrations,
    hz_c26_a_child_inherits_nothing_of_the_loop,
    hz_c27_the_flags_of_the_standard_streams_stay_as_they_were,
    hz_c28_a_wait_that_fails_ends_block_on_and_nothing_else,
    hz_c05_a_short_read_at_the_urgent_mark_is_not_the_end_of_the_data,
    hz_c05_a_short_read_of_a_unix_socket_at_the_urgent_mark_is_not_the_end_of_the_data,
    hz_c05_a_short_read_where_another_writer_begins_is_not_the_end_of_the_data,
    hz_c05_a_short_read_behind_passed_descriptors_is_not_the_end_of_the_data,
    hz_c07_a_fresh_descriptor_is_readable_only_when_the_selector_says_so,
    hz_c22_after_a_refused_registration_the_next_read_tries_first,
    hz_c13_a_number_given_back_by_get_mut_is_free_again,
    hz_c23_a_socket_that_changes_its_loop_is_reported_by_the_new_one,
    hz_c23_two_loops_that_wait_for_one_socket_are_told,
}

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);

// recv stops at TCP's urgent mark, with bytes left behind it, and no edge is to come.
fn hz_c05_a_short_read_at_the_urgent_mark_is_not_the_end_of_the_data(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        read_past_the_mark(near, far).await;
    });
}

// Linux has urgent data of Unix sockets as well.
fn hz_c05_a_short_read_of_a_unix_socket_at_the_urgent_mark_is_not_the_end_of_the_data(on: On) {
    on.sim(async {
        let (_near, far) = UnixStream::pair().unwrap();
        if rustix::net::send(&far, b"?", rustix::net::SendFlags::OOB).is_err() {
            eprintln!("this system has no urgent data here: nothing was tested");
            return;
        }
        let (near, far) = UnixStream::pair().unwrap();
        read_past_the_mark(near, far).await;
    });
}

async fn read_past_the_mark<S: AsyncRead + AsyncWrite + AsFd + Unpin>(mut near: S, mut far: S) {
    let mut buf = [0; 64];
    // Registered, and nothing there.
    let early = timeout(Duration::from_secs(1), near.read(&mut buf)).await;
    assert!(early.is_err());
    far.write_all(b"abc").await.unwrap();
    rustix::net::send(&far, b"!", rustix::net::SendFlags::OOB).unwrap();
    far.write_all(b"def").await.unwrap();
    turns(4).await;
    let mut all = Vec::new();
    while all.len() < 6 {
        let count = timeout(NEVER, near.read(&mut buf))
            .await
            .expect("bytes are left")
            .unwrap();
        all.extend_from_slice(&buf[..count]);
    }
    assert_eq!(all, b"abcdef");
}

// recv on a Unix socket stops behind a message that carried descriptors.
fn hz_c05_a_short_read_behind_passed_descriptors_is_not_the_end_of_the_data(on: On) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    on.sim(async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut buf = [0; 64];
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut buf))
                .await
                .is_err()
        );
        let passed = [far.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&passed)));
        let message = [std::io::IoSlice::new(b"abc")];
        sendmsg(&far, &message, &mut ancillary, SendFlags::empty()).unwrap();
        far.write_all(b"def").await.unwrap();
        turns(4).await;
        let mut all = Vec::new();
        while all.len() < 6 {
            let count = timeout(NEVER, near.read(&mut buf))
                .await
                .expect("bytes are left")
                .unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcdef");
    });
}

// A read stops where another writer's credentials begin, if the socket asks for them.
fn hz_c05_a_short_read_where_another_writer_begins_is_not_the_end_of_the_data(on: On) {
    on.sim(async {
        let (near, far) = UnixStream::pair().unwrap();
        if near.set_pass_credentials(true).is_err() {
            return;
        }
        let mut buf = [0; 64];
        let early = timeout(Duration::from_secs(1), near.read(&mut buf)).await;
        assert!(early.is_err());
        far.write_all(b"abc").await.unwrap();
        // No end of ours goes: a hang-up would be told, and the rest with it.
        let far = far.into_std();
        let passed = OwnedFd::from(far.try_clone().unwrap());
        let mut other = Command::new("printf");
        let mut other = other.arg("def").stdout(passed).spawn().unwrap();
        assert!(other.wait().unwrap().success());
        turns(4).await;
        let mut all = Vec::new();
        while all.len() < 6 {
            let count = timeout(NEVER, near.read(&mut buf))
                .await
                .expect("bytes are left")
                .unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcdef");
        drop(far);
    });
}

fn hz_c07_a_fresh_descriptor_is_readable_only_when_the_selector_says_so(on: On) {
    on.sim(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let near = AsyncFd::new(near).unwrap();
        near.writable().await.unwrap();
        let early = timeout(Duration::from_secs(1), near.readable()).await;
        assert!(early.is_err(), "nothing is there to be read: {early:?}");
        far.write_all(b"!").unwrap();
        timeout(NEVER, near.readable())
            .await
            .expect("a byte is there")
            .unwrap();
    });
}

fn hz_c22_after_a_refused_registration_the_next_read_tries_first(on: On) {
    if !on.is_edge() {
        return; // poll(2) has no registration that could fail.
    }
    on.sim(async {
        let (near, mut far) = std_tcp_pair();
        let mut buf = [0; 8];
        let plan =
            fault::Plan::new().at(fault::Call::Control, 1, fault::Fault::Errno(libc::ENOSPC));
        let guard = plan.install();
        let error = near.read(&mut buf).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        drop(guard);
        far.write_all(b"here").unwrap();
        let forever = fault::Plan::new().from(
            fault::Call::Control,
            1,
            u64::MAX,
            fault::Fault::Errno(libc::ENOSPC),
        );
        let _guard = forever.install();
        // Bytes that are there need no registration.
        assert_eq!(near.read(&mut buf).await.unwrap(), 4);
        assert_eq!(fault::count_of(fault::Call::Control), 0);
    });
}

fn hz_c13_a_number_given_back_by_get_mut_is_free_again(on: On) {
    on.sim(async {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let (other, _other_far) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let mut wrapped = AsyncFd::new(near).unwrap();
        assert!(
            timeout(Duration::from_secs(1), wrapped.readable())
                .await
                .is_err()
        );
        // The old object closes here, and its number with it.
        *wrapped.get_mut() = other;
        let error = wrapped.readable().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        drop(wrapped);
        let mut kept = Vec::new();
        let (reused, mut writer) = loop {
            let pair = std::os::unix::net::UnixStream::pair().unwrap();
            if pair.0.as_raw_fd() == number || kept.len() > 200 {
                break pair;
            }
            kept.push(pair);
        };
        let reused = AsyncFd::new(reused).unwrap();
        assert!(
            timeout(Duration::from_secs(1), reused.readable())
                .await
                .is_err()
        );
        writer.write_all(b"!").unwrap();
        timeout(NEVER, reused.readable())
            .await
            .expect("a byte is there")
            .unwrap();
    });
}

fn hz_c23_a_socket_that_changes_its_loop_is_reported_by_the_new_one(on: On) {
    let (first, second) = (on.sim_runtime(), on.sim_runtime());
    let (near, mut far) = std_unix_pair();
    let mut buf = [0; 8];
    first
        .block_on(async {
            assert!(
                timeout(Duration::from_secs(1), near.read(&mut buf))
                    .await
                    .is_err()
            );
        })
        .unwrap();
    for (round, runtime) in [&second, &first, &second].into_iter().enumerate() {
        let read = runtime.block_on(async {
            let reader = timeout(NEVER, near.read(&mut buf));
            let writer = async {
                turns(2).await;
                far.write_all(b"moved").unwrap();
            };
            both(reader, writer).await.0
        });
        assert_eq!(
            read.unwrap().expect("a byte is there").unwrap(),
            5,
            "round {round}"
        );
    }
    drop(first);
    // It had left the first one, so that one's end is nothing to it.
    far.write_all(b"!").unwrap();
    assert_eq!(second.block_on(near.read(&mut buf)).unwrap().unwrap(), 1);
}

fn hz_c23_two_loops_that_wait_for_one_socket_are_told(on: On) {
    let (first, second) = (on.sim_runtime(), on.sim_runtime());
    let (near, mut far) = std_unix_pair();
    let near = std::rc::Rc::new(near);
    let reader = std::rc::Rc::clone(&near);
    let waiting = first.spawn(async move { reader.read(&mut [0; 8]).await });
    first.tick().unwrap();
    let refused = second
        .block_on(near.read(&mut [0; 8]))
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
    far.write_all(b"first").unwrap();
    assert_eq!(first.block_on(waiting).unwrap().unwrap().unwrap(), 5);
}

fn hz_c01_an_interrupted_wait_goes_on_with_the_time_that_is_left(on: On) {
    on.run(async {
        let (near, mut far) = std_unix_pair();
        let _guard = Plan::new()
            .from(Call::Wait, 1, 50, Fault::Errno(libc::EINTR))
            .install();
        let start = now();
        let span = Duration::from_millis(20);
        assert!(timeout(span, near.read(&mut [0; 8])).await.is_err());
        assert!(now() - start >= span, "{:?}", now() - start);
        // In a real storm there are others.
        let most = if cfg!(mainspring_storm) { 1000 } else { 70 };
        assert!(
            (51..most).contains(&count_of(Call::Wait)),
            "{}",
            count_of(Call::Wait)
        );
        far.write_all(b"!").unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

fn hz_c01_a_storm_of_signals_is_not_noticed(on: On) {
    on.alone(|| {
        signals::begin_storm();
        on.run(async {
            let (near, far) = tcp_pair().await;
            let mut rounds = 0;
            while signals::count_so_far() < 50 || rounds < 10 {
                let (read, written) = {
                    let mut buf = [0; 8];
                    both(near.read(&mut buf), far.write_all(b"ping")).await
                };
                assert_eq!(read.unwrap(), 4);
                written.unwrap();
                let before = now();
                sleep(Duration::from_millis(3)).await;
                assert!(now() - before >= Duration::from_millis(3));
                rounds += 1;
            }
        });
    });
}

fn hz_c02_no_close_under_signals_hits_anybody_else(on: On) {
    on.alone(|| {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        // How many the neighbour has opened; from 100 on it is done.
        let opened = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&opened);
        let neighbour = std::thread::spawn(move || {
            while count.fetch_add(1, Relaxed) < 100 {
                let (reader, writer) = rustix::pipe::pipe().unwrap();
                assert_eq!(rustix::io::write(&writer, b"mine").unwrap(), 4);
                let read = || rustix::io::read(&reader, &mut [0; 4][..]);
                assert_eq!(rustix::io::retry_on_intr(read).unwrap(), 4);
                std::thread::yield_now();
            }
        });
        signals::begin_storm();
        on.run(async {
            while opened.load(Relaxed) < 100 || signals::count_so_far() < 20 {
                let (near, far) = tcp_pair().await;
                reset_on_close(&far);
                near.write_all(b"bye").await.unwrap();
            }
        });
        neighbour.join().unwrap();
    });
}

fn hz_c04_a_firehose_starves_nobody(on: On) {
    const SLOW: usize = 100;
    let runtime = on.runtime();
    let moved = Rc::new(Cell::new(0));
    let (hose, feeder) = UnixStream::pair().unwrap();
    let _feeds = runtime.spawn(async move {
        let block = pattern(4096);
        while feeder.write_all(&block).await.is_ok() {}
    });
    let count = Rc::clone(&moved);
    let _drinks = runtime.spawn(async move {
        let mut buf = [0; 4096];
        while let Ok(1..) = hose.read(&mut buf).await {
            count.set(count.get() + 1);
        }
    });
    let mut peers = Vec::new();
    for _ in 0..SLOW {
        let (near, far) = std_unix_pair();
        let task = runtime.spawn(async move { near.read(&mut [0; 8]).await.unwrap() });
        peers.push((task, far));
    }
    for _ in 0..20 {
        runtime.tick().unwrap();
    }
    let before = moved.get();
    for (_, far) in &mut peers {
        far.write_all(b"!").unwrap();
    }
    let mut polls = 0;
    for _ in 0..6 {
        polls += runtime.tick().unwrap().polls;
    }
    assert!(
        peers.iter().all(|(task, _)| task.is_finished()),
        "after {polls} polls"
    );
    assert!(polls <= 128 + 6 * 4, "{polls}");
    assert!(moved.get() > before, "the firehose goes on too");
}

fn hz_c04_who_only_asks_starves_nobody(on: On) {
    on.run(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        far.write_all(b"!").unwrap();
        let near = AsyncFd::new(near).unwrap();
        let is_over = Rc::new(Cell::new(false));
        let seen = Rc::clone(&is_over);
        let asker = mainspring::spawn(async move {
            for _ in 0..100_000 {
                near.readable().await.unwrap();
                if seen.get() {
                    return;
                }
            }
            panic!("nobody else came to run");
        });
        turns(4).await;
        is_over.set(true);
        asker.await.unwrap();
    });
}

fn hz_c05_what_was_sent_before_the_close_is_read_before_the_end(on: On) {
    on.sim(async {
        for is_registered in [false, true] {
            for len in [1, 100, 40_000] {
                let (near, mut far) = std_tcp_pair();
                let mut buf = vec![0; 64 << 10];
                if is_registered {
                    let second = Duration::from_secs(1);
                    assert!(timeout(second, near.read(&mut buf)).await.is_err());
                }
                // Data and end before anybody looks: one event tells of both.
                far.write_all(&pattern(len)).unwrap();
                drop(far);
                let all = timeout(NEVER, read_to_end(&near, 64 << 10)).await;
                assert!(all.expect("the end is seen") == pattern(len));
            }
        }
        // The end comes after the short read that emptied the socket.
        let (near, mut far) = std_tcp_pair();
        let mut buf = [0; 64];
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut buf))
                .await
                .is_err()
        );
        far.write_all(b"abc").unwrap();
        assert_eq!(
            timeout(NEVER, near.read(&mut buf)).await.unwrap().unwrap(),
            3
        );
        drop(far);
        assert_eq!(
            timeout(NEVER, near.read(&mut buf)).await.unwrap().unwrap(),
            0
        );
    });
}

// The selector is a script: each report comes exactly where the test puts it.
fn hz_c06_a_report_at_any_step_is_not_lost(on: On) {
    use mainspring_sys::backend::Triggering;
    let triggering = if on.is_edge() {
        Triggering::Edge
    } else {
        Triggering::Level
    };
    for pattern in 0..1u32 << 8 {
        let script = Script::new();
        script.set_triggering(triggering);
        let selector = Selector::Scripted(Scripted::with(&script).unwrap());
        let runtime = on.builder().selector(selector).build().unwrap();
        let (near, mut far) = std_tcp_pair();
        let number = near.as_raw_fd();
        let reader = runtime.spawn(async move {
            let (mut buf, mut count) = ([0; 2], 0);
            while count < 4 {
                count += near.read(&mut buf).await.unwrap();
            }
        });
        runtime.tick().unwrap();
        // Two bits per step: whether bytes come, and whether a report does, true or not.
        let mut sent = 0;
        for step in 0..4 {
            let (comes, reports) = (
                pattern >> (2 * step) & 1 == 1,
                pattern >> (2 * step + 1) & 1 == 1,
            );
            if comes {
                far.write_all(b"!").unwrap();
                sent += 1;
            }
            if (comes || reports) && !reader.is_finished() {
                let step = Step::Report(vec![(fd_target(number), mainspring_sys::Ready::READABLE)]);
                script.then(step);
            }
            runtime.tick().unwrap();
            runtime.tick().unwrap();
        }
        while sent < 4 {
            far.write_all(b"!").unwrap();
            let step = Step::Report(vec![(fd_target(number), mainspring_sys::Ready::READABLE)]);
            script.then(step);
            runtime.tick().unwrap();
            runtime.tick().unwrap();
            sent += 1;
        }
        assert!(reader.is_finished(), "pattern {pattern:#b}");
    }
}

fn fd_target(number: i32) -> mainspring_sys::selector::scripted::Target {
    mainspring_sys::selector::scripted::Target::Fd(number)
}

/// Polls `future` until it is pending for want of the kernel, runs `cause`, and expects its end.
async fn blocked_then<F: Future>(what: &str, future: F, cause: impl FnOnce()) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..4 {
        let is_ready = std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => Poll::Ready(false),
        });
        assert!(!is_ready.await, "{what} did not have to wait");
        turns(1).await;
    }
    cause();
    timeout(NEVER, future)
        .await
        .unwrap_or_else(|_| panic!("{what} was never woken"))
}

fn hz_c07_every_operation_wakes_after_it_would_have_blocked(on: On) {
    on.sim(async {
        let (near, mut far) = std_tcp_pair();
        small_buffers(&near, 8 << 10);
        far.set_nonblocking(true).unwrap();
        let drain = |mut far: &std::net::TcpStream| while let Ok(1..) = far.read(&mut [0; 8192]) {};
        for _ in 0..3 {
            let mut buf = [0; 8];
            let read = near.read(&mut buf);
            assert_eq!(
                blocked_then("read", read, || far.write_all(b"1").unwrap())
                    .await
                    .unwrap(),
                1
            );
            while timeout(Duration::from_millis(1), near.write(&[0; 4096]))
                .await
                .is_ok()
            {}
            let write = near.write(b"full");
            blocked_then("write", write, || drain(&far)).await.unwrap();
            drain(&far);
        }
        let listener = listener();
        let addr = listener.local_addr().unwrap();
        for _ in 0..3 {
            let client = Cell::new(None);
            let connect = || client.set(Some(std::net::TcpStream::connect(addr).unwrap()));
            blocked_then("accept", listener.accept(), connect)
                .await
                .unwrap();
        }
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = AsyncFd::new(near).unwrap();
        for _ in 0..3 {
            let mut buf = [0; 8];
            let read = near.read_with(|mut inner| inner.read(&mut buf));
            blocked_then("read_with", read, || far.write_all(b"1").unwrap())
                .await
                .unwrap();
            let tried = near.try_io(mainspring::Interest::READ, |mut fd| fd.read(&mut [0; 8]));
            assert_eq!(tried.unwrap_err().kind(), ErrorKind::WouldBlock);
            let readable = near.readable();
            blocked_then("readable", readable, || far.write_all(b"1").unwrap())
                .await
                .unwrap();
            assert_eq!(near.get_ref().read(&mut [0; 8]).unwrap(), 1);
            fill(&near);
            let write = near.write_with(|mut inner| inner.write(b"x"));
            blocked_then("write_with", write, || take_all(&far))
                .await
                .unwrap();
            fill(&near);
            let writable = near.writable();
            blocked_then("writable", writable, || take_all(&far))
                .await
                .unwrap();
        }
    });
}

fn fill(near: &AsyncFd<std::os::unix::net::UnixStream>) {
    let write = |mut fd: &std::os::unix::net::UnixStream| fd.write(&[0; 4096]);
    while near.try_io(mainspring::Interest::WRITE, write).is_ok() {}
}

fn take_all(mut far: &std::os::unix::net::UnixStream) {
    far.set_nonblocking(true).unwrap();
    while let Ok(1..) = far.read(&mut [0; 8192]) {}
    far.set_nonblocking(false).unwrap();
}

fn hz_c08_a_selector_that_lies_changes_no_result(on: On) {
    for seed in 0..12 {
        let script = Script::new();
        script.perturb(seed);
        let below = Selector::new(on.kind).unwrap();
        assert_eq!(below.name(), on.name());
        let selector = Selector::Scripted(Scripted::over(below, &script));
        let runtime = on.builder().selector(selector).build().unwrap();
        let echoed = runtime.block_on(timeout(Duration::from_secs(30), lied_to()));
        echoed
            .unwrap()
            .unwrap_or_else(|_| panic!("seed {seed} waits for ever"));
    }
}

/// Several of everything at once.
async fn lied_to() {
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    let server = async {
        for _ in 0..5 {
            let (stream, _) = listener.accept().await.unwrap();
            let _detached = mainspring::spawn(async move {
                let all = read_to_end(&stream, 3000).await;
                stream.write_all(&all).await.unwrap();
            });
        }
    };
    let clients = async {
        let spawned = (0..5).map(|number| {
            mainspring::spawn(async move {
                let sent = pattern(20_000 + number);
                let stream = TcpStream::connect(addr).await.unwrap();
                small_buffers(&stream, 4096);
                stream.write_all(&sent).await.unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                assert!(read_to_end(&stream, 1000).await == sent);
            })
        });
        for client in spawned.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    };
    both(server, clients).await;
}

type Action = Box<dyn FnOnce(u8)>;

thread_local! {
    static ACTION: RefCell<Option<Action>> = const { RefCell::new(None) };
}

/// A foreign waker: runs what stands in [`ACTION`], in the middle of the selector's batch.
struct Act(u8);

impl Wake for Act {
    fn wake(self: Arc<Self>) {
        let action = ACTION.with(|action| action.borrow_mut().take());
        if let Some(action) = action {
            action(self.0);
        }
    }
}

fn act(number: u8) -> Waker {
    Waker::from(Arc::new(Act(number)))
}

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// A pair whose first number is `number`, which is free.
fn pair_on(number: i32) -> (OwnedFd, std::os::unix::net::UnixStream) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let near = OwnedFd::from(near);
    if near.as_raw_fd() == number {
        return (near, far);
    }
    // Not the lowest free one: dup2 puts it there.
    (near.try_clone().unwrap(), far)
}

fn hz_c09_a_stale_event_of_the_batch_is_not_the_new_owners(on: On) {
    on.alone(|| {
        for order in [[0, 1], [1, 0]] {
            stale_event_in(on, order);
        }
    });
}

fn stale_event_in(on: On, order: [usize; 2]) {
    on.sim(async move {
        let slots: Rc<[RefCell<Option<Boxed>>; 2]> = Rc::default();
        let mut numbers = [0; 2];
        let mut fars = Vec::new();
        for index in 0..2 {
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            let near = AsyncFd::new(near).unwrap();
            numbers[index] = near.as_fd().as_raw_fd();
            let mut wait: Boxed = Box::pin(async move { drop(near.readable().await) });
            assert!(
                wait.as_mut()
                    .poll(&mut Context::from_waker(&act(index as u8)))
                    .is_pending()
            );
            *slots[index].borrow_mut() = Some(wait);
            fars.push(far);
        }
        // Whoever is reported first closes the other and opens a new one on its number.
        let opened: Rc<RefCell<Option<(Boxed, _)>>> = Rc::default();
        let (opener, closed) = (Rc::clone(&opened), Rc::clone(&slots));
        let action = move |first: u8| {
            let other = 1 - usize::from(first);
            drop(closed[other].borrow_mut().take());
            let (near, far) = pair_on(numbers[other]);
            assert_eq!(near.as_raw_fd(), numbers[other], "the number is reused");
            let near = AsyncFd::new(near).unwrap();
            let mut wait: Boxed = Box::pin(async move { drop(near.readable().await) });
            assert!(
                wait.as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
            *opener.borrow_mut() = Some((wait, far));
        };
        ACTION.with(|slot| *slot.borrow_mut() = Some(Box::new(action)));
        for index in order {
            fars[index].write_all(b"!").unwrap();
        }
        turns(4).await;
        let (mut wait, mut far) = opened.borrow_mut().take().expect("the first one acted");
        let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "the event was the old owner's");
        far.write_all(b"!").unwrap();
        timeout(NEVER, wait)
            .await
            .expect("the new owner has its own event");
    });
}

fn hz_c10_a_duplicate_kept_by_a_child_reports_nothing(on: On) {
    let runtime = on.runtime();
    let (near, mut far) = std_tcp_pair();
    let kept = near.as_fd().try_clone_to_owned().unwrap();
    // A child that holds a duplicate, and lives until its own input ends.
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(kept)
        .spawn()
        .unwrap();
    let waits = runtime.spawn(async move { near.read(&mut [0; 8]).await });
    runtime.tick().unwrap();
    waits.abort();
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    far.write_all(b"nobody").unwrap();
    let (other, mut other_far) = std_unix_pair();
    let reader = runtime.spawn(async move { other.read(&mut [0; 8]).await.unwrap() });
    let mut events = 0;
    for _ in 0..20 {
        events += runtime.tick().unwrap().events;
    }
    assert_eq!(
        events,
        usize::from(on.is_edge()),
        "a fresh socket is writable, once"
    );
    other_far.write_all(b"!").unwrap();
    assert_eq!(runtime.block_on(reader).unwrap().unwrap(), 1);
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn hz_c11_close_and_open_within_one_turn(on: On) {
    on.sim(async {
        let mut buf = [0; 8];
        for round in 0..50 {
            let (old, _old_far) = std_unix_pair();
            // Both are shown or both private, in turns: removed by name, or by closing.
            let (old, (new, mut far)) = if round % 2 == 0 {
                (old, std_unix_pair())
            } else {
                let (near, far) = UnixStream::pair().unwrap();
                (old, (near, far.into_std()))
            };
            let poll_once = |stream: &UnixStream| {
                let mut buf = [0; 8];
                let read = pin!(stream.read(&mut buf));
                read.poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            };
            assert!(poll_once(&old));
            drop(old);
            assert!(poll_once(&new));
            far.write_all(b"!").unwrap();
            assert_eq!(
                timeout(NEVER, new.read(&mut buf)).await.unwrap().unwrap(),
                1
            );
        }
    });
}

fn hz_c12_what_no_selector_takes_is_an_error_and_the_loop_goes_on(on: On) {
    on.sim(async {
        let file = std::env::current_exe().unwrap();
        let mut paths = vec![file, std::env::temp_dir()];
        if cfg!(any(target_os = "linux", target_vendor = "apple")) {
            paths.push("/dev/null".into());
        }
        for path in paths {
            let fd = AsyncFd::new(std::fs::File::open(&path).unwrap()).unwrap();
            for _ in 0..2 {
                let error = fd.readable().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{}", path.display());
                assert!(error.to_string().contains("on a thread instead"), "{error}");
                assert_eq!(
                    fd.writable().await.unwrap_err().kind(),
                    ErrorKind::Unsupported
                );
            }
            drop(fd);
            let (near, mut far) = std_unix_pair();
            assert!(
                timeout(Duration::from_secs(1), near.read(&mut [0; 8]))
                    .await
                    .is_err()
            );
            far.write_all(b"!").unwrap();
            assert_eq!(
                timeout(NEVER, near.read(&mut [0; 8]))
                    .await
                    .unwrap()
                    .unwrap(),
                1
            );
        }
        // An operation that need not wait is done all the same.
        let file = AsyncFd::new(std::fs::File::open(std::env::current_exe().unwrap()).unwrap());
        let read = file
            .unwrap()
            .read_with(|mut file| file.read(&mut [0; 4]))
            .await;
        assert_eq!(read.unwrap(), 4);
    });
}

fn hz_c13_twice_the_same_number_is_refused_and_a_duplicate_is_not(on: On) {
    on.sim(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let second = Duration::from_secs(1);
        let (one, other) = (AsyncFd::new(&near).unwrap(), AsyncFd::new(&near).unwrap());
        assert!(timeout(second, one.readable()).await.is_err());
        for _ in 0..2 {
            assert_eq!(
                other.readable().await.unwrap_err().kind(),
                ErrorKind::AlreadyExists
            );
        }
        drop(other);
        let duplicate = AsyncFd::new(near.try_clone().unwrap()).unwrap();
        assert!(timeout(second, duplicate.readable()).await.is_err());
        far.write_all(b"!").unwrap();
        timeout(NEVER, one.readable())
            .await
            .expect("the first is not harmed")
            .unwrap();
        timeout(NEVER, duplicate.readable())
            .await
            .expect("nor the duplicate")
            .unwrap();
    });
}

fn hz_c14_a_reset_that_nobody_waits_for_is_no_spin(on: On) {
    let runtime = on.sim_runtime();
    let (near, far) = std_tcp_pair();
    runtime
        .block_on(async {
            let mut buf = [0; 8];
            assert!(
                timeout(Duration::from_secs(1), near.read(&mut buf))
                    .await
                    .is_err()
            );
        })
        .unwrap();
    reset_on_close(&far);
    drop(far);
    let mut events = 0;
    for _ in 0..50 {
        events += runtime.tick().unwrap().events;
    }
    assert!(events <= 1, "{events} reports that nobody asked for");
    let _guard = Plan::new().install();
    runtime.block_on(sleep(Duration::from_secs(5))).unwrap();
    assert!(count_of(Call::Wait) <= 8, "{}", count_of(Call::Wait));
    let error = runtime
        .block_on(near.read(&mut [0; 8]))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// What the peer does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Close,
    ShutWrite,
    ShutBoth,
    Reset,
}

fn hz_c15_whatever_the_peer_ends_wakes_who_waits(on: On) {
    for end in [End::Close, End::ShutWrite, End::ShutBoth, End::Reset] {
        for (reads, writes) in [(true, false), (false, true), (true, true)] {
            let (near, far) = std_tcp_pair();
            small_buffers(&near, 4096);
            small_buffers(&far, 4096);
            // TCP does not tell a writer that its peer has only stopped to send, or to listen.
            let is_told = matches!(end, End::Close | End::Reset);
            let far = socket2(OwnedFd::from(far), end);
            on.run(ends_of(near_tcp(near), far, reads, writes, is_told, end));
            if end == End::Reset {
                continue;
            }
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            small_buffers(&near, 4096);
            near.set_nonblocking(true).unwrap();
            let far = socket2(OwnedFd::from(far), end);
            on.run(ends_of(
                OwnedFd::from(near),
                far,
                reads,
                writes,
                end != End::ShutWrite,
                end,
            ));
        }
    }
}

fn near_tcp(near: TcpStream) -> OwnedFd {
    near.into_std().into()
}

/// The far end, and how it ends.
fn socket2(far: OwnedFd, end: End) -> Box<dyn FnOnce()> {
    Box::new(move || match end {
        End::Close => drop(far),
        End::ShutWrite => {
            rustix::net::shutdown(&far, rustix::net::Shutdown::Write).unwrap();
            std::mem::forget(far);
        }
        End::ShutBoth => {
            rustix::net::shutdown(&far, rustix::net::Shutdown::Both).unwrap();
            std::mem::forget(far);
        }
        End::Reset => {
            reset_on_close(&far);
            drop(far);
        }
    })
}

/// Waits in the directions asked for, lets the peer end, and expects each wait to end.
async fn ends_of(
    near: OwnedFd,
    end_it: Box<dyn FnOnce()>,
    reads: bool,
    writes: bool,
    writer_is_told: bool,
    end: End,
) {
    let near = AsyncFd::new(near).unwrap();
    let what = format!("{end:?}, reads {reads}, writes {writes}");
    let read = async {
        if reads {
            let mut buf = [0; 8];
            let read = near.read_with(|fd| Ok(rustix::io::read(fd, &mut buf[..])?));
            let ended = timeout(Duration::from_secs(10), read).await;
            let ended = ended.unwrap_or_else(|_| panic!("the reader hangs: {what}"));
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}: {what}");
        }
    };
    let write = async {
        if writes && writer_is_told {
            let until_error = async {
                loop {
                    let block = [0; 4096];
                    // Rust's main ignores SIGPIPE, and macOS has no flag for it.
                    let flags = rustix::net::SendFlags::empty();
                    let send = |fd: &OwnedFd| Ok(rustix::net::send(fd, &block, flags)?);
                    if near.write_with(send).await.is_err() {
                        return;
                    }
                }
            };
            let ended = timeout(Duration::from_secs(10), until_error).await;
            ended.unwrap_or_else(|_| panic!("the writer hangs: {what}"));
        }
    };
    let closer = async {
        turns(4).await;
        end_it();
    };
    both(both(read, write), closer).await;
}

fn hz_c15_a_pipe_that_loses_its_other_end_wakes_who_waits(on: On) {
    on.sim(async {
        let (reader, writer) = rig::nonblocking_pipe();
        let reader = AsyncFd::new(reader).unwrap();
        let mut buf = [0; 8];
        let read = reader.read_with(|fd| Ok(rustix::io::read(fd, &mut buf[..])?));
        assert_eq!(
            blocked_then("a pipe's reader", read, || drop(writer))
                .await
                .unwrap(),
            0
        );

        let (reader, writer) = rig::nonblocking_pipe();
        while rustix::io::write(&writer, &[0; 4096]).is_ok() {}
        let writer = AsyncFd::new(writer).unwrap();
        let write = writer.write_with(|fd| Ok(rustix::io::write(fd, &[0; 4096])?));
        let error = blocked_then("a pipe's writer", write, || drop(reader))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);

        // Who only asks is told as well, and by which side it is closed.
        let (reader, writer) = rig::nonblocking_pipe();
        let reader = AsyncFd::new(reader).unwrap();
        let ready = blocked_then("readable", reader.readable(), || drop(writer))
            .await
            .unwrap();
        assert!(ready.contains(Ready::READ_CLOSED), "{ready:?}");
    });
}

fn hz_c17_a_waker_that_closes_everything_ends_the_event(on: On) {
    on.run(async {
        for first in 0..2 {
            let (near, far) = std_tcp_pair();
            let near = near.into_std();
            while (&near).write(&[0; 65536]).is_ok() {}
            let near = Rc::new(AsyncFd::new(near).unwrap());
            let tasks: Rc<RefCell<Vec<Boxed>>> = Rc::default();
            for number in [first, 1 - first] {
                let near = Rc::clone(&near);
                let mut wait: Boxed = Box::pin(async move {
                    // The second question, for a fresh socket's first is answered by the level.
                    match number {
                        0 => drop(near.readable().await),
                        _ => drop(near.writable().await),
                    }
                });
                let waker = act(number);
                assert!(
                    wait.as_mut()
                        .poll(&mut Context::from_waker(&waker))
                        .is_pending()
                );
                tasks.borrow_mut().push(wait);
            }
            drop(near);
            let acted = Rc::new(Cell::new(false));
            let (closed, did) = (Rc::clone(&tasks), Rc::clone(&acted));
            let action: Action = Box::new(move |_| {
                // Both futures and the socket itself go while its event is being handled.
                drop(std::mem::take(&mut *closed.borrow_mut()));
                did.set(true);
            });
            ACTION.with(|slot| *slot.borrow_mut() = Some(action));
            reset_on_close(&far);
            drop(far);
            while !acted.get() {
                turns(1).await;
            }
            assert!(tasks.borrow().is_empty());
            let (near, far) = tcp_pair().await;
            far.write_all(b"!").await.unwrap();
            assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
        }
    });
}

fn hz_c20_a_number_closed_behind_our_back_is_no_spin(on: On) {
    on.alone(|| {
        let runtime = on.sim_runtime();
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = std::os::fd::IntoRawFd::into_raw_fd(near);
        let lost = AsyncFd::new(signals::borrowed(number)).unwrap();
        let second = Duration::from_secs(1);
        runtime
            .block_on(async { timeout(second, lost.readable()).await.unwrap_err() })
            .unwrap();
        signals::close_behind_the_back(number);
        let _guard = Plan::new().install();
        let read = async {
            let read = lost.read_with(|fd| Ok(rustix::io::read(fd, &mut [0; 8][..])?));
            timeout(Duration::from_secs(60), read).await
        };
        match runtime.block_on(read).unwrap() {
            Ok(read) => assert_eq!(read.unwrap_err().raw_os_error(), Some(libc::EBADF)),
            // epoll forgets a closed file, and can't tell.
            Err(_) => assert!(on.is_edge()),
        }
        let mut events = 0;
        for _ in 0..50 {
            events += runtime.tick().unwrap().events;
        }
        assert!(events <= 1, "{events}");
        runtime.block_on(sleep(Duration::from_secs(5))).unwrap();
        assert!(count_of(Call::Wait) <= 64, "{}", count_of(Call::Wait));
        drop(lost);
        let (near, mut far) = std_unix_pair();
        far.write_all(b"!").unwrap();
        assert_eq!(
            runtime.block_on(near.read(&mut [0; 8])).unwrap().unwrap(),
            1
        );
    });
}

fn hz_c21_more_ready_than_fit_are_all_served(on: On) {
    const PEERS: usize = 200;
    const ROOM: usize = 4;
    let runtime = on.builder().event_capacity(ROOM).build().unwrap();
    assert_eq!(runtime.backend_name(), on.name());
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let (near, far) = std_unix_pair();
        let task = runtime.spawn(async move {
            for _ in 0..2 {
                assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
            }
        });
        peers.push((task, far));
    }
    // On epoll each is writable at first, and says so.
    for _ in 0..2 * PEERS / ROOM {
        runtime.tick().unwrap();
    }
    for (_, far) in &mut peers {
        far.write_all(b"1").unwrap();
    }
    let mut ticks = 0;
    while peers.iter().any(|(task, _)| !task.is_finished()) {
        let stats = runtime.tick().unwrap();
        assert!(stats.events <= ROOM);
        ticks += 1;
        assert!(ticks <= 3 * PEERS / ROOM, "someone is starved");
        if ticks == PEERS / ROOM + 2 {
            for (_, far) in &mut peers {
                far.write_all(b"2").unwrap();
            }
        }
    }
}

fn hz_c22_a_refused_registration_leaves_nothing_behind(on: On) {
    if !on.is_edge() {
        return; // poll(2) has no registration that could fail.
    }
    on.alone(|| {
        let runtime = on.sim_runtime();
        let refuse = |errno| {
            Plan::new()
                .from(Call::Control, 1, 9, Fault::Errno(errno))
                .install()
        };
        let (near, mut far) = std_tcp_pair();
        let idle = listener();
        let before = open_fds();
        for errno in [libc::ENOSPC, libc::EPERM, libc::EBADF] {
            let guard = refuse(errno);
            let error = runtime
                .block_on(near.read(&mut [0; 8]))
                .unwrap()
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
            let error = runtime.block_on(idle.accept()).unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
            drop(guard);
            // The first tick after a `block_on` looks whether the loop was rung.
            runtime.tick().unwrap();
            let guard = Plan::new().install();
            runtime.tick().unwrap();
            assert_eq!(
                count_of(Call::Wait),
                0,
                "with nothing registered nobody asks"
            );
            drop(guard);
        }
        assert_eq!(open_fds(), before);
        far.write_all(b"!").unwrap();
        assert_eq!(
            runtime.block_on(near.read(&mut [0; 8])).unwrap().unwrap(),
            1
        );
    });
}

fn hz_c24_a_socket_that_outlives_its_loop_says_so(on: On) {
    let runtime = on.sim_runtime();
    let (near, _far) = std_tcp_pair();
    let (other, _other_far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (listener, other) = (listener(), AsyncFd::new(other).unwrap());
    let second = Duration::from_secs(1);
    runtime
        .block_on(async {
            assert!(timeout(second, near.read(&mut [0; 8])).await.is_err());
            assert!(timeout(second, listener.accept()).await.is_err());
            assert!(timeout(second, other.readable()).await.is_err());
        })
        .unwrap();
    drop(runtime);
    let gone = |error: std::io::Error| {
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(error.to_string(), "the loop is gone");
    };
    on.run(async {
        gone(near.read(&mut [0; 8]).await.unwrap_err());
        gone(near.write(b"x").await.unwrap_err());
        gone(near.write_all(b"x").await.unwrap_err());
        gone(listener.accept().await.unwrap_err());
        gone(other.readable().await.unwrap_err());
        gone(other.writable().await.unwrap_err());
    });
    // Wrapped anew it works.
    let other = AsyncFd::new(other.into_inner()).unwrap();
    on.run(async { other.writable().await.unwrap() });
}

fn hz_c25_a_forked_child_that_executes_leaves_the_parents_registrations(on: On) {
    use std::os::unix::process::CommandExt;
    on.alone(|| {
        let runtime = on.runtime();
        let (near, mut far) = std_tcp_pair();
        let reader = runtime.spawn(async move { near.read(&mut [0; 8]).await.unwrap() });
        runtime.tick().unwrap();
        runtime.tick().unwrap();
        // With a user to set, std forks and executes in two steps: between them the child holds all
        // descriptors, and closes them as it executes.
        let own = rustix::process::getuid().as_raw();
        assert!(Command::new("true").uid(own).status().unwrap().success());
        assert!(!reader.is_finished());
        far.write_all(b"x").unwrap();
        assert_eq!(runtime.block_on(reader).unwrap().unwrap(), 1);
    });
}

fn hz_c26_a_child_inherits_nothing_of_the_loop(on: On) {
    on.alone(|| {
        let list = || {
            let folder = if cfg!(target_os = "linux") {
                "/proc/self/fd"
            } else {
                "/dev/fd"
            };
            Command::new("ls")
                .arg(folder)
                .stdin(Stdio::null())
                .output()
                .unwrap()
                .stdout
        };
        let before = list();
        let runtime: Runtime = on.runtime();
        let after = runtime.block_on(async {
            let (_listener, _pair) = (listener(), tcp_pair().await);
            let _unix = UnixStream::pair().unwrap();
            let _fd = runtime_fds(&runtime);
            list()
        });
        assert_eq!(String::from_utf8(after.unwrap()), String::from_utf8(before));
    });
}

/// From here on no selector can be opened on this thread.
fn no_descriptor_is_left() -> fault::PlanGuard {
    Plan::new()
        .from(Call::Open, 1, u64::MAX, Fault::Errno(libc::EMFILE))
        .install()
}

#[test]
fn hz_c22_a_runtime_says_as_it_is_built_that_its_selector_cannot_be_opened() {
    let _plan = no_descriptor_is_left();
    let error = Runtime::new().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
}

#[test]
fn hz_c22_a_run_whose_selector_cannot_be_opened_ends_at_its_first_wait() {
    let _plan = no_descriptor_is_left();
    let (has_begun, has_ended) = (Cell::new(false), Cell::new(false));
    let error = mainspring::run(async {
        has_begun.set(true);
        sleep(NEVER).await;
        has_ended.set(true);
    });
    assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EMFILE));
    assert!(has_begun.get() && !has_ended.get());
}

#[test]
fn hz_c22_a_read_that_could_open_no_selector_says_so_and_the_next_one_tries_again() {
    mainspring::run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let plan = no_descriptor_is_left();
        let error = near.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        drop(plan);
        let reader = mainspring::spawn(async move { near.read(&mut [0]).await });
        turns(1).await;
        assert!(!reader.is_finished());
        far.write_all(b"!").await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 1);
    })
    .unwrap();
}

/// Makes the descriptors that a runtime makes when somebody asks.
fn runtime_fds(runtime: &Runtime) -> mainspring::Handle {
    let _ = runtime.selector_fd();
    runtime.handle()
}

fn hz_c27_the_flags_of_the_standard_streams_stay_as_they_were(on: On) {
    let flags = || {
        let of = |fd: &dyn Fn() -> rustix::io::Result<rustix::fs::OFlags>| fd().unwrap();
        [
            of(&|| rustix::fs::fcntl_getfl(std::io::stdin())),
            of(&|| rustix::fs::fcntl_getfl(std::io::stdout())),
            of(&|| rustix::fs::fcntl_getfl(std::io::stderr())),
        ]
    };
    let before = flags();
    let pipe = rustix::pipe::pipe().unwrap();
    let pipe_before = rustix::fs::fcntl_getfl(&pipe.0).unwrap();
    on.sim(async {
        let second = Duration::from_secs(1);
        // Whatever they are here: a terminal, a pipe, a file, the null device.
        let _ = timeout(second, AsyncFd::new(std::io::stdin()).unwrap().readable()).await;
        let _ = timeout(second, AsyncFd::new(std::io::stdout()).unwrap().writable()).await;
        let _ = timeout(second, AsyncFd::new(std::io::stderr()).unwrap().writable()).await;
        assert!(
            timeout(second, AsyncFd::new(&pipe.0).unwrap().readable())
                .await
                .is_err()
        );
    });
    assert_eq!(flags(), before);
    assert_eq!(rustix::fs::fcntl_getfl(&pipe.0).unwrap(), pipe_before);
}

fn hz_c28_a_wait_that_fails_ends_block_on_and_nothing_else(on: On) {
    let runtime = on.sim_runtime();
    let (near, mut far) = std_unix_pair();
    let waiting = runtime.spawn(async move { near.read(&mut [0; 8]).await.unwrap() });
    for errno in [libc::EBADF, libc::EINVAL, libc::ENOMEM] {
        let guard = Plan::new()
            .from(Call::Wait, 1, u64::MAX, Fault::Errno(errno))
            .install();
        let error = runtime.block_on(std::future::pending::<()>()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno));
        assert_eq!(count_of(Call::Wait), 1, "it is not asked again");
        drop(guard);
    }
    far.write_all(b"!").unwrap();
    assert_eq!(runtime.block_on(waiting).unwrap().unwrap(), 1);
}
