//! How programs start, what they inherit, and why they do not start.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainspring::pipe;
use mainspring::process::{Command, Signal, Stdio};
use mainspring::sim::fault::{Call, Fault, Plan};

use crate::rig::{On, open_fds};

on_both! {
    arguments_environment_and_folder_are_those_that_were_said,
    hz_e10_what_does_not_start_is_an_error_of_the_start_and_leaves_nothing,
    hz_e12_a_child_blocks_and_ignores_no_signal,
    hz_e09_a_child_has_no_descriptors_but_those_it_was_given,
    hz_e11_whichever_of_its_streams_the_parent_has_closed_the_child_has_three,
    hz_e11_descriptors_may_change_places,
    hz_e13_children_start_while_other_threads_hold_the_allocator,
    standard_error_goes_where_standard_output_goes,
    a_session_a_group_a_umask_and_a_limit_are_set,
    a_pipeline_is_a_row_of_programs,
    a_socket_to_the_child_carries_descriptors,
    a_fault_at_the_start_leaves_no_descriptor,
}

/// What a shell says.
fn said(on: On, command: Command) -> String {
    let output = on.runtime().block_on(command.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert!(output.is_complete);
    String::from_utf8(output.stdout).unwrap()
}

fn arguments_environment_and_folder_are_those_that_were_said(on: On) {
    let command = Command::shell("echo \"$0 $1 $2|$TICK|$HOME|$PWD\"")
        .args(["a b", "c"])
        .env("TICK", "tock")
        .env_remove("HOME")
        .env_remove("PWD")
        .current_dir("/");
    assert_eq!(said(on, command), "sh a b c|tock||/\n");
    let command = Command::new("env").env_clear().env("ONLY", "this");
    assert_eq!(said(on, command), "ONLY=this\n");
    let command = Command::new("sh").arg0("other").args(["-c", "echo $0"]);
    assert_eq!(said(on, command), "other\n");
}

fn hz_e10_what_does_not_start_is_an_error_of_the_start_and_leaves_nothing(on: On) {
    on.alone(|| {
        let folder = std::env::temp_dir().join(format!("mainspring-start-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("text");
        std::fs::write(&file, "no program").unwrap();
        let runtime = on.runtime();
        let before = open_fds();
        runtime
            .block_on(async {
                let long = "x".repeat(4 << 20);
                let empty = half_a_program(&folder);
                for (command, kind, word) in [
                    (
                        Command::new("mainspring-no-such"),
                        ErrorKind::NotFound,
                        "executed",
                    ),
                    (Command::new(&file), ErrorKind::PermissionDenied, "executed"),
                    (Command::new(&empty), ErrorKind::Other, "executed"),
                    (
                        Command::new("true").arg(long),
                        ErrorKind::ArgumentListTooLong,
                        "executed",
                    ),
                    (
                        Command::new("true").current_dir("/no/such"),
                        ErrorKind::NotFound,
                        "/no/such",
                    ),
                    (Command::new(""), ErrorKind::InvalidInput, "name"),
                    (
                        Command::new("true").arg("a\0b"),
                        ErrorKind::InvalidInput,
                        "0 byte",
                    ),
                    (
                        Command::new("true").env("a=b", "c"),
                        ErrorKind::InvalidInput,
                        "variable",
                    ),
                    (
                        Command::new("true").fd(-3, null()),
                        ErrorKind::InvalidInput,
                        "-3",
                    ),
                    (
                        Command::new("true").stdin(Stdio::ToStdout),
                        ErrorKind::InvalidInput,
                        "error",
                    ),
                ] {
                    let text = format!("{command:?}").chars().take(90).collect::<String>();
                    let error = command.stdout(Stdio::Piped).spawn().unwrap_err();
                    // ENOEXEC has no kind of its own.
                    assert!(
                        error.kind() == kind || kind == ErrorKind::Other,
                        "{text}: {error}"
                    );
                    assert!(error.to_string().contains(word), "{text}: {error}");
                }
                assert_eq!(children(), 0, "no zombie");
            })
            .unwrap();
        assert_eq!(open_fds(), before);
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

/// A file that may be executed, and can't.
fn half_a_program(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("empty");
    std::fs::write(&path, "\u{7f}ELF, not really").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, executable).unwrap();
    path
}

fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").unwrap().into()
}

/// How many children this process has, zombies among them.
pub(crate) fn children() -> usize {
    child_pids().len()
}

/// Their numbers. The system keeps them by the thread that started them.
pub(crate) fn child_pids() -> Vec<String> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|text| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn hz_e12_a_child_blocks_and_ignores_no_signal(on: On) {
    if !std::path::Path::new("/proc/self/status").exists() {
        return;
    }
    on.alone(|| {
        // Rust ignores SIGPIPE, and this listens to another.
        let runtime = on.runtime();
        let text = runtime
            .block_on(async {
                let _listener = mainspring::signal::signal(Signal::USR1).unwrap();
                Command::new("cat").arg("/proc/self/status").output().await
            })
            .unwrap()
            .unwrap();
        let text = String::from_utf8(text.stdout).unwrap();
        for name in ["SigBlk:", "SigIgn:", "SigCgt:"] {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let mask = u64::from_str_radix(line[name.len()..].trim(), 16).unwrap();
            assert_eq!(mask, 0, "{line}");
        }
    });
}

fn hz_e09_a_child_has_no_descriptors_but_those_it_was_given(on: On) {
    if !cfg!(target_os = "linux") {
        return;
    }
    on.alone(|| {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        // Files without close-on-exec, as careless libraries open them.
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let file = std::fs::File::open("/dev/null").unwrap();
                let copy = rustix::io::dup(&file).unwrap();
                drop((file, copy));
            }
        });
        let runtime = on.runtime();
        runtime
            .block_on(async {
                for _ in 0..50 {
                    let command = Command::shell("ls /proc/self/fd | tr '\\n' ' '").fd(7, null());
                    let output = command.output().await.unwrap();
                    let text = String::from_utf8(output.stdout).unwrap();
                    // Three, ours, and the folder that `ls` reads.
                    assert_eq!(text, "0 1 2 3 7 ");
                }
            })
            .unwrap();
        is_over.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    });
}

fn hz_e11_whichever_of_its_streams_the_parent_has_closed_the_child_has_three(on: On) {
    if !cfg!(target_os = "linux") {
        return;
    }
    on.alone(|| {
        for closed in 0..8 {
            let kept: Vec<_> = (0..3)
                .map(|number| rustix::io::fcntl_dupfd_cloexec(borrowed(number), 20).unwrap())
                .collect();
            let runtime = on.runtime();
            let (reader, writer) = std_pipe();
            for number in (0..3).filter(|number| closed & (1 << number) != 0) {
                close(number);
            }
            // Our own pipes get the free numbers, which the child's must not be mistaken for.
            let child = Command::shell("ls /proc/self/fd | tr '\\n' ' ' >&9")
                .fd(9, writer)
                .stdin(Stdio::Piped)
                .spawn();
            let status = runtime.block_on(async { child?.wait().await });
            for (number, fd) in kept.iter().enumerate() {
                restore(fd, number);
            }
            assert!(status.unwrap().unwrap().success(), "closed: {closed:03b}");
            let mut text = String::new();
            std::fs::File::from(reader)
                .read_to_string(&mut text)
                .unwrap();
            assert!(text.starts_with("0 1 2 3 "), "closed: {closed:03b}: {text}");
        }
    });
}

#[allow(unsafe_code, reason = "numbers that std keeps for itself")]
fn borrowed(number: i32) -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: the three numbers are open, or were; the call that uses it says so.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(number) }
}

