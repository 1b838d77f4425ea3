//! `TaskLocal`: values that belong to a task, and that the tasks it spawns inherit.
//!
//! *Role.* What a request is called, who asked for it, for how long it may take: known to whatever runs on
//! its behalf, without a parameter in each function.
//!
//! *Model.* A task's values are a short list behind one counted pointer. A spawn shares the list, whoever
//! changes it afterwards copies it first: so a child has the values as they were at its spawn, and no change
//! by either is seen by the other.
//!
//! ```text
//!    parent ──► [ A = 1, B = 2 ] ◄── child          B.set(3) in the child:
//!    parent ──► [ A = 1, B = 2 ]     child ──► [ A = 1, B = 3 ]
//! ```
//!
//! [`TaskLocal::scope`] puts a value there for as long as it polls, and takes it out again, so two scopes in
//! one `join` each have their own.
//!
//! *End.* A task's share goes after its future, in the loop's thread, also if it is aborted. The last share drops
//! the values, in the order in which they were set.
//!
//! *Cost.* A task without values: nothing but a test at spawn and one at the end. With them: a count at
//! spawn, a search through the list at each look.
//!
//! *Why not a map.* A program has a handful of these; a list of five is searched faster than it is hashed.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::core::Core;
use super::failure;
use crate::pin::{pinned_mut_beside, pinned_mut_in_drop};

/// A value, of whatever type.
type Value = Rc<dyn Any>;

/// The values of a task; a clone shares them.
#[derive(Clone, Default)]
pub(crate) struct Locals(Rc<Values>);

/// In the order in which they were set; each key is the address of a [`TaskLocal`].
#[derive(Clone, Default)]
struct Values(Vec<(usize, Value)>);

impl Drop for Values {
    fn drop(&mut self) {
        for (_, value) in self.0.drain(..) {
            failure::contain("a task's value, as it was dropped,", || drop(value));
        }
    }
}

impl Locals {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    fn find(&self, key: usize) -> Option<Value> {
        let mut values = self.0.0.iter();
        let (_, value) = values.find(|(of, _)| *of == key)?;
        Some(Rc::clone(value))
    }

    /// Puts `value` there, or takes away what is; gives back what was.
    fn replace(&mut self, key: usize, value: Option<Value>) -> Option<Value> {
        let values = &mut Rc::make_mut(&mut self.0).0;
        let place = values.iter().position(|(of, _)| *of == key);
        match (place, value) {
            (Some(place), Some(value)) => Some(std::mem::replace(&mut values[place].1, value)),
            (Some(place), None) => Some(values.remove(place).1),
            (None, Some(value)) => {
                values.push((key, value));
                None
            }
            (None, None) => None,
        }
    }

    /// A child's values: the parent's, and over them those that it was given.
    pub(crate) fn inherit(parent: Locals, own: &Locals) -> Locals {
        let mut all = parent;
        for (key, value) in &own.0.0 {
            all.replace(*key, Some(Rc::clone(value)));
        }
        all
    }
}

thread_local! {
    /// The values of a scope that is polled by no task of ours.
    static OUTSIDE: RefCell<Option<Locals>> = const { RefCell::new(None) };
}

/// The values of the current task, another share of them.
fn current() -> Option<Locals> {
    let of_task = Core::with_current(|core| {
        let task = core?.current_task()?;
        Some(task.header().extra.get().and_then(|rare| rare.locals()))
    });
    match of_task {
        Some(locals) => locals,
        None => OUTSIDE.try_with(|outside| outside.borrow().clone()).ok()?,
    }
}

/// Replaces one value of the current task; gives back what was there. No user code runs.
fn replace(key: usize, value: Option<Value>) -> Option<Value> {
    let mut locals = current().unwrap_or_default();
    // The place holds a share meanwhile, which would force a copy.
    drop(put(None));
    let earlier = locals.replace(key, value);
    drop(put((!locals.is_empty()).then_some(locals)));
    earlier
}

/// Puts `locals` into the place of the current task's values; gives back what was there.
fn put(locals: Option<Locals>) -> Option<Locals> {
    let mut locals = Some(locals);
    let earlier = Core::with_current(|core| {
        let task = core?.current_task()?;
        let new = locals.take()?;
        task.attend_end();
        Some(task.rare().place_of_locals().replace(new))
    });
    match (earlier, locals) {
        (Some(earlier), _) => earlier,
        (None, Some(new)) => OUTSIDE.try_with(|outside| outside.replace(new)).ok()?,
        (None, None) => None,
    }
}

/// Declares values that belong to tasks: see [`TaskLocal`].
///
/// ```
/// mainspring::task_local! {
///     /// Who asked.
///     pub static USER: String;
///     static DEPTH: u32;
/// }
/// # mainspring::run(async {
/// DEPTH.scope(1, async { assert_eq!(DEPTH.get(), 1) }).await;
/// # USER.sync_scope("ann".to_string(), || USER.with(|user| assert_eq!(user, "ann")));
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$meta:meta])* $visible:vis static $name:ident: $type:ty);* $(;)?) => {
        $($(#[$meta])* $visible static $name: $crate::task::TaskLocal<$type> =
            $crate::task::TaskLocal::new_for_macro();)*
    };
}

