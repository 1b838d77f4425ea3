//! Joining: several futures, or several tasks, awaited together.
//!
//! *Role.* `join!`, `try_join!`, `race!` and `select!` for a few futures that are written down; `join_all`,
//! `try_join_all` and `as_completed` for as many as there are; `gather` and `wait` for tasks that run
//! already; [`JoinSet`] and [`JoinMap`] for those that come and go; [`spawn_many`] to start many.
//!
//! *Files.* `list` are the futures of a macro, and `several` awaits such a list; `macros` writes it. `woken` knows
//! which of many children was woken, by a relay of the task layer; `children` are futures that are polled by it,
//! `handles` are tasks that are watched by it. `set` and `map` are the sets, over the `members` of one.
//!
//! *Whose order.* What is polled in one poll is polled in the order of the arguments, and what becomes ready
//! in one poll is ready in that order (P36). Where the poll's budget ends within a poll, the next
//! one begins behind the child that spent it, so none starves beside one that is always ready.
//!
//! *Shielding.* A future that is dropped is gone, so nothing can shield it where it stands. What must go on
//! when its caller is dropped is spawned, and its handle awaited: `spawn(work).await` is a shield, for
//! dropping a handle detaches. asyncio's `shield` does the same by a task of its own.

mod all;
mod children;
mod completed;
mod handles;
mod list;
mod macros;
mod map;
mod members;
mod set;
mod several;
mod spawned;
mod woken;

pub use all::{JoinAll, TryJoinAll, join_all, try_join_all};
pub use completed::{AsCompleted, as_completed};
pub use handles::{Gather, Until, Wait, Waited, gather, wait};
pub use map::{JoinMap, JoinNextKey};
pub use set::{JoinNext, JoinNextWithId, JoinSet, Shutdown};
pub use spawned::spawn_many;

/// What the macros write. None of it is for anybody else.
#[doc(hidden)]
pub mod written {
    pub use super::list::{End, Selected, both, branch, slot};
    pub use super::several::{join_list, no_branch, race_list, select_list, try_join_list};
}