#[allow(unsafe_code, reason = "as above")]
fn close(number: i32) {
    // SAFETY: in a process of its own, where nobody writes to it until it is restored.
    unsafe { rustix::io::close(number) };
}

#[allow(unsafe_code, reason = "as above")]
fn restore(fd: &OwnedFd, number: usize) {
    use std::os::fd::FromRawFd;
    // SAFETY: dup2 makes the number ours; it is let go, open.
    let mut target = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number as i32) });
    rustix::io::dup2(fd, &mut target).unwrap();
}

/// A pipe whose ends block.
fn std_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = pipe::pipe().unwrap();
    (
        reader.into_blocking_fd().unwrap(),
        writer.into_blocking_fd().unwrap(),
    )
}

fn hz_e11_descriptors_may_change_places(on: On) {
    on.alone(|| {
        let (one_reader, one) = std_pipe();
        let (two_reader, two) = std_pipe();
        // Each gets the number of the other.
        let (low, high) = (one.as_raw_fd(), two.as_raw_fd());
        let script = format!("echo one >&{high}; echo two >&{low}");
        let command = Command::shell(script).fd(high, one).fd(low, two);
        let runtime = on.runtime();
        assert!(
            runtime
                .block_on(command.status())
                .unwrap()
                .unwrap()
                .success()
        );
        for (reader, want) in [(one_reader, "one\n"), (two_reader, "two\n")] {
            let mut text = String::new();
            std::fs::File::from(reader)
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, want);
        }
    });
}

fn hz_e13_children_start_while_other_threads_hold_the_allocator(on: On) {
    let is_over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&is_over);
            std::thread::spawn(move || {
                let mut all = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    all.push(vec![1u8; 100 + all.len() * 7]);
                    all.truncate(if all.len() > 200 { 0 } else { all.len() });
                }
            })
        })
        .collect();
    on.runtime()
        .block_on(async {
            for _ in 0..100 {
                assert!(Command::new("true").status().await.unwrap().success());
            }
        })
        .unwrap();
    is_over.store(true, Ordering::Relaxed);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

