//! `communicate`: feeds a child and keeps what it says, until both have ended.
//!
//! *Why one future for all of it.* Who writes all the input before he reads waits for a child that waits for him, as soon as
//! both pipes are full (hz_e06). Input, output, errors and the end are awaited together.
//!
//! *Whose bytes.* They are in the [`Child`]: a [`Communicate`] that is dropped loses none, and the next one goes on.
//!
//! *After the end.* A grandchild may hold a pipe for longer than anybody wants to wait (hz_e07). What is in the pipes when the
//! child ends is taken; what comes later, for [`AFTER_END`] and no longer.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;

use super::child::{Child, Ending};
use super::command::Command;
use super::stdio::Stdio;
use crate::io::{AsyncRead, AsyncWrite, LimitExceeded};
use crate::pin::{pinned_mut, pinned_mut_beside};
use crate::pipe::{PipeReader, PipeWriter};
use crate::task::caller::Caller;
use crate::time::Sleep;

/// How long after a child's end its pipes are read on, unless [`Communicate::after_end`] says otherwise.
const AFTER_END: Duration = Duration::from_millis(250);

/// How much is read at once.
const STEP: usize = 32 * 1024;

/// What a child said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What came from its standard output.
    pub stdout: Vec<u8>,
    /// What came from its standard error.
    pub stderr: Vec<u8>,
    /// Whether both came to their end. If not, somebody who outlived the child has them still.
    pub is_complete: bool,
}

/// What is on its way, and what has come.
#[derive(Debug, Default)]
pub(super) struct Captured {
    input: Vec<u8>,
    written: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Child {
    /// Writes `input` to the child and closes its standard input, reads what it says, and waits for its end. Streams
    /// that are no pipes are left alone. That the child does not read all of its input is no error.
    ///
    /// What is in the pipes at the child's end is read, and what comes in the 250 ms after it: a grandchild may hold them for
    /// ever. [`Output::is_complete`] tells, [`Communicate::after_end`] changes the time.
    ///
    /// # Cancel safety
    /// Safe: what was read stays in the child, and what was not written of the input. Call it again with nothing.
    ///
    /// # Errors
    /// As for [`Child::wait`]; `InvalidData` with a [`LimitExceeded`] inside, if there was a
    /// [`limit`](Communicate::limit), after which the call can be made again.
    ///
    /// ```
    /// use mainspring::process::{Command, Stdio};
    /// # mainspring::run(async {
    /// let mut sort = Command::new("sort").stdin(Stdio::Piped).stdout(Stdio::Piped).spawn()?;
    /// let output = sort.communicate(b"b\na\n".to_vec()).await?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn communicate(&mut self, input: impl Into<Vec<u8>>) -> Communicate<'_> {
        let here = Location::caller();
        self.captured.input.drain(..self.captured.written);
        self.captured.written = 0;
        self.captured.input.extend(input.into());
        let Child {
            shared,
            stdin,
            stdout,
            stderr,
            captured,
        } = self;
        Communicate {
            talk: Talk {
                stdin,
                stdout,
                stderr,
                captured,
                limit: usize::MAX,
                status: None,
            },
            ending: Ending::new(shared, here),
            rest: Sleep::new(duration_ns(AFTER_END), true, here),
            caller: Caller::here(),
        }
    }

    /// What has been read by calls of [`Child::communicate`] that did not come to their end: output, and errors.
    #[must_use]
    pub fn captured(&self) -> (&[u8], &[u8]) {
        (&self.captured.stdout, &self.captured.stderr)
    }
}

impl Command {
    /// Starts the program, keeps what it says, and waits for its end. Standard output and error are pipes, standard input is
    /// `/dev/null`, each unless it was said otherwise. Dropping the future kills the program.
    ///
    /// # Cancel safety
    /// Not safe, because the program is killed, and what it said is lost: use [`Command::spawn`] and [`Child::communicate`].
    ///
    /// # Errors
    /// As for [`Command::spawn`] and [`Child::communicate`].
    ///
    /// ```
    /// # mainspring::run(async {
    /// let output = mainspring::process::Command::new("echo").arg("tick").output().await?;
    /// assert_eq!(output.stdout, b"tick\n");
    /// assert!(output.is_complete);
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn output(mut self) -> impl Future<Output = io::Result<Output>> {
        for (stream, usual) in [
            (&mut self.stdin, Stdio::Null),
            (&mut self.stdout, Stdio::Piped),
            (&mut self.stderr, Stdio::Piped),
        ] {
            if matches!(stream, Stdio::Inherit) {
                *stream = usual;
            }
        }
        let child = self.kill_on_drop(true).spawn();
        // A named future would hold the child and borrow from it.
        async move { child?.communicate(Vec::new()).await }
    }

