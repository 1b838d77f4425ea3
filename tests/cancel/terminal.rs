//! Waits for the size of a terminal, dropped at each of their waits.

use mainspring::signal::Signal;
use mainspring::terminal::{self, Master, Size, Sizes, Terminal};
use mainspring_sys::signal as sys;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_new_size_is_told_to_who_asks_again,
}

// cancels: Sizes::changed
fn a_new_size_is_told_to_who_asks_again(on: On) {
    // Its descriptors are kept for ever.
    drop(sys::Bell::new().unwrap());
    let setup = || {
        let (master, terminal) = terminal::pair().unwrap();
        (
            (terminal::sizes(terminal).unwrap(), Vec::new()),
            (master, 0),
        )
    };
    let world = |(master, rows): &mut (Master, u16)| {
        *rows += 1;
        terminal::set_size(master, Size::new(*rows, 80)).unwrap();
        // The handler has rung the bell by the time this returns.
        sys::raise_here(Signal::WINCH).unwrap();
    };
    let waits = Case::new(on, setup).world(world).safe(
        async |(sizes, told): &mut (Sizes<Terminal>, Vec<u16>)| {
            while told.last().is_none_or(|rows| *rows < 3) {
                told.push(sizes.changed().await.unwrap().rows);
            }
        },
        async |(sizes, told), _| {
            assert!(told.is_sorted() && told.last() >= Some(&3), "{told:?}");
            assert_eq!(sizes.seen().rows, *told.last().unwrap());
        },
    );
    assert_eq!(waits, 3);
}
