//! `tcp_proxy` between plain sockets: ends, limits, time, and its own end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::command;
use crate::tool::Tool;

/// A proxy, the listener behind it, and its own address.
struct Rig {
    proxy: Tool,
    listener: TcpListener,
    address: String,
}

impl Rig {
    fn new(options: &[&str]) -> Rig {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let target = listener.local_addr().expect("it is bound").to_string();
        let proxy = Tool::start(
            "tcp_proxy",
            &[&["127.0.0.1:0", target.as_str()], options].concat(),
        );
        let line = proxy.err.next();
        let address = line
            .strip_prefix("listening on ")
            .expect("in this form")
            .to_string();
        Rig {
            proxy,
            listener,
            address,
        }
    }

    fn client(&self) -> TcpStream {
        patient(TcpStream::connect(&self.address).expect("it listens"))
    }

    /// A client, and the connection that was made for it.
    fn pair(&self) -> (TcpStream, TcpStream) {
        let client = self.client();
        let (server, _) = self.listener.accept().expect("the proxy connects");
        (client, patient(server))
    }
}

/// A test does not hang.
fn patient(stream: TcpStream) -> TcpStream {
    let time = Some(Duration::from_secs(20));
    stream.set_read_timeout(time).expect("it is not zero");
    stream
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, bytes: &[u8]) {
    from.write_all(bytes).expect("it is open");
    let mut came = vec![0; bytes.len()];
    to.read_exact(&mut came).expect("all comes through");
    assert_eq!(came, bytes);
}

fn assert_ended(mut stream: &TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).expect("an end, no reset"), 0);
}

