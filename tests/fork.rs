//! Forks: what a loop is in the child, and that the parent's goes on undisturbed. On both backends.
//!
//! *Model.* A test process has threads, and a forked child has one of them. So each case runs in a process of its
//! own, which this program starts as itself, with the case's name; there the case is all there is, and forks.
//! A child ends by `_exit`, with a code that says whether all it claimed held.
#![cfg(feature = "sim")]
#![expect(unsafe_code, reason = "fork, waitpid and _exit")]

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring::fs::{self, File, TempDir, TempFile};
use mainspring::io::{AsyncFd, AsyncReadExt, AsyncWriteExt};
use mainspring::net::UnixStream;
use mainspring::process::{self, Child, Stdio};
use mainspring::sim::{Clock, ManualClock};
use mainspring::stdio;
use mainspring::time::{Instant, sleep, sleep_until_wall, timeout};
use mainspring::{BackendKind, Builder, JoinHandle, Runtime, spawn_blocking};
use mainspring_sys::fault::{Call, Fault, Plan, count_of};
use mainspring_sys::signal::{self, Bell, Signal};

/// Names the case that a process is there for.
const CASE: &str = "MAINSPRING_FORK_CASE";

/// Real time: what the kernel does by itself takes a moment.
const LONG: Duration = Duration::from_secs(10);

/// Makes a test of each case, for each backend.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod native {
            $(#[test] fn $name() {
                super::alone(concat!("native::", stringify!($name)), || super::$name(super::BackendKind::Native));
            })*
        }
        mod poll {
            $(#[test] fn $name() {
                super::alone(concat!("poll::", stringify!($name)), || super::$name(super::BackendKind::Poll));
            })*
        }
    };
}

suite! {
    p63_hz_c25_a_child_that_drops_the_runtime_leaves_the_parents_registrations,
    p63_hz_c25_a_child_that_closes_its_sockets_leaves_the_parents_registrations,
    p63_hz_c25_a_child_that_exits_leaves_the_parents_registrations,
    p63_an_inherited_runtime_answers_with_an_error,
    p63_a_wake_in_the_child_does_not_ring_the_parent,
    p63_after_fork_the_child_goes_on_by_itself,
    p63_after_fork_waits_are_registered_anew_and_the_parent_hears_nothing,
    p63_after_fork_works_for_a_child_of_the_child,
    p63_after_fork_can_be_tried_again,
    p63_after_fork_outlasts_every_fault,
    p63_after_fork_does_nothing_in_the_same_process,
    p63_jobs_of_the_parents_threads_are_aborted_in_the_child,
    p63_hz_f04_a_bell_of_signals_is_the_childs_own_after_fork,
    p63_a_child_leaves_the_file_of_its_parents_socket,
    p63_a_fork_inside_a_task_ends_the_childs_loop_and_leaves_room_for_another,
    p63_a_child_that_drops_the_runtime_kills_no_program_of_the_parent,
    p63_a_program_of_the_parent_is_neither_signalled_nor_waited_for_in_the_child,
    p63_a_child_that_drops_the_runtime_removes_no_temporary_file_of_the_parent,
    p63_what_a_file_took_before_the_fork_the_parent_writes_alone,
    p63_what_standard_output_took_before_the_fork_the_parent_writes_alone,
    p63_a_thread_that_reads_standard_input_at_a_fork_does_not_hold_up_the_child,
    p63_after_fork_the_clocks_are_watched_anew_and_the_parent_hears_nothing,
    p63_a_daemon_takes_its_loop_along,
    p63_a_thread_with_a_loop_of_its_own_does_not_hinder_a_fork,
}

