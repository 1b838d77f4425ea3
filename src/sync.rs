//! Locks, semaphores, events and the like, for the tasks of one thread.
//!
//! | | who goes on | what a dropped wait passes on |
//! |---|---|---|
//! | [`Mutex`] | one at a time | the lock |
//! | [`RwLock`] | many who read, or one who writes | the lock |
//! | [`Semaphore`] | so many at a time | the permits |
//! | [`CapacityLimiter`] | so many at a time, one token each; the number may change | the token |
//! | [`Event`] | all, from when it is set | nothing: each has its own |
//! | [`Notify`] | one, or all, when told; one notification is kept | the one notification |
//! | [`Condvar`] | one, or all, when told, with the lock again | the one notification |
//! | [`Barrier`] | so many, together | nothing: the barrier waits for one more |
//! | [`OnceCell`] | all, when the value is made | the job of making it |
//! | [`Gate`] | who closes, when those inside have left | nothing |
//!
//! *What all have in common.* Who waits stands in a line, and is served in the order of the first polls, by
//! direct hand-off: what was freed is the next one's before that has run, so nobody who comes
//! meanwhile gets in between. A future that is dropped leaves the line, and passes on what it
//! was handed. Nothing is allocated per wait (a primitive's first wait makes its entry for reports). All are
//! for one thread: nothing here is `Send` or `Sync`, and no instruction is atomic.
//!
//! *What waits is visible.* A report of a deadlock names, for each task that waits, the primitive by the line
//! that made it, who holds it, and the line of the call that waits. `statistics` of each says how it stands.
//!
//! *Forgotten futures.* A future that waits and is leaked (`mem::forget`) keeps its place while its task
//! lives, and what it is handed meanwhile is lost. When its task has ended it is passed by.

mod barrier;
mod condvar;
mod event;
mod gate;
mod limiter;
mod line;
mod mutex;
mod notify;
mod once_cell;
mod raw_lock;
mod rwlock;
mod semaphore;

pub use barrier::{Barrier, BarrierBroken, BarrierStatistics, BarrierTurn, BarrierWait};
pub use condvar::{Condvar, CondvarStatistics, CondvarUntil, CondvarWait, CondvarWaitUntil};
pub use event::{Event, EventStatistics, EventWait};
pub use gate::{Gate, GateClose, GateClosed, GateStatistics, Pass};
pub use limiter::{
    AlreadyBorrowed, BorrowToken, Borrower, CapacityLimiter, CapacityLimiterStatistics, Token,
    TryBorrowError,
};
pub use mutex::{
    Lock, LockOwned, MappedMutexGuard, Mutex, MutexGuard, MutexStatistics, OwnedMutexGuard,
};
pub use notify::{Notified, Notify, NotifyStatistics};
pub use once_cell::{
    GetOrInit, GetOrTryInit, OnceCell, OnceCellStatistics, OnceCellWait, SetError,
};
pub use rwlock::{
    OwnedReadGuard, OwnedWriteGuard, Read, ReadGuard, ReadOwned, RwLock, RwLockStatistics, Write,
    WriteGuard, WriteOwned,
};
pub use semaphore::{
    Acquire, AcquireError, AcquireOwned, OwnedPermit, Permit, Semaphore, SemaphoreStatistics,
    TryAcquireError,
};
