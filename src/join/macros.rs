//! `join!`, `try_join!`, `race!` and `select!`, by `macro_rules!` alone.
//!
//! *Model.* A macro writes its futures as a list (`list.rs`), awaits it (`several.rs`), and takes the result
//! apart by the same list as a pattern. The names in that pattern come one from each step of a
//! recursion, so hygiene keeps them apart although they are all spelled alike. Nothing that is written
//! into the user's function is unsafe, and no closure has the user's code in it but the patterns: a
//! handler may use `?`, `return`, `break` and `continue`.
//!
//! *Does it fit?* A pattern of `select!` may bind by move, by reference or mutably, so the test takes the output by
//! value, as a match with a guard that is never true, and gives it back:
//!
//! ```text
//!     match output { pattern if { fits = true; false } => unreachable, output => Ok(output) or Err(output) }
//! ```
//!
//! *Why not a proc macro.* It is a dependency, which compiles before anything else does.

/// Waits for all of the futures, and gives their outputs as a tuple.
///
/// They are polled in this task, in the order of the arguments, each until it is done; where the budget of a
/// poll is spent, the next poll begins behind the future that spent it, so that none starves. Nothing is
/// allocated, the futures may borrow, and there may be any number of them (some sixty; the compiler's
/// `recursion_limit` is the limit). When it is dropped they are dropped in that order. A future that is done is
/// dropped at once.
///
/// It must stand where `.await` may.
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
///
/// # Beside others
/// tokio's macro begins each poll with another future; this one only where fairness needs it. asyncio's
/// `gather` makes a task of each coroutine; for tasks see [`gather`](crate::task::gather).
///
/// ```
/// use mainspring::time::sleep;
/// use std::time::Duration;
/// mainspring::run(async {
///     let word = String::from("ready");
///     let (length, ()) = mainspring::join!(
///         async { word.len() },
///         sleep(Duration::from_millis(1)),
///     );
///     assert_eq!(length, 5);
/// })
/// .unwrap();
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),* $(,)?) => {
        $crate::__join_macro!(@names [] [$($future,)*] $($future,)*)
    };
}