/// Runs `case` in a process of its own, which has nothing else to do.
fn alone(name: &str, case: impl FnOnce()) {
    if std::env::var_os(CASE).is_some_and(|case| case == *name) {
        return case();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1", "--nocapture"])
        .env(CASE, name)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A child that was forked from here.
#[must_use]
struct Forked(libc::pid_t);

impl Forked {
    /// Waits for its end. All that it claimed must have held.
    #[track_caller]
    fn join(self) {
        let mut status = 0;
        let pid = loop {
            // SAFETY: the status lives for the length of the call.
            let pid = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
            let is_interrupted = std::io::Error::last_os_error().kind() == ErrorKind::Interrupted;
            if pid != -1 || !is_interrupted {
                break pid;
            }
        };
        assert_eq!(pid, self.0);
        assert!(libc::WIFEXITED(status), "killed: {status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 0, "a claim of the child failed");
    }
}

/// Forks, and runs `child` there.
fn fork(child: impl FnOnce()) -> Forked {
    // SAFETY: the other threads of this process, if there are any, sleep or wait for a job, and hold no lock.
    match unsafe { libc::fork() } {
        -1 => panic!("{}", std::io::Error::last_os_error()),
        0 => exit(child),
        pid => Forked(pid),
    }
}

/// The end of a child.
fn exit(child: impl FnOnce()) -> ! {
    // SAFETY: an alarm and an exit touch nothing of ours. A child that hangs is killed, and so noticed.
    unsafe { libc::alarm(20) };
    let code = match catch_unwind(AssertUnwindSafe(child)) {
        Ok(()) => 0,
        Err(_) => 101,
    };
    // SAFETY: it ends this process at once, and runs nothing of ours.
    unsafe { libc::_exit(code) }
}

fn runtime(kind: BackendKind) -> Runtime {
    let runtime = Builder::new().backend(kind).build().unwrap();
    let name = kind.name();
    assert_eq!(runtime.backend_name(), name);
    runtime
}

/// A descriptor that the loop must be told of before it closes: it was not made by our own types.
fn pair() -> (
    AsyncFd<std::os::unix::net::UnixStream>,
    std::os::unix::net::UnixStream,
) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (AsyncFd::new(near).unwrap(), far)
}

async fn read_one(fd: &AsyncFd<std::os::unix::net::UnixStream>) -> u8 {
    let mut byte = [0];
    let read = |near: &std::os::unix::net::UnixStream| (&*near).read(&mut byte);
    assert_eq!(fd.read_with(read).await.unwrap(), 1);
    byte[0]
}

/// A runtime in which a task waits for a byte, as the kernel knows.
fn waiting(
    kind: BackendKind,
) -> (
    Runtime,
    mainspring::JoinHandle<u8>,
    std::os::unix::net::UnixStream,
) {
    let runtime = runtime(kind);
    let (near, far) = pair_in(&runtime);
    let reader = runtime.spawn(async move { read_one(&near).await });
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    assert!(!reader.is_finished());
    (runtime, reader, far)
}

fn pair_in(
    runtime: &Runtime,
) -> (
    AsyncFd<std::os::unix::net::UnixStream>,
    std::os::unix::net::UnixStream,
) {
    let _guard = runtime.enter();
    pair()
}

/// The parent's task is told of its byte.
#[track_caller]
fn still_reads(
    runtime: &Runtime,
    reader: mainspring::JoinHandle<u8>,
    mut far: std::os::unix::net::UnixStream,
) {
    far.write_all(b"x").unwrap();
    let byte = runtime.block_on(timeout(LONG, reader)).unwrap();
    assert_eq!(byte.expect("it was reported").unwrap(), b'x');
}

fn p63_hz_c25_a_child_that_drops_the_runtime_leaves_the_parents_registrations(kind: BackendKind) {
    let (runtime, reader, far) = waiting(kind);
    let runtime = Cell::new(Some(runtime));
    fork(|| drop(runtime.take())).join();
    still_reads(&runtime.take().unwrap(), reader, far);
}

fn p63_hz_c25_a_child_that_closes_its_sockets_leaves_the_parents_registrations(kind: BackendKind) {
    let runtime = runtime(kind);
    let (near, mut far) = pair_in(&runtime);
    let near = Rc::new(near);
    let slot = Rc::new(Cell::new(Some(Rc::clone(&near))));
    let reader = runtime.spawn(async move { read_one(&near).await });
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    fork(|| {
        reader.abort();
        drop(slot.take());
        // The drop of the task comes with the runtime's.
    })
    .join();
    far.write_all(b"x").unwrap();
    assert_eq!(runtime.block_on(reader).unwrap().unwrap(), b'x');
}

fn p63_hz_c25_a_child_that_exits_leaves_the_parents_registrations(kind: BackendKind) {
    let (runtime, reader, far) = waiting(kind);
    fork(|| ()).join();
    still_reads(&runtime, reader, far);
}

fn p63_an_inherited_runtime_answers_with_an_error(kind: BackendKind) {
    let (runtime, reader, far) = waiting(kind);
    fork(|| {
        assert!(runtime.is_inherited());
        let polled = Rc::new(Cell::new(false));
        let flag = Rc::clone(&polled);
        drop(runtime.spawn(async move { flag.set(true) }));
        let errors = [
            runtime.block_on(async { polled.set(true) }).unwrap_err(),
            runtime.tick().unwrap_err(),
            runtime.tick_blocking().unwrap_err(),
            runtime.run_forever().unwrap_err(),
            runtime.run_until_idle().unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains("after_fork"), "{error}");
        }
        assert!(!polled.get(), "nothing ran");
        // What needs the selector says so, too.
        let _entered = runtime.enter();
        let (near, _far) = pair();
        let mut readable = std::pin::pin!(near.readable());
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match readable.as_mut().poll(&mut cx) {
            Poll::Ready(Err(error)) => assert!(error.to_string().contains("after_fork"), "{error}"),
            other => panic!("{other:?}"),
        }
    })
    .join();
    assert!(!runtime.is_inherited());
    still_reads(&runtime, reader, far);
}

/// Whether whoever embeds the loop would be called.
fn is_rung(runtime: &Runtime) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let fd = runtime.selector_fd().unwrap();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
}

