//! What was sent, what arrived, and what was told meanwhile.

use std::cell::RefCell;
use std::fmt::Display;
use std::io;
use std::rc::Rc;

/// The books of one run; clones write into the same ones.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    flows: Rc<RefCell<Vec<Flow>>>,
    told: Rc<RefCell<Vec<io::Error>>>,
}

struct Flow {
    what: &'static str,
    sent: Vec<u8>,
    got: Vec<u8>,
}

/// A flow of bytes in one direction.
#[derive(Clone, Copy)]
pub(crate) struct FlowId(usize);

impl Ledger {
    /// Opens a flow of which these bytes are to arrive.
    pub(crate) fn flow(&self, what: &'static str, sent: &[u8]) -> FlowId {
        let mut flows = self.flows.borrow_mut();
        flows.push(Flow {
            what,
            sent: sent.to_vec(),
            got: Vec::new(),
        });
        FlowId(flows.len() - 1)
    }

    pub(crate) fn got(&self, flow: FlowId, bytes: &[u8]) {
        self.flows.borrow_mut()[flow.0].got.extend_from_slice(bytes);
    }

    /// An error that ended a part of the program, and not all of it.
    #[allow(dead_code, reason = "not every suite has such a part")]
    pub(crate) fn tell(&self, error: io::Error) {
        self.told.borrow_mut().push(error);
    }

    pub(crate) fn has_told(&self) -> bool {
        !self.told.borrow().is_empty()
    }

    /// The first error that was told.
    pub(crate) fn take_told(&self) -> Option<io::Error> {
        std::mem::take(&mut *self.told.borrow_mut())
            .into_iter()
            .next()
    }

    #[track_caller]
    pub(crate) fn assert_prefixes(&self, case: &impl Display) {
        for flow in self.flows.borrow().iter() {
            let (sent, got) = (&flow.sent, &flow.got);
            let what = flow.what;
            assert!(sent.starts_with(got), "{case}: {what}: {got:?} of {sent:?}");
        }
    }

    #[track_caller]
    pub(crate) fn assert_whole(&self, case: &impl Display) {
        let flows = self.flows.borrow();
        assert!(!flows.is_empty(), "{case}: nothing was meant to be sent");
        for flow in flows.iter() {
            let (sent, got) = (flow.sent.len(), flow.got.len());
            let what = flow.what;
            assert_eq!(
                got, sent,
                "{case}: {what}: bytes are lost, and nobody was told"
            );
        }
    }
}