/// Waits for all of the futures to succeed, or for the first to fail.
///
/// Each gives a `Result`, with one type of error; what comes of it is a `Result` of a tuple. At the first
/// error the others are dropped where they stand, before the error is seen here. Order, fairness and cost are those
/// of [`join!`].
///
/// # Cancel safety
/// Not safe, because what those futures gave that are done is dropped with the others.
///
/// ```
/// use std::future::pending;
/// mainspring::run(async {
///     let both = mainspring::try_join!(async { Ok::<_, u8>(1) }, async { Ok("two") });
///     assert_eq!(both, Ok((1, "two")));
///     let failed = mainspring::try_join!(pending::<Result<(), _>>(), async { Err::<(), _>(7) });
///     assert_eq!(failed, Err(7));
/// })
/// .unwrap();
/// ```
#[macro_export]
macro_rules! try_join {
    ($($future:expr),+ $(,)?) => {
        $crate::__join_macro!(@try_names [] [$($future,)*] $($future,)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __join_macro {
    (@names [$($name:ident)*] $all:tt $future:expr, $($rest:tt)*) => {
        $crate::__join_macro!(@names [$($name)* output] $all $($rest)*)
    };
    (@names [$($name:ident)*] [$($future:expr,)*]) => {
        match $crate::__written::join_list($crate::__join_macro!(@list $($future,)*)).await {
            $crate::__join_macro!(@pattern $($name)*) => ($($name,)*),
        }
    };
    (@try_names [$($name:ident)*] $all:tt $future:expr, $($rest:tt)*) => {
        $crate::__join_macro!(@try_names [$($name)* output] $all $($rest)*)
    };
    (@try_names [$($name:ident)*] [$($future:expr,)*]) => {
        match $crate::__written::try_join_list($crate::__join_macro!(@list $($future,)*)).await {
            ::core::result::Result::Ok($crate::__join_macro!(@pattern $($name)*)) => {
                ::core::result::Result::Ok(($($name,)*))
            }
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    };
    (@list) => { $crate::__written::End };
    (@list $future:expr, $($rest:tt)*) => {
        $crate::__written::both(
            $crate::__written::slot($future),
            $crate::__join_macro!(@list $($rest)*),
        )
    };
    (@pattern) => { () };
    (@pattern $name:ident $($rest:ident)*) => {
        ($name, $crate::__join_macro!(@pattern $($rest)*))
    };
}

/// Waits for the first of the futures to be done, and gives its output; the others are dropped.
///
/// All have one type of output. They are polled in the order of the arguments, so of several that are ready
/// the first in that order wins; where the budget of a poll is spent, the next poll begins behind the
/// future that spent it.
///
/// # Cancel safety
/// Safe, if each of the futures is: an output is returned in the poll that makes it. The losers are dropped, so
/// they must be safe to drop whenever another may win.
///
/// ```
/// use mainspring::time::sleep;
/// use std::time::Duration;
/// mainspring::run(async {
///     let slow = async {
///         sleep(Duration::from_secs(60)).await;
///         "slow"
///     };
///     assert_eq!(mainspring::race!(slow, async { "fast" }, async { "late" }), "fast");
/// })
/// .unwrap();
/// ```
#[macro_export]
macro_rules! race {
    ($($future:expr),+ $(,)?) => {
        $crate::__written::race_list($crate::__join_macro!(@list $($future,)*)).await
    };
}

/// Waits for the first branch whose future is done, and runs its handler; the other futures are dropped.
///
/// ```text
/// select! {
///     biased;                                             // optional
///     pattern = future => handler,
///     pattern = future, if condition => { handler }       // the comma after a block may be left out
///     else => handler,                                    // optional, last
/// }
/// ```
///
/// - The futures are polled in this task and may borrow the same things. They are dropped before the
///   handler runs, so it may borrow them anew, mutably too. It stands outside of any closure and loop: `?`, `return`,
///   `break` and `continue` mean what they mean around it.
/// - A future that is to go on in the next round of a loop is made outside of it, and given by `&mut`; one that
///   is not `Unpin` is pinned there with `std::pin::pin!`.
/// - An output that does not fit the pattern disables its branch, and the others are waited for.
/// - `if condition` is asked before any future is polled. A branch whose condition is false is disabled, and its
///   future is *not even made*: `message = socket.as_mut().unwrap().recv(), if socket.is_some()` is fine.
/// - When all branches are disabled `else` runs; without one that is a panic.
///
/// *Fairness.* Each poll begins with a branch that the loop's random numbers choose, which begin at
/// [`Builder::seed`](crate::Builder::seed): the same seed makes the same choices. With `biased;` each poll begins
/// with the first branch, so of several that are ready the first wins, always; one that is always ready keeps the
/// others from ever being served, and it is for the caller to put it last.
///
/// # Cancel safety
/// Safe, if each of the futures is: an output is returned in the poll that makes it. The losers are dropped, so
/// they must be safe to drop whenever another may win. What loses its place in line loses it in each round of a
/// loop, unless it is made outside and given by `&mut`.
///
/// # Panics
/// When all branches are disabled and there is no `else`.
///
/// # Beside others
/// The grammar is tokio's. tokio makes the future of a disabled branch all the same, and its fairness can't be
/// repeated.
///
/// ```
/// use mainspring::time::sleep;
/// use mainspring::{select, spawn};
/// use std::time::Duration;
///
/// mainspring::run(async {
///     let mut work = spawn(async {
///         sleep(Duration::from_millis(100)).await;
///         "done"
///     });
///     let mut ticks = mainspring::time::interval(Duration::from_millis(1));
///     let mut count = 0;
///     let said = loop {
///         select! {
///             said = &mut work => break said.unwrap(),
///             _ = ticks.tick(), if count < 2 => count += 1,
///         }
///     };
///     assert_eq!((said, count), ("done", 2));
/// })
/// .unwrap();
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($branches:tt)*) => {
        $crate::__select_macro!(@read true [] $($branches)*)
    };
    ($($branches:tt)*) => {
        $crate::__select_macro!(@read false [] $($branches)*)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select_macro {
    // The branches, one by one, into `[pattern] [future] [condition] [handler]`.
    (@read $biased:tt $read:tt) => {
        $crate::__select_macro!(@write $biased $read $crate::__written::no_branch())
    };
    (@read $biased:tt $read:tt else => $handler:expr $(,)?) => {
        $crate::__select_macro!(@write $biased $read $handler)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr, if $condition:expr => $handler:block, $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [$condition] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr, if $condition:expr => $handler:block $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [$condition] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr, if $condition:expr => $handler:expr, $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [$condition] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr, if $condition:expr => $handler:expr) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [$condition] [$handler]])
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr => $handler:block, $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr => $handler:block $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*]
        $pattern:pat = $future:expr => $handler:expr, $($rest:tt)*) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [] [$handler]] $($rest)*)
    };
    (@read $biased:tt [$($read:tt)*] $pattern:pat = $future:expr => $handler:expr) => {
        $crate::__select_macro!(@read $biased
            [$($read)* [$pattern] [$future] [] [$handler]])
    };

    // The whole. What the futures borrow in passing is let go before the handler runs.
    (@write $biased:tt [$($read:tt)*] $else:expr) => {{
        let selected = $crate::__written::select_list(
            $biased,
            $crate::__select_macro!(@list $($read)*),
        )
        .await;
        match selected {
            ::core::option::Option::Some(selected) => {
                $crate::__select_macro!(@arms selected $($read)*)
            }
            ::core::option::Option::None => $else,
        }
    }};

    (@list) => { $crate::__written::End };
    (@list [$pattern:pat] [$future:expr] [$($condition:expr)?] $handler:tt $($rest:tt)*) => {
        $crate::__written::both(
            $crate::__written::branch(
                $crate::__select_macro!(@future [$($condition)?] $future),
                |output| {
                    let fits = ::core::cell::Cell::new(false);
                    #[allow(unused_variables, unused_mut, unreachable_patterns)]
                    let output = match output {
                        $pattern if { fits.set(true); false } => ::core::unreachable!(),
                        output => output,
                    };
                    if fits.get() {
                        ::core::result::Result::Ok(output)
                    } else {
                        ::core::result::Result::Err(output)
                    }
                },
            ),
            $crate::__select_macro!(@list $($rest)*),
        )
    };
    (@future [] $future:expr) => { ::core::option::Option::Some($future) };
    (@future [$condition:expr] $future:expr) => {
        if $condition {
            ::core::option::Option::Some($future)
        } else {
            ::core::option::Option::None
        }
    };

    (@arms $selected:ident) => { match $selected {} };
    (@arms $selected:ident [$pattern:pat] $future:tt $condition:tt [$handler:expr] $($rest:tt)*) => {
        match $selected {
            $crate::__written::Selected::First(output) => {
                #[allow(unreachable_patterns)]
                match output {
                    $pattern => $handler,
                    _ => ::core::unreachable!(),
                }
            }
            $crate::__written::Selected::Later(selected) => {
                $crate::__select_macro!(@arms selected $($rest)*)
            }
        }
    };
}
