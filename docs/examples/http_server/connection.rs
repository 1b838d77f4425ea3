//! One connection, from its first request to its end.
//!
//! *Model.* There is one buffer for what comes, and one for what goes. Requests that came together are answered
//! together: what goes is written when the next request is not there yet, or when a file follows that the kernel sends.
//!
//! *Time.* A client that says nothing, one that says its head a byte at a time, one that stops in the middle of its
//! body, and one that does not take its answer: each has its own limit ([`Limits`]).

use std::io::{self, Write};
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use mainspring::net::TcpStream;
use mainspring::task::CancelToken;
use mainspring::time::{now, timeout, timeout_at};

use crate::files::{Files, Opened};
use crate::request::{self, BAD_REQUEST, Body, Chunks, Found, Head, Part, Refusal, TOO_LARGE};

/// The longest head, and the buffer for what comes. In bytes.
const HEAD_MAX: usize = 8 << 10;
/// The longest body. In bytes.
const BODY_MAX: u64 = 8 << 20;
/// What goes is written when it is as long as this, whatever else may follow. In bytes.
const OUT_MAX: usize = 64 << 10;
/// What a client that was refused may go on sending, and for how long, so that it can read why.
const LEFTOVERS: (u64, Duration) = (BODY_MAX, Duration::from_secs(2));

/// How long is waited for what.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For the first byte of a request.
    pub(crate) idle: Duration,
    /// For the end of its head, after that.
    pub(crate) head: Duration,
    /// For any of a body, or for any of an answer to be taken.
    pub(crate) progress: Duration,
}

/// What all connections share.
pub(crate) struct Site {
    pub(crate) files: Files,
    pub(crate) limits: Limits,
}

/// What came, or did not.
enum Next {
    /// A head of so many bytes.
    Head(usize),
    Refused(Refusal),
    End,
}

/// What is to be done, which borrows nothing of the buffer.
struct Task {
    work: Work,
    /// Whether the answer has a body.
    has_body: bool,
    keeps_alive: bool,
    /// The client speaks HTTP/1.0, and must be told if more may follow.
    is_old: bool,
    body: Body,
    expects_continue: bool,
}

enum Work {
    /// The file at a path, or the part of it that a `Range` asks for.
    File(String, Option<String>),
    /// The body comes back.
    Echo,
    Refuse(u16),
}

/// Serves a connection to its end. Once `draining` is cancelled it takes no other request.
pub(crate) async fn serve(stream: TcpStream, site: &Site, draining: CancelToken) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection {
        stream,
        site,
        draining,
        buf: vec![0; HEAD_MAX].into_boxed_slice(),
        start: 0,
        end: 0,
        out: Vec::new(),
    };
    let is_refused = connection.serve().await?;
    connection.flush().await?;
    if is_refused {
        let (bytes_max, time_max) = LEFTOVERS;
        connection
            .stream
            .close_gracefully(bytes_max, time_max)
            .await?;
    }
    Ok(())
}

struct Connection<'s> {
    stream: TcpStream,
    site: &'s Site,
    draining: CancelToken,
    buf: Box<[u8]>,
    /// What of `buf` has come and was not looked at.
    start: usize,
    end: usize,
    out: Vec<u8>,
}

