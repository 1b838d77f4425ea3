//! `ShutdownSlot`: the token by which the tasks of a loop are told that it ends, once anybody asks for it.

use std::cell::RefCell;

use crate::cancel::{CancelReason, CancelToken};

/// Empty until somebody asks: most loops end without.
#[derive(Default)]
pub(crate) struct ShutdownSlot(RefCell<Option<CancelToken>>);

impl ShutdownSlot {
    /// The token.
    pub(crate) fn token(&self) -> CancelToken {
        let mut slot = self.0.borrow_mut();
        slot.get_or_insert_with(CancelToken::new).clone()
    }

    /// Tells whoever watches the token, now or later.
    pub(crate) fn tell(&self, reason: impl Into<CancelReason>) {
        let token = self.token();
        token.cancel_with(reason);
    }

    /// Who asks from here on gets another token: the loop goes on after all.
    pub(crate) fn renew(&self) {
        let old = self.0.borrow_mut().take();
        drop(old);
    }
}