fn p63_a_wake_in_the_child_does_not_ring_the_parent(kind: BackendKind) {
    let runtime = runtime(kind);
    let slot = Rc::new(Cell::new(None::<Waker>));
    let keep = Rc::clone(&slot);
    let task = runtime.spawn(poll_fn(move |cx| {
        keep.set(Some(cx.waker().clone()));
        Poll::<()>::Pending
    }));
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    let handle = runtime.handle();
    fork(|| {
        slot.take().unwrap().wake();
        drop(handle.call(|| ()));
        drop(handle.clone());
    })
    .join();
    if kind == BackendKind::Native && runtime.selector_fd().is_some() {
        assert!(!is_rung(&runtime));
    }
    let stats = runtime.tick().unwrap();
    assert_eq!((stats.polls, stats.events), (0, 0));
    task.abort();
}

fn p63_after_fork_the_child_goes_on_by_itself(kind: BackendKind) {
    let (mut runtime, reader, mut far) = waiting(kind);
    // Started in the parent: a timer, a pool with a thread that idles, and a waker that a handle has.
    assert_eq!(
        runtime
            .block_on(async { spawn_blocking(|| 1).await })
            .unwrap()
            .unwrap(),
        1
    );
    let mut sleeper = runtime.spawn(sleep(Duration::from_millis(30)));
    runtime.tick().unwrap();
    let handle = runtime.handle();
    fork(|| {
        runtime.after_fork().unwrap();
        assert!(!runtime.is_inherited());
        let all = async {
            timeout(LONG, &mut sleeper).await.unwrap().unwrap();
            // Its own sockets.
            let (mut near, far) = UnixStream::pair().unwrap();
            let writer = mainspring::spawn(async move {
                mainspring::yield_to_io().await;
                far.write_all(b"own").await.unwrap();
            });
            let mut buf = [0; 3];
            near.read_exact(&mut buf).await.unwrap();
            assert_eq!(&buf, b"own");
            writer.await.unwrap();
            // Its own pool.
            let id = spawn_blocking(std::process::id).await.unwrap();
            assert_eq!(id, std::process::id());
            // And threads that send to it, while it sleeps.
            let (sender, receiver) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                receiver.recv().unwrap();
                handle.run_blocking(async { 5 }).unwrap()
            });
            sender.send(()).unwrap();
            let sum = spawn_blocking(move || thread.join().unwrap()).await;
            assert_eq!(sum.unwrap(), 5);
        };
        runtime.block_on(timeout(LONG, all)).unwrap().unwrap();
        // What came to the parent's task since then it would see, too: the socket is shared.
        assert!(!reader.is_finished());
    })
    .join();
    far.write_all(b"y").unwrap();
    assert_eq!(runtime.block_on(reader).unwrap().unwrap(), b'y');
    runtime.block_on(sleeper).unwrap().unwrap();
}

fn p63_after_fork_waits_are_registered_anew_and_the_parent_hears_nothing(kind: BackendKind) {
    let mut runtime = runtime(kind);
    // Two tasks wait: in the end each process has one of them.
    let (first, mut to_first) = pair_in(&runtime);
    let (second, mut to_second) = pair_in(&runtime);
    let first = runtime.spawn(async move { read_one(&first).await });
    let mut second = runtime.spawn(async move { read_one(&second).await });
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    let before = runtime.metrics().events;
    fork(|| {
        runtime.after_fork().unwrap();
        first.abort();
        to_second.write_all(b"2").unwrap();
        assert_eq!(
            runtime
                .block_on(timeout(LONG, &mut second))
                .unwrap()
                .unwrap()
                .unwrap(),
            b'2'
        );
        // One more descriptor, with a number that the parent will use too.
        let (third, mut far) = pair_in(&runtime);
        let third = runtime.spawn(async move { read_one(&third).await });
        runtime.tick().unwrap();
        far.write_all(b"3").unwrap();
        assert_eq!(
            runtime
                .block_on(timeout(LONG, third))
                .unwrap()
                .unwrap()
                .unwrap(),
            b'3'
        );
    })
    .join();
    // The byte of the child came to a socket that the parent watches: spurious to it, and harmless. Nothing else
    // of what the child did does.
    assert!(!first.is_finished());
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    assert!(
        runtime.metrics().events - before <= 2,
        "{:?}",
        runtime.metrics()
    );
    assert!(!second.is_finished(), "the child has taken it");
    to_first.write_all(b"1").unwrap();
    assert_eq!(
        runtime
            .block_on(timeout(LONG, first))
            .unwrap()
            .unwrap()
            .unwrap(),
        b'1'
    );
    to_second.write_all(b"4").unwrap();
    assert_eq!(
        runtime
            .block_on(timeout(LONG, &mut second))
            .unwrap()
            .unwrap()
            .unwrap(),
        b'4'
    );
}

