//! `Selector` as a `Backend`, so that the suite runs through the closed enum too.

use std::io;
use std::os::fd::BorrowedFd;

use mainspring_sys::backend::{Backend, Deadline, Triggering};
use mainspring_sys::notify::Notifier;
use mainspring_sys::{BackendKind, Events, Interest, Selector, Token, selector};

macro_rules! through {
    ($(#[$doc:meta])* $name:ident, $backend:ty, $kind:expr) => {
        $(#[$doc])*
        pub(crate) struct $name(Selector);

        impl Backend for $name {
            const NAME: &'static str = <$backend>::NAME;
            const TRIGGERING: Triggering = <$backend>::TRIGGERING;
            const FORGETS_ON_CLOSE: bool = <$backend>::FORGETS_ON_CLOSE;
            const IS_INHERITED: bool = <$backend>::IS_INHERITED;

            fn new() -> io::Result<Self> {
                let selector = Selector::new($kind)?;
                assert_eq!(selector.name(), Self::NAME);
                assert_eq!(selector.triggering(), Self::TRIGGERING);
                assert_eq!(selector.forgets_on_close(), Self::FORGETS_ON_CLOSE);
                assert_eq!($kind.name(), Self::NAME);
                assert_eq!($kind.triggering(), Self::TRIGGERING);
                assert_eq!($kind.forgets_on_close(), Self::FORGETS_ON_CLOSE);
                Ok(Self(selector))
            }

            fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
                self.0.add(fd, token, interest)
            }

            fn rearm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
                self.0.rearm(fd, token, interest)
            }

            fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
                self.0.remove(fd, token)
            }

            fn wait(&mut self, events: &mut Events, deadline: Deadline) -> io::Result<()> {
                self.0.wait(events, deadline)
            }

            fn notifier(&self) -> Notifier {
                self.0.notifier()
            }

            fn selector_fd(&self) -> Option<BorrowedFd<'_>> {
                self.0.selector_fd()
            }

            fn submit(&mut self) -> io::Result<()> {
                self.0.submit()
            }

            fn after_fork(&mut self) -> io::Result<()> {
                self.0.after_fork()
            }
        }
    };
}

through!(
    /// The target's own backend, as `Selector::new` picks it.
    Native,
    selector::Native,
    BackendKind::Native
);
through!(
    /// poll(2), as `Selector::new` makes it.
    Poll,
    selector::poll::Poll,
    BackendKind::Poll
);
