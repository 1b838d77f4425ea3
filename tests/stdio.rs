//! Standard streams of every kind, on both backends: each test has a process, whose streams it replaces.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::stdio as std_streams;

use mainspring::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use mainspring::process::{Command, Stdio};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::stdio::{self, Stderr, Stdin, Stdout};
use mainspring::time::timeout;
use mainspring::{Builder, spawn, terminal, yield_now};
use rig::{On, file_of, open_fds, pattern};

on_both! {
    hz_c12_input_of_every_kind_is_read_to_its_end,
    hz_c12_output_of_every_kind_takes_all,
    p59_hz_c27_no_flag_of_a_shared_file_changes,
    p59_a_read_that_nobody_waits_for_holds_up_no_end,
    p59_a_dropped_read_loses_no_byte,
    p59_a_second_stdin_takes_what_the_first_left,
    what_is_left_unread_is_there_for_who_comes_after,
    a_line_of_a_terminal_comes_when_it_is_whole,
    one_stdin_lives_at_a_time,
    a_stream_that_is_closed_or_the_wrong_way_round_says_so,
    a_reader_that_goes_is_an_error,
    what_was_taken_is_written_though_the_loop_ends,
    what_cannot_be_opened_again_is_read_by_a_thread,
    a_child_shares_the_output,
    faults_lose_nothing_and_leak_nothing,
    p59_what_threads_read_outlasts_every_fault,
    p59_what_threads_write_outlasts_every_fault,
}

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    /// A pipe that cannot be opened again.
    StrangePipe,
    Terminal,
    Socket,
    Tcp,
    File,
}

const KINDS: [Kind; 6] = [
    Kind::Pipe,
    Kind::StrangePipe,
    Kind::Terminal,
    Kind::Socket,
    Kind::Tcp,
    Kind::File,
];

/// Keeps its opening from being possible, while it lives.
fn no_open(kind: Kind) -> Option<mainspring::sim::fault::PlanGuard> {
    let refused = Fault::Errno(rustix::io::Errno::ACCESS.raw_os_error());
    // The first is the duplicate.
    let plan = Plan::new().from(Call::OpenFile, 2, 9, refused);
    (kind == Kind::StrangePipe).then(|| plan.install())
}

/// Two ends, both blocking: what is written to the second comes out of the first. A file's are one.
fn ends(kind: Kind) -> (OwnedFd, OwnedFd) {
    match kind {
        Kind::Pipe | Kind::StrangePipe => rustix::pipe::pipe().unwrap(),
        Kind::Terminal => {
            let (master, slave) = terminal::pair().unwrap();
            let raw = terminal::modes(&slave).unwrap().to_raw();
            terminal::set_modes(&slave, &raw).unwrap();
            let master_fd = rustix::io::dup(&master).unwrap();
            rustix::io::ioctl_fionbio(&master_fd, false).unwrap();
            (slave.into_blocking_fd().unwrap(), master_fd)
        }
        Kind::Socket => {
            let (one, other) = UnixStream::pair().unwrap();
            (one.into(), other.into())
        }
        Kind::Tcp => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let one = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (one.into(), listener.accept().unwrap().0.into())
        }
        Kind::File => {
            let file = file_of(b"");
            (file.try_clone().unwrap().into(), file.into())
        }
    }
}

/// Replaces standard input.
fn set_input(fd: impl AsFd) {
    std_streams::dup2_stdin(fd).unwrap();
}

/// Replaces standard output while it lives: the test harness has its own to say.
struct Replaced(OwnedFd);

fn set_output(fd: impl AsFd) -> Replaced {
    let before = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3).unwrap();
    std_streams::dup2_stdout(fd).unwrap();
    Replaced(before)
}

impl Drop for Replaced {
    fn drop(&mut self) {
        std_streams::dup2_stdout(&self.0).unwrap();
    }
}

fn flags(fd: impl AsFd) -> OFlags {
    rustix::fs::fcntl_getfl(fd).unwrap()
}

/// Whether a stream of this kind takes a thread.
fn uses_pool(kind: Kind, is_output: bool) -> bool {
    match kind {
        Kind::Pipe => !cfg!(target_os = "linux"),
        Kind::StrangePipe | Kind::File => true,
        Kind::Terminal => false,
        Kind::Socket | Kind::Tcp => is_output && cfg!(target_vendor = "apple"),
    }
}