fn p63_after_fork_works_for_a_child_of_the_child(kind: BackendKind) {
    let (mut runtime, reader, far) = waiting(kind);
    fork(|| {
        runtime.after_fork().unwrap();
        let (near, mut own_far) = pair_in(&runtime);
        let own = runtime.spawn(async move { read_one(&near).await });
        runtime.tick().unwrap();
        fork(|| {
            assert!(runtime.tick().is_err());
            runtime.after_fork().unwrap();
            runtime.block_on(sleep(Duration::from_millis(1))).unwrap();
        })
        .join();
        own_far.write_all(b"z").unwrap();
        assert_eq!(
            runtime
                .block_on(timeout(LONG, own))
                .unwrap()
                .unwrap()
                .unwrap(),
            b'z'
        );
    })
    .join();
    still_reads(&runtime, reader, far);
}

fn p63_after_fork_can_be_tried_again(kind: BackendKind) {
    let (mut runtime, reader, mut far) = waiting(kind);
    let emfile = Fault::Errno(rustix::io::Errno::MFILE.raw_os_error());
    fork(|| {
        // Each of the calls that open something, in turn.
        let mut failures = 0;
        loop {
            let plan = Plan::new().at(Call::Open, failures + 1, emfile).install();
            let opened = runtime.after_fork();
            drop(plan);
            match opened {
                Ok(()) => break,
                Err(error) => {
                    assert_eq!(
                        error.raw_os_error(),
                        Some(rustix::io::Errno::MFILE.raw_os_error())
                    );
                    assert!(runtime.is_inherited() && runtime.tick().is_err());
                }
            }
            failures += 1;
            assert!(failures < 10);
        }
        assert!(failures >= 1, "the plan was asked");
        far.write_all(b"w").unwrap();
        assert_eq!(
            runtime
                .block_on(timeout(LONG, reader))
                .unwrap()
                .unwrap()
                .unwrap(),
            b'w'
        );
    })
    .join();
}

/// What a runtime waits for in the test of faults.
struct Everything {
    runtime: Runtime,
    reader: JoinHandle<std::io::Result<u8>>,
    far: std::os::unix::net::UnixStream,
    sleeper: JoinHandle<()>,
    clock: ManualClock,
    bell: Bell,
}

fn everything(kind: BackendKind) -> Everything {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new().backend(kind);
    let runtime = builder.clock(Clock::Manual(clock.clone())).build().unwrap();
    let (near, far) = pair_in(&runtime);
    let reader = runtime.spawn(async move {
        let mut byte = [0];
        near.read_with(|mut near| near.read(&mut byte)).await?;
        Ok(byte[0])
    });
    let sleeper = runtime.spawn(sleep_until_wall(clock.wall_now() + LONG));
    for _ in 0..3 {
        runtime.tick().unwrap();
    }
    let mut bell = Bell::new().unwrap();
    bell.listen(Signal::USR1).unwrap();
    Everything {
        runtime,
        reader,
        far,
        sleeper,
        clock,
        bell,
    }
}

/// In the child, with one call that fails: the error is told and it can be tried again, or whoever waits is told, or nothing
/// is lost. Whether there was such a call.
fn outlasts(all: &mut Everything, call: Call, nth: u64, errno: i32) -> bool {
    let plan = Plan::new().at(call, nth, Fault::Errno(errno)).install();
    let mended = all.runtime.after_fork();
    for _ in 0..3 {
        match all.runtime.tick() {
            Ok(_) => assert!(mended.is_ok()),
            Err(error) => assert!(mended.is_err(), "{call:?} {errno} {nth}: {error}"),
        }
    }
    let is_met = count_of(call) >= nth;
    drop(plan);
    if let Err(error) = mended {
        assert!(is_met, "{call:?} {errno} {nth}: {error}");
        assert_eq!(error.raw_os_error(), Some(errno), "{call:?} {nth}");
        assert!(all.runtime.is_inherited());
        all.runtime.after_fork().unwrap();
    }
    signal::raise_here(Signal::USR1).unwrap();
    assert!(rings(&all.bell, 10), "{call:?} {errno} {nth}: the bell");
    all.far.write_all(b"w").unwrap();
    let (reader, sleeper) = (&mut all.reader, &mut all.sleeper);
    all.clock.set_patience(LONG);
    match all.runtime.block_on(reader).unwrap().unwrap() {
        Ok(byte) => assert_eq!(byte, b'w'),
        Err(error) => {
            assert!(is_met, "{call:?} {errno} {nth}: {error}");
            assert_eq!(error.raw_os_error(), Some(errno), "{call:?} {nth}");
        }
    }
    all.clock.set_patience(Duration::ZERO);
    all.clock.set_wall(all.clock.wall_now() + LONG);
    all.runtime.block_on(sleeper).unwrap().unwrap();
    is_met
}

