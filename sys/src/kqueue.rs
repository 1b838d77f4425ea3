//! A kqueue as the kernel gives it: the queue itself, and what its answers mean.
//!
//! *Role.* The selector (`selector/kqueue.rs`) and the notifier (`notify/user_event.rs`) are two users of
//! one queue, so it stands below both.
//!
//! *Map.* [`event`] is pure and compiled everywhere. `raw` calls `kevent(2)` through libc, on the
//! systems that have it; Linux's unit tests put `fake`, a queue made by hand, in its place, so that the
//! selector above is run, and not only compiled, on a machine without kqueue.

pub(crate) mod event;

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
pub(crate) mod raw;

#[cfg(all(test, target_os = "linux"))]
#[path = "kqueue/fake.rs"]
pub(crate) mod raw;