fn hz_c12_input_of_every_kind_is_read_to_its_end(on: On) {
    on.alone(|| {
        for kind in KINDS {
            input_is_read_to_its_end(on, kind);
        }
        on.run(async {
            set_input(File::open("/dev/null").unwrap());
            assert_eq!(stdio::stdin().unwrap().read(&mut [0; 4]).await.unwrap(), 0);
        });
    });
}

fn input_is_read_to_its_end(on: On, kind: Kind) {
    let sent = pattern(200_000);
    let (near, far) = ends(kind);
    set_input(&near);
    drop(near);
    let copy = sent.clone();
    let mut far = File::from(far);
    let writer = if kind == Kind::File {
        far.write_all(&copy).unwrap();
        far.rewind().unwrap();
        None
    } else {
        Some(std::thread::spawn(move || {
            far.write_all(&copy).unwrap();
            far
        }))
    };
    on.run(async {
        let guard = no_open(kind);
        let mut input = stdio::stdin().unwrap();
        drop(guard);
        assert_eq!(input.uses_pool(), uses_pool(kind, false), "{kind:?}");
        assert_eq!(input.is_terminal(), kind == Kind::Terminal);
        assert_eq!(input.read(&mut []).await.unwrap(), 0);
        let mut got = vec![0; sent.len()];
        input.read_exact(&mut got).await.unwrap();
        assert!(got == sent, "{kind:?}");
        // And the end: whoever writes goes, or hangs up.
        drop(writer.map(|writer| writer.join().unwrap()));
        assert_eq!(input.read(&mut [0; 4]).await.unwrap(), 0, "{kind:?}");
    });
}

fn hz_c12_output_of_every_kind_takes_all(on: On) {
    on.alone(|| {
        for kind in KINDS {
            output_takes_all(on, kind);
        }
        on.run(async {
            let _restored = set_output(File::create("/dev/null").unwrap());
            let mut out = stdio::stdout().unwrap();
            out.write_all(&[7; 100_000]).await.unwrap();
            out.flush().await.unwrap();
            out.close().await.unwrap();
        });
    });
}

fn output_takes_all(on: On, kind: Kind) {
    let sent = pattern(200_000);
    let (near, far) = ends(kind);
    // What is read is the other end.
    let (reader, writer) = match kind {
        Kind::Pipe | Kind::StrangePipe => (near, far),
        _ => (far, near),
    };
    let len = sent.len();
    let mut reader = File::from(reader);
    let restored = set_output(&writer);
    drop(writer);
    let kept = reader.try_clone().unwrap();
    let thread = (kind != Kind::File).then(|| {
        std::thread::spawn(move || {
            let mut got = vec![0; len];
            reader.read_exact(&mut got).unwrap();
            got
        })
    });
    on.run(async {
        let guard = no_open(kind);
        let mut out = stdio::stdout().unwrap();
        drop(guard);
        assert_eq!(out.uses_pool(), uses_pool(kind, true), "{kind:?}");
        out.write_all(&sent).await.unwrap();
        out.flush().await.unwrap();
        out.flush().await.unwrap();
    });
    drop(restored);
    let got = match thread {
        Some(thread) => thread.join().unwrap(),
        None => {
            let (mut file, mut got) = (kept, Vec::new());
            file.rewind().unwrap();
            file.read_to_end(&mut got).unwrap();
            got
        }
    };
    assert!(got == sent, "{kind:?}");
}

fn p59_hz_c27_no_flag_of_a_shared_file_changes(on: On) {
    on.alone(|| {
        for kind in KINDS {
            let (near, far) = ends(kind);
            let mut keeper = File::from(far);
            let before = flags(&near);
            assert!(!before.contains(OFlags::NONBLOCK), "{kind:?}");
            let is_pipe = matches!(kind, Kind::Pipe | Kind::StrangePipe);
            if !is_pipe {
                set_input(&near);
            }
            let writer = if is_pipe {
                keeper.as_fd()
            } else {
                near.as_fd()
            };
            let restored = set_output(writer);
            if is_pipe {
                set_input(&near);
            }
            on.run(async {
                let guard = no_open(kind);
                let mut input = stdio::stdin().unwrap();
                drop(guard);
                let guard = no_open(kind);
                let mut out = stdio::stdout().unwrap();
                drop(guard);
                // While it waits, and while it is written to, is when it would show.
                let task = spawn(async move { input.read(&mut [0; 4]).await.map(drop) });
                yield_now().await;
                assert_eq!(flags(&near), before, "{kind:?}");
                out.write_all(b"tick").await.unwrap();
                out.flush().await.unwrap();
                assert_eq!(flags(&near), before, "{kind:?}");
                if !is_pipe && kind != Kind::File {
                    keeper.write_all(b"tock").unwrap();
                }
                task.await.unwrap().unwrap();
            });
            drop(restored);
            assert_eq!(flags(&near), before, "{kind:?}");
            if kind != Kind::Terminal {
                assert_eq!(
                    flags(&keeper),
                    flags(&keeper) - OFlags::NONBLOCK,
                    "{kind:?}"
                );
            }
        }
    });
}