fn p63_after_fork_outlasts_every_fault(kind: BackendKind) {
    use rustix::io::Errno;
    let calls: [(Call, &[Errno]); 3] = [
        (
            Call::Open,
            &[Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NODEV],
        ),
        (Call::Control, &[Errno::NOMEM, Errno::NOSPC, Errno::PERM]),
        (
            Call::ClockWatch,
            &[Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::CANCELED],
        ),
    ];
    let mut runs = 0;
    for (call, errnos) in calls {
        for errno in errnos {
            // The first call, the second, and so on until a child makes no such call.
            for nth in 1.. {
                let mut all = everything(kind);
                let (mut said, mut heard) = std::os::unix::net::UnixStream::pair().unwrap();
                fork(|| {
                    let is_met = outlasts(&mut all, call, nth, errno.raw_os_error());
                    said.write_all(&[u8::from(is_met)]).unwrap();
                })
                .join();
                let mut is_met = [0];
                heard.read_exact(&mut is_met).unwrap();
                runs += 1;
                if is_met == [0] {
                    break;
                }
            }
        }
    }
    assert!(runs > 20, "only {runs} runs");
}

fn p63_after_fork_does_nothing_in_the_same_process(kind: BackendKind) {
    let (mut runtime, reader, far) = waiting(kind);
    let fd = runtime.selector_fd().map(|fd| fd.as_raw_fd());
    runtime.after_fork().unwrap();
    assert_eq!(runtime.selector_fd().map(|fd| fd.as_raw_fd()), fd);
    let polls = runtime.tick().unwrap().polls;
    assert_eq!(polls, 0, "nobody was woken");
    still_reads(&runtime, reader, far);
}

fn p63_jobs_of_the_parents_threads_are_aborted_in_the_child(kind: BackendKind) {
    let mut runtime = Builder::new()
        .backend(kind)
        .blocking_threads_max(1)
        // A child that waited for the parent's threads would be killed by its alarm.
        .blocking_shutdown_timeout(Duration::from_secs(3600))
        .build()
        .unwrap();
    let (go, gate) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let entered = runtime.enter();
    let mut running = spawn_blocking(move || {
        started.send(()).unwrap();
        gate.recv().unwrap();
        7
    });
    let mut queued = spawn_blocking(|| 8);
    drop(entered);
    let mut sent = runtime.handle().spawn_blocking(|| 9).unwrap();
    has_started.recv().unwrap();
    fork(|| {
        runtime.after_fork().unwrap();
        let results = async { ((&mut running).await, (&mut queued).await, (&mut sent).await) };
        let (running, queued, sent) = runtime.block_on(timeout(LONG, results)).unwrap().unwrap();
        assert!(running.unwrap_err().is_aborted());
        assert!(queued.unwrap_err().is_aborted());
        assert!(sent.unwrap_err().is_aborted());
        let statistics = runtime.blocking_statistics();
        assert_eq!((statistics.threads, statistics.queued), (0, 0));
        assert_eq!(
            runtime
                .block_on(async { spawn_blocking(|| 1).await })
                .unwrap()
                .unwrap(),
            1
        );
        let handle = runtime.handle();
        assert_eq!(handle.spawn_blocking(|| 2).unwrap().join().unwrap(), 2);
        // And the end, which waits for the child's own threads alone.
        assert!(
            std::mem::replace(&mut runtime, Runtime::new().unwrap())
                .shutdown(LONG)
                .unwrap()
        );
    })
    .join();
    // A child that drops it does not wait for threads either.
    let slot = Cell::new(Some(runtime));
    fork(|| drop(slot.take())).join();
    let runtime = slot.take().unwrap();
    go.send(()).unwrap();
    let results = async { ((&mut running).await, (&mut queued).await, (&mut sent).await) };
    let (running, queued, sent) = runtime.block_on(results).unwrap();
    assert_eq!(
        (running.unwrap(), queued.unwrap(), sent.unwrap()),
        (7, 8, 9)
    );
}

fn p63_a_fork_inside_a_task_ends_the_childs_loop_and_leaves_room_for_another(kind: BackendKind) {
    let (runtime, reader, far) = waiting(kind);
    let forked = runtime.block_on(async {
        // SAFETY: this process has one thread that does anything.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // Another loop may run here, over the one that is the parent's.
            let sum = mainspring::run(async {
                let part = mainspring::spawn(async { 2 });
                sleep(Duration::from_millis(1)).await;
                part.await.unwrap() + 1
            });
            if sum.unwrap() != 3 {
                // SAFETY: the end of the child.
                unsafe { libc::_exit(3) };
            }
            // And whoever forgets to end here comes no further than this turn.
            sleep(Duration::from_millis(1)).await;
            // SAFETY: it ends this process at once, and runs nothing of ours.
            unsafe { libc::_exit(4) };
        }
        pid
    });
    match forked {
        Ok(pid) => Forked(pid).join(),
        Err(error) => exit(|| {
            assert_ne!(error.kind(), ErrorKind::NotConnected);
            assert!(error.to_string().contains("after_fork"), "{error}");
        }),
    }
    still_reads(&runtime, reader, far);
}