fn standard_error_goes_where_standard_output_goes(on: On) {
    let command = Command::shell("echo one; echo two >&2; echo three").stderr(Stdio::ToStdout);
    assert_eq!(said(on, command), "one\ntwo\nthree\n");
}

fn a_session_a_group_a_umask_and_a_limit_are_set(on: On) {
    let runtime = on.runtime();
    let script = "umask; ps -o pid= -o pgid= -o sid= -p $$ | tr -s ' '";
    let command = Command::shell(script).umask(0o027).new_session(true);
    let output = runtime.block_on(command.output()).unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = text.split_whitespace().collect();
    if let [umask, pid, group, session] = words[..] {
        assert!(umask.ends_with("027"), "{text}");
        assert_eq!((pid, pid), (group, session), "{text}");
    } else {
        assert!(words[0].ends_with("027"), "no `ps` here: {text}");
    }
    // A group of its own is ended as one.
    let status = runtime.block_on(async {
        let mut child = Command::shell("sleep 60 & echo started; wait")
            .process_group(0)
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let mut buf = [0; 64];
        assert_eq!(out.read(&mut buf).await.unwrap(), 8);
        child.kill_group().unwrap();
        let status = child.wait().await.unwrap();
        // The pipe ends only when the `sleep` is gone as well.
        assert_eq!(out.read(&mut buf).await.unwrap(), 0);
        status
    });
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.unwrap().signal(), Some(Signal::KILL.number()));
}

fn a_pipeline_is_a_row_of_programs(on: On) {
    use mainspring::process::Pipeline;
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let three = Pipeline::new(Command::shell("printf 'b\\na\\nb\\n'"))
                .pipe(Command::new("sort"))
                .pipe(Command::new("uniq"));
            assert_eq!(three.to_string(), "/bin/sh | sort | uniq");
            let output = three.output().await.unwrap();
            assert_eq!(output.stdout, b"a\nb\n");
            assert!(output.success());
            let failing = Pipeline::new(Command::shell("exit 3")).pipe(Command::new("cat"));
            let output = failing.output().await.unwrap();
            let codes: Vec<_> = output.statuses.iter().map(|status| status.code()).collect();
            assert_eq!(codes, [Some(3), Some(0)]);
            assert!(!output.success());
            let broken =
                Pipeline::new(Command::new("cat")).pipe(Command::new("mainspring-no-such"));
            assert!(broken.spawn().is_err());
        })
        .unwrap();
}

fn a_socket_to_the_child_carries_descriptors(on: On) {
    if std::process::Command::new("python3")
        .arg("-V")
        .output()
        .is_err()
    {
        println!("no python3 here to receive a descriptor");
        return;
    }
    use mainspring::net::UnixStream;
    let script = "import socket, os
s = socket.socket(fileno=5)
data, fds, flags, addr = socket.recv_fds(s, 16, 1)
os.write(fds[0], b'from the child: ' + data)
";
    on.runtime()
        .block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            let far = far.into_std();
            far.set_nonblocking(false).unwrap();
            let child = Command::new("python3")
                .args(["-c", script])
                .fd(5, far)
                .spawn()
                .unwrap();
            let (reader, writer) = pipe::pipe().unwrap();
            let sent = near
                .send_with_fds(b"tick", &[writer.as_fd()])
                .await
                .unwrap();
            assert_eq!(sent, 4);
            drop(writer);
            let mut buf = [0; 64];
            let count = reader.read(&mut buf).await.unwrap();
            assert_eq!(&buf[..count], b"from the child: tick");
            assert!(child.wait().await.unwrap().success());
        })
        .unwrap();
}

fn a_fault_at_the_start_leaves_no_descriptor(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        let before = open_fds();
        runtime
            .block_on(async {
                for (call, errno) in [
                    (Call::Spawn, rustix::io::Errno::AGAIN),
                    (Call::Spawn, rustix::io::Errno::NOMEM),
                    (Call::Pipe, rustix::io::Errno::MFILE),
                ] {
                    for nth in 1..=2 {
                        let fault = Fault::Errno(errno.raw_os_error());
                        let guard = Plan::new().at(call, nth, fault).install();
                        let command = Command::new("true")
                            .stdin(Stdio::Piped)
                            .stdout(Stdio::Piped);
                        let spawned = command.spawn();
                        drop(guard);
                        let Ok(child) = spawned else { continue };
                        assert!(nth == 2 && call == Call::Spawn, "{call:?} {nth}");
                        child.wait().await.unwrap();
                    }
                }
            })
            .unwrap();
        assert_eq!(open_fds(), before);
        let _ = std::io::stdout().flush();
    });
}
