//! `Stand`: where a node stands, and beside it whether something lies in it.
//!
//! *Why they are neighbours.* Nearly every future ends with the question whether its node stands nowhere with nothing in
//! it, and nearly every send begins with the question whether it stands nowhere with something in it. Both are one look at
//! two bytes. (Bits of one byte were tried: each change of one bit is then a reading, and a round trip over two channels
//! costs 676 instructions where it costs 646.)
//!
//! The cell is std's, also for the models: loom's has no parts, and a node is its thread's alone.

use std::cell::Cell;

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    /// Nowhere yet; the body is not written (WAIT-3).
    New,
    /// In a ring, or in none: a ring's node leaves without its head.
    Ring,
    /// In a [`WaitQueue`](super::WaitQueue), or in none.
    Queue,
}

/// A [`Place`], and beside it whether something lies in the slot of the node (WAIT-8).
pub(super) struct Stand(Cell<[u8; 2]>);

const PLACE: usize = 0;
const IS_GIVEN: usize = 1;

impl Stand {
    /// New, and empty.
    #[inline]
    pub(super) fn new() -> Stand {
        Stand(Cell::new([Place::New as u8, 0]))
    }

    #[inline]
    fn part(&self, index: usize) -> &Cell<u8> {
        let parts: &Cell<[u8]> = &self.0;
        &parts.as_slice_of_cells()[index]
    }

    #[inline]
    pub(super) fn place(&self) -> Place {
        match self.part(PLACE).get() {
            0 => Place::New,
            1 => Place::Ring,
            _ => Place::Queue,
        }
    }

    #[inline]
    pub(super) fn is_new(&self) -> bool {
        self.part(PLACE).get() == Place::New as u8
    }

    /// What lies in the slot stays there.
    #[inline]
    pub(super) fn move_to(&self, place: Place) {
        self.part(PLACE).set(place as u8);
    }

    #[inline]
    pub(super) fn is_given(&self) -> bool {
        self.part(IS_GIVEN).get() != 0
    }

    #[inline]
    pub(super) fn set_given(&self, is_given: bool) {
        self.part(IS_GIVEN).set(u8::from(is_given));
    }

    /// New, and empty.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        u16::from_ne_bytes(self.0.get()) == u16::from_ne_bytes([Place::New as u8, 0])
    }

    /// New, and not empty.
    #[inline]
    pub(super) fn is_laden(&self) -> bool {
        u16::from_ne_bytes(self.0.get()) == u16::from_ne_bytes([Place::New as u8, 1])
    }
}
