//! `Child`: a program that was started.
//!
//! *Model.* The descriptor that tells of its end is a source of the loop like any other. A report of it is a hint: the
//! system is asked, and if it knows of no end yet, asked again a little later.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainspring_sys::child::{self as sys, Process, Target, Usage};
use mainspring_sys::clock::duration_ns;
use mainspring_sys::signal::Signal;

use super::command::Ours;
use super::communicate::Captured;
use super::reaper;
use crate::context;
use crate::pin::{pinned_beside, pinned_in_drop, pinned_mut};
use crate::pipe::{PipeReader, PipeWriter};
use crate::reactor::{Direction, Source};
use crate::signal::Ear;
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode};
use crate::time::Sleep;

/// How soon the system is asked again that reported an end it does not know of.
const FIRST_LOOK: Duration = Duration::from_millis(1);
/// And how often at least, from then on.
const LOOKS_APART_MAX: Duration = Duration::from_millis(64);

/// A child process. Made by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it leaves the program running, unless [`kill_on_drop`](super::Command::kill_on_drop) was said, and its end is waited
/// for in the background: no zombie stays. Its pipes close with it. In the child of a fork nothing kills the program, or waits for
/// it: it is the parent's.
pub struct Child {
    pub(super) shared: Rc<Shared>,
    /// What goes to its standard input, if that is a pipe. Take it out to have it in another task; drop it to end the input.
    pub stdin: Option<PipeWriter>,
    /// What comes from its standard output, if that is a pipe.
    pub stdout: Option<PipeReader>,
    /// What comes from its standard error, if that is a pipe.
    pub stderr: Option<PipeReader>,
    pub(super) captured: Captured,
}

/// What a child's handle and its waits share.
pub(super) struct Shared {
    process: Process,
    source: Rc<Source>,
    /// Where there is no descriptor to wait for: SIGCHLD.
    ear: OnceCell<Ear>,
    kills_on_drop: Cell<bool>,
    pub(super) made_at: &'static Location<'static>,
}

impl Child {
    pub(super) fn new(
        process: Process,
        ours: Ours,
        kills_on_drop: bool,
        made_at: &'static Location<'static>,
    ) -> Child {
        let shared = Shared::new(process, made_at);
        shared.kills_on_drop.set(kills_on_drop);
        Child {
            shared: Rc::new(shared),
            stdin: ours.stdin,
            stdout: ours.stdout,
            stderr: ours.stderr,
            captured: Captured::default(),
        }
    }

    /// Its number. After its end was waited for, the number may be another's.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.shared.process.pid().unsigned_abs()
    }

    /// Waits for its end, whoever holds its pipes, and says how it was; again and again. Its standard input stays
    /// open: a program that reads to the end of it needs [`Child::communicate`], or `child.stdin.take()`.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// `NotFound` if something else in this program has waited for it, if SIGCHLD is ignored, or in the child of a fork;
    /// `NotConnected` if the loop is gone.
    ///
    /// ```
    /// use mainspring::process::Command;
    /// # mainspring::run(async {
    /// let child = Command::shell("exit 7").spawn()?;
    /// assert_eq!(child.wait().await?.code(), Some(7));
    /// assert_eq!(child.wait().await?.code(), Some(7));
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            ending: Ending::new(&self.shared, Location::caller()),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// As for [`Child::wait`].
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.shared.try_wait()
    }

    /// What it used, after its end was waited for.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.shared.process.usage()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// `NotFound` after its end was waited for, and in the child of a fork: the number may be another's by now, and nobody is
    /// asked. EPERM, if it changed its user.
    ///
    /// ```
    /// use mainspring::process::{Command, Signal};
    /// use std::os::unix::process::ExitStatusExt;
    /// # mainspring::run(async {
    /// let child = Command::new("sleep").arg("60").spawn()?;
    /// child.signal(Signal::TERM)?;
    /// assert_eq!(child.wait().await?.signal(), Some(Signal::TERM.number()));
    /// assert!(child.signal(Signal::TERM).is_err());
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        self.shared.signal(signal, Target::Process)
    }

    /// Sends a signal to every process of the group that it leads ([`process_group(0)`](super::Command::process_group)).
    ///
    /// # Errors
    /// As for [`Child::signal`]; ESRCH, if it leads no group.
    pub fn signal_group(&self, signal: Signal) -> io::Result<()> {
        self.shared.signal(signal, Target::Group)
    }

    /// Asks it to end: SIGTERM.
    ///
    /// # Errors
    /// As for [`Child::signal`].
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it: SIGKILL. Its end still has to come: [`Child::wait`].
    ///
    /// # Errors
    /// As for [`Child::signal`].
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Ends it, and all processes of the group that it leads.
    ///
    /// # Errors
    /// As for [`Child::signal_group`].
    pub fn kill_group(&self) -> io::Result<()> {
        self.signal_group(Signal::KILL)
    }

    /// Whether it is killed when this is dropped before its end.
    pub fn set_kill_on_drop(&mut self, kills: bool) {
        self.shared.kills_on_drop.set(kills);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("has_ended", &self.shared.process.is_over())
            .finish_non_exhaustive()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.shared.kills_on_drop.get() {
            // It may have ended already.
            let _ = self.kill();
        }
        if matches!(self.try_wait(), Ok(None)) {
            reaper::wait_in_background(&self.shared);
        }
        reaper::adopt();
    }
}

