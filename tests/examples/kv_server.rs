//! The server of keys and values, over the wire: bursts, pieces, broken requests, clients that wait, and readers
//! that do not read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use mainspring::time::now;

use super::{Endless, command, output};

fn start() -> (Endless, String) {
    let (server, _, address) = start_and_read();
    (server, address)
}

/// Also what it prints behind its address.
fn start_and_read() -> (Endless, impl Read, String) {
    let mut server = command("kv_server", &["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let mut printed = BufReader::new(server.stdout.take().expect("it is piped"));
    printed.read_line(&mut line).expect("it prints its address");
    let address = line.trim().strip_prefix("listening on ");
    let address = address.expect("in this form").to_string();
    (Endless(server), printed, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("it is not zero");
    stream.set_nodelay(true).expect("it is TCP");
    stream
}

/// Sends bytes, and expects those in answer.
#[track_caller]
fn ask(stream: &mut TcpStream, request: &[u8], answer: &str) {
    stream.write_all(request).expect("it reads");
    hear(stream, answer);
}

#[track_caller]
fn hear(stream: &mut TcpStream, answer: &str) {
    let mut bytes = vec![0; answer.len()];
    stream.read_exact(&mut bytes).expect("it answers in time");
    assert_eq!(String::from_utf8_lossy(&bytes), answer);
}

#[test]
fn kv_server_talks_with_itself() {
    let printed = output("kv_server", &[]);
    let (first, rest) = printed.split_once('\n').expect("it prints lines");
    assert!(first.starts_with("listening on 127.0.0.1:"), "{printed}");
    let lines: Vec<&str> = rest.lines().collect();
    assert_eq!(lines[2], "SET greeting hi NX -> nothing");
    assert_eq!(lines[7], "LRANGE tasks 0 -1 -> write, test");
    assert_eq!(lines[9], "GET short -> nothing");
    assert_eq!(lines[11], "bob was handed jobs, sweep");
    assert_eq!(lines[14], "bob heard message, news, spring");
    let last = ["ERR unknown command 'FLY'", "QUIT -> OK", "drained"];
    assert_eq!(lines[17..], last);
}

#[test]
fn kv_server_answers_a_burst_with_one_write() {
    let (_server, address) = start();
    let mut stream = connect(&address);
    let burst = "PING\r\n".repeat(100);
    stream.write_all(burst.as_bytes()).expect("it reads");
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).expect("it answers");
    assert_eq!(count, 100 * "+PONG\r\n".len());
}

#[test]
fn kv_server_reads_requests_in_any_pieces() {
    let (_server, address) = start();
    let mut stream = connect(&address);
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\nx\r\ny\r\n" {
        stream.write_all(&[*byte]).expect("it reads");
    }
    hear(&mut stream, "+OK\r\n");
    ask(&mut stream, b"\r\n*0\r\nGET a\n", "$4\r\nx\r\ny\r\n");
    // More than any buffer holds at once, there and back.
    let long = vec![b'z'; 3_000_000];
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n${}\r\n", long.len());
    let request = [head.as_bytes(), &long, b"\r\n"].concat();
    ask(&mut stream, &request, "+OK\r\n");
    stream.write_all(b"GET b\r\n").expect("it reads");
    hear(&mut stream, "$3000000\r\n");
    let mut back = vec![0; long.len()];
    stream.read_exact(&mut back).expect("it comes whole");
    assert!(back == long);
    hear(&mut stream, "\r\n");
}

#[test]
fn kv_server_says_what_is_wrong_and_ends_that_connection_alone() {
    let (_server, address) = start();
    let long = "x".repeat(70_000);
    for (request, reason) in [
        ("*1\r\n!3\r\n", "expected '$', got '!'"),
        ("*9999999\r\n", "invalid multibulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999\r\n", "invalid bulk length"),
        ("*1\r\n$1\r\nab\r\n", "expected CRLF behind a bulk string"),
        (&long, "too big inline request"),
    ] {
        let mut stream = connect(&address);
        stream.write_all(b"PING\r\n").expect("it reads");
        // It may have stopped reading.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("an end, and no reset");
        assert_eq!(
            answer,
            format!("+PONG\r\n-ERR Protocol error: {reason}\r\n")
        );
    }
    // What is no command, or not for this key, is an answer like any other.
    let mut stream = connect(&address);
    ask(&mut stream, b"LPUSH l 1\r\n", ":1\r\n");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    ask(&mut stream, b"GET l\r\n", wrong);
    let wrong = "-ERR wrong number of arguments for 'get' command\r\n";
    ask(&mut stream, b"get\r\n", wrong);
    ask(
        &mut stream,
        b"SET a 1 EX 0\r\n",
        "-ERR invalid expire time in 'set' command\r\n",
    );
    ask(&mut stream, b"GET a\r\n", "$-1\r\n");
}

#[test]
fn kv_server_hands_items_to_those_who_wait_in_their_order() {
    let (_server, address) = start();
    let mut push = connect(&address);
    let wait = || {
        let mut stream = connect(&address);
        // Behind the answer to the first it stands in the line.
        ask(&mut stream, b"PING\r\nBLPOP other jobs 0\r\n", "+PONG\r\n");
        stream
    };
    let (mut first, gone, mut third) = (wait(), wait(), wait());
    // The second goes away, and is passed by.
    gone.shutdown(Shutdown::Write).expect("it is connected");
    let mut rest = Vec::new();
    (&gone).read_to_end(&mut rest).expect("it ends");
    assert_eq!(rest, b"");
    ask(&mut push, b"RPUSH jobs a b c\r\n", ":3\r\n");
    hear(&mut first, "*2\r\n$4\r\njobs\r\n$1\r\na\r\n");
    hear(&mut third, "*2\r\n$4\r\njobs\r\n$1\r\nb\r\n");
    ask(&mut push, b"LRANGE jobs 0 -1\r\n", "*1\r\n$1\r\nc\r\n");
    // What a client sends while it waits is done behind that.
    ask(&mut third, b"BLPOP other 0\r\nECHO on\r\n", "");
    ask(&mut push, b"RPUSH other d\r\n", ":1\r\n");
    hear(&mut third, "*2\r\n$5\r\nother\r\n$1\r\nd\r\n$2\r\non\r\n");
}

#[test]
fn kv_server_ends_keys_and_waits_in_time() {
    let (_server, address) = start();
    let mut stream = connect(&address);
    ask(
        &mut stream,
        b"SET a 1 PX 30\r\nSET b 2 EX 100\r\n",
        "+OK\r\n+OK\r\n",
    );
    ask(&mut stream, b"TTL b\r\nTTL c\r\n", ":100\r\n:-2\r\n");
    ask(&mut stream, b"PERSIST b\r\nTTL b\r\n", ":1\r\n:-1\r\n");
    let start = now();
    ask(&mut stream, b"BLPOP nobody 0.05\r\n", "*-1\r\n");
    assert!(now() - start >= Duration::from_millis(50));
    // Nobody looked at it since.
    ask(&mut stream, b"DBSIZE\r\nGET a\r\n", ":1\r\n$-1\r\n");
    ask(&mut stream, b"EXPIRE b -1\r\nDBSIZE\r\n", ":1\r\n:0\r\n");
}

#[test]
fn kv_server_ends_a_subscriber_that_does_not_read_and_the_others_hear_all() {
    let (_server, address) = start();
    let subscribe = || {
        let mut stream = connect(&address);
        let answer = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
        ask(&mut stream, b"SUBSCRIBE news\r\n", answer);
        stream
    };
    let (sloth, mut reader) = (subscribe(), subscribe());
    let mut publisher = connect(&address);
    let text = "n".repeat(100_000);
    let publish = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$100000\r\n{text}\r\n");
    let message = format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$100000\r\n{text}\r\n");
    let mut rounds = 0;
    loop {
        publisher.write_all(publish.as_bytes()).expect("it reads");
        hear(&mut reader, &message);
        let mut count = [0; 4];
        publisher.read_exact(&mut count).expect("it answers");
        if &count == b":1\r\n" {
            break;
        }
        assert_eq!(&count, b":2\r\n");
        rounds += 1;
        assert!(rounds < 2000, "what nobody reads piles up");
    }
    drop(sloth);
    // A subscriber may do little else, and leaves when it likes.
    let left = "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n";
    ask(
        &mut reader,
        b"GET a\r\n",
        "-ERR 'GET' must wait until you have unsubscribed\r\n",
    );
    ask(
        &mut reader,
        b"UNSUBSCRIBE\r\nGET a\r\n",
        &format!("{left}$-1\r\n"),
    );
}

#[test]
fn kv_server_answers_and_lets_all_go_when_it_is_told_to_end() {
    let (mut server, mut printed, address) = start_and_read();
    let mut idle = connect(&address);
    ask(&mut idle, b"PING\r\n", "+PONG\r\n");
    let mut listens = connect(&address);
    let subscribed = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
    ask(&mut listens, b"SUBSCRIBE news\r\n", subscribed);
    let mut waits = connect(&address);
    ask(&mut waits, b"PING\r\nBLPOP jobs 0\r\nPING\r\n", "+PONG\r\n");
    let mut last = connect(&address);
    let farewell = "$8\r\nfarewell\r\n";
    ask(
        &mut last,
        b"PUBLISH news bye\r\nECHO farewell\r\nSHUTDOWN\r\n",
        &[":1\r\n", farewell].concat(),
    );
    let message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\nbye\r\n";
    for (stream, answers) in [
        (&mut last, ""),
        (&mut idle, ""),
        (&mut listens, message),
        (&mut waits, "*-1\r\n+PONG\r\n"),
    ] {
        let mut rest = String::new();
        stream
            .read_to_string(&mut rest)
            .expect("an end, and no reset");
        assert_eq!(rest, answers);
    }
    let mut rest = String::new();
    printed.read_to_string(&mut rest).expect("it prints text");
    assert_eq!(rest, "drained\n");
    assert!(server.0.wait().expect("it is ours").success());
}
