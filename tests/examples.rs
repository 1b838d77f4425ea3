//! Examples: each program of `docs/examples` runs to its end and prints what its reader is told.
//!
//! *Model.* The programs are built by the cargo that built this test, into the same folder, and run as
//! processes. `cargo test` has built them already; `cargo test --test examples` alone has not.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The folder of the built programs, `target/[triple/]profile/examples`.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("this program has a path");
        let profile = test
            .ancestors()
            .nth(2)
            .expect("it is in `target/[triple/]profile/deps`");
        build(profile);
        profile.join("examples")
    })
}

/// Builds the programs into `profile`; nothing happens if they are there and fresh.
fn build(profile: &Path) {
    // Where no cargo runs the test (on a machine it was copied to), the programs must be there.
    let Some(cargo) = std::env::var_os("CARGO") else {
        return;
    };
    let above = profile
        .parent()
        .expect("a profile's folder lies in another");
    // `x86_64-unknown-linux-gnu`, and not `target` or `poll`.
    let has_triple = above
        .file_name()
        .is_some_and(|name| name.to_string_lossy().matches('-').count() >= 2);
    let target_folder = if has_triple {
        above.parent().unwrap_or(above)
    } else {
        above
    };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--offline", "--examples", "--target-dir"])
        .arg(target_folder);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    match profile.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => {}
        Some(name) => drop(command.args(["--profile", name])),
    }
    if let (true, Some(triple)) = (has_triple, above.file_name()) {
        command.arg("--target").arg(triple);
    }
    if cfg!(feature = "sim") {
        command.args(["--features", "sim"]);
    }
    let output = command.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder().join(name));
    command.args(arguments);
    command
}

/// Runs the program to its end; what it printed.
#[track_caller]
fn output(name: &str, arguments: &[&str]) -> String {
    let output = command(name, arguments)
        .output()
        .expect("the program is there and starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}: {}\n{errors}",
        output.status
    );
    assert_eq!(errors, "", "{name} says nothing on standard error");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Starts the echo server for `count` connections; the server, what it prints, and its address.
fn start_server(count: &str) -> (Child, BufReader<impl Read>, String) {
    let mut server = command("echo_server", &["127.0.0.1:0", "--once", count])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut printed = BufReader::new(server.stdout.take().expect("it is piped"));
    let mut line = String::new();
    printed.read_line(&mut line).expect("it prints its address");
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .expect("in this form")
        .to_string();
    (server, printed, address)
}

#[track_caller]
fn assert_ends(mut server: Child, mut printed: impl Read, last: &str) {
    let mut rest = String::new();
    printed.read_to_string(&mut rest).expect("it prints text");
    assert_eq!(rest, last);
    assert!(server.wait().expect("it ends").success());
}

#[test]
fn hello_starts_three_tasks_before_one_is_done() {
    assert_eq!(
        output("hello", &[]),
        "start a\nstart b\nstart c\ndone a\ndone b\ndone c\n"
    );
}

#[test]
fn echo_server_serves_itself_where_no_address_is_given() {
    let printed = output("echo_server", &[]);
    assert!(printed.starts_with("listening on 127.0.0.1:"), "{printed}");
    assert!(printed.contains("echoed hello\n"), "{printed}");
    assert!(printed.contains("connections served: 1\n"), "{printed}");
}

#[test]
fn echo_server_serves_two_connections_at_a_time() {
    let (server, printed, address) = start_server("2");
    let mut streams = [(); 2].map(|()| TcpStream::connect(&address).expect("it listens"));
    for (stream, byte) in streams.iter_mut().zip(*b"xy") {
        stream.write_all(&[byte; 100]).expect("it reads");
    }
    for (stream, byte) in streams.iter_mut().zip(*b"xy").rev() {
        let mut reply = [0; 100];
        stream.read_exact(&mut reply).expect("it answers");
        assert_eq!(reply, [byte; 100]);
    }
    drop(streams);
    assert_ends(server, printed, "connections served: 2\n");
}

#[test]
fn echo_client_talks_to_the_echo_server() {
    let (server, printed, address) = start_server("1");
    let talk = "sent one, received one\nsent two, received two\nsent three, received three\n";
    assert_eq!(output("echo_client", &[&address]), talk);
    assert_ends(server, printed, "connections served: 1\n");
    assert_eq!(output("echo_client", &[]), talk);
}

#[test]
fn timers_keep_their_promises() {
    let printed = "slept at least 20 ms\n\
                   three ticks, in step with the first\n\
                   timeout 1: in time\n\
                   timeout 2: too late\n\
                   timeout 3: too late\n\
                   awaited once more: the task's end\n";
    assert_eq!(output("timers", &[]), printed);
}

#[test]
fn custom_future_takes_what_was_put_in_turn() {
    let printed = "put 1\ntook 1\nput 2\ntook 2\nput 3\ntook 3\n";
    assert_eq!(output("custom_future", &[]), printed);
}

#[test]
fn threads_to_loop_collects_every_result() {
    assert_eq!(
        output("threads_to_loop", &[]),
        "results [2, 4, 6]\nall threads are done\n"
    );
}

#[cfg(feature = "sim")]
#[test]
fn main_job_echoes_with_one_recv_and_one_send_per_request() {
    let printed = output("main_job", &[]);
    assert!(
        printed.starts_with("start a\nstart b\nstart c\ndone a\ndone b\ndone c\n"),
        "{printed}"
    );
    let backend = mainspring::Runtime::new()
        .expect("a selector")
        .backend_name();
    assert!(
        printed.contains(&format!("echo server on {backend},")),
        "{printed}"
    );
    let per_request = |name: &str| -> f64 {
        let line = printed
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok())
            .expect("it prints a line for each kind")
    };
    // Generous, for a slow machine has few requests to share its connections' first and last calls;
    // and poll(2), being level-triggered, receives once more per request. But one send is one send.
    let (recv, send, wait) = (
        per_request("recv"),
        per_request("send"),
        per_request("wait"),
    );
    assert!((1.0..3.0).contains(&recv), "{printed}");
    assert!((1.0..1.1).contains(&send), "{printed}");
    assert!(wait < 2.5, "{printed}");
}
