//! `scope`: a region of a task whose children end with it, and may borrow what lives outside of it.
//!
//! *Role.* The shape of concurrent work: whoever awaits a scope knows, when it has its result, that nothing of
//! it goes on. So errors have somebody to go to, cancellation reaches all, and children may borrow.
//!
//! *Model.* A scope is a future. It polls its body, as the task that awaits it, and its children, which are
//! tasks of their own with names, numbers and handles ([`crate::task::children`]). Nobody else polls or
//! drops a child: not the loop, not an abort, not the end of the runtime. So a child never runs when the
//! scope's future is not there to run it, be it dropped or forgotten.
//!
//! ```text
//!     task ──► Scoped ──► body         async |s| { s.spawn(…); … }
//!                 │
//!                 ├─────► child        ready? woken: the scope's queue, then the task
//!                 └─────► child ──► Scoped ──► …          scopes nest
//! ```
//!
//! *Cost.* A child is a block from the loop's lists, as any task's, and 8 bytes. A scope is two allocations.
//! Scopes within scopes poll and drop by recursion, as futures within futures do.
//!
//! *Why not a vector of handles.* It looks at each of them at each poll, and nothing may borrow.

mod error;
mod fallible;
mod run;
mod shared;
mod start;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use self::fallible::Fallible;
use self::run::Run;
use self::shared::{Cause, Shared};
use crate::cancel::{CancelReason, CancelToken, Cancelled};
use crate::pin::pinned_mut;
use crate::task::join::JoinHandle;
use crate::task::record::SpawnMeta;
use crate::time::Instant;

pub use error::ScopeError;
pub use start::{NotStarted, Start, Started};

/// Runs `body`, and the children that it spawns, until all have ended.
///
/// The children may borrow what lives longer than the scope, mutably too, but nothing of the body, which may
/// end before they do.
///
/// The result is the body's, after the last child has ended. If a child panics, everything else is dropped
/// and the panic goes on in whoever awaits the scope. Children that can fail belong into a [`try_scope`].
/// When the scope is cancelled ([`Scope::cancel`]) or its time is over, what is left of it is dropped; a body
/// that returns all the same, in that poll or within the scope's grace, has its value counted.
///
/// # Cancel safety
/// Safe, if the body and the children are: they are dropped with it, the children first, in spawn order.
///
/// # Errors
/// [`ScopeError::Cancelled`] and [`ScopeError::TimedOut`].
///
/// # Panics
/// With the first panic of a child, or with that of the body; when it is polled where no loop runs, or not the
/// one in which it was polled first; when it is polled again after it had ended.
///
/// ```
/// mainspring::run(async {
///     let mut numbers = vec![1, 2, 3];
///     let sum = mainspring::task::scope(async |s| {
///         let children: Vec<_> = numbers
///             .iter_mut()
///             .map(|number| {
///                 s.spawn(async move {
///                     mainspring::yield_now().await;
///                     *number *= 10;
///                     *number
///                 })
///             })
///             .collect();
///         let mut sum = 0;
///         for child in children {
///             sum += child.await.unwrap();
///         }
///         sum
///     })
///     .await
///     .unwrap();
///     assert_eq!((sum, numbers), (60, vec![10, 20, 30]));
/// })
/// .unwrap();
/// ```
///
/// A child can't borrow from the body,
///
/// ```compile_fail,E0597
/// # mainspring::run(async {
/// mainspring::task::scope(async |s| {
///     let local = 5;
///     let borrowed = &local;
///     s.spawn(async move { println!("{borrowed}") });
/// })
/// .await;
/// # });
/// ```
///
/// and two children can't borrow the same thing mutably,
///
/// ```compile_fail,E0499
/// # mainspring::run(async {
/// let mut count = 0;
/// mainspring::task::scope(async |s| {
///     s.spawn(async { count += 1 });
///     s.spawn(async { count += 1 });
/// })
/// .await;
/// # });
/// ```
///
/// nor does what a child returns outlive what it borrows.
///
/// ```compile_fail,E0597
/// # mainspring::run(async {
/// let mut kept = None;
/// {
///     let text = String::from("short");
///     let _ = mainspring::task::scope(async |s| {
///         kept = Some(s.spawn(async { text.as_str() }));
///     })
///     .await;
/// }
/// kept.unwrap().await;
/// # });
/// ```
#[track_caller]
pub fn scope<'env, F, B>(body: F) -> Scoped<'env, F, B>
where
    F: FnOnce(Scope<'env>) -> B,
    B: Future + 'env,
{
    Scoped {
        run: Run::new(body, Location::caller()),
    }
}

/// As [`scope`], for a body and children that can fail: the first error ends the rest.
///
/// What ends it is the body's `Err`, or that of a child from [`Scope::spawn_fallible`]. All errors are
/// collected: beside the first those that come while the others clean up, if the scope has a
/// [grace](Scope::set_grace).
///
/// # Cancel safety
/// Safe, if the body and the children are: they are dropped with it, the children first, in spawn order.
///
/// # Errors
/// [`ScopeError`]: all errors; or else that it was cancelled, or that its time was over.
///
/// # Panics
/// As [`scope`] does. A panic counts for more than errors.
///
/// ```
/// use mainspring::task::{ScopeError, try_scope};
/// mainspring::run(async {
///     let result = try_scope(async |s| {
///         s.spawn_fallible(async { Err::<(), _>("no route") });
///         std::future::pending::<Result<(), &str>>().await
///     });
///     assert_eq!(result.await, Err(ScopeError::Failed(vec!["no route"])));
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn try_scope<'env, T, E, F, B>(body: F) -> TryScoped<'env, T, E, F, B>
where
    F: FnOnce(Scope<'env, E>) -> B,
    B: Future<Output = Result<T, E>> + 'env,
{
    TryScoped {
        run: Run::new(body, Location::caller()),
    }
}

/// The future of a scope. Made by [`scope`].
///
/// # Cancel safety
/// Safe, if the body and the children are, which are dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Scoped<'env, F, B: Future> {
    run: Run<'env, B::Output, Infallible, F, B>,
}

impl<'env, F, B> Future for Scoped<'env, F, B>
where
    F: FnOnce(Scope<'env>) -> B,
    B: Future + 'env,
{
    type Output = Result<B::Output, ScopeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pinned_mut!(self, run).poll_with(cx, Ok)
    }
}

impl<F, B: Future> fmt::Debug for Scoped<'_, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

/// The future of a scope that can fail. Made by [`try_scope`].
///
/// # Cancel safety
/// Safe, if the body and the children are, which are dropped with it.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TryScoped<'env, T, E, F, B> {
    run: Run<'env, T, E, F, B>,
}

