//! The work of a server: accepts in turn, a child for each connection, and the end.
//!
//! *Model.* Two steps of the scope's body, one after the other:
//!
//! ```text
//!   accept ── stop, drain, abort, no listener left ──► listeners closed ──► wait: no connection left
//!                                                                             │ deadline: the scope's
//!                                                                             └ abort: the scope ends
//! ```

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring_sys::clock::duration_ns;
use mainspring_sys::socket;

use super::ServerFailure;
use super::shared::{Alive, Seat, Shared};
use crate::cancel::CancelToken;
use crate::net::accept::{Accept, Listener};
use crate::scope::{Scope, scope};
use crate::sync::Notified;
use crate::task::failure::contain;
use crate::time::Sleep;

/// How many connections one poll accepts, of all listeners together.
const ACCEPTS_AT_ONCE_MAX: usize = 32;

/// How long a listener is left alone after its second error in a row.
const PAUSE: Duration = Duration::from_millis(100);

/// What a server was told.
pub(super) struct Orders<'env, L> {
    pub(super) listeners: Vec<L>,
    pub(super) connection_limit: usize,
    pub(super) on_failure: Box<dyn Fn(ServerFailure) + 'env>,
    pub(super) location: &'static Location<'static>,
}

/// What each connection needs of the server.
struct House<'env, F> {
    handler: F,
    on_failure: Box<dyn Fn(ServerFailure) + 'env>,
    shared: Rc<Shared>,
    location: &'static Location<'static>,
}

impl<F> House<'_, F> {
    fn report(&self, failure: ServerFailure) {
        contain("the failure function of a server", || {
            (self.on_failure)(failure);
        });
    }
}

/// The whole life of a server.
pub(super) async fn serve<'env, L, F>(
    orders: Orders<'env, L>,
    alive: Alive,
    handler: F,
) -> io::Result<()>
where
    L: Listener + 'env,
    F: AsyncFn(L::Connection, CancelToken) -> io::Result<()> + 'env,
{
    // It goes last: then the connections are gone.
    let alive = alive;
    let house = Rc::new(House {
        handler,
        on_failure: orders.on_failure,
        shared: Rc::clone(&alive.0),
        location: orders.location,
    });
    let (listeners, limit) = (orders.listeners, orders.connection_limit);
    // Whether it is cut off by the deadline or by an abort, the counts tell.
    let _cut = scope(async move |scope: Scope<'env>| {
        accept_all(&scope, &listeners, limit, &house).await;
        drop(listeners);
        wait_for_all(&scope, &house.shared).await;
    })
    .await;
    alive.0.result()
}

/// A listener, and how it fares.
struct Lane<'a, L: Listener> {
    listener: &'a L,
    accept: Pin<Box<Accept<'a, L>>>,
    pause: Pin<Box<Sleep>>,
    is_paused: bool,
    /// Errors without a connection in between.
    errors: u32,
}

/// What a listener gave.
enum Given<C> {
    Connection(C),
    /// It is asked again, now or later.
    Error(io::Error),
    /// It is never asked again.
    Broken(io::Error),
    Nothing,
}

