//! `Child::stop`: asked to end, and ended.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::child::Target;
use mainspring_sys::clock::duration_ns;
use mainspring_sys::signal::Signal;

use super::child::{Child, Ending};
use crate::pin::pinned_mut;
use crate::time::Sleep;

impl Child {
    /// Asks it to end (SIGTERM), waits up to `grace`, and then ends it (SIGKILL). Says how it ended.
    ///
    /// # Cancel safety
    /// Safe: it was asked to end, and may be asked again.
    ///
    /// # Errors
    /// As for [`Child::wait`] and [`Child::signal`].
    ///
    /// ```
    /// use mainspring::process::{Command, Signal};
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::time::Duration;
    /// # mainspring::run(async {
    /// let child = Command::new("sleep").arg("60").spawn()?;
    /// let status = child.stop(Duration::from_secs(5)).await?;
    /// assert_eq!(status.signal(), Some(Signal::TERM.number()));
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn stop(&self, grace: Duration) -> Stop<'_> {
        Stop::new(self, Target::Process, grace, Location::caller())
    }

    /// [`Child::stop`] for every process of the group that it leads ([`process_group(0)`](super::Command::process_group)):
    /// all are asked, and if the child itself goes on after `grace`, all are ended. Says how the child ended. Those that go
    /// on though the child has ended in time are left alone, unless [`kill_group_at_end`](super::Command::kill_group_at_end) was said:
    /// the number of their group may be another's by then.
    ///
    /// # Cancel safety
    /// Safe: they were asked to end, and may be asked again.
    ///
    /// # Errors
    /// As for [`Child::wait`] and [`Child::signal_group`].
    ///
    /// ```
    /// use mainspring::process::{Command, Signal};
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::time::Duration;
    /// # mainspring::run(async {
    /// let child = Command::shell("sleep 60 | sleep 60").process_group(0).spawn()?;
    /// let status = child.stop_group(Duration::from_secs(5)).await?;
    /// assert_eq!(status.signal(), Some(Signal::TERM.number()));
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn stop_group(&self, grace: Duration) -> Stop<'_> {
        Stop::new(self, Target::Group, grace, Location::caller())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It is to be asked.
    Ask,
    /// It was asked.
    Asked,
    /// It was ended.
    Ended,
}

/// Ends a child, or a group. Made by [`Child::stop`] and [`Child::stop_group`].
///
/// # Cancel safety
/// Safe: it was asked to end, and may be asked again.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Stop<'a> {
    child: &'a Child,
    target: Target,
    ending: Ending<'a>,
    grace: Sleep,
    step: Step,
}

impl<'a> Stop<'a> {
    fn new(
        child: &'a Child,
        target: Target,
        grace: Duration,
        location: &'static Location<'static>,
    ) -> Stop<'a> {
        Stop {
            child,
            target,
            ending: Ending::new(&child.shared, location),
            grace: Sleep::new(duration_ns(grace), true, location),
            step: Step::Ask,
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        self.child.shared.signal(signal, self.target)
    }
}

impl Future for Stop<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        loop {
            if let Poll::Ready(status) = pinned_mut!(self.as_mut(), ending).poll(cx) {
                return Poll::Ready(status);
            }
            let step = match self.step {
                Step::Ask => {
                    self.signal(Signal::TERM)?;
                    Step::Asked
                }
                Step::Asked => {
                    if pinned_mut!(self.as_mut(), grace).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.signal(Signal::KILL)?;
                    Step::Ended
                }
                Step::Ended => return Poll::Pending,
            };
            pinned_mut!(self.as_mut(), step).set(step);
        }
    }
}

impl fmt::Debug for Stop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("child", self.child)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