/// Whether a signal rings it within `seconds`, or has since somebody last asked.
fn rings(bell: &Bell, seconds: i64) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(bell, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    // The signal may interrupt this very wait, or come on another thread, a moment later.
    let count = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&limit))).unwrap();
    bell.quiet();
    count > 0
}

fn p63_hz_f04_a_bell_of_signals_is_the_childs_own_after_fork(kind: BackendKind) {
    let mut runtime = runtime(kind);
    let mut bell = Bell::new().unwrap();
    bell.listen(Signal::USR1).unwrap();
    let send = || signal::raise(Signal::USR1).unwrap();
    fork(|| {
        send();
        assert!(!rings(&bell, 0), "it was the parent's");
        runtime.after_fork().unwrap();
        send();
        assert!(rings(&bell, 10));
        // One that is made here, too.
        let mut own = Bell::new().unwrap();
        own.listen(Signal::USR1).unwrap();
        send();
        assert!(rings(&own, 10) && rings(&bell, 10));
    })
    .join();
    assert!(!rings(&bell, 0), "nothing of it came to the parent");
    send();
    assert!(rings(&bell, 10));
}

fn p63_a_child_leaves_the_file_of_its_parents_socket(kind: BackendKind) {
    let runtime = runtime(kind);
    let bind = async { mainspring::net::UnixListener::bind(socket_path()).unwrap() };
    let listener = Cell::new(Some(runtime.block_on(bind).unwrap()));
    fork(|| drop(listener.take())).join();
    assert!(socket_path().exists());
    drop(listener.take());
    assert!(!socket_path().exists());
}

