//! The parser of `docs/examples/http_server`: tables of what is taken and refused, and every input cut everywhere.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the server uses the rest, and the fuzz target"
)]
#[path = "../docs/examples/http_server/request.rs"]
mod request;

use request::{Body, Chunks, Found, Head, Part, Refusal, find_end, parse, part, path};

const HEAD_MAX: usize = 256;

/// Finds and reads a head of bytes that come in pieces of `step`; `None` if there is no end of it.
fn read(bytes: &[u8], step: usize) -> Option<Result<(Head<'_>, usize), Refusal>> {
    let (mut come, mut seen) = (0, 0);
    loop {
        come = bytes.len().min(come + step);
        match find_end(&bytes[..come], &mut seen, HEAD_MAX) {
            Ok(Some(len)) => return Some(parse(&bytes[..len]).map(|head| (head, len))),
            Ok(None) if come == bytes.len() => return None,
            Ok(None) => {}
            Err(refusal) => return Some(Err(refusal)),
        }
    }
}

/// The same, however it is cut.
#[track_caller]
fn read_anyhow(bytes: &[u8]) -> Option<Result<(Head<'_>, usize), Refusal>> {
    let whole = read(bytes, usize::MAX >> 1);
    for step in 1..=bytes.len().max(1) {
        assert_eq!(read(bytes, step), whole, "in pieces of {step}");
    }
    whole
}

#[track_caller]
fn taken(text: &str) -> Head<'_> {
    let (head, len) = read_anyhow(text.as_bytes()).expect("an end").expect(text);
    assert_eq!(len, text.len());
    head
}

