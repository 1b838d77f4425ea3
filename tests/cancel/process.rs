//! Waits for children, dropped at each of their waits.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use mainspring::process::{Child, Command, ExitStatus, Pipeline, Stdio};

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    the_end_of_a_child_is_told_again,
    the_end_of_a_child_is_told_again_without_a_descriptor,
    a_talk_keeps_what_it_has_heard,
    a_child_that_is_stopped_may_be_stopped_again,
    a_group_that_is_stopped_may_be_stopped_again,
    a_program_whose_output_is_dropped_is_killed,
    a_program_whose_status_is_dropped_is_killed,
    a_pipeline_whose_output_is_dropped_is_killed,
}

/// A `cat` that ends when its input does, and how it ended.
struct Cat {
    child: Child,
    ends: Vec<ExitStatus>,
}

/// What makes it end.
struct Leash {
    stdin: Option<mainspring::pipe::PipeWriter>,
    id: u32,
}

fn cat() -> (Cat, Leash) {
    let command = Command::new("cat").stdin(Stdio::Piped);
    let mut child = command.spawn().unwrap();
    let leash = Leash {
        stdin: child.stdin.take(),
        id: child.id(),
    };
    let ends = Vec::new();
    (Cat { child, ends }, leash)
}

/// Returns when the system would tell of its end.
fn let_it_end(leash: &mut Leash) {
    if leash.stdin.take().is_some() {
        await_end(leash.id);
    }
}

fn await_end(id: u32) {
    let pid = Pid::from_raw(id as i32).unwrap();
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // It may have been waited for already.
    let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), look));
}

/// Returns when a child has ended, and has not been waited for; or if there is none.
fn await_any_end() {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let _ = retry_on_intr(|| waitid(WaitId::All, look));
}

/// Returns when all children have ended.
fn await_all_ends() {
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten() {
        let list = thread.unwrap().path().join("children");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        list.split_whitespace()
            .for_each(|pid| await_end(pid.parse().unwrap()));
    }
}

// cancels: Child::wait
fn the_end_of_a_child_is_told_again(on: On) {
    let waits = Case::new(on, cat).world(let_it_end).safe(
        async |cat: &mut Cat| cat.ends.push(cat.child.wait().await.unwrap()),
        async |cat, _| assert!(cat.ends.len() == 1 && cat.ends[0].success()),
    );
    assert_eq!(waits, 1);
}

fn the_end_of_a_child_is_told_again_without_a_descriptor(on: On) {
    use mainspring::sim::fault::{Call, Fault, Plan};
    // Its descriptors are kept for ever.
    drop(mainspring_sys::signal::Bell::new().unwrap());
    let no_pidfd = Fault::Errno(rustix::io::Errno::NOSYS.raw_os_error());
    let setup = move || {
        let guard = Plan::new().at(Call::PidfdOpen, 1, no_pidfd).install();
        let sides = cat();
        drop(guard);
        sides
    };
    let world = |leash: &mut Leash| {
        let before = mainspring_sys::signal::count(mainspring_sys::signal::Signal::CHLD);
        if leash.stdin.take().is_some() {
            while mainspring_sys::signal::count(mainspring_sys::signal::Signal::CHLD) == before {
                std::thread::yield_now();
            }
        }
    };
    let waits = Case::new(on, setup).world(world).safe(
        async |cat: &mut Cat| cat.ends.push(cat.child.wait().await.unwrap()),
        async |cat, _| assert!(cat.ends.len() == 1 && cat.ends[0].success()),
    );
    assert_eq!(waits, 1);
}