/// A program that says what it is told, until it is told no more; killed with its handle.
fn cat() -> Child {
    process::Command::new("cat")
        .stdin(Stdio::Piped)
        .stdout(Stdio::Piped)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// That it still runs, and was left alone.
async fn still_says(mut child: Child) {
    let (input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    input.write_all(b"x").await.unwrap();
    let mut byte = [0];
    output.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"x");
    drop(input);
    let status = child.wait().await.unwrap();
    assert!(status.success(), "{status}");
}

fn p63_a_child_that_drops_the_runtime_kills_no_program_of_the_parent(kind: BackendKind) {
    let runtime = runtime(kind);
    let child = runtime.block_on(async { cat() }).unwrap();
    // One that a task waits for, and one whose end is waited for in the background.
    let (go, gate) = mainspring::channel::oneshot();
    let task = runtime.spawn(async move {
        {
            let mut end = std::pin::pin!(child.wait());
            poll_fn(|cx| {
                assert!(end.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            gate.await.unwrap();
        }
        still_says(child).await;
    });
    let left = runtime.block_on(async {
        let mut left = cat();
        left.set_kill_on_drop(false);
        let pipes = (left.stdin.take().unwrap(), left.stdout.take().unwrap());
        drop(left);
        mainspring::yield_to_io().await;
        pipes
    });
    let (input, mut output) = left.unwrap();
    let runtime = Cell::new(Some(runtime));
    fork(|| drop(runtime.take())).join();
    let runtime = runtime.take().unwrap();
    go.send(()).unwrap();
    runtime
        .block_on(timeout(LONG, task))
        .unwrap()
        .unwrap()
        .unwrap();
    let said = async {
        input.write_all(b"y").await.unwrap();
        drop(input);
        let mut all = Vec::new();
        output.read_to_end(&mut all).await.unwrap();
        all
    };
    assert_eq!(
        runtime.block_on(timeout(LONG, said)).unwrap().unwrap(),
        b"y"
    );
}

fn p63_a_program_of_the_parent_is_neither_signalled_nor_waited_for_in_the_child(kind: BackendKind) {
    let mut runtime = runtime(kind);
    let child = Cell::new(Some(runtime.block_on(async { cat() }).unwrap()));
    fork(|| {
        let child = child.take().unwrap();
        let refused = |error: std::io::Error| {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains("before a fork"), "{error}");
        };
        refused(child.kill().unwrap_err());
        refused(child.signal_group(process::Signal::KILL).unwrap_err());
        refused(child.try_wait().unwrap_err());
        runtime.after_fork().unwrap();
        let end = async {
            refused(child.wait().await.unwrap_err());
            // Its own are its own, and who ends is waited for.
            let own = cat();
            own.kill().unwrap();
            assert!(!own.wait().await.unwrap().success());
            drop(child);
        };
        runtime.block_on(timeout(LONG, end)).unwrap().unwrap();
    })
    .join();
    let child = child.take().unwrap();
    runtime
        .block_on(timeout(LONG, still_says(child)))
        .unwrap()
        .unwrap();
}

fn p63_a_child_that_drops_the_runtime_removes_no_temporary_file_of_the_parent(kind: BackendKind) {
    let runtime = runtime(kind);
    let made = async {
        (
            TempFile::new().await.unwrap(),
            TempDir::new().await.unwrap(),
        )
    };
    let (file, folder) = runtime.block_on(made).unwrap();
    let (file_path, folder_path) = (file.path().to_path_buf(), folder.path().to_path_buf());
    let task = runtime.spawn(async move {
        let _kept = (file, folder);
        std::future::pending::<()>().await;
    });
    runtime.tick().unwrap();
    let slot = Cell::new(Some(runtime));
    fork(|| drop(slot.take())).join();
    assert!(file_path.exists() && folder_path.exists());
    // Nor does one that goes on with the loop, and ends the task there.
    fork(|| {
        let mut runtime = slot.take().unwrap();
        runtime.after_fork().unwrap();
        task.abort();
        // Whether something was removed is known when the pool has ended.
        assert!(runtime.shutdown(LONG).unwrap());
    })
    .join();
    assert!(file_path.exists() && folder_path.exists());
    drop(slot.take());
    assert!(!file_path.exists() && !folder_path.exists());
}

fn p63_what_a_file_took_before_the_fork_the_parent_writes_alone(kind: BackendKind) {
    let runtime = Builder::new()
        .backend(kind)
        .blocking_threads_max(1)
        .build()
        .unwrap();
    let path = std::env::temp_dir().join(format!("mainspring-fork-{}.txt", std::process::id()));
    let open = File::options().append(true).create_new(true).open(&path);
    let file = Cell::new(Some(runtime.block_on(open).unwrap().unwrap()));
    // The one thread is busy, so the bytes wait.
    let (go, gate) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let entered = runtime.enter();
    drop(spawn_blocking(move || {
        started.send(()).unwrap();
        gate.recv().unwrap();
    }));
    drop(entered);
    has_started.recv().unwrap();
    let mut taken = file.take().unwrap();
    runtime
        .block_on(taken.write_all(b"parent"))
        .unwrap()
        .unwrap();
    let both = Cell::new(Some((taken, runtime)));
    fork(|| drop(both.take())).join();
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    // A child that goes on with the file writes what it was given there.
    fork(|| {
        let (mut file, mut runtime) = both.take().unwrap();
        runtime.after_fork().unwrap();
        let write = async {
            file.write_all(b"child, ").await.unwrap();
            file.flush().await.unwrap();
        };
        runtime.block_on(timeout(LONG, write)).unwrap().unwrap();
    })
    .join();
    let (mut taken, runtime) = both.take().unwrap();
    go.send(()).unwrap();
    let end = async {
        taken.flush().await.unwrap();
        fs::read(&path).await.unwrap()
    };
    let text = runtime.block_on(end).unwrap();
    assert_eq!(String::from_utf8_lossy(&text), "child, parent");
    std::fs::remove_file(&path).unwrap();
}

fn p63_what_standard_output_took_before_the_fork_the_parent_writes_alone(kind: BackendKind) {
    let builder = Builder::new().backend(kind).blocking_threads_max(1);
    let runtime = builder.build().unwrap();
    // A file, which goes by way of the pool.
    let path = std::env::temp_dir().join(format!("mainspring-fork-{}.out", std::process::id()));
    let file = std::fs::File::options()
        .append(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    // SAFETY: both numbers are open, and this process has no other use for its output.
    assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 1) }, 1);
    let (go, gate) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let entered = runtime.enter();
    drop(spawn_blocking(move || {
        started.send(()).unwrap();
        gate.recv().unwrap();
    }));
    let mut output = stdio::stdout().unwrap();
    assert!(output.uses_pool());
    drop(entered);
    has_started.recv().unwrap();
    runtime
        .block_on(output.write_all(b"once"))
        .unwrap()
        .unwrap();
    let count = || {
        let text = std::fs::read_to_string(&path).unwrap();
        text.matches("once").count()
    };
    let both = Cell::new(Some((output, runtime)));
    fork(|| drop(both.take())).join();
    assert_eq!(count(), 0);
    // The jobs of a loop that the child takes over are dropped there, and what they hold.
    fork(|| {
        let (output, mut runtime) = both.take().unwrap();
        runtime.after_fork().unwrap();
        runtime.tick().unwrap();
        drop((output, runtime));
    })
    .join();
    assert_eq!(count(), 0);
    let (mut output, runtime) = both.take().unwrap();
    go.send(()).unwrap();
    runtime.block_on(output.flush()).unwrap().unwrap();
    drop((output, runtime));
    assert_eq!(count(), 1);
    std::fs::remove_file(path).unwrap();
}

/// Standard input from here on: a pipe that a thread has to wait for. The other end of it.
fn new_input() -> (std::fs::File, stdio::Stdin) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::stdio::dup2_stdin(&reader).unwrap();
    // It can't be opened again; the first is the duplicate.
    let refused = Fault::Errno(rustix::io::Errno::ACCESS.raw_os_error());
    let plan = Plan::new().from(Call::OpenFile, 2, 9, refused).install();
    let input = stdio::stdin().unwrap();
    drop(plan);
    assert!(input.uses_pool());
    (writer.into(), input)
}