impl<'env, T, E, F, B> Future for TryScoped<'env, T, E, F, B>
where
    F: FnOnce(Scope<'env, E>) -> B,
    B: Future<Output = Result<T, E>> + 'env,
{
    type Output = Result<T, ScopeError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        pinned_mut!(self, run).poll_with(cx, std::convert::identity)
    }
}

impl<T, E, F, B> fmt::Debug for TryScoped<'_, T, E, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScoped").finish_non_exhaustive()
    }
}

/// A scope, as its body and its children have it: spawns further children, and says when it is to end. A clone
/// is the same scope.
///
/// What the children borrow lives for `'env`, which is one and the same for all who have the scope: the type is
/// invariant in it.
///
/// ```compile_fail
/// use mainspring::task::Scope;
/// fn shorter<'a>(scope: Scope<'static>) -> Scope<'a> {
///     scope
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<mainspring::task::Scope<'static>>();
/// ```
pub struct Scope<'env, E = Infallible>(Pin<Rc<Shared<'env, E>>>);

impl<E> Clone for Scope<'_, E> {
    fn clone(&self) -> Self {
        Scope(Pin::clone(&self.0))
    }
}

impl<'env, E> Scope<'env, E> {
    fn new(shared: Pin<Rc<Shared<'env, E>>>) -> Scope<'env, E> {
        Scope(shared)
    }

    /// Starts a child: it is polled in a later tick, and the scope waits for it. Dropping the handle
    /// detaches it, which means that nobody asks for its output. What it returns does not end the scope,
    /// whatever it is; its panic does, and then its handle says aborted.
    ///
    /// In a scope that is being dropped, or is over, the future is dropped at once and the handle says
    /// aborted. While a grace runs further children may still be started.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let text = String::from("borrowed");
    /// let length = mainspring::task::scope(async |s| {
    ///     s.spawn(async { text.len() }).await.unwrap()
    /// });
    /// assert_eq!(length.await, Ok(8));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'env,
    {
        let meta = SpawnMeta::at(Location::caller());
        self.0.entry.spawn(future, meta)
    }

    /// As [`Scope::spawn`], with a name for handles and reports (kept with feature `inspect` only).
    #[track_caller]
    pub fn spawn_named<F>(&self, name: impl Into<String>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'env,
    {
        let name = name.into().into_boxed_str();
        let meta = SpawnMeta::named(Some(name), Location::caller());
        self.0.entry.spawn(future, meta)
    }

    /// As [`Scope::spawn`], in the name of the line at `location`.
    pub(crate) fn spawn_at<F>(
        &self,
        future: F,
        location: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'env,
    {
        self.0.entry.spawn(future, SpawnMeta::at(location))
    }

    /// Starts a child whose error ends the scope: it goes to whoever awaits that, and the child's handle
    /// says aborted.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::task::try_scope;
    /// let result = try_scope(async |s| {
    ///     let child = s.spawn_fallible(async { "7".parse::<u32>() });
    ///     Ok(child.await.unwrap() * 6)
    /// });
    /// assert_eq!(result.await, Ok(42));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn spawn_fallible<T, F>(&self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = Result<T, E>> + 'env,
        T: 'env,
        E: 'env,
    {
        let meta = SpawnMeta::at(Location::caller());
        let child = Fallible::new(future, self.clone());
        self.0.entry.spawn(child, meta)
    }

    /// Starts a child and waits until it says, by [`Started::ready`], that it is ready: a server that
    /// listens, say, and which port that is. Its handle comes with that.
    ///
    /// # Cancel safety
    /// Not safe, because the child is aborted with it, if it was not ready yet.
    ///
    /// # Errors
    /// [`NotStarted`], if the child ends before it was ready.
    ///
    /// ```
    /// # mainspring::run(async {
    /// let port = mainspring::task::scope(async |s| {
    ///     let server = s.start(async |started| {
    ///         started.ready(8080);
    ///         mainspring::yield_now().await;
    ///     });
    ///     let (port, _handle) = server.await.unwrap();
    ///     port
    /// });
    /// assert_eq!(port.await, Ok(8080));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn start<V, F, B>(&self, child: F) -> Start<V, B::Output>
    where
        F: FnOnce(Started<V>) -> B,
        B: Future + 'env,
    {
        let (started, waiting) = start::pair();
        let meta = SpawnMeta::at(Location::caller());
        Start::new(waiting, self.0.entry.spawn(child(started), meta))
    }

    /// Asks the scope to end, for this reason. If it has a [grace](Scope::set_grace), those who watch
    /// [`Scope::cancelled`] end by themselves in that time. What is left is dropped, in the scope's next
    /// poll and never inside this call. The first reason stays; a second call changes nothing.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::task::{ScopeError, scope};
    /// let result = scope(async |s| {
    ///     let inner = s.clone();
    ///     s.spawn(async move { inner.cancel("enough") });
    ///     std::future::pending::<()>().await
    /// });
    /// assert_eq!(result.await, Err(ScopeError::Cancelled("enough".into())));
    /// # }).unwrap();
    /// ```
    pub fn cancel(&self, reason: impl Into<CancelReason>) {
        self.0.end(Cause::Asked(reason.into()));
    }

    /// Whether the scope is to end: it was cancelled, has failed, or its deadline has passed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.reason().is_some()
    }

    /// Why the scope is to end, if it is.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        self.0.reason()
    }

    /// Waits until the scope is to end, and says why.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use std::time::Duration;
    /// let result = mainspring::task::scope(async |s| {
    ///     s.set_grace(Duration::from_secs(1));
    ///     s.cancel("closing time");
    ///     s.cancelled().await
    /// });
    /// assert_eq!(result.await.unwrap().as_str(), "closing time");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn cancelled(&self) -> Cancelled {
        self.0.token().cancelled()
    }

