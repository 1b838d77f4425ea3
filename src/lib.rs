//! An event loop for one thread, from scratch: selector, timer wheel, task queue, executor.
//!
//! `mainspring` is what asyncio's loop is, in Rust over raw system calls. A **tick** runs the tasks that
//! are ready, expires the timers that are due, asks the operating system's selector for readiness, and
//! repeats. Futures need not be `Send`; wakers work from any thread.
//!
//! ```
//! use mainspring::time::sleep;
//! use std::time::Duration;
//!
//! mainspring::run(async {
//!     let slow = mainspring::spawn(async {
//!         sleep(Duration::from_millis(20)).await;
//!         "slow"
//!     });
//!     let fast = mainspring::spawn(async { "fast" });
//!     assert_eq!(fast.await.unwrap(), "fast");
//!     assert_eq!(slow.await.unwrap(), "slow");
//! })
//! .unwrap();
//! ```
//!
//! *Map*, from the bottom up; a module uses those before it.
//!
//! | layer | modules |
//! |---|---|
//! | L1 structures | `list` (intrusive), `wheel` (timers), `slab` (generational) |
//! | L2 tasks | `task`: block, state, waker, queues, wait nodes, join |
//! | L3 drivers | `reactor` (sources), `timers`, `pool` (threads that may block), `clocks` (those that may jump), `resolver` (who is asked for names) |
//! | L4 the loop | `event_loop` (the tick), `context` (which loop is entered) |
//! | L5 for users | [`Runtime`], [`Handle`], [`spawn()`], [`spawn_blocking()`], [`time`], [`sync`], [`io`], [`stream`], [`codec`], [`net`], [`channel`] |
//!
//! `docs/architecture.md` explains it; `docs/promises.md` says what users may rely on.

mod blocking;
mod callback;
mod cancel;
pub mod channel;
mod clocks;
pub mod codec;
mod context;
mod debug;
mod event_loop;
pub mod fs;
mod handle;
mod histogram;
pub mod inspect;
pub mod io;
mod join;
mod list;
pub mod net;
mod pin;
pub mod pipe;
mod pool;
pub mod process;
mod quiet;
mod reactor;
mod resolver;
mod runtime;
mod scope;
mod shim;
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
mod slab;
mod spawn;
pub mod stdio;
pub mod stream;
pub mod sync;
pub mod terminal;
pub mod time;
mod timers;
mod wheel;
pub mod workers;

/// Tasks: spawned, named, awaited, aborted.
///
/// What stands here stands in the crate's root as well, where it is short to name.
pub mod task {
    // Layer 2, whose files are read in this order: the life of a task, its block, its memory; how it gets
    // to run; how it waits, and for what; how it is awaited; what they all share. `docs/architecture.md`
    // has the picture of who holds what.
    pub(crate) mod state;

    pub(crate) mod marks;

    pub(crate) mod raw;
    pub(crate) mod stage;

    pub(crate) mod block;
    pub(crate) mod count;
    pub(crate) mod twin;

    pub(crate) mod inbox;
    pub(crate) mod queue;
    pub(crate) mod waker;

    pub(crate) mod budget;
    pub(crate) mod caller;
    pub(crate) mod relay;
    pub(crate) mod resource;
    pub(crate) mod wait;

    pub(crate) mod abort;
    pub(crate) mod join;
    pub(crate) mod joined;

    pub(crate) mod children;

    pub(crate) mod core;
    pub(crate) mod extra;
    pub(crate) mod failure;
    pub(crate) mod hooks;
    pub(crate) mod info;
    pub(crate) mod local;
    pub(crate) mod record;
    pub(crate) mod thread_waker;

    // What people are shown of all that.
    pub(crate) mod target;
    pub(crate) mod view;
    pub(crate) mod why;

    #[cfg(all(test, mainspring_loom))]
    mod models;

    /// Work that blocks: its classes, its own view of an abort, its pool's statistics.
    pub mod blocking {
        pub use crate::blocking::{
            Aborted, BlockingStatistics, Class, ClassStatistics, JobBuilder, check_aborted,
            is_aborted, spawn_blocking, statistics,
        };
    }

    // And its face: what tasks are to users, from this layer and from those above.
    pub use crate::blocking::spawn_blocking;
    pub use crate::callback::{CallHandle, call_at, call_later, call_soon};
    pub use crate::cancel::{CancelGuard, CancelReason, CancelToken, Cancelled, RunUntilCancelled};
    pub use crate::join::{
        AsCompleted, Gather, JoinAll, JoinMap, JoinNext, JoinNextKey, JoinNextWithId, JoinSet,
        Shutdown, TryJoinAll, Until, Wait, Waited, as_completed, gather, join_all, spawn_many,
        try_join_all, wait,
    };
    pub use crate::runtime::shutdown_token;
    pub use crate::scope::{
        NotStarted, Scope, ScopeError, Scoped, Start, Started, TryScoped, scope, try_scope,
    };
    pub use crate::spawn::{
        AllBlocked, TaskBuilder, YieldNow, YieldToIo, current_task_id, spawn, spawn_eager, stop,
        wait_all_tasks_blocked, yield_now, yield_to_io,
    };
    pub use abort::{AbortHandle, Ended};
    pub use budget::{
        ConsumeBudget, Unconstrained, consume_budget, has_budget_remaining, unconstrained,
    };
    pub use failure::{Failure, FailurePolicy};
    pub use info::{TaskInfo, TaskState, all, current, set_name};
    pub use join::{AbortOnDrop, JoinError, JoinHandle, TaskId};
    pub use local::{LocalScope, TaskLocal, Unset};
}

pub use blocking::spawn_blocking;
pub use callback::{CallHandle, call_at, call_later, call_soon};
pub use event_loop::TickStats;
pub use handle::{Closed, Handle, RemoteJoin};
#[doc(hidden)]
pub use join::written as __written;
pub use mainspring_sys::{BackendKind, Interest, Ready};
pub use runtime::{Builder, EnterGuard, Runtime, ShutdownReport, run};
pub use spawn::{
    TaskBuilder, YieldNow, YieldToIo, current_handle, current_task_id, spawn, yield_now,
    yield_to_io,
};
pub use task::failure::{Failure, FailurePolicy};
pub use task::join::{AbortOnDrop, JoinError, JoinHandle, TaskId};
pub use workers::workers;

/// Every Rust block of the pages compiles and runs.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $path:literal) => {
            #[doc = include_str!($path)]
            mod $name {}
        };
    }

    page!(readme, "../README.md");
    page!(architecture, "../docs/architecture.md");
    page!(glossary, "../docs/glossary.md");
    page!(portability, "../docs/portability.md");
    page!(fork_and_daemons, "../docs/fork-and-daemons.md");
    page!(many_loops, "../docs/many-loops.md");
    page!(first_program, "../docs/tour/first-program.md");
    page!(readiness, "../docs/tour/readiness.md");
    page!(futures, "../docs/tour/futures.md");
    page!(one_tick, "../docs/tour/one-tick.md");
    page!(task, "../docs/tour/task.md");
    page!(wheel, "../docs/tour/wheel.md");
    page!(wakers, "../docs/tour/wakers.md");
    page!(one_await, "../docs/tour/one-await.md");
    page!(scopes, "../docs/tour/scopes.md");
    page!(locks, "../docs/tour/locks.md");
    page!(buffers, "../docs/tour/buffers.md");
    page!(servers, "../docs/tour/servers.md");
    page!(signals, "../docs/tour/signals.md");
    #[cfg(feature = "sim")]
    page!(seeing_inside, "../docs/tour/seeing-inside.md");
}
