//! `Sizes`: how large a terminal becomes, as a stream.
//!
//! *Model.* The system says by SIGWINCH that the controlling terminal has another size, and nothing of which. So each signal
//! makes us look, and what is news is told. Many changes between two looks are one.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::terminal::{self as sys, Size};

use crate::pin::pinned_mut_beside;
use crate::signal::{Listener, Recv, Signal, signal};
use crate::stream::Stream;

/// Listens for changes of the size of a terminal: of the one that controls this process, for of others the system does not say
/// when they change.
///
/// # Errors
/// ENOTTY: it is no terminal; EMFILE; `NotConnected` where no loop runs.
///
/// ```
/// use mainspring::terminal::{self, Size};
/// # mainspring::run(async {
/// let (master, terminal) = terminal::pair()?;
/// let mut sizes = terminal::sizes(&terminal)?;
/// terminal::set_size(&master, Size::new(24, 80))?;
/// # mainspring_sys::signal::raise(mainspring::signal::Signal::WINCH)?;
/// assert_eq!(sizes.changed().await?, Size::new(24, 80));
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub fn sizes<T: AsFd>(fd: T) -> io::Result<Sizes<T>> {
    // First the ear: what changes after the look is heard.
    let listener = signal(Signal::WINCH)?;
    let seen = sys::size(&fd)?;
    let news = News { fd, seen };
    Ok(Sizes { listener, news })
}

/// Tells of each new size of a terminal. Made by [`sizes`]. It is a [`Stream`] too.
pub struct Sizes<T> {
    listener: Listener,
    news: News<T>,
}

/// The terminal, and how large it was when it was looked at last.
struct News<T> {
    fd: T,
    seen: Size,
}

impl<T: AsFd> News<T> {
    fn look(&mut self) -> io::Result<Option<Size>> {
        let size = sys::size(&self.fd)?;
        let is_news = std::mem::replace(&mut self.seen, size) != size;
        Ok(is_news.then_some(size))
    }
}

impl<T: AsFd> Sizes<T> {
    /// Waits until the size is another than it was when it was told last, or when this listener was made.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// EIO: the terminal is gone. `NotConnected` if the loop is gone.
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed {
            recv: self.listener.recv(),
            news: &mut self.news,
        }
    }

    /// The size as it was told last, or when this listener was made.
    #[must_use]
    pub fn seen(&self) -> Size {
        self.news.seen
    }
}

impl<T: AsFd + Unpin> Stream for Sizes<T> {
    type Item = io::Result<Size>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Sizes { listener, news } = &mut *self;
        loop {
            match ready!(Pin::new(&mut *listener).poll_next(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
            if let Some(news) = news.look().transpose() {
                return Poll::Ready(Some(news));
            }
        }
    }
}

impl<T> fmt::Debug for Sizes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sizes")
            .field("seen", &self.news.seen)
            .finish_non_exhaustive()
    }
}

/// Waits for another size. Made by [`Sizes::changed`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Changed<'a, T> {
    recv: Recv<'a>,
    news: &'a mut News<T>,
}

impl<T: AsFd> Future for Changed<'_, T> {
    type Output = io::Result<Size>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Size>> {
        let (mut recv, news) = pinned_mut_beside!(self, recv, news);
        loop {
            ready!(recv.as_mut().poll(cx))?;
            if let Some(news) = news.look().transpose() {
                return Poll::Ready(news);
            }
        }
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}