    /// The scope's token, to cancel it from outside and to hang further tokens below it.
    #[must_use]
    pub fn token(&self) -> CancelToken {
        self.0.token().clone()
    }

    /// Hangs the scope's token below `token`: when that is cancelled, so is the scope. It hangs below one
    /// at a time.
    pub fn follow(&self, token: &CancelToken) {
        token.adopt(self.0.token());
    }

    /// The scope's time is over at `deadline`, in place of an earlier or later one that was set before. One
    /// that is past ends it in its next poll, after body and children were polled once more.
    pub fn set_deadline(&self, deadline: Instant) {
        let arm = |timer: Pin<&crate::time::Sleep>| timer.restart_until(deadline);
        self.0.as_ref().set_deadline(arm);
    }

    /// The scope has this much time, counted from the loop's next turn.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use mainspring::task::{ScopeError, scope};
    /// use std::time::Duration;
    /// let result = scope(async |s| {
    ///     s.set_timeout(Duration::from_millis(1));
    ///     std::future::pending::<()>().await
    /// });
    /// assert_eq!(result.await, Err(ScopeError::TimedOut));
    /// # }).unwrap();
    /// ```
    pub fn set_timeout(&self, timeout: Duration) {
        let arm = |timer: Pin<&crate::time::Sleep>| timer.restart(timeout);
        self.0.as_ref().set_deadline(arm);
    }

    /// The scope has all the time it wants.
    pub fn clear_deadline(&self) {
        self.0.as_ref().clear_deadline();
    }

    /// When the scope's time is over, if it ever is.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// How long those who were asked to end may take for it; zero, as in the beginning, drops them in the
    /// scope's next poll. While a grace runs this starts it anew: zero ends it.
    ///
    /// ```
    /// # mainspring::run(async {
    /// use std::time::Duration;
    /// let mut log = Vec::new();
    /// let result = mainspring::task::scope(async |s| {
    ///     s.set_grace(Duration::from_secs(5));
    ///     let inner = s.clone();
    ///     s.spawn(async {
    ///         let inner = inner;
    ///         let reason = inner.cancelled().await;
    ///         mainspring::yield_now().await; // a clean-up that has to wait
    ///         log.push(reason.to_string());
    ///     });
    ///     s.cancel("going down");
    /// });
    /// assert_eq!(result.await, Ok(()));
    /// assert_eq!(log, ["going down"]);
    /// # }).unwrap();
    /// ```
    pub fn set_grace(&self, grace: Duration) {
        self.0.as_ref().set_grace(grace);
    }

    /// How many children have not ended. It counts them.
    #[must_use]
    pub fn child_count(&self) -> usize {
        self.0.entry.count()
    }
}

impl<E> fmt::Debug for Scope<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("child_count", &self.child_count())
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}
