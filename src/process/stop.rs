//! `Child::stop`: asked to end, and ended.

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
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// let status = child.stop(Duration::from_secs(5)).await?;
    /// assert_eq!(status.signal(), Some(Signal::TERM.number()));
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn stop(&mut self, grace: Duration) -> Stop<'_> {
        let here = Location::caller();
        Stop {
            child: self,
            ending: Ending::new(&self.shared, here),
            grace: Sleep::new(duration_ns(grace), true, here),
            step: Step::Ask,
        }
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

/// Ends a child. Made by [`Child::stop`].
///
/// # Cancel safety
/// Safe: it was asked to end, and may be asked again.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Stop<'a> {
    child: &'a Child,
    ending: Ending<'a>,
    grace: Sleep,
    step: Step,
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
                    self.child.terminate()?;
                    Step::Asked
                }
                Step::Asked => {
                    if pinned_mut!(self.as_mut(), grace).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.child.kill()?;
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