impl<'a, L: Listener> Lane<'a, L> {
    fn new(listener: &'a L, location: &'static Location<'static>) -> Lane<'a, L> {
        Lane {
            listener,
            accept: Box::pin(Accept::new(listener, location)),
            pause: Box::pin(Sleep::new(duration_ns(PAUSE), true, location)),
            is_paused: false,
            errors: 0,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Given<L::Connection> {
        if self.is_paused {
            if self.pause.as_ref().poll_elapsed(cx).is_pending() {
                return Given::Nothing;
            }
            self.is_paused = false;
        }
        match self.accept.as_mut().poll(cx) {
            Poll::Pending => Given::Nothing,
            Poll::Ready(Ok(connection)) => {
                self.errors = 0;
                Given::Connection(connection)
            }
            Poll::Ready(Err(error)) if socket::is_listener_broken(&error) => Given::Broken(error),
            Poll::Ready(Err(error)) => {
                self.errors += 1;
                if self.errors > 1 {
                    self.pause.as_mut().reset_after(PAUSE);
                    self.is_paused = true;
                }
                Given::Error(error)
            }
        }
    }
}

/// Takes the bell's rings, and waits for the next one.
fn hear<'a>(shared: &'a Shared, mut news: Pin<&mut Notified<'a>>, cx: &mut Context<'_>) {
    while news.as_mut().poll(cx).is_ready() {
        news.set(shared.news.notified());
    }
}

/// Accepts until it is told to stop, or no listener is left.
async fn accept_all<'env, L, F>(
    scope: &Scope<'env>,
    listeners: &[L],
    limit: usize,
    house: &Rc<House<'env, F>>,
) where
    L: Listener,
    F: AsyncFn(L::Connection, CancelToken) -> io::Result<()> + 'env,
    L::Connection: 'env,
{
    let shared = &house.shared;
    let lanes = listeners.iter();
    let mut lanes: Vec<_> = lanes.map(|it| Lane::new(it, house.location)).collect();
    let mut news = pin!(shared.news.notified());
    let mut next = 0;
    if lanes.is_empty() {
        let complaint = "a server without listeners has nobody to serve";
        shared.give_up(io::Error::new(io::ErrorKind::InvalidInput, complaint));
    }
    poll_fn(|cx| {
        hear(shared, news.as_mut(), cx);
        let mut accepted = 0;
        // In a row, how many listeners had nothing.
        let mut idle = 0;
        while shared.is_accepting() && idle < lanes.len() {
            if shared.counts.connections.get() >= limit {
                break;
            }
            if accepted == ACCEPTS_AT_ONCE_MAX {
                cx.waker().wake_by_ref();
                break;
            }
            let index = next % lanes.len();
            next = index + 1;
            let given = lanes[index].poll(cx);
            let refused = |lane: &Lane<'_, L>| lane.listener.shared_acceptor().0.refused_count();
            let refused = lanes.iter().map(refused).sum::<u64>();
            shared.counts.refused.set(gone(shared, refused));
            match given {
                Given::Nothing => idle += 1,
                Given::Connection(connection) => {
                    (accepted, idle) = (accepted + 1, 0);
                    welcome(scope, connection, house);
                }
                Given::Error(error) => {
                    (accepted, idle) = (accepted + 1, 0);
                    house.report(ServerFailure::Accept(error));
                }
                Given::Broken(error) => {
                    idle = 0;
                    lanes.remove(index);
                    next = index;
                    if lanes.is_empty() {
                        shared.give_up(copy_of(&error));
                    }
                    house.report(ServerFailure::Listener(error));
                }
            }
        }
        match shared.is_accepting() {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
}

/// The connections refused never become fewer, also when a listener goes.
fn gone(shared: &Shared, refused: u64) -> u64 {
    shared.counts.refused.get().max(refused)
}

fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Starts the task of a connection.
fn welcome<'env, C, F>(scope: &Scope<'env>, connection: C, house: &Rc<House<'env, F>>)
where
    C: 'env,
    F: AsyncFn(C, CancelToken) -> io::Result<()> + 'env,
{
    let mut seat = Seat::take(&house.shared);
    let house = Rc::clone(house);
    let location = house.location;
    let task = async move {
        let draining = house.shared.draining.clone();
        let house = &*house;
        // The call is in it, so that a panic of a function that is no `async` one ends here too.
        let served = async { (house.handler)(connection, draining).await };
        match caught(served).await {
            Ok(Ok(())) => seat.end(false),
            Ok(Err(error)) => {
                seat.end(true);
                house.report(ServerFailure::Connection(error));
            }
            Err(payload) => {
                seat.end(true);
                let who = format!("a connection of the server at {location}");
                contain(&who, || resume_unwind(payload));
            }
        }
    };
    drop(scope.spawn_at(task, location));
}

/// What `future` comes to, or its panic.
async fn caught<T>(future: impl Future<Output = T>) -> std::thread::Result<T> {
    let mut future = pin!(Some(future));
    let output = poll_fn(|cx| {
        let Some(running) = future.as_mut().as_pin_mut() else {
            unreachable!("it is taken after the end only")
        };
        match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    })
    .await;
    contain("a connection, as it was dropped,", || future.set(None));
    output
}

/// Waits until no connection is left; the deadline of a drain is the scope's.
async fn wait_for_all(scope: &Scope<'_>, shared: &Shared) {
    let mut news = pin!(shared.news.notified());
    poll_fn(|cx| {
        hear(shared, news.as_mut(), cx);
        if shared.is_aborted() {
            scope.cancel("the server was aborted");
        } else if let Some(limit) = shared.take_limit() {
            scope.set_timeout(limit);
        }
        match shared.counts.connections.get() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}