fn p59_a_read_that_nobody_waits_for_holds_up_no_end(on: On) {
    on.alone(|| {
        // Longer than any test may take: who waits for the thread hangs.
        let builder = || {
            Builder::new()
                .backend(on.kind)
                .blocking_shutdown_timeout(Duration::MAX)
        };
        for kind in [Kind::Pipe, Kind::StrangePipe, Kind::Terminal, Kind::Socket] {
            let (near, _far) = ends(kind);
            set_input(&near);
            // In a task that the end finds waiting.
            let runtime = builder().build().unwrap();
            runtime
                .block_on(async {
                    let guard = no_open(kind);
                    let mut input = stdio::stdin().unwrap();
                    drop(guard);
                    drop(spawn(
                        async move { input.read(&mut [0; 4]).await.map(drop) },
                    ));
                    mainspring::yield_to_io().await;
                })
                .unwrap();
            drop(runtime);
            // And by a stream that outlives its loop.
            let guard = no_open(kind);
            let mut input = stdio::stdin().unwrap();
            drop(guard);
            let runtime = builder().build().unwrap();
            runtime
                .block_on(async {
                    let limit = Duration::from_millis(1);
                    let read = timeout(limit, input.read(&mut [0; 4])).await;
                    assert!(read.is_err(), "nothing is there");
                })
                .unwrap();
            drop(runtime);
            drop(input);
        }
    });
}

fn p59_a_dropped_read_loses_no_byte(on: On) {
    on.alone(|| {
        for kind in KINDS {
            if kind == Kind::File {
                continue;
            }
            let (near, far) = ends(kind);
            set_input(&near);
            let mut far = File::from(far);
            on.run(async {
                let guard = no_open(kind);
                let mut input = stdio::stdin().unwrap();
                drop(guard);
                let sent = pattern(60);
                let mut got = Vec::new();
                for part in sent.chunks(3) {
                    // Dropped while it waits; a thread may be on its way.
                    let none = timeout(Duration::ZERO, input.read(&mut [0; 8])).await;
                    assert!(none.is_err(), "{kind:?}");
                    far.write_all(part).unwrap();
                    loop {
                        let mut buf = [0; 2];
                        let count = input.read(&mut buf).await.unwrap();
                        got.extend_from_slice(&buf[..count]);
                        if got.len() % 3 == 0 {
                            break;
                        }
                    }
                }
                assert_eq!(got, sent, "{kind:?}");
            });
        }
    });
}

fn p59_a_second_stdin_takes_what_the_first_left(on: On) {
    on.alone(|| {
        let (near, far) = ends(Kind::StrangePipe);
        set_input(&near);
        let mut far = File::from(far);
        let open = || {
            let guard = no_open(Kind::StrangePipe);
            let input = stdio::stdin().unwrap();
            drop(guard);
            assert!(input.uses_pool());
            input
        };
        let mut got = Vec::new();
        for round in 0..20u8 {
            // A loop and a stream for each, and a thread that may come home with bytes after them.
            on.run(async {
                let mut input = open();
                let mut early = [0; 8];
                if let Ok(count) = timeout(Duration::ZERO, input.read(&mut early)).await {
                    got.extend_from_slice(&early[..count.unwrap()]);
                }
                far.write_all(&[round, round]).unwrap();
                if round % 3 == 0 {
                    return;
                }
                let mut buf = [0; 1];
                if let Ok(count) = timeout(Duration::from_secs(20), input.read(&mut buf)).await {
                    assert_eq!(count.unwrap(), 1);
                    got.push(buf[0]);
                }
            });
        }
        drop(far);
        on.run(async { open().read_to_end(&mut got).await.unwrap() });
        let wanted: Vec<u8> = (0..20u8).flat_map(|round| [round, round]).collect();
        assert_eq!(got, wanted);
    });
}