fn p63_a_thread_that_reads_standard_input_at_a_fork_does_not_hold_up_the_child(kind: BackendKind) {
    let builder = Builder::new().backend(kind).blocking_threads_max(1);
    let runtime = Cell::new(Some(builder.build().unwrap()));
    let parent = runtime.take().unwrap();
    let (mut far, mut input) = new_input();
    let reader = parent.spawn(async move {
        let mut byte = [0];
        input.read_exact(&mut byte).await.unwrap();
        byte[0]
    });
    let is_read = async {
        while mainspring::task::blocking::statistics().unwrap().running == 0 {
            mainspring::yield_now().await;
        }
    };
    parent.block_on(is_read).unwrap();
    runtime.set(Some(parent));
    // It is on its way to the lock, has it, or waits with it.
    for _ in 0..10 {
        fork(|| {
            // The parent's reader goes with its task.
            drop(runtime.take());
            let own = self::runtime(kind);
            let (mut far, mut input) = new_input();
            far.write_all(b"c").unwrap();
            let mut byte = [0];
            let read = own.block_on(timeout(LONG, input.read_exact(&mut byte)));
            read.unwrap().expect("it is read").unwrap();
            assert_eq!(&byte, b"c");
            std::mem::forget(own);
        })
        .join();
        std::thread::yield_now();
    }
    far.write_all(b"p").unwrap();
    let parent = runtime.take().unwrap();
    let byte = parent.block_on(timeout(LONG, reader)).unwrap();
    assert_eq!(byte.expect("it is read").unwrap(), b'p');
}

fn p63_after_fork_the_clocks_are_watched_anew_and_the_parent_hears_nothing(kind: BackendKind) {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let builder = Builder::new().backend(kind);
    let mut runtime = builder.clock(Clock::Manual(clock.clone())).build().unwrap();
    let day = Duration::from_secs(86_400);
    let deadline = clock.wall_now() + day;
    let mut sleeper = runtime.spawn(sleep_until_wall(deadline));
    runtime.tick().unwrap();
    let before = runtime.metrics();
    let fork_and_jump =
        |runtime: &mut Runtime, clock: &ManualClock, sleeper: &mut JoinHandle<()>| {
            // Before the child has chosen, it rings nobody.
            clock.set_wall(clock.wall_now() + day / 2);
            runtime.after_fork().unwrap();
            runtime.tick().unwrap();
            let start = clock.now();
            clock.set_wall(deadline);
            runtime.block_on(sleeper).unwrap().unwrap();
            assert_eq!(clock.now(), start, "the jump has ended it");
        };
    fork(|| fork_and_jump(&mut runtime, &clock, &mut sleeper)).join();
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    let after = runtime.metrics();
    assert_eq!((after.events, after.polls), (before.events, before.polls));
    clock.set_wall(deadline);
    runtime.block_on(sleeper).unwrap().unwrap();
}

fn p63_a_daemon_takes_its_loop_along(kind: BackendKind) {
    let mut runtime = runtime(kind);
    let listener = std::os::unix::net::UnixListener::bind(socket_path()).unwrap();
    let path = socket_path();
    listener.set_nonblocking(true).unwrap();
    let listener = {
        let _entered = runtime.enter();
        mainspring::net::UnixListener::from_std(listener).unwrap()
    };
    let serving = runtime.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(&std::process::id().to_ne_bytes())
            .await
            .unwrap();
    });
    runtime.tick().unwrap();
    let starter = fork(|| {
        // SAFETY: it takes no pointers and touches no memory.
        assert!(unsafe { libc::setsid() } > 0);
        // The grandchild is nobody's: the starter ends at once.
        let Forked(_) = fork(|| {
            runtime.after_fork().unwrap();
            runtime
                .block_on(timeout(LONG, serving))
                .unwrap()
                .unwrap()
                .unwrap();
        });
    });
    starter.join();
    drop(runtime);
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let mut id = [0; 4];
    client.read_exact(&mut id).unwrap();
    assert_ne!(u32::from_ne_bytes(id), std::process::id());
    std::fs::remove_file(path).unwrap();
}

fn socket_path() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("mainspring-fork-{}.sock", std::process::id()))
}

fn p63_a_thread_with_a_loop_of_its_own_does_not_hinder_a_fork(kind: BackendKind) {
    let (mut runtime, reader, far) = waiting(kind);
    let (stop, is_stopped) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let other = Builder::new().backend(kind).build().unwrap();
        let wait = other.block_on(async { spawn_blocking(move || is_stopped.recv()).await });
        wait.unwrap().unwrap().unwrap();
    });
    for _ in 0..20 {
        fork(|| {
            runtime.after_fork().unwrap();
            runtime.block_on(sleep(Duration::from_millis(1))).unwrap();
            assert_eq!(
                runtime
                    .block_on(async { spawn_blocking(|| 1).await })
                    .unwrap()
                    .unwrap(),
                1
            );
        })
        .join();
    }
    stop.send(()).unwrap();
    thread.join().unwrap();
    still_reads(&runtime, reader, far);
}
