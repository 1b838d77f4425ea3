//! Tasks: one block of memory each, polled by the loop, woken from anywhere.
//!
//! *Role.* Layer 2. The loop ([`crate::event_loop`]) owns a [`core::Core`], runs what stands in its
//! ready queue, and collects what other threads left in its inbox. Users meet [`join::JoinHandle`].
//!
//! *Model.* Who holds what; a solid arrow is a counted reference, a dotted one is bare.
//!
//! ```text
//!     event loop ══► Core ◄══ share ══ task block ◄══ JoinHandle
//!                     ║  ▲                ▲  ▲  ▲
//!        ready queue ─╫──┼── loop's ref ══╝  ║  ╚══ Waker (clone: any thread)
//!        owned list  ─╯  ╚═ Handle           ║
//!                                            ║ inbox entry (from another thread)
//!     wait node ┄┄┄┄┄┄┄┄ bare pointer ┄┄┄┄┄► ╝  only on the task's own chain
//! ```
//!
//! *Read in this order:* [`state`] (the life of a task), [`raw`] and [`stage`] (its block), [`count`] and [`block`]
//! (its memory), [`waker`], [`queue`] and [`inbox`] (how it gets to run), [`wait`] (how it waits),
//! [`join`] and [`joined`] (how it is awaited), [`core`](self::core) (what they share).
//!
//! *Scenarios that the pieces must survive together*, each with its model in `models.rs` or its test in
//! `tests/hazards_tasks.rs`: a wake from another thread while the loop falls asleep, or is dropped; a
//! waker kept past the task's end, and past the loop's; an abort from inside the task's own poll; a
//! panic in poll, in drop, in a foreign waker; a future forgotten with its nodes still linked.

pub(crate) mod block;
pub(crate) mod budget;
pub(crate) mod caller;
pub(crate) mod core;
pub(crate) mod count;
pub(crate) mod failure;
pub(crate) mod inbox;
pub(crate) mod join;
mod joined;
pub(crate) mod queue;
pub(crate) mod raw;
pub(crate) mod record;
pub(crate) mod stage;
pub(crate) mod state;
pub(crate) mod wait;
pub(crate) mod waker;

#[cfg(all(test, mainspring_loom))]
mod models;
