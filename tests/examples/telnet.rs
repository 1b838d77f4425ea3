//! The client by hand: over pipes, files and terminals, and its two ends.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use mainspring::terminal;

use super::command;

/// A place to listen, and how it is called.
fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    (listener, address)
}

#[test]
fn telnet_closes_its_half_when_its_input_ends_and_hears_the_rest() {
    let (listener, address) = server();
    let mut client = command("telnet", &[&address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let (mut stream, _) = listener.accept().expect("it connects");
    let mut input = client.stdin.take().expect("it is piped");
    input.write_all(b"one\n").expect("it reads");
    let mut line = [0; 4];
    stream
        .read_exact(&mut line)
        .expect("it comes as it is typed");
    assert_eq!(&line, b"one\n");
    input.write_all(b"two").expect("it reads");
    drop(input);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("and then the end");
    assert_eq!(rest, "two");
    stream.write_all(b"both came\n").expect("it still hears");
    drop(stream);
    let output = client.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert_eq!(output.stdout, b"both came\n");
}

#[test]
fn telnet_sends_a_file_and_fills_another() {
    let (listener, address) = server();
    let input = std::env::temp_dir().join(format!("mainspring-telnet-{}", std::process::id()));
    let answer = input.with_extension("answer");
    let text = "a line of a file\n".repeat(20_000);
    std::fs::write(&input, &text).expect("there is room");
    let mut client = command("telnet", &[&address])
        .stdin(std::fs::File::open(&input).expect("it was written"))
        .stdout(std::fs::File::create(&answer).expect("there is room"))
        .spawn()
        .expect("it starts");
    let (mut stream, _) = listener.accept().expect("it connects");
    let mut got = String::new();
    stream.read_to_string(&mut got).expect("it sends text");
    assert!(got == text);
    stream.write_all(text.as_bytes()).expect("it hears");
    drop(stream);
    assert!(client.wait().expect("it ends").success());
    let heard = std::fs::read_to_string(&answer).expect("it is text");
    assert!(heard == text);
    for path in [input, answer] {
        std::fs::remove_file(path).expect("it is ours");
    }
}

#[test]
fn telnet_ends_with_its_server_though_somebody_may_still_type() {
    let (_master, terminal) = terminal::pair().expect("there is a terminal");
    let terminal = terminal.into_blocking_fd().expect("it is open");
    let (_far, pipe) = std::os::unix::net::UnixStream::pair().expect("there are sockets");
    let inputs = [
        Stdio::from(terminal),
        Stdio::from(std::os::fd::OwnedFd::from(pipe)),
        Stdio::piped(),
    ];
    for input in inputs {
        let (listener, address) = server();
        let mut client = command("telnet", &[&address])
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let _kept = client.stdin.take();
        let (mut stream, _) = listener.accept().expect("it connects");
        stream.write_all(b"goodbye\n").expect("it hears");
        drop(stream);
        let output = client.wait_with_output().expect("it ends");
        assert!(output.status.success());
        assert_eq!(output.stdout, b"goodbye\n");
    }
}

#[test]
fn telnet_says_how_it_is_used() {
    let output = command("telnet", &[]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage"));
}