fn what_is_left_unread_is_there_for_who_comes_after(on: On) {
    on.alone(|| {
        set_input(file_of(b"one\ntwo\nthree\n").try_clone().unwrap());
        let mut start = File::from(rustix::io::dup(std::io::stdin()).unwrap());
        start.rewind().unwrap();
        on.run(async {
            let mut input = stdio::stdin().unwrap();
            let mut first = [0; 4];
            input.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"one\n");
            let command = Command::new("cat").stdout(Stdio::Piped);
            let mut child = command.spawn().unwrap();
            let output = child.communicate(Vec::new()).await.unwrap();
            assert_eq!(output.stdout, b"two\nthree\n");
        });
    });
}

fn a_line_of_a_terminal_comes_when_it_is_whole(on: On) {
    on.alone(|| {
        let (master, slave) = terminal::pair().unwrap();
        set_input(&slave);
        on.run(async {
            let mut input = BufReader::new(stdio::stdin().unwrap());
            assert!(input.get_ref().is_terminal() && !input.get_ref().uses_pool());
            let task = spawn(async move {
                let (mut one, mut two) = (String::new(), String::new());
                input.read_line(&mut one).await.unwrap();
                input.read_line(&mut two).await.unwrap();
                let end = input.read(&mut [0; 4]).await.unwrap();
                (one, two, end)
            });
            master.write_all(b"tick\nto").await.unwrap();
            mainspring::yield_to_io().await;
            master.write_all(b"ck\n\x04").await.unwrap();
            let said = task.await.unwrap();
            assert_eq!(said, ("tick\n".into(), "tock\n".into(), 0));
        });
    });
}

fn one_stdin_lives_at_a_time(on: On) {
    on.alone(|| {
        let first = stdio::stdin().unwrap();
        let second = stdio::stdin().unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        drop(first);
        drop(stdio::stdin().unwrap());
    });
}

fn a_stream_that_is_closed_or_the_wrong_way_round_says_so(on: On) {
    on.alone(|| {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        set_input(&writer);
        let error = stdio::stdin().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(
            error.to_string().contains("not open for reading"),
            "{error}"
        );
        let restored = set_output(&reader);
        let error = stdio::stdout().unwrap_err();
        drop(restored);
        assert!(
            error.to_string().contains("not open for writing"),
            "{error}"
        );
        let plan = Plan::new().at(Call::OpenFile, 1, Fault::Errno(libc::EBADF));
        let guard = plan.install();
        let error = stdio::stdin().unwrap_err();
        assert!(
            error.to_string().contains("standard input is closed"),
            "{error}"
        );
        drop(guard);
        // An error takes nothing.
        set_input(&reader);
        drop(stdio::stdin().unwrap());
    });
}

fn a_reader_that_goes_is_an_error(on: On) {
    on.alone(|| {
        for kind in [Kind::Pipe, Kind::StrangePipe, Kind::Socket] {
            let (near, far) = ends(kind);
            let restored = set_output(&far);
            drop(far);
            let result = on.run(async {
                let guard = no_open(kind);
                let mut out = stdio::stdout().unwrap();
                drop(guard);
                drop(near);
                out.write_all(b"tick").await?;
                out.flush().await
            });
            drop(restored);
            assert_eq!(
                result.unwrap_err().kind(),
                ErrorKind::BrokenPipe,
                "{kind:?}"
            );
        }
    });
}

fn what_was_taken_is_written_though_the_loop_ends(on: On) {
    on.alone(|| {
        for kind in [Kind::File, Kind::StrangePipe] {
            let (near, far) = ends(kind);
            let restored = set_output(&far);
            on.run(async {
                let guard = no_open(kind);
                let mut out = stdio::stdout().unwrap();
                drop(guard);
                assert!(out.uses_pool());
                out.write_all(b"last words").await.unwrap();
                // No flush.
            });
            drop(restored);
            drop(far);
            let (mut near, mut got) = (File::from(near), Vec::new());
            if kind == Kind::File {
                near.rewind().unwrap();
            }
            near.read_to_end(&mut got).unwrap();
            assert_eq!(got, b"last words", "{kind:?}");
        }
    });
}

fn what_cannot_be_opened_again_is_read_by_a_thread(on: On) {
    on.alone(|| {
        let (near, far) = ends(Kind::StrangePipe);
        set_input(&near);
        let mut far = File::from(far);
        on.run(async {
            let guard = no_open(Kind::StrangePipe);
            let mut input = stdio::stdin().unwrap();
            drop(guard);
            let task = spawn(async move {
                let mut all = Vec::new();
                input.read_to_end(&mut all).await.unwrap();
                all
            });
            for _ in 0..3 {
                mainspring::yield_to_io().await;
                far.write_all(b"tick").unwrap();
            }
            drop(far);
            assert_eq!(task.await.unwrap(), b"tickticktick");
        });
    });
}

