//! A connection by callbacks, dropped at each of its waits.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use mainspring::io::{Protocol, Transport, serve};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::wire;

everywhere! {
    a_served_connection_that_is_dropped_is_lost_once_and_last,
}

/// What came, and how often the connection was lost.
#[derive(Clone, Default)]
struct Noting {
    got: Rc<RefCell<Vec<u8>>>,
    losses: Rc<RefCell<Vec<bool>>>,
}

impl Protocol for Noting {
    fn data_received(&mut self, transport: &Transport, bytes: &[u8]) {
        assert!(self.losses.borrow().is_empty());
        self.got.borrow_mut().extend_from_slice(bytes);
        transport.write(bytes);
    }

    fn connection_lost(&mut self, error: Option<&io::Error>) {
        self.losses.borrow_mut().push(error.is_some());
    }
}

// cancels: io::serve
fn a_served_connection_that_is_dropped_is_lost_once_and_last(on: On) {
    const ALL: usize = 9;
    let setup = || {
        let (near, far) = wire::tcp();
        ((Some(near.stream), Noting::default()), far)
    };
    let waits = Case::new(on, setup)
        .world(|far| far.send_or_end(3, ALL))
        .not_safe(
            async |(stream, noting)| {
                serve(stream.take().unwrap(), noting.clone()).await;
            },
            async |(_, noting), _| {
                let got = noting.got.borrow();
                assert_eq!(*got, pattern(got.len()), "a beginning of what was sent");
                let was_cut = got.len() < ALL || noting.losses.borrow()[..] == [true];
                assert_eq!(*noting.losses.borrow(), [was_cut]);
            },
        );
    assert_eq!(waits, 4);
}
