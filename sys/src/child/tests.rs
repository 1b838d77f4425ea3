//! Programs started, and what they inherit; how they end.

use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::ExitStatus;

use super::*;

fn spec(program: &str, arguments: &[&str]) -> Spec {
    let mut spec = Spec::default();
    let path = std::env::var_os("PATH");
    spec.set_program(OsStr::new(program), path.as_deref())
        .unwrap();
    let all = [program].into_iter().chain(arguments.iter().copied());
    spec.argv = all
        .map(|text| c_string(OsStr::new(text)).unwrap())
        .collect();
    spec
}

fn wait(process: &Process) -> ExitStatus {
    if let Some(watch) = process.watch() {
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(
            watch,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut fds, None).unwrap();
    }
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            return status;
        }
        std::thread::yield_now();
    }
}

/// What a program says.
fn output(spec: &Spec) -> String {
    let (reader, writer) = crate::pipe::pipe().unwrap();
    crate::pipe::set_nonblocking(&reader, false).unwrap();
    let process = spawn(spec, &[(1, writer.as_fd())]).unwrap();
    drop(writer);
    let mut text = String::new();
    let mut reader = std::fs::File::from(reader.into_owned());
    reader.read_to_string(&mut text).unwrap();
    assert!(wait(&process).success(), "{text}");
    text
}

#[test]
fn a_program_is_found_in_the_path_runs_and_says_something() {
    assert_eq!(output(&spec("echo", &["tick", "tock"])), "tick tock\n");
}

#[test]
fn how_a_program_ends_is_told_again_and_again_with_what_it_used() {
    let process = spawn(&spec("sh", &["-c", "exit 7"]), &[]).unwrap();
    assert_eq!(wait(&process).code(), Some(7));
    assert_eq!(process.try_wait().unwrap().unwrap().code(), Some(7));
    assert!(process.usage().unwrap().max_resident > 4096);
    let error = process.signal(libc::SIGTERM, Target::Process).unwrap_err();
    assert_eq!(
        error.kind(),
        io::ErrorKind::NotFound,
        "its number may be another's"
    );
}

#[test]
fn a_program_that_does_not_exist_is_an_error_of_the_exec() {
    let failure = spawn(&spec("mainspring-no-such-program", &[]), &[]).unwrap_err();
    assert_eq!(failure.step, Step::Exec);
    assert_eq!(failure.error.kind(), io::ErrorKind::NotFound);
}