fn assert_reset(mut stream: &TcpStream) {
    let error = stream.read(&mut [0; 1]).expect_err("a reset, and no end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn tcp_proxy_passes_half_closes_on_both_ways() {
    let rig = Rig::new(&[]);
    for is_client_first in [true, false] {
        let (client, server) = rig.pair();
        let (first, second) = if is_client_first {
            (&client, &server)
        } else {
            (&server, &client)
        };
        pass(first, second, b"question");
        first.shutdown(Shutdown::Write).unwrap();
        assert_ended(second);
        // The other way goes on.
        pass(second, first, b"the answer");
        second.shutdown(Shutdown::Write).unwrap();
        assert_ended(first);
        let told = rig.proxy.err.next();
        let counts = if is_client_first {
            ": 8 bytes there, 10 back"
        } else {
            ": 10 bytes there, 8 back"
        };
        assert!(told.ends_with(counts), "{told}");
    }
}

#[test]
fn tcp_proxy_passes_mebibytes_both_ways_at_once() {
    const LEN: usize = 8 << 20;
    let rig = Rig::new(&[]);
    let (client, server) = rig.pair();
    let bytes = |seed: usize| -> Vec<u8> { (0..LEN).map(|at| (at * seed / 251) as u8).collect() };
    let talk = |mut stream: TcpStream, ours: Vec<u8>, theirs: Vec<u8>| {
        let mut writer = stream.try_clone().unwrap();
        let write = thread::spawn(move || {
            writer.write_all(&ours).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut came = Vec::new();
        stream.read_to_end(&mut came).unwrap();
        assert!(came == theirs, "{} bytes came", came.len());
        write.join().unwrap();
    };
    let other = thread::spawn(move || talk(server, bytes(3), bytes(5)));
    talk(client, bytes(5), bytes(3));
    other.join().unwrap();
    let told = rig.proxy.err.next();
    assert!(
        told.ends_with(&format!(": {LEN} bytes there, {LEN} back")),
        "{told}"
    );
}

#[test]
fn tcp_proxy_lets_others_wait_while_it_is_full() {
    let rig = Rig::new(&["--connections", "1"]);
    let (client, server) = rig.pair();
    let mut other = rig.client();
    other.write_all(b"tick").unwrap();
    // It had every reason to connect by then.
    for _ in 0..10 {
        pass(&client, &server, b"still");
        pass(&server, &client, b"alone");
    }
    rig.listener.set_nonblocking(true).unwrap();
    let error = rig.listener.accept().expect_err("nobody else was let in");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    rig.listener.set_nonblocking(false).unwrap();
    drop((client, server));
    let (mut server, _) = rig.listener.accept().unwrap();
    let mut came = [0; 4];
    server.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"tick");
}

#[test]
fn tcp_proxy_resets_both_sides_where_nothing_moves() {
    let rig = Rig::new(&["--idle", "0.05"]);
    let (client, server) = rig.pair();
    pass(&client, &server, b"tick");
    assert_reset(&client);
    assert_reset(&server);
    let told = rig.proxy.err.next();
    assert!(told.ends_with(": timed out"), "{told}");
}

#[test]
fn tcp_proxy_passes_a_reset_on() {
    let rig = Rig::new(&[]);
    let (client, server) = rig.pair();
    pass(&client, &server, b"tick");
    // A close with unread bytes is one.
    (&client).write_all(b"tock").unwrap();
    let mut peeked = [0; 4];
    while server.peek(&mut peeked).unwrap() < 4 {}
    drop(server);
    assert_reset(&client);
}

#[test]
fn tcp_proxy_tells_who_cannot_be_reached() {
    let rig = Rig::new(&[]);
    let Rig {
        proxy,
        listener,
        address,
    } = rig;
    drop(listener);
    let client = patient(TcpStream::connect(address).unwrap());
    assert_reset(&client);
    let told = proxy.err.next();
    assert!(told.to_lowercase().contains("refused"), "{told}");
}

#[test]
fn tcp_proxy_drains_and_lets_what_is_there_end_by_itself() {
    let rig = Rig::new(&["--grace", "60"]);
    let (client, server) = rig.pair();
    pass(&client, &server, b"tick");
    rig.proxy.signal(Signal::TERM);
    assert_eq!(rig.proxy.err.next(), "SIGTERM, draining 1 connections");
    pass(&server, &client, b"tock");
    drop((client, server));
    let (status, _, said) = rig.proxy.end();
    assert!(status.success());
    assert!(said[0].ends_with(": 4 bytes there, 4 back"), "{said:#?}");
    assert_eq!(said[1..], ["all have ended"]);
    TcpStream::connect(rig.address).expect_err("it is gone");
}

#[test]
fn tcp_proxy_cuts_who_goes_on_after_the_grace_or_when_it_is_told_twice() {
    for (grace, is_told_twice) in [("0.02", false), ("60", true)] {
        let rig = Rig::new(&["--grace", grace]);
        let (client, server) = rig.pair();
        pass(&client, &server, b"tick");
        rig.proxy.signal(Signal::INT);
        assert_eq!(rig.proxy.err.next(), "SIGINT, draining 1 connections");
        if is_told_twice {
            rig.proxy.signal(Signal::INT);
        }
        assert_reset(&client);
        assert_reset(&server);
        let (status, _, said) = rig.proxy.end();
        assert!(status.success());
        assert_eq!(said, ["1 had to be cut"]);
    }
}

/// Where there is curl, it fetches a file through the proxy.
#[test]
fn tcp_proxy_is_not_noticed_by_curl() {
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let listen = ["--listen", "127.0.0.1:0", "--root", "docs", "--for", "60"];
    let server = Tool::start("http_server", &listen);
    let line = server.out.next();
    let target = line.strip_prefix("listening on ").expect("in this form");
    let proxy = Tool::start("tcp_proxy", &["127.0.0.1:0", target]);
    let line = proxy.err.next();
    let address = line.strip_prefix("listening on ").expect("in this form");
    let output = std::process::Command::new("curl")
        .args(["--silent", "--fail", "--noproxy", "*"])
        .arg(format!("http://{address}/architecture.md"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert!(output.stdout == std::fs::read("docs/architecture.md").unwrap());
}

#[test]
fn tcp_proxy_says_what_it_does_not_understand() {
    for (arguments, complaint) in [
        (&[][..], "where to listen"),
        (&["127.0.0.1:0"], "where to connect"),
        (
            &["127.0.0.1:0", "x:1", "--idle", "long"],
            "--idle needs seconds",
        ),
        (&["127.0.0.1:0", "x:1", "--connections", "0"], "above 0"),
        (&["127.0.0.1:0", "x:1", "--what", "0"], "--what is unknown"),
    ] {
        let output = command("tcp_proxy", arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(complaint) && errors.contains("usage: "),
            "{errors}"
        );
    }
}
