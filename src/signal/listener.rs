//! `Listener`: a stream of one signal.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainspring_sys::signal::{self as sys, Sender, Signal};

use super::ear::Ear;
use crate::pin::{pinned, pinned_in_drop};
use crate::stream::Stream;
use crate::task::budget::poll_spend;
use crate::task::wait::{Kind, WaitNode};

/// Listens to a signal, from now on until the listener is dropped.
///
/// # Errors
/// `InvalidInput` for a signal that no program can catch, or that says that the program went wrong; EMFILE; `NotConnected`
/// where no loop runs.
///
/// ```
/// use mainspring::signal::{self, Signal};
/// # mainspring::run(async {
/// let mut hangups = signal::signal(Signal::HUP)?;
/// # mainspring_sys::signal::raise(Signal::HUP)?;
/// let received = hangups.recv().await?;
/// assert_eq!(received.count, 1);
/// println!("{:?} asks for the configuration to be read again", received.sender);
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
///
/// Several are listened to as one stream; the listeners are there before what they are to end begins, so that none comes too early:
///
/// ```
/// use mainspring::signal::{Signal, signal};
/// use mainspring::stream::StreamExt;
/// # mainspring::run(async {
/// let mut ends = signal(Signal::TERM)?.merge(signal(Signal::INT)?);
/// let work = async {
///     // What is to be ended comes here.
/// #   mainspring_sys::signal::raise(Signal::TERM).unwrap();
/// #   std::future::pending::<()>().await;
/// };
/// mainspring::select! {
///     () = work => println!("done"),
///     Some(received) = ends.next() => println!("{} came first", received?.signal),
/// }
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub fn signal(signal: Signal) -> io::Result<Listener> {
    let ear = Ear::new(signal)?;
    Ok(Listener { ear, seat: None })
}

/// Hears one signal, again and again. Made by [`signal()`]. It is a [`Stream`] too.
pub struct Listener {
    ear: Ear,
    /// The place of the stream in the line, once it has waited.
    seat: Option<Pin<Box<WaitNode<()>>>>,
}

/// Signals that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// How many, since the listener heard last.
    pub count: u64,
    /// Who sent the last of them.
    pub sender: Option<Sender>,
}

impl Listener {
    /// Waits for the signal. Those that came since it was asked last are reported together.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// `NotConnected` if the loop is gone.
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_> {
        Recv {
            ear: &self.ear,
            node: WaitNode::new(Kind::Signal, Location::caller()),
        }
    }

    /// What came since it was asked last, if anything did.
    pub fn try_recv(&mut self) -> Option<Received> {
        take(&self.ear)
    }

    /// Up to where it has heard: the number of the next signal.
    pub(crate) fn heard(&self) -> u64 {
        self.ear.heard()
    }

    /// Which signal it is.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.ear.signal()
    }
}

/// What came, if anything did.
fn take(ear: &Ear) -> Option<Received> {
    let count = ear.take();
    (count > 0).then(|| Received {
        signal: ear.signal(),
        count,
        sender: sys::sender(ear.signal(), ear.heard() - 1),
    })
}

impl Stream for Listener {
    type Item = io::Result<Received>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let here = Location::caller();
        let this = &mut *self;
        let make = || Box::pin(WaitNode::new(Kind::Signal, here));
        let seat = this.seat.get_or_insert_with(make).as_ref();
        ready!(poll_spend(cx));
        loop {
            if let Some(received) = take(&this.ear) {
                return Poll::Ready(Some(Ok(received)));
            }
            if let Err(error) = ready!(this.ear.poll_heard(seat, cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            self.ear.cancel(seat.as_ref());
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("signal", &self.ear.signal())
            .finish_non_exhaustive()
    }
}

/// Waits for a signal. Made by [`Listener::recv`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Recv<'a> {
    ear: &'a Ear,
    node: WaitNode<()>,
}

impl Future for Recv<'_> {
    type Output = io::Result<Received>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Received>> {
        ready!(poll_spend(cx));
        loop {
            if let Some(received) = take(self.ear) {
                return Poll::Ready(Ok(received));
            }
            ready!(self.ear.poll_heard(pinned!(self.as_ref(), node), cx))?;
        }
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        self.ear.cancel(pinned_in_drop!(self, node));
    }
}

impl fmt::Debug for Recv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("signal", &self.ear.signal())
            .finish_non_exhaustive()
    }
}

/// Waits for a signal, once: listens from this call on until it came, or the future is dropped.
///
/// # Cancel safety
/// Safe.
///
/// # Errors
/// The future's: as for [`signal()`].
#[track_caller]
pub fn once(signal: Signal) -> Once {
    Once {
        ear: Ear::new(signal).map(Some),
        node: WaitNode::new(Kind::Signal, Location::caller()),
    }
}

/// Waits for ^C: SIGINT, once.
///
/// # Cancel safety
/// Safe.
///
/// # Errors
/// The future's: as for [`signal()`].
///
/// ```
/// # mainspring::run(async {
/// let end = mainspring::signal::ctrl_c();
/// # mainspring_sys::signal::raise(mainspring::signal::Signal::INT)?;
/// end.await?;
/// println!("goodbye");
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn ctrl_c() -> Once {
    once(Signal::INT)
}

/// Waits for a signal, once. Made by [`once`] and [`ctrl_c`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Once {
    ear: io::Result<Option<Ear>>,
    node: WaitNode<()>,
}

impl Future for Once {
    type Output = io::Result<Received>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Received>> {
        let (node, ear) = crate::pin::pinned_beside!(self, node, ear);
        let listening = match ear {
            Ok(Some(listening)) => listening,
            Ok(None) => panic!("a signal was awaited again that was awaited once"),
            Err(_) => return Poll::Ready(std::mem::replace(ear, Ok(None)).map(|_| unreachable!())),
        };
        loop {
            if let Some(received) = take(listening) {
                *ear = Ok(None);
                return Poll::Ready(Ok(received));
            }
            ready!(listening.poll_heard(node, cx))?;
        }
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        if let Ok(Some(ear)) = &self.ear {
            ear.cancel(pinned_in_drop!(self, node));
        }
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}