impl Shared {
    pub(super) fn new(process: Process, made_at: &'static Location<'static>) -> Shared {
        Shared {
            process,
            source: Source::new(),
            ear: OnceCell::new(),
            kills_on_drop: Cell::new(false),
            made_at,
        }
    }

    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let answer = self.process.try_wait();
        // An error of the question is no end: it may be asked again, and then awaited.
        if self.process.is_over() {
            // Nothing more is to be heard of it.
            // The descriptor is nobody else's. Until it closes with the handle, a selector that was not told may
            // report it once more, to nobody.
            if let Some(watch) = self.process.watch() {
                self.source.close(Some(watch), true);
            }
        }
        answer
    }

    fn ear(&self) -> io::Result<&Ear> {
        if let Some(ear) = self.ear.get() {
            return Ok(ear);
        }
        let ear = Ear::new(Signal::CHLD)?;
        Ok(self.ear.get_or_init(|| ear))
    }

    pub(super) fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub(super) fn signal(&self, signal: Signal, target: Target) -> io::Result<()> {
        self.process.signal(signal.number(), target)
    }
}

impl Drop for Shared {
    /// A child that has not ended is left to whoever can wait for it.
    fn drop(&mut self) {
        if self.process.is_over() {
            return;
        }
        if let Some(watch) = self.process.watch() {
            self.source.close(Some(watch), false);
        }
        sys::leave(self.process.take());
    }
}

/// The wait for a child's end, as each future that waits for it embeds it.
pub(super) struct Ending<'a> {
    shared: &'a Rc<Shared>,
    node: WaitNode<()>,
    looks: Looks,
    /// How many SIGCHLD had come when the system was asked last.
    heard: Cell<u64>,
}

/// The system has reported an end that it does not know of: it is asked again, later and later.
#[derive(Default)]
struct Looks(Option<(Pin<Box<Sleep>>, Duration)>);

impl Looks {
    fn begin(&mut self, location: &'static Location<'static>) {
        let sleep = Sleep::new(duration_ns(FIRST_LOOK), true, location);
        self.0 = Some((Box::pin(sleep), FIRST_LOOK));
    }

    /// Ready when it is time for another look; `None`: nobody looks.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let (sleep, apart) = self.0.as_mut()?;
        if sleep.as_mut().poll(cx).is_pending() {
            return Some(Poll::Pending);
        }
        *apart = (*apart * 2).min(LOOKS_APART_MAX);
        sleep.as_mut().reset_after(*apart);
        Some(Poll::Ready(()))
    }
}

impl<'a> Ending<'a> {
    pub(super) fn new(shared: &'a Rc<Shared>, location: &'static Location<'static>) -> Ending<'a> {
        Ending {
            shared,
            node: WaitNode::new(Kind::Child, location),
            looks: Looks::default(),
            heard: Cell::new(0),
        }
    }

    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<ExitStatus>> {
        ready!(poll_spend(cx));
        loop {
            self.listen()?;
            if let Some(status) = self.shared.try_wait()? {
                reaper::adopt();
                return Poll::Ready(Ok(status));
            }
            ready!(self.as_mut().poll_reason(cx))?;
        }
    }

    /// Before the system is asked: an end that comes after the answer, and before somebody listens, would be missed.
    fn listen(&self) -> io::Result<()> {
        if self.shared.process.watch().is_none() && !self.shared.process.is_over() {
            self.heard.set(self.shared.ear()?.count());
        }
        Ok(())
    }

    /// Ready when there is a reason to ask the system.
    fn poll_reason(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (shared, heard) = (self.shared, self.heard.get());
        let (node, looks) = pinned_beside!(self, node, looks);
        if let Some(polled) = looks.poll(cx) {
            return polled.map(Ok);
        }
        let polled = match shared.process.watch() {
            Some(watch) => {
                let source = &shared.source;
                // Only the selector knows.
                source.doubt(Direction::Read);
                source.poll_ready(Direction::Read, watch, node, cx, context::reactor)
            }
            None => shared.ear()?.poll_beyond(heard, node, cx),
        };
        if polled.is_pending() {
            node.set_word(u64::from(shared.process.pid().unsigned_abs()));
        } else if shared.process.watch().is_some() {
            // It was told of an end. Asked now, and from now on by the clock, should the system know of none.
            looks.begin(shared.made_at);
        }
        polled
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        // It stands in the line of the one or of the other.
        match (self.shared.process.watch(), self.shared.ear.get()) {
            (Some(_), _) => self.shared.source.cancel(Direction::Read, node),
            (None, Some(ear)) => ear.cancel(node),
            (None, None) => {}
        }
    }
}

/// Waits for the end of a child. Made by [`Child::wait`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Wait<'a> {
    ending: Ending<'a>,
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        pinned_mut!(self, ending).poll(cx)
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("child", &self.ending.shared.pid())
            .finish_non_exhaustive()
    }
}
