//! A leaf future written by hand: a mailbox with one slot.
//!
//! Everything that is awaited ends in a leaf such as this. Its whole duty: say `Ready` if it can;
//! else keep the waker, say `Pending`, and see to it that the waker is called later. It knows nothing
//! of mainspring, and runs on every executor.
//!
//! ```text
//! cargo run --example custom_future
//! ```

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One slot, and the waker of whoever waits for it to be filled.
struct Mailbox<T> {
    slot: Cell<Option<T>>,
    waiting: RefCell<Option<Waker>>,
}

impl<T> Mailbox<T> {
    fn new() -> Mailbox<T> {
        Mailbox {
            slot: Cell::new(None),
            waiting: RefCell::new(None),
        }
    }

    /// Fills the slot; gives back what it held, if nobody took that.
    fn put(&self, value: T) -> Option<T> {
        let earlier = self.slot.replace(Some(value));
        // Taken out first, called after: a waker is somebody else's code, and may come back here.
        let waiting = self.waiting.borrow_mut().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
        earlier
    }

    /// Waits until the slot is filled, and empties it.
    ///
    /// Cancel safety: safe, the value is taken only in the poll that returns it.
    fn take(&self) -> Take<'_, T> {
        Take { mailbox: self }
    }
}

/// Made by [`Mailbox::take`].
struct Take<'a, T> {
    mailbox: &'a Mailbox<T>,
}

impl<T> Future for Take<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(value) = self.mailbox.slot.take() {
            return Poll::Ready(value);
        }
        // At every poll anew: the task that polls today need not be the one of last time. And only
        // one may wait: a second would replace the first, who would then wait for ever.
        let earlier = self.mailbox.waiting.replace(Some(cx.waker().clone()));
        drop(earlier);
        Poll::Pending
    }
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        let mailbox = Rc::new(Mailbox::new());
        let sender = Rc::clone(&mailbox);
        let writer = mainspring::spawn(async move {
            for number in 1..=3 {
                println!("put {number}");
                let unread = sender.put(number);
                assert_eq!(unread, None, "the reader runs after each");
                mainspring::yield_now().await;
            }
        });
        for _ in 0..3 {
            println!("took {}", mailbox.take().await);
        }
        writer
            .await
            .expect("the writer neither panics nor is aborted");
    })
}
