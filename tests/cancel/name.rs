//! Look-ups of names, dropped at each wait.

use std::net::SocketAddr;

use mainspring::net::{AddrName, lookup, lookup_addr};
use mainspring::task::blocking::statistics;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_look_up_gives_its_answer_when_it_is_made_again,
    a_look_up_of_an_address_gives_its_answer_when_it_is_made_again,
}

/// Returns when the pool has done, or dropped, all that it was given.
fn let_it_end(_: &mut ()) {
    loop {
        let pool = statistics().unwrap();
        if pool.queued + pool.running == 0 {
            return;
        }
        std::thread::yield_now();
    }
}

// cancels: net::lookup
fn a_look_up_gives_its_answer_when_it_is_made_again(on: On) {
    let setup = || (Vec::new(), ());
    let waits = Case::new(on, setup).world(let_it_end).others_wait().safe(
        async |found: &mut Vec<SocketAddr>| *found = lookup("localhost", 80).await.unwrap(),
        async |found, _| assert!(!found.is_empty() && found.iter().all(|it| it.port() == 80)),
    );
    assert_eq!(waits, 1);
}

// cancels: net::lookup_addr
fn a_look_up_of_an_address_gives_its_answer_when_it_is_made_again(on: On) {
    let setup = || (None, ());
    let waits = Case::new(on, setup).world(let_it_end).others_wait().safe(
        async |found: &mut Option<AddrName>| {
            let addr = SocketAddr::from(([127, 0, 0, 1], 9));
            *found = Some(lookup_addr(addr).await.unwrap());
        },
        async |found, _| assert!(found.as_ref().is_some_and(|name| !name.host.is_empty())),
    );
    assert_eq!(waits, 1);
}
