//! Examples: each program of `docs/examples` runs to its end and prints what its reader is told.
//!
//! *Model.* The programs are built by the cargo that built this test, into the same folder, and run as
//! processes. `cargo test` has built them already; `cargo test --test examples` alone has not.

#[path = "examples/dirsize.rs"]
mod dirsize;
#[path = "examples/kv_protocol.rs"]
mod kv_protocol;
#[path = "examples/kv_server.rs"]
mod kv_server;
#[path = "examples/loops.rs"]
mod loops;
#[path = "examples/par.rs"]
mod par;
#[path = "examples/pty_record.rs"]
mod pty_record;
#[path = "examples/supervisor.rs"]
mod supervisor;
#[path = "examples/tail_f.rs"]
mod tail_f;
#[path = "examples/tcp_proxy.rs"]
mod tcp_proxy;
#[path = "examples/telnet.rs"]
mod telnet;
#[path = "examples/tool.rs"]
mod tool;
#[path = "examples/udp_group.rs"]
mod udp_group;
#[path = "examples/watch_run.rs"]
mod watch_run;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tool::Tool;

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

/// Starts a server on an address of the kernel's choice; the server, what it prints, and its address.
fn start_server(name: &str, arguments: &[&str]) -> (Child, BufReader<impl Read>, String) {
    let mut server = command(name, &[&["127.0.0.1:0"], arguments].concat())
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

/// A machine may keep raw sockets to its superuser, and its kernel may be told to be silent.
#[test]
fn ping_is_answered_or_says_why_not() {
    let printed = output("ping", &[]);
    let news = printed.strip_prefix("127.0.0.1: ").unwrap_or_default();
    let is_known = [
        "the answer came",
        "this user may have no raw",
        "no answer within",
    ];
    assert!(
        is_known.iter().any(|known| news.starts_with(known)),
        "{printed}"
    );
}

#[test]
fn pass_descriptor_lets_the_other_side_work() {
    assert_eq!(
        output("pass_descriptor", &[]),
        "worker: given by this process: true\nopener: the worker answered tock\nlog: tick\n"
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
    let (server, printed, address) = start_server("echo_server", &["--once", "2"]);
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
    let (server, printed, address) = start_server("echo_server", &["--once", "1"]);
    let talk = "sent one, received one\nsent two, received two\nsent three, received three\n";
    assert_eq!(output("echo_client", &[&address]), talk);
    assert_ends(server, printed, "connections served: 1\n");
    assert_eq!(output("echo_client", &[]), talk);
}

/// A server that runs until it is killed, also by a test that fails.
struct Endless(Child);

impl Drop for Endless {
    fn drop(&mut self) {
        // One that ended by itself has failed, and the test knows that already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A guest of the chat, who has given a name.
struct Guest(BufReader<TcpStream>);

impl Guest {
    fn enter(address: &str, name: &str) -> Guest {
        let stream = TcpStream::connect(address).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("it is not zero");
        let mut guest = Guest(BufReader::new(stream));
        assert_eq!(guest.hear(), "* your name?");
        guest.say(name);
        guest
    }

    fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").expect("it reads");
    }

    /// The next line; nothing at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it is told in time");
        line.trim_end().to_string()
    }
}

#[test]
fn chat_goes_on_while_one_guest_does_not_listen() {
    let printed = output("chat", &[]);
    let (first, rest) = printed.split_once('\n').expect("it prints lines");
    assert!(first.starts_with("listening on 127.0.0.1:"), "{printed}");
    assert_eq!(rest, "bob heard ada: hello\nbob heard that sloth left\n");
}

#[test]
fn chat_tells_everybody_who_is_here_what_they_say_and_that_they_left() {
    let (server, _printed, address) = start_server("chat", &[]);
    let _server = Endless(server);
    let mut ada = Guest::enter(&address, "ada");
    assert_eq!(ada.hear(), "* ada is here");
    let mut bob = Guest::enter(&address, "ada");
    assert_eq!(bob.hear(), "* choose another name");
    bob.say("bob");
    for guest in [&mut ada, &mut bob] {
        assert_eq!(guest.hear(), "* bob is here");
    }
    ada.say(&"z".repeat(20_000));
    assert_eq!(ada.hear(), "* a line is longer than 16384 bytes");
    ada.say("tick");
    bob.say("/quit");
    // The two are read by two tasks: nothing says which comes first.
    let mut heard = [ada.hear(), ada.hear()];
    heard.sort();
    assert_eq!(heard, ["* bob left", "ada: tick"]);
    let told = bob.hear();
    assert!(told.is_empty() || told == "ada: tick", "{told}");
    // Who disappears is told of like one who says so.
    let cy = Guest::enter(&address, "cy");
    assert_eq!(ada.hear(), "* cy is here");
    drop(cy);
    assert_eq!(ada.hear(), "* cy left");
}

#[test]
fn connect_by_name_tries_every_address_and_tells_what_became_of_each() {
    let printed = "a number: [::1]:80\n\
                   hello.test says: hello\n\
                   nobody.test: nobody.test is in no table\n\
                   gone.test: connection refused, at 2 addresses\n";
    assert_eq!(output("connect_by_name", &[]), printed);
    // Its address may be of one family alone.
    let listener = TcpListener::bind("localhost:0").expect("localhost is this machine");
    let address = listener.local_addr().expect("it is bound");
    let port = address.port();
    let printed = format!("localhost:{port} is {address}\n");
    assert_eq!(
        output("connect_by_name", &[&format!("localhost:{port}")]),
        printed
    );
}

#[test]
fn line_client_gets_every_answer_after_the_last_line_it_sent() {
    let printed = "ONE\nTWO\nTHREE\nthat makes 3\n";
    assert_eq!(output("line_client", &[]), printed);
}

#[test]
fn line_client_sends_its_input_or_its_arguments_and_then_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    for arguments in [vec![address.as_str()], vec![&address, "one", "two"]] {
        let mut client = command("line_client", &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let (mut stream, _peer) = listener.accept().expect("it connects");
        let mut input = client.stdin.take().expect("it is piped");
        // Where arguments were given nobody reads this.
        let _ = input.write_all(b"one\ntwo\n");
        drop(input);
        let mut lines = String::new();
        stream.read_to_string(&mut lines).expect("it sends text");
        assert_eq!(lines, "one\ntwo\n");
        stream.write_all(b"both came\n").expect("it still reads");
        drop(stream);
        let output = client.wait_with_output().expect("it ends");
        assert!(output.status.success());
        assert_eq!(output.stdout, b"both came\n");
    }
}

#[test]
fn line_client_ends_with_its_server_though_its_input_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let mut client = command("line_client", &[&address])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the client starts");
    drop(listener.accept().expect("it connects"));
    assert!(client.wait().expect("it ends").success());
}

#[test]
fn server_shutdown_lets_go_who_is_idle_and_cuts_who_takes_too_long() {
    let printed = output("server_shutdown", &[]);
    assert!(printed.contains("closing time: 3 connections"), "{printed}");
    assert!(printed.contains("1 had to be cut"), "{printed}");
    let asked = r#"one who asked heard "answer\ngoing down\n""#;
    assert!(printed.contains(asked), "{printed}");
    let idle = r#"an idle one heard "going down\n""#;
    assert!(printed.contains(idle), "{printed}");
    assert!(printed.contains(r#"one who waits heard """#), "{printed}");
}

#[test]
fn framed_server_answers_each_request_and_refuses_one_over_the_maximum() {
    let printed = output("framed_server", &[]);
    let (first, rest) = printed.split_once('\n').expect("it prints lines");
    assert!(first.starts_with("listening on 127.0.0.1:"), "{printed}");
    let want = "sum 1 2 3: result: 6\n\
                turn tick: result: kcit\n\
                sum 1 x: error: invalid digit found in string\n\
                fly: error: that is no request\n\
                turn zzzzzzz: error: a frame's body is longer than 1024 bytes\n\
                the server ended the connection\n";
    assert_eq!(rest, want);
}

#[test]
fn framed_server_refuses_a_frame_by_its_header_and_serves_the_next_client() {
    let (server, _printed, address) = start_server("framed_server", &[]);
    let _server = Endless(server);
    let ask = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        stream.shutdown(Shutdown::Write).expect("it is open");
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).expect("it answers");
        answers
    };
    let refusal = [
        b"\0\0\0\x29\x01",
        &b"a frame's body is longer than 1024 bytes"[..],
    ]
    .concat();
    assert_eq!(ask(&[0xff; 4]), refusal);
    // Also a client that has not stopped sending can read it.
    assert_eq!(ask(&vec![0xff; 16 << 20]), refusal);
    let two = ask(b"\0\0\0\x09turn tick\0\0\0\x07sum 1 2");
    assert_eq!(two, b"\0\0\0\x05\0kcit\0\0\0\x02\x003");
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
fn scope_borrows_fails_fast_and_asks_for_the_end() {
    let printed = "borrowing: [5, 5, 7]\n\
                   fail-fast: [\"a page without a name\"]\n\
                   grace: saved the work, because the deadline of the scope has passed\n\
                   grace: the deadline of the scope has passed\n";
    assert_eq!(output("scope", &[]), printed);
}

#[test]
fn rate_limiter_lets_a_burst_through_and_then_one_per_period() {
    let printed = "request 0: let through in period 0\n\
                   request 1: let through in period 0\n\
                   request 2: let through in period 0\n\
                   request 3: let through in period 1\n\
                   request 4: let through in period 2\n\
                   request 5: let through in period 3\n\
                   request 6: let through in period 4\n\
                   at most 2 were under way at a time\n";
    assert_eq!(output("rate_limiter", &[]), printed);
}

#[test]
fn join_awaits_several_in_each_way() {
    let printed = "join: anna's answer, bert's answer\n\
                   try_join: Err(\"broken's answer\")\n\
                   race: hare's answer\n\
                   select: download's answer, after some rounds: true\n\
                   a task of the set ended: Some(1)\n\
                   a task of the set ended: Some(2)\n\
                   a task of the set ended: Some(3)\n\
                   gather: Some([1, 4, 9])\n";
    assert_eq!(output("join", &[]), printed);
}

#[test]
fn custom_future_takes_what_was_put_in_turn() {
    let printed = "put 1\ntook 1\nput 2\ntook 2\nput 3\ntook 3\n";
    assert_eq!(output("custom_future", &[]), printed);
}

#[test]
fn blocking_progress_counts_to_the_end_while_the_loop_is_free() {
    let printed = output("blocking_progress", &[]);
    assert!(
        printed.ends_with("17984 primes below 200000\nthe loop was free: true\n"),
        "{printed}"
    );
    assert!(printed.starts_with(char::is_numeric), "{printed}");
}

#[test]
fn blocking_progress_gives_up_half_way_and_the_job_sees_it() {
    let printed = output("blocking_progress", &["--abort", "20"]);
    let end = "given up: the task was aborted\nthe loop was free: true\n";
    assert!(printed.ends_with(end), "{printed}");
}

#[test]
fn threads_work_off_every_job_once() {
    let printed = output("threads", &[]);
    assert!(printed.contains("1 + … + 12 = 78\n"), "{printed}");
    assert!(printed.ends_with("12 results of 3 threads\n"), "{printed}");
}

#[test]
fn producer_consumer_ends_when_all_is_done() {
    assert_eq!(
        output("producer_consumer", &[]),
        "all 6 items are done\ntwo consumers did 6\n"
    );
}

#[test]
fn threads_to_loop_collects_every_result() {
    assert_eq!(
        output("threads_to_loop", &[]),
        "results [2, 4, 6]\nall threads are done\n"
    );
}

#[test]
fn http_server_serves_itself_and_drains() {
    let printed = output("http_server", &[]);
    let lines: Vec<&str> = printed.lines().skip(1).collect();
    assert!(printed.starts_with("listening on 127.0.0.1:"), "{printed}");
    assert_eq!(
        lines,
        [
            "HTTP/1.1 206 Partial Content",
            "Content-Range: bytes 7-12/13",
            "HTTP/1.1 404 Not Found",
            "drained",
        ]
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

#[test]
fn bank_deadlock_prints_who_waits_for_whom() {
    let printed = output("bank_deadlock", &[]);
    let (list, circle) = printed
        .split_once("in a circle: ")
        .expect("the report ends with it");
    assert!(list.starts_with("deadlock: nothing can ever wake any task of this loop\n"));
    for name in ["\"anna to ben\"", "\"ben to anna\""] {
        assert!(list.contains(name), "{printed}");
    }
    assert_eq!(
        list.matches("waits for lock ").count(),
        2,
        "each at its line: {printed}"
    );
    let end = "task 2 waits for lock 1, held by task 3; task 3 waits for lock 2, held by task 2\n";
    assert_eq!(circle, end);
}

#[test]
fn stuck_prints_its_snapshot_and_the_way_round() {
    let printed = output("stuck", &[]);
    let parts: Vec<&str> = printed.split("\n\n").collect();
    let [table, tree, why] = parts[..] else {
        panic!("three parts: {printed}");
    };
    assert_eq!(table.lines().count(), 7, "five tasks, one of two waits");
    let row = table
        .lines()
        .find(|row| row.starts_with("5   worker 2"))
        .expect("it is there");
    let target = "an item of channel 1 (made at docs/examples/stuck.rs:";
    assert!(
        row.contains(target) && row.contains("last used by task 3"),
        "{row}"
    );
    assert!(tree.contains("   └─ task 5 \"worker 2\""), "{tree}");
    let verdict = "it can not go on: task 3 waits for the end of task 4; \
                   task 4 waits for an item of channel 1, last used by task 3\n";
    assert!(why.ends_with(verdict), "{why}");
}

#[test]
fn hz_d11_dns_server_outlives_a_query_that_is_too_long() {
    let server = Tool::start("dns_server", &["--listen", "127.0.0.1:0"]);
    let line = server.out.until("listening on ");
    let addr = line.trim_start_matches("listening on ");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(addr).expect("a port of this machine");
    socket.send(&[0; 2000]).expect("it is sent");
    // A query for the addresses of `host.mainspring.test`, by its bytes: flags, counts, name, type, class.
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04host\x0amainspring\x04test\0\0\x01\0\x01";
    socket.send(query).expect("it is sent");
    let patience = Some(Duration::from_secs(20));
    socket.set_read_timeout(patience).expect("it is not zero");
    let mut reply = [0; 512];
    let len = socket.recv(&mut reply).expect("it answers");
    assert!(
        reply[..len].ends_with(&[192, 0, 2, 1]),
        "{:?}",
        &reply[..len]
    );
}

#[test]
fn dns_server_asks_itself_where_no_address_is_given() {
    let printed = output("dns_server", &[]);
    let (first, rest) = printed.split_once('\n').expect("its address");
    assert!(first.starts_with("listening on 127.0.0.1:"), "{printed}");
    let expected = "\
host.mainspring.test: 2001:db8::1 192.0.2.1 (2 in all)
WEB.mainspring.test: 2001:db8::1 192.0.2.1 (2 in all)
big.mainspring.test: 192.0.2.0 192.0.2.1 192.0.2.2 (256 in all)
look-up of `text.mainspring.test`: the name has no such record: it, asked for text.mainspring.test A, said NOERROR; \
it, asked for text.mainspring.test AAAA, said NOERROR
look-up of `lost.mainspring.test`: no such name: it, asked for lost.mainspring.test A, said NXDOMAIN; \
it, asked for lost.mainspring.test AAAA, said NXDOMAIN
192.0.2.1: host.mainspring.test
2001:db8::1: host.mainspring.test
";
    assert_eq!(rest, expected);
}
