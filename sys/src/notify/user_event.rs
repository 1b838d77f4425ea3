//! A notifier over EVFILT_USER: an event of the kqueue itself, no descriptor of its own.
//!
//! *Model.* Registered once with EV_ADD and EV_CLEAR; each `notify` is one `kevent` call with
//! NOTE_TRIGGER and *without* EV_ADD, for FreeBSD does not deliver a trigger that comes together with
//! the registration. Any number of triggers before the next `wait` make one event, and EV_CLEAR takes
//! it down again, so that there is nothing to drain.
//!
//! *Availability.* macOS 10.6, FreeBSD 8.1, DragonFly 4.0, NetBSD 10, OpenBSD 7.8. It is tried at
//! run time; where the kernel refuses, the selector takes the pipe.
//!
//! *After the end.* The notifier holds the queue open: a late trigger is an event that nobody
//! collects, in a queue that closes with the last notifier.

use std::io;

use crate::kqueue::event::{Change, Filter, Verb};
use crate::kqueue::raw::Queue;

/// The number of the event among those of the filter; there is only this one.
const IDENT: usize = 0;

#[derive(Debug)]
pub(crate) struct UserEvent(Queue);

impl UserEvent {
    /// Registers the event. Any error means that the system lacks the filter, or will not even give
    /// a pipe.
    pub(crate) fn new(queue: &Queue) -> io::Result<UserEvent> {
        let user_event = UserEvent(queue.clone());
        user_event.apply(Verb::Add)?;
        Ok(user_event)
    }

    /// In the child of a fork, once the queue is another: registers the event there.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        self.apply(Verb::Add)
    }

    /// Fires the event.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.apply(Verb::Trigger)
    }

    /// EINTR is repeated: the change may have been made before it, and once more does no harm.
    fn apply(&self, verb: Verb) -> io::Result<()> {
        let udata = usize::MAX;
        loop {
            match self.0.apply(Change {
                ident: IDENT,
                filter: Filter::User,
                verb,
                udata,
            }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }
}