    /// Starts the program and waits for its end. Dropping the future kills the program.
    ///
    /// # Cancel safety
    /// Not safe, because the program is killed: use [`Command::spawn`] and [`Child::wait`].
    ///
    /// # Errors
    /// As for [`Command::spawn`] and [`Child::wait`].
    ///
    /// ```
    /// # mainspring::run(async {
    /// assert!(mainspring::process::Command::new("true").status().await?.success());
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn status(self) -> impl Future<Output = io::Result<ExitStatus>> {
        let child = self.kill_on_drop(true).spawn();
        // As above.
        async move { child?.wait().await }
    }
}

/// Feeds a child and keeps what it says. Made by [`Child::communicate`].
///
/// # Cancel safety
/// Safe: what was read stays in the child, and what was not written of the input. Call it again with nothing.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Communicate<'a> {
    talk: Talk<'a>,
    ending: Ending<'a>,
    rest: Sleep,
    caller: Caller,
}

/// The three pipes, and what goes through them.
struct Talk<'a> {
    stdin: &'a mut Option<PipeWriter>,
    stdout: &'a mut Option<PipeReader>,
    stderr: &'a mut Option<PipeReader>,
    captured: &'a mut Captured,
    limit: usize,
    status: Option<ExitStatus>,
}

impl Communicate<'_> {
    /// At most so many bytes of output, and of errors, are kept; more is an error.
    pub fn limit(mut self, limit: usize) -> Self {
        self.talk.limit = limit;
        self
    }

    /// So long after the child's end its pipes are read on, as long as somebody holds them.
    pub fn after_end(mut self, time: Duration) -> Self {
        self.rest = Sleep::new(duration_ns(time), true, Location::caller());
        self
    }
}

impl Future for Communicate<'_> {
    type Output = io::Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Output>> {
        let caller = self.caller;
        let is_quiet = caller.within(|| pinned_talk(self.as_mut()).poll_pipes(cx))?;
        if self.talk.status.is_none() {
            match pinned_mut!(self.as_mut(), ending).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(status) => pinned_talk(self.as_mut()).status = Some(status?),
            }
            // What it said before its end is there by now.
            return self.poll(cx);
        }
        let is_over = is_quiet || pinned_mut!(self.as_mut(), rest).poll(cx).is_ready();
        match is_over {
            true => Poll::Ready(Ok(pinned_talk(self).conclude(is_quiet))),
            false => Poll::Pending,
        }
    }
}

/// The part that pinning does not reach.
fn pinned_talk<'a, 'b>(communicate: Pin<&'a mut Communicate<'b>>) -> &'a mut Talk<'b> {
    let (_, talk) = pinned_mut_beside!(communicate, rest, talk);
    talk
}

impl Talk<'_> {
    /// Moves what can be moved. `true`: both outputs are at their end.
    fn poll_pipes(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.poll_input(cx)?;
        let Captured { stdout, stderr, .. } = self.captured;
        let has_stdout_ended = poll_output(self.stdout, stdout, self.limit, cx)?;
        let has_stderr_ended = poll_output(self.stderr, stderr, self.limit, cx)?;
        Ok(has_stdout_ended && has_stderr_ended)
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(stdin) = self.stdin {
            let rest = &self.captured.input[self.captured.written..];
            // Nothing more, or nobody who reads it: then the rest is of no interest to anybody.
            if rest.is_empty() || self.status.is_some() {
                *self.stdin = None;
                return Ok(());
            }
            match Pin::new(stdin).poll_write(cx, rest) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(count)) => self.captured.written += count,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    *self.stdin = None;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn conclude(&mut self, is_complete: bool) -> Output {
        let captured = std::mem::take(self.captured);
        // Who outlived the child may write on, and nobody reads it.
        *self.stdout = None;
        *self.stderr = None;
        Output {
            status: self.status.take().unwrap_or_default(),
            stdout: captured.stdout,
            stderr: captured.stderr,
            is_complete,
        }
    }
}

/// Reads what is there. `true`: it is at its end.
fn poll_output(
    pipe: &mut Option<PipeReader>,
    bytes: &mut Vec<u8>,
    limit: usize,
    cx: &mut Context<'_>,
) -> io::Result<bool> {
    while let Some(reader) = pipe {
        let before = bytes.len();
        if before > limit {
            let available = before;
            return Err(LimitExceeded { limit, available }.into());
        }
        bytes.resize(before + STEP.min(limit.saturating_add(1) - before), 0);
        let read = Pin::new(reader).poll_read(cx, &mut bytes[before..]);
        bytes.truncate(before + read_count(&read));
        match read {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => *pipe = None,
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
    Ok(true)
}

fn read_count(read: &Poll<io::Result<usize>>) -> usize {
    match read {
        Poll::Ready(Ok(count)) => *count,
        _ => 0,
    }
}

impl fmt::Debug for Communicate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicate")
            .field("stdout", &self.talk.captured.stdout.len())
            .field("stderr", &self.talk.captured.stderr.len())
            .finish_non_exhaustive()
    }
}