fn a_child_shares_the_output(on: On) {
    on.alone(|| {
        let file = file_of(b"");
        let restored = set_output(&file);
        on.run(async {
            let mut out = stdio::stdout().unwrap();
            out.write_all(b"ours\n").await.unwrap();
            out.flush().await.unwrap();
            Command::new("echo").arg("theirs").status().await.unwrap();
            out.write_all(b"ours again\n").await.unwrap();
            out.flush().await.unwrap();
        });
        drop(restored);
        let (mut file, mut got) = (file, String::new());
        file.rewind().unwrap();
        file.read_to_string(&mut got).unwrap();
        assert_eq!(got, "ours\ntheirs\nours again\n");
    });
}

/// What the calls of a stream that a thread waits for may say. The start of the thread fails on the loop's own.
const POOL_ERRNOS: [(Call, &[Errno]); 4] = [
    (
        Call::ThreadStart,
        &[Errno::AGAIN, Errno::NOMEM, Errno::PERM],
    ),
    (Call::Wait, &[Errno::INTR, Errno::INVAL, Errno::NOMEM]),
    (
        Call::Read,
        &[
            Errno::INTR,
            Errno::AGAIN,
            Errno::IO,
            Errno::INVAL,
            Errno::ISDIR,
        ],
    ),
    (
        Call::Write,
        &[
            Errno::INTR,
            Errno::AGAIN,
            Errno::DQUOT,
            Errno::FBIG,
            Errno::IO,
            Errno::NOSPC,
            Errno::PIPE,
        ],
    ),
];

/// Runs `program` with each fault at the first call, the second, and so on until a run makes no such call; then at many in a
/// row. It is given a stream's descriptors anew each time, and what may be told of the fault.
fn sweep(on: On, program: impl AsyncFn(Kind, &dyn Fn(&std::io::Error))) {
    on.alone(|| {
        let mut runs = 0;
        for kind in [Kind::StrangePipe, Kind::File] {
            for (call, errnos) in POOL_ERRNOS {
                let mut faults: Vec<Fault> = Vec::new();
                faults.extend(errnos.iter().map(|it| Fault::Errno(it.raw_os_error())));
                if matches!(call, Call::Read | Call::Write) {
                    faults.push(Fault::Short(1));
                }
                for fault in faults {
                    // Many in a row, and from the first on one by one.
                    for first in 0.. {
                        let (nth, times) = if first == 0 { (1, 20) } else { (first, 1) };
                        let what = format!("{kind:?} {call:?} {nth} {times} {fault:?}");
                        let count = run_with_fault(on, call, nth, times, fault, async |told| {
                            program(kind, &|error| told(error, &what)).await;
                        });
                        runs += 1;
                        if count < nth {
                            break;
                        }
                    }
                }
            }
        }
        assert!(runs > 50, "only {runs} runs");
    });
}

/// One run; how many such calls there were. The program says what it was told.
fn run_with_fault(
    on: On,
    call: Call,
    nth: u64,
    times: u64,
    fault: Fault,
    program: impl AsyncFn(&dyn Fn(&std::io::Error, &str)),
) -> u64 {
    let before = open_fds();
    let plan = move || Plan::new().from(call, nth, times, fault);
    let far = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&far);
    let runtime = on
        .builder()
        .blocking_threads_max(1)
        .on_thread_start(move || std::mem::forget(plan().install()))
        .on_thread_stop(move || counted.store(count_of(call), Ordering::SeqCst))
        .build()
        .unwrap();
    let here = (call == Call::ThreadStart).then(|| plan().install());
    let told = |error: &std::io::Error, what: &str| {
        let Fault::Errno(errno) = fault else {
            panic!("{what}: {error}");
        };
        let passing = [Errno::INTR, Errno::AGAIN].map(|errno| errno.raw_os_error());
        assert!(
            call == Call::ThreadStart || !passing.contains(&errno),
            "{what}: {error}"
        );
        let text = std::io::Error::from_raw_os_error(errno).to_string();
        let is_it = error.raw_os_error() == Some(errno) || error.to_string().contains(&text);
        assert!(is_it, "{what}: {error}");
    };
    let ended = runtime.block_on(timeout(Duration::from_secs(20), program(&told)));
    ended.unwrap().expect("it hangs");
    let near = here.map_or(0, |_plan| count_of(call));
    drop(runtime);
    assert_eq!(open_fds(), before, "{call:?} {nth} {times} {fault:?}");
    near.max(far.load(Ordering::SeqCst))
}

