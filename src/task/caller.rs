//! `Caller`: whose line waits, where the wait node is not the future's own.
//!
//! *Role.* An extension future (`read_exact`, `copy`) waits through the poll functions of somebody else's
//! type, whose resident node knows nothing of it. So it says its line while it polls, and what waits
//! on its behalf notes that.
//!
//! *Cost.* Two stores and a thread-local load per poll; nothing without the feature `inspect`.

use std::panic::Location;

use super::core::Core;

/// The line of a user's call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(#[cfg(feature = "inspect")] &'static Location<'static>);

impl Caller {
    /// The line that called the function that calls this one, if both are `#[track_caller]`.
    #[track_caller]
    #[inline]
    pub(crate) fn here() -> Caller {
        Caller(
            #[cfg(feature = "inspect")]
            Location::caller(),
        )
    }

    /// This line.
    #[cfg_attr(not(feature = "inspect"), allow(unused_variables))]
    #[inline]
    pub(crate) fn at(location: &'static Location<'static>) -> Caller {
        Caller(
            #[cfg(feature = "inspect")]
            location,
        )
    }

    /// Runs `poll` on behalf of this line; of the innermost, if several say so.
    #[inline]
    pub(crate) fn within<R>(self, poll: impl FnOnce() -> R) -> R {
        #[cfg(feature = "inspect")]
        let _restored = Outer(replace(Some(self.0)));
        poll()
    }

    /// The line on whose behalf the current poll goes on, if anybody said.
    #[inline]
    pub(crate) fn current() -> Option<&'static Location<'static>> {
        Core::with_current(|core| core.and_then(|core| core.caller.get()))
    }
}

/// Puts the line from before back, also while a panic unwinds.
#[cfg(feature = "inspect")]
struct Outer(Option<&'static Location<'static>>);

#[cfg(feature = "inspect")]
impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        replace(self.0);
    }
}

#[cfg(feature = "inspect")]
#[inline]
fn replace(line: Option<&'static Location<'static>>) -> Option<&'static Location<'static>> {
    Core::with_current(|core| core.and_then(|core| core.caller.replace(line)))
}