/// A value that belongs to a task, declared by [`task_local!`](crate::task_local): unset until a
/// [`scope`](TaskLocal::scope), a [`set`](TaskLocal::set) or the task's parent gave it one.
///
/// A task inherits the values of the one that spawns it, as they are at the spawn; what either changes later the
/// other does not see. A task that comes from another thread, through a [`Handle`](crate::Handle), inherits none, nor
/// does one that no task spawned.
///
/// ```
/// use mainspring::spawn;
///
/// mainspring::task_local! {
///     static REQUEST: u32;
/// }
///
/// mainspring::run(async {
///     let child = REQUEST.scope(7, async { spawn(async { REQUEST.get() }) }).await;
///     assert_eq!(child.await.unwrap(), 7);
///     assert!(REQUEST.try_with(|_| ()).is_err());
/// })
/// .unwrap();
/// ```
pub struct TaskLocal<T: 'static> {
    /// Makes it an object with an address of its own, whatever `T` is.
    _address: u8,
    _type: std::marker::PhantomData<fn() -> T>,
}

/// There is no value: nobody gave the current task one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unset;

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the current task has no such value")
    }
}

impl std::error::Error for Unset {}

impl<T: 'static> TaskLocal<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new_for_macro() -> TaskLocal<T> {
        TaskLocal {
            _address: 0,
            _type: std::marker::PhantomData,
        }
    }

    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn find(&'static self) -> Option<Rc<T>> {
        current()?.find(self.key())?.downcast().ok()
    }

    /// Runs `future` with `value` set. It is set whenever the future is polled, and as it is dropped; what the
    /// future [`set`](TaskLocal::set)s meanwhile lasts as long as the scope.
    ///
    /// # Cancel safety
    /// Not safe, because its drop drops the future, and then the value.
    ///
    /// ```
    /// mainspring::task_local! {
    ///     static USER: &'static str;
    /// }
    /// mainspring::run(async {
    ///     USER.scope("ann", async {
    ///         USER.scope("bob", async { assert_eq!(USER.get(), "bob") }).await;
    ///         assert_eq!(USER.get(), "ann");
    ///     })
    ///     .await;
    /// })
    /// .unwrap();
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> LocalScope<F> {
        LocalScope {
            future: Some(future),
            place: Place {
                key: self.key(),
                value: Some(Rc::new(value)),
            },
        }
    }

    /// Calls `f` with `value` set.
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut place = Place {
            key: self.key(),
            value: Some(Rc::new(value)),
        };
        let _entered = place.enter();
        f()
    }

    /// Calls `f` with the value of the current task.
    ///
    /// # Panics
    /// Where it has none.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.find() {
            Some(value) => f(&value),
            None => panic!("the current task has no value of this TaskLocal"),
        }
    }

    /// Calls `f` with the value of the current task, if it has one.
    ///
    /// # Errors
    /// [`Unset`], if it has none.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, Unset> {
        self.find().map(|value| f(&value)).ok_or(Unset)
    }

    /// A copy of the current task's value.
    ///
    /// # Panics
    /// Where it has none.
    #[must_use]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// Gives the current task this value, until its end or that of the innermost scope. Tasks that it spawned
    /// before keep theirs.
    ///
    /// # Panics
    /// Outside of tasks.
    ///
    /// ```
    /// mainspring::task_local! {
    ///     static STEP: u32;
    /// }
    /// mainspring::run(async {
    ///     STEP.set(1);
    ///     let child = mainspring::spawn(async { STEP.get() });
    ///     STEP.set(2);
    ///     assert_eq!((STEP.get(), child.await.unwrap()), (2, 1));
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn set(&'static self, value: T) {
        let is_in_task =
            Core::with_current(|core| core.is_some_and(|core| core.current_task().is_some()));
        assert!(is_in_task, "TaskLocal::set must be called inside a task");
        drop(replace(self.key(), Some(Rc::new(value))));
    }

    /// The values of a task to be: `locals` and this one.
    pub(crate) fn add_to(&'static self, locals: &mut Locals, value: T) {
        drop(locals.replace(self.key(), Some(Rc::new(value))));
    }
}

impl<T: 'static> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocal").finish_non_exhaustive()
    }
}

/// What a scope keeps while it is not polled.
struct Place {
    key: usize,
    value: Option<Value>,
}

impl Place {
    /// Exchanges the value with what the task has, until the guard's drop.
    fn enter(&mut self) -> Entered<'_> {
        self.value = replace(self.key, self.value.take());
        Entered(self)
    }
}

/// The values are exchanged. Its drop changes them back.
struct Entered<'a>(&'a mut Place);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.value = replace(self.0.key, self.0.value.take());
    }
}

/// Runs a future with a value set. Made by [`TaskLocal::scope`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct LocalScope<F> {
    future: Option<F>,
    place: Place,
}

impl<F: Future> Future for LocalScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let (mut future, place) = pinned_mut_beside!(self, future, place);
        let _entered = place.enter();
        let polled = match future.as_mut().as_pin_mut() {
            Some(future) => future.poll(cx),
            None => panic!("a scope of a TaskLocal was polled again after it had returned Ready"),
        };
        if polled.is_ready() {
            // While the value is set, as it is whenever the future runs.
            future.set(None);
        }
        polled
    }
}

impl<F> Drop for LocalScope<F> {
    fn drop(&mut self) {
        let (mut future, place) = pinned_mut_in_drop!(self, future, place);
        if future.is_some() {
            let _entered = place.enter();
            future.set(None);
        }
    }
}

impl<F> fmt::Debug for LocalScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalScope").finish_non_exhaustive()
    }
}