#[test]
fn what_is_right_is_read() {
    let head = taken("GET /a?b=c HTTP/1.1\r\nHost: x\r\nRange:  bytes=0-4\t\r\n\r\n");
    assert_eq!((head.method, head.target, head.minor), ("GET", "/a?b=c", 1));
    assert_eq!(
        (head.body, head.range),
        (Body::Length(0), Some("bytes=0-4"))
    );
    assert!(head.keeps_alive && !head.expects_continue);
    let head =
        taken("\r\nPUT * HTTP/1.1\r\nhOST:\r\nContent-LENGTH: 017\r\nExpect: 100-Continue\r\n\r\n");
    assert_eq!((head.method, head.body), ("PUT", Body::Length(17)));
    assert!(head.expects_continue);
    let head = taken(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\nConnection: x, Close\r\n\r\n",
    );
    assert_eq!((head.body, head.keeps_alive), (Body::Chunked, false));
    assert!(!taken("GET / HTTP/1.0\r\n\r\n").keeps_alive);
    assert!(taken("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keeps_alive);
    let head = taken("GET / HTTP/1.1\r\nHost: x\r\nIf-Range: \"a\"\r\nRange: bytes=0-4\r\n\r\n");
    assert_eq!(head.range, None);
}

#[test]
fn a_head_is_no_longer_than_itself() {
    let two = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\n";
    let (_, len) = read_anyhow(two).unwrap().unwrap();
    assert_eq!(len, 27);
    assert_eq!(read_anyhow(b"GET / HTTP/1.1\r\nHost: x\r\n\r"), None);
    assert_eq!(read_anyhow(b""), None);
}

#[test]
fn what_is_wrong_is_refused_with_its_status() {
    let with = |lines: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n");
    let long = "a".repeat(HEAD_MAX);
    let table = [
        // Where another reader could find another end.
        (400, with("Content-Length: 5\r\nTransfer-Encoding: chunked")),
        (400, with("Transfer-Encoding: chunked\r\nContent-Length: 5")),
        (400, with("Content-Length: 5\r\nContent-Length: 5")),
        (400, with("Content-Length: 5, 5")),
        (400, with("Content-Length: +5")),
        (400, with("Content-Length: 5 6")),
        (400, with("Content-Length: 0x5")),
        (400, with("Content-Length: ")),
        (400, with("Content-Length: 18446744073709551616")),
        (400, with("Content-Length : 5")),
        (400, with(" Content-Length: 5")),
        (400, with("A: b\r\n Content-Length: 5")),
        (400, with("A: b\r\n\tc")),
        (
            400,
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ),
        (400, with("Transfer-Encoding: chunked, gzip")),
        (400, with("Transfer-Encoding: xchunked")),
        (400, with("Transfer-Encoding: \"chunked\"")),
        (501, with("Transfer-Encoding: gzip, chunked")),
        (
            400,
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
        ),
        (400, with("A: b\nContent-Length: 5")),
        (400, with("A: b\rContent-Length: 5")),
        (400, with("A: b\r\r\nB: c")),
        (400, with("A: b\0c")),
        (400, with("A: b\x7fc")),
        (400, with("A b")),
        (400, with(": b")),
        (400, with("A\u{e9}: b")),
        // What makes no request.
        (400, "GET / HTTP/1.1\r\n\r\n".into()),
        (400, with("Host: y")),
        (400, "GET / HTTP/1.1\r\nHost: x y\r\n\r\n".into()),
        (400, "GET /\r\n\r\n".into()),
        (400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n".into()),
        (400, "GET / a HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "G(T / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "GET / http/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "GET / HTTP/11\r\nHost: x\r\n\r\n".into()),
        (400, "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (400, "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".into()),
        (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n".into()),
        (505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n".into()),
        (417, with("Expect: the worst")),
        (400, with("Range: bytes=0-1\r\nRange: bytes=2-3")),
        (431, with(&format!("A: {long}"))),
        (431, format!("GET /{long}")),
    ];
    for (status, text) in table {
        let answer = read_anyhow(text.as_bytes()).map(|answer| answer.map(|(head, _)| head.method));
        assert_eq!(answer, Some(Err(Refusal(status))), "{text:?}");
    }
    assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: x"), Err(Refusal(400)));
    assert_eq!(parse(b"\xff\r\n\r\n"), Err(Refusal(400)));
    let many = "A: b\r\n".repeat(101);
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_eq!(parse(many.as_bytes()), Err(Refusal(431)));
}

/// The body of chunks that come in pieces of `step`, and how many bytes they were; `None` if there is no end of them.
fn body(bytes: &[u8], step: usize) -> Option<Result<(Vec<u8>, usize), Refusal>> {
    let (mut chunks, mut all) = (Chunks::new(64), Vec::new());
    let (mut start, mut come) = (0, 0);
    loop {
        come = bytes.len().min(come + step);
        loop {
            match chunks.next(&bytes[start..come]) {
                Ok(Found::Data(range)) => {
                    all.extend_from_slice(&bytes[start..come][range.clone()]);
                    start += range.end;
                }
                Ok(Found::End(count)) => return Some(Ok((all, start + count))),
                Ok(Found::More) => break start = come,
                Err(refusal) => return Some(Err(refusal)),
            }
        }
        if come == bytes.len() {
            return None;
        }
    }
}

#[test]
fn chunks_are_a_body_or_are_refused() {
    let long = "a".repeat(300);
    let trailers = "A: b\r\n".repeat(1100);
    let table: [(&str, Option<Result<&str, u16>>); 27] = [
        ("0\r\n\r\n", Some(Ok(""))),
        ("5\r\nhello\r\n0\r\n\r\n", Some(Ok("hello"))),
        (
            "5;a=\"b\"\r\nhello\r\n00001\r\n!\r\n0;x\r\nA: b\r\n\r\n",
            Some(Ok("hello!")),
        ),
        (
            "000000000000000a\r\n0123456789\r\n0\r\n\r\n",
            Some(Ok("0123456789")),
        ),
        ("5\r\nhello\r\n0\r\n", None),
        ("", None),
        ("5\r\nhello", None),
        ("00000000000000001\r\n!\r\n0\r\n\r\n", Some(Err(400))),
        ("ffffffffffffffff\r\n", Some(Err(413))),
        ("41\r\n", Some(Err(413))),
        ("40\r\n", None),
        ("x\r\n", Some(Err(400))),
        ("0x5\r\nhello\r\n0\r\n\r\n", Some(Err(400))),
        ("-5\r\n", Some(Err(400))),
        (" 5\r\n", Some(Err(400))),
        ("5 \r\n", Some(Err(400))),
        ("\r\n", Some(Err(400))),
        ("5\nhello\r\n0\r\n\r\n", Some(Err(400))),
        ("5\rhello", Some(Err(400))),
        ("5;\nx\r\n", Some(Err(400))),
        ("5\r\nhello0\r\n\r\n", Some(Err(400))),
        ("5\r\nhello\n0\r\n\r\n", Some(Err(400))),
        ("5\r\nhello\r0\r\n\r\n", Some(Err(400))),
        ("0\r\nA: b\n\r\n", Some(Err(400))),
        ("0\r\n\rx", Some(Err(400))),
        (&format!("5;{long}\r\n"), Some(Err(400))),
        (&format!("0\r\n{trailers}\r\n"), Some(Err(431))),
    ];
    for (text, expected) in table {
        let expected = expected.map(|result| match result {
            Ok(body) => Ok((body.as_bytes().to_vec(), text.len())),
            Err(status) => Err(Refusal(status)),
        });
        for step in (1..=text.len().clamp(1, 9)).chain([usize::MAX >> 1]) {
            assert_eq!(
                body(text.as_bytes(), step),
                expected,
                "{text:.60?} by {step}"
            );
        }
    }
    // What follows is the next request's.
    assert_eq!(body(b"0\r\n\r\nGET", 8), Some(Ok((Vec::new(), 5))));
}

#[test]
fn a_range_is_a_part_or_nothing_or_ignored() {
    let table = [
        ("bytes=0-4", Part::Bytes(0..5)),
        ("bytes=5-", Part::Bytes(5..10)),
        ("bytes=-3", Part::Bytes(7..10)),
        ("bytes=-30", Part::Bytes(0..10)),
        ("bytes=9-99", Part::Bytes(9..10)),
        ("bytes=0-18446744073709551615", Part::Bytes(0..10)),
        ("bytes=10-", Part::None),
        ("bytes=-0", Part::None),
        ("bytes=5-4", Part::Whole),
        ("bytes=0-1,3-4", Part::Whole),
        ("bytes=a-b", Part::Whole),
        ("bytes=-", Part::Whole),
        ("bytes=", Part::Whole),
        ("items=0-4", Part::Whole),
        ("bytes=+1-4", Part::Whole),
    ];
    for (range, expected) in table {
        assert_eq!(part(range, 10), expected, "{range}");
    }
    assert_eq!(part("bytes=0-", 0), Part::None);
    assert_eq!(part("bytes=-5", 0), Part::None);
}

#[test]
fn a_path_stays_below_the_root() {
    let table = [
        ("/", Some("")),
        ("/a/b.txt?c=/../d", Some("a/b.txt")),
        ("/a%20b", Some("a b")),
        ("http://host:80/a", Some("a")),
        ("http://host", Some("")),
        ("/..", None),
        ("/a/../b", None),
        ("/%2e%2e/etc", None),
        ("/a/..%2fb", None),
        ("/a..b/...", Some("a..b/...")),
        ("//etc/passwd", None),
        ("/%2fetc", None),
        ("/a%00b", None),
        ("/a%2", None),
        ("/a%xx", None),
        ("/%ff", None),
        ("*", None),
        ("a", None),
    ];
    for (target, expected) in table {
        assert_eq!(path(target).as_deref(), expected, "{target}");
    }
}