impl Connection<'_> {
    /// Request after request. Says whether the last was refused, so that more may come.
    async fn serve(&mut self) -> io::Result<bool> {
        loop {
            let task = match self.next_head().await? {
                Next::Head(len) => {
                    let head = request::parse(&self.buf[self.start..self.start + len]);
                    let task = head.map(|head| task(&head));
                    self.start += len;
                    task
                }
                Next::Refused(refusal) => Err(refusal),
                Next::End => return Ok(false),
            };
            let mut task = match task {
                Ok(task) => task,
                Err(refusal) => return self.refuse(refusal),
            };
            task.keeps_alive &= !self.draining.is_cancelled();
            match self.answer(&task).await? {
                Err(refusal) => return self.refuse(refusal),
                Ok(()) if !task.keeps_alive => return Ok(task.body != Body::Length(0)),
                Ok(()) => {}
            }
        }
    }

    /// Waits for a whole head; what goes is written before.
    async fn next_head(&mut self) -> io::Result<Next> {
        let (mut seen, mut deadline) = (0, None);
        loop {
            match request::find_end(&self.buf[self.start..self.end], &mut seen, HEAD_MAX) {
                Ok(Some(len)) => return Ok(Next::Head(len)),
                Ok(None) => {}
                Err(refusal) => return Ok(Next::Refused(refusal)),
            }
            self.flush().await?;
            self.make_room();
            let limits = self.site.limits;
            let is_idle = self.start == self.end;
            let read = self.stream.read(&mut self.buf[self.end..]);
            let count = if is_idle {
                let read = timeout(limits.idle, read);
                match self.draining.run_until_cancelled(read).await {
                    Ok(Ok(count)) => count?,
                    // Time is up, or nothing more may begin.
                    Ok(Err(_)) | Err(_) => return Ok(Next::End),
                }
            } else {
                let deadline = *deadline.get_or_insert_with(|| now() + limits.head);
                match timeout_at(deadline, read).await {
                    Ok(count) => count?,
                    Err(_) => return Ok(Next::Refused(Refusal(408))),
                }
            };
            if count == 0 {
                return Ok(Next::End);
            }
            self.end += count;
        }
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Reads what comes of a body, when all that had come is used.
    async fn more(&mut self) -> io::Result<()> {
        self.flush().await?;
        (self.start, self.end) = (0, 0);
        let read = timeout(self.site.limits.progress, self.stream.read(&mut self.buf));
        match read.await?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.end = count;
                Ok(())
            }
        }
    }

    /// Writes what goes.
    async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            timeout(self.site.limits.progress, self.stream.write_all(&self.out)).await??;
            self.out.clear();
        }
        Ok(())
    }

    async fn answer(&mut self, task: &Task) -> io::Result<Result<(), Refusal>> {
        let (path, range) = match &task.work {
            Work::Refuse(status) => {
                self.say(*status, task);
                return Ok(Ok(()));
            }
            Work::Echo => return self.echo(task).await,
            Work::File(path, range) => (path, range.as_deref()),
        };
        let opened = match self.site.files.kept(path) {
            Some(opened) => Ok(opened),
            None => self.site.files.open(path.clone()).await,
        };
        match opened {
            Ok(opened) => self.file(task, &opened, range).await?,
            Err(error) => {
                use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
                let is_absent = matches!(error.kind(), NotFound | NotADirectory | PermissionDenied);
                self.say(if is_absent { 404 } else { 500 }, task);
            }
        }
        Ok(Ok(()))
    }

    /// Answers with a file, or a part of it.
    async fn file(&mut self, task: &Task, opened: &Opened, range: Option<&str>) -> io::Result<()> {
        let len = opened.len;
        let bytes = match range.map_or(Part::Whole, |range| request::part(range, len)) {
            Part::Whole => {
                self.begin(200, task);
                0..len
            }
            Part::Bytes(bytes) => {
                self.begin(206, task);
                let last = bytes.end - 1;
                write!(
                    self.out,
                    "Content-Range: bytes {}-{last}/{len}\r\n",
                    bytes.start
                )?;
                bytes
            }
            Part::None => {
                self.begin(416, task);
                write!(
                    self.out,
                    "Content-Range: bytes */{len}\r\nContent-Length: 0\r\n\r\n"
                )?;
                return Ok(());
            }
        };
        let count = bytes.end - bytes.start;
        self.out.extend_from_slice(b"Content-Type: ");
        self.out.extend_from_slice(opened.kind.as_bytes());
        write!(
            self.out,
            "\r\nAccept-Ranges: bytes\r\nContent-Length: {count}\r\n\r\n"
        )?;
        if !task.has_body {
            return Ok(());
        }
        match &opened.text {
            Some(text) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                self.out
                    .extend_from_slice(&text[place(bytes.start)..place(bytes.end)]);
                if self.out.len() > OUT_MAX {
                    self.flush().await?;
                }
                Ok(())
            }
            None => self.send_file(opened, bytes).await,
        }
    }

    async fn send_file(&mut self, opened: &Opened, bytes: Range<u64>) -> io::Result<()> {
        self.flush().await?;
        let count = bytes.end - bytes.start;
        let sending = self
            .stream
            .send_file(&opened.file, bytes.start, Some(count));
        let mut sending = pin!(sending);
        loop {
            let before = sending.sent();
            match timeout(self.site.limits.progress, sending.as_mut()).await {
                // Fewer: the file was cut short meanwhile. We have promised more, and nothing but the end says that.
                Ok(sent) if sent.as_ref().is_ok_and(|sent| sent.bytes < count) => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(sent) => return sent.map(|_| ()),
                Err(_) if sending.sent() > before => {}
                Err(late) => return Err(late.into()),
            }
        }
    }

    /// Answers with the request's own body.
    async fn echo(&mut self, task: &Task) -> io::Result<Result<(), Refusal>> {
        let body = match self.body(task).await? {
            Ok(body) => body,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.begin(200, task);
        write!(
            self.out,
            "Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.out.extend_from_slice(&body);
        Ok(Ok(()))
    }

    async fn body(&mut self, task: &Task) -> io::Result<Result<Vec<u8>, Refusal>> {
        if matches!(task.body, Body::Length(len) if len > BODY_MAX) {
            return Ok(Err(TOO_LARGE));
        }
        if task.expects_continue && self.start == self.end {
            self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let mut body = Vec::new();
        let mut chunks = Chunks::new(BODY_MAX);
        loop {
            let came = &self.buf[self.start..self.end];
            match task.body {
                Body::Length(len) => {
                    let left = usize::try_from(len).unwrap_or(usize::MAX) - body.len();
                    let count = left.min(came.len());
                    body.extend_from_slice(&came[..count]);
                    self.start += count;
                    if count == left {
                        return Ok(Ok(body));
                    }
                }
                Body::Chunked => match chunks.next(came) {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(Found::Data(range)) => {
                        body.extend_from_slice(&came[range.clone()]);
                        self.start += range.end;
                        continue;
                    }
                    Ok(Found::End(count)) => {
                        self.start += count;
                        return Ok(Ok(body));
                    }
                    Ok(Found::More) => {}
                },
            }
            self.more().await?;
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> io::Result<bool> {
        let task = Task {
            work: Work::Refuse(refusal.0),
            has_body: true,
            keeps_alive: false,
            is_old: false,
            body: Body::Length(0),
            expects_continue: false,
        };
        self.say(refusal.0, &task);
        Ok(true)
    }

    /// A whole answer that says its status.
    fn say(&mut self, status: u16, task: &Task) {
        self.begin(status, task);
        if status == 405 {
            self.out.extend_from_slice(b"Allow: GET, HEAD\r\n");
        }
        let text = reason(status);
        let end = if task.has_body { text } else { "" };
        // Writing into memory does not fail.
        let _ = write!(
            self.out,
            "Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{end}",
            text.len()
        );
    }

    /// The first lines of an answer.
    fn begin(&mut self, status: u16, task: &Task) {
        if status == 200 {
            self.out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            let _ = write!(self.out, "HTTP/1.1 {status} {}\r\n", reason(status));
        }
        if !task.keeps_alive {
            self.out.extend_from_slice(b"Connection: close\r\n");
        } else if task.is_old {
            self.out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
    }
}

/// What a request asks for.
fn task(head: &Head<'_>) -> Task {
    let has_no_body = head.body == Body::Length(0);
    let is_file = matches!(head.method, "GET" | "HEAD");
    let work = match head.method {
        "POST" | "PUT" if head.target == "/echo" => Work::Echo,
        _ if !is_file => Work::Refuse(405),
        // A body that nobody reads would be taken for the next request.
        _ if !has_no_body => Work::Refuse(BAD_REQUEST.0),
        _ => match request::path(head.target) {
            Some(path) => Work::File(path, head.range.map(str::to_string)),
            None => Work::Refuse(BAD_REQUEST.0),
        },
    };
    let reads_body = has_no_body || matches!(work, Work::Echo);
    Task {
        work,
        has_body: head.method != "HEAD",
        keeps_alive: head.keeps_alive && reads_body,
        is_old: head.minor == 0,
        body: head.body,
        expects_continue: head.expects_continue,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}