// cancels: Child::communicate, Communicate
fn a_talk_keeps_what_it_has_heard(on: On) {
    let setup = || {
        let command = Command::shell("echo tick; read line; echo \"<$line>\"");
        let child = command
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        let stdout = rustix::io::dup(child.stdout.as_ref().unwrap()).unwrap();
        let id = child.id();
        ((child, Some(b"tock\n".to_vec()), Vec::new()), (stdout, id))
    };
    // The child runs in its own time, which is not the loop's.
    let world = |(stdout, id): &mut (OwnedFd, u32)| {
        let mut fds = [PollFd::new(stdout, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, None)).unwrap();
        if fds[0].revents().contains(PollFlags::HUP) {
            await_end(*id);
        }
    };
    Case::new(on, setup).world(world).others_wait().safe(
        async |(child, input, said): &mut (Child, Option<Vec<u8>>, Vec<u8>)| {
            let input = input.take().unwrap_or_default();
            let talk = child.communicate(input).limit(1 << 20);
            let output = talk.after_end(Duration::MAX).await.unwrap();
            *said = output.stdout;
        },
        async |(_, _, said), _| assert_eq!(said[..], *b"tick\n<tock>\n"),
    );
}

// cancels: Child::stop
fn a_child_that_is_stopped_may_be_stopped_again(on: On) {
    let setup = || {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = child.id();
        ((child, None), id)
    };
    let world = |id: &mut u32| await_end(*id);
    let waits = Case::new(on, setup).world(world).safe(
        async |(child, end): &mut (Child, Option<ExitStatus>)| {
            *end = Some(child.stop(Duration::MAX).await.unwrap());
        },
        async |(_, end), _| assert!(!end.unwrap().success()),
    );
    assert_eq!(waits, 1);
}

// cancels: Child::stop_group
fn a_group_that_is_stopped_may_be_stopped_again(on: On) {
    let setup = || {
        let command = Command::new("sleep").arg("60").process_group(0);
        let child = command.spawn().unwrap();
        let id = child.id();
        ((child, None), id)
    };
    let world = |id: &mut u32| await_end(*id);
    let waits = Case::new(on, setup).world(world).safe(
        async |(child, end): &mut (Child, Option<ExitStatus>)| {
            *end = Some(child.stop_group(Duration::MAX).await.unwrap());
        },
        async |(_, end), _| assert!(!end.unwrap().success()),
    );
    assert_eq!(waits, 1);
}

/// A pipe whose writing end only the program has: it ends with the program.
fn watched(command: Command) -> (Command, std::fs::File) {
    let (reader, writer) = mainspring::pipe::pipe().unwrap();
    let command = command.fd(9, writer.into_blocking_fd().unwrap());
    (command, reader.into_blocking_fd().unwrap().into())
}

fn assert_ends(reader: &mut std::fs::File) {
    let read = std::io::copy(reader, &mut std::io::sink()).unwrap();
    assert_eq!(read, 0, "the program is gone");
    await_all_ends();
}

// cancels: Command::output
fn a_program_whose_output_is_dropped_is_killed(on: On) {
    let setup = || {
        let (command, reader) = watched(Command::new("sleep").arg("0.05"));
        (Some(command), reader)
    };
    Case::new(on, setup)
        .world(|_| await_any_end())
        .others_wait()
        .not_safe(
            async |command: &mut Option<Command>| {
                let command = command.take().unwrap();
                drop(command.output().await);
            },
            async |_, reader| assert_ends(reader),
        );
}

// cancels: Command::status
fn a_program_whose_status_is_dropped_is_killed(on: On) {
    let setup = || {
        let (command, reader) = watched(Command::new("sleep").arg("0.05"));
        (Some(command), reader)
    };
    Case::new(on, setup)
        .world(|_| await_any_end())
        .others_wait()
        .not_safe(
            async |command: &mut Option<Command>| {
                let command = command.take().unwrap();
                drop(command.status().await);
            },
            async |_, reader| assert_ends(reader),
        );
}

// cancels: Pipeline::output
fn a_pipeline_whose_output_is_dropped_is_killed(on: On) {
    let setup = || {
        let (command, reader) = watched(Command::new("sleep").arg("0.05"));
        (
            Some(Pipeline::new(command).pipe(Command::new("cat"))),
            reader,
        )
    };
    Case::new(on, setup)
        .world(|_| await_all_ends())
        .others_wait()
        .not_safe(
            async |pipeline: &mut Option<Pipeline>| {
                let pipeline = pipeline.take().unwrap();
                drop(pipeline.output().await);
            },
            async |_, reader| assert_ends(reader),
        );
}
