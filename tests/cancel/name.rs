//! Look-ups of names and connections by name, dropped at each wait.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use mainspring::net::{AddrName, Connector, TcpStream, lookup, lookup_addr};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::task::blocking::statistics;
use rustix::event::PollFlags;

use crate::everywhere::Case;
use crate::places::{Answer, Hole, Open, Table};
use crate::rig::On;
use crate::wire;

everywhere! {
    a_race_for_a_name_leaves_no_connection_behind,
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

/// Who connects by name: to a host whose first address never answers.
struct Caller {
    connector: Connector,
    stream: Option<TcpStream>,
}

// cancels: Connector::connect, TcpStream::connect
fn a_race_for_a_name_leaves_no_connection_behind(on: On) {
    let setup = || {
        let (hole, open) = (Hole::new(), Open::new());
        let both = vec![hole.addr, open.addr];
        let answer = Answer::After(Duration::from_secs(1), both);
        let table = Table::default().with("two.test", answer);
        let connector = Connector::new()
            .resolver(table)
            .timeout(Duration::from_secs(60));
        // From here on connects are counted.
        drop(Plan::new().install());
        let stream = None;
        (Caller { connector, stream }, (hole, open))
    };
    let waits = Case::new(on, setup)
        // It waits for the resolver, then for the first address alone, then for both.
        .world(|(_, open)| {
            if count_of(Call::Connect) == 2 {
                wire::settle(open, PollFlags::IN);
            }
        })
        .safe(
            async |caller| {
                let connect = caller.connector.connect("two.test:80");
                caller.stream = Some(connect.await.unwrap());
            },
            async |caller, (_, open)| {
                // Of all that came, those that nobody holds have ended.
                let own = caller.stream.as_ref().unwrap().local_addr().unwrap();
                let mut guests = open.guests();
                guests.retain_mut(|guest| {
                    if guest.peer_addr().is_ok_and(|peer| peer == own) {
                        return true;
                    }
                    guest.set_nonblocking(false).unwrap();
                    assert_ne!(guest.read(&mut [0]).ok(), Some(1));
                    false
                });
                assert_eq!(guests.len(), 1);
            },
        );
    assert_eq!(waits, 3);
}