/// Each error is the one that was injected, and the next read goes on behind the last byte.
fn p59_what_threads_read_outlasts_every_fault(on: On) {
    sweep(on, async |kind, told| {
        let (near, far) = ends(kind);
        set_input(&near);
        let sent = pattern(40);
        let mut far = File::from(far);
        far.write_all(&sent).unwrap();
        if kind == Kind::File {
            far.rewind().unwrap();
        }
        drop(far);
        let guard = no_open(kind);
        let mut input = stdio::stdin().unwrap();
        drop(guard);
        assert!(input.uses_pool());
        let (mut got, mut buf) = (Vec::new(), [0; 7]);
        loop {
            match input.read(&mut buf).await {
                Ok(0) => break,
                Ok(count) => got.extend_from_slice(&buf[..count]),
                Err(error) => told(&error),
            }
        }
        assert_eq!(got, sent, "{kind:?}");
    });
}

/// Each error is the one that was injected, and what was taken arrives once and in order.
fn p59_what_threads_write_outlasts_every_fault(on: On) {
    sweep(on, async |kind, told| {
        let (near, far) = ends(kind);
        let restored = set_output(&far);
        let guard = no_open(kind);
        let mut out = stdio::stdout().unwrap();
        drop(guard);
        assert!(out.uses_pool());
        let sent = pattern(40);
        let mut rest = &sent[..];
        while !rest.is_empty() {
            match out.write(&rest[..rest.len().min(7)]).await {
                Ok(count) => rest = &rest[count..],
                Err(error) => told(&error),
            }
        }
        while let Err(error) = out.flush().await {
            told(&error);
        }
        drop(out);
        drop(restored);
        drop(far);
        let (mut near, mut got) = (File::from(near), Vec::new());
        if kind == Kind::File {
            near.rewind().unwrap();
        }
        near.read_to_end(&mut got).unwrap();
        assert_eq!(got, sent, "{kind:?}");
    });
}

fn faults_lose_nothing_and_leak_nothing(on: On) {
    on.alone(|| {
        let (near, _far) = ends(Kind::Pipe);
        set_input(&near);
        let before = open_fds();
        let errno = |errno: rustix::io::Errno| Fault::Errno(errno.raw_os_error());
        for (call, is_fatal) in [(Call::OpenFile, true), (Call::Pipe, false)] {
            let plan = Plan::new().at(call, 1, errno(rustix::io::Errno::MFILE));
            let guard = plan.install();
            let opened = stdio::stdin();
            drop(guard);
            assert_eq!(opened.is_err(), is_fatal, "{call:?}");
            drop(opened);
            assert_eq!(open_fds(), before);
        }
        // What cannot be opened again, and has no pipe to be called back by.
        let plan = Plan::new()
            .from(Call::OpenFile, 2, 9, errno(rustix::io::Errno::NOENT))
            .at(Call::Pipe, 1, errno(rustix::io::Errno::NFILE));
        let guard = plan.install();
        assert!(stdio::stdin().is_err());
        drop(guard);
        assert_eq!(open_fds(), before);
        for kind in [Kind::Pipe, Kind::Socket] {
            let (near, far) = ends(kind);
            set_input(&near);
            let mut far = File::from(far);
            let runtime = on.runtime();
            runtime
                .block_on(async {
                    for nth in 1..5 {
                        let mut plan = Plan::new();
                        for call in [Call::Read, Call::Recv] {
                            plan = plan.at(call, nth, errno(rustix::io::Errno::INTR)).at(
                                call,
                                nth + 1,
                                Fault::Short(1),
                            );
                        }
                        let guard = plan.install();
                        let mut input: Stdin = stdio::stdin().unwrap();
                        let sent = pattern(1000);
                        far.write_all(&sent).unwrap();
                        let mut got = vec![0; sent.len()];
                        input.read_exact(&mut got).await.unwrap();
                        drop(guard);
                        assert!(got == sent, "{kind:?} with faults from the {nth}th on");
                    }
                })
                .unwrap();
        }
        fn is_named<T: std::fmt::Debug>() {}
        is_named::<Stdout>();
        is_named::<Stderr>();
    });
}
