//! Look-ups: what needs none, who is asked, and what comes of it.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use mainspring::net::{
    AddrName, Connector, ResolveError, Resolver, Resolving, TcpStream, lookup, lookup_addr,
};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::task::blocking::statistics;

use crate::places::{Answer, Open, Table};
use crate::rig::On;

on_both! {
    p47_a_number_takes_no_thread_and_no_task_switch,
    p47_what_is_no_name_is_never_asked_for,
    a_name_is_looked_up_by_the_resolver_of_the_loop,
    a_connector_s_resolver_goes_before_the_loop_s,
    a_resolver_can_be_changed_while_the_loop_lives,
    hz_g10_an_empty_list_and_an_error_of_a_resolver_are_told,
    an_address_is_looked_up_by_the_resolver_or_else_by_the_system,
    a_connect_by_name_tries_what_the_resolver_says_in_its_order,
    a_connect_to_localhost_finds_this_machine,
    a_look_up_that_is_polled_again_after_its_end_panics,
    a_resolver_goes_with_its_loop_while_that_is_entered,
    where_no_loop_runs_a_look_up_says_so,
}

const ONE: &str = "127.0.0.1:80";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn p47_a_number_takes_no_thread_and_no_task_switch(on: On) {
    on.sim(async {
        let _plan = Plan::new().install();
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("fe80::1%3", "[fe80::1%3]:80"),
        ] {
            let mut look_up = pin!(lookup(host, 80));
            let found = poll_fn(|cx| match look_up.as_mut().poll(cx) {
                Poll::Ready(found) => Poll::Ready(found),
                Poll::Pending => panic!("{host} had to wait"),
            });
            assert_eq!(found.await.unwrap(), [addr(expected)]);
        }
        assert_eq!(statistics().unwrap().started, 0);
        assert_eq!(count_of(Call::ThreadStart) + count_of(Call::Resolve), 0);
    });
}

fn p47_what_is_no_name_is_never_asked_for(on: On) {
    let table = Table::default();
    let runtime = on.builder().resolver(table.clone()).build().unwrap();
    let asked = async {
        for host in ["127.0.0.1", "[::1]"] {
            lookup(host, 1).await.unwrap();
        }
        for host in ["", "a\0b", "[name]"] {
            let error = lookup(host, 1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}");
        }
        assert!(table.asked.borrow().is_empty());
        // And what looks a little like a number is a name.
        assert!(lookup("1.2.3", 1).await.is_err());
        assert_eq!(table.asked.borrow().len(), 1);
    };
    runtime.block_on(asked).unwrap();
}

fn a_name_is_looked_up_by_the_resolver_of_the_loop(on: On) {
    let two = vec![addr("192.0.2.2:5"), addr("192.0.2.1:6")];
    let table = Table::default().with("db.test", Answer::Addrs(two.clone()));
    let runtime = on.builder().resolver(table.clone()).build().unwrap();
    let asked = async {
        assert_eq!(lookup("db.test", 5432).await.unwrap(), two);
        assert_eq!(*table.asked.borrow(), [("db.test".to_string(), 5432)]);
        assert_eq!(statistics().unwrap().started, 0);
    };
    runtime.block_on(asked).unwrap();
}

fn a_connector_s_resolver_goes_before_the_loop_s(on: On) {
    let open = Open::new();
    let table = || Table::default().with("db.test", Answer::Addrs(vec![open.addr]));
    let (general, special) = (table(), table());
    let runtime = on.builder().resolver(general.clone()).build().unwrap();
    let connected = async {
        TcpStream::connect("db.test:1").await.unwrap();
        let connector = Connector::new().resolver(special.clone());
        connector.connect(("db.test", 2)).await.unwrap();
        connector.connect(open.addr).await.unwrap();
    };
    runtime.block_on(connected).unwrap();
    assert_eq!(*general.asked.borrow(), [("db.test".to_string(), 1)]);
    assert_eq!(*special.asked.borrow(), [("db.test".to_string(), 2)]);
}

fn a_resolver_can_be_changed_while_the_loop_lives(on: On) {
    let runtime = on.runtime();
    let found = |port| runtime.block_on(lookup("db.test", port)).unwrap();
    let table = Table::default().with("db.test", Answer::Addrs(vec![addr(ONE)]));
    runtime.set_resolver(Some(Rc::new(table.clone())));
    assert_eq!(found(1).unwrap(), [addr(ONE)]);
    runtime.set_resolver(Some(Rc::new(Table::default())));
    assert_eq!(found(2).unwrap_err().kind(), ErrorKind::NotFound);
    runtime.set_resolver(None);
    assert_eq!(Rc::strong_count(&table.asked), 1, "the old ones are gone");
    let local = runtime.block_on(lookup("localhost", 3)).unwrap();
    assert!(local.unwrap().iter().all(|it| it.ip().is_loopback()));
}

fn hz_g10_an_empty_list_and_an_error_of_a_resolver_are_told(on: On) {
    let table = Table::default()
        .with("empty.test", Answer::Addrs(Vec::new()))
        .with("later.test", Answer::TryAgain);
    let runtime = on.builder().resolver(table).build().unwrap();
    let asked = async {
        let empty = lookup("empty.test", 1).await.unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::NotFound);
        assert!(empty.to_string().contains("empty.test"), "{empty}");
        let later = TcpStream::connect("later.test:80").await.unwrap_err();
        let inside: &ResolveError = later.get_ref().unwrap().downcast_ref().unwrap();
        assert!(inside.is_temporary());
        assert_eq!(inside.code(), None);
    };
    runtime.block_on(asked).unwrap();
}

/// Says what one address is called, and leaves the others to the system.
struct Reverse;

impl Resolver for Reverse {
    fn lookup(&self, _host: &str, _port: u16) -> Resolving<Vec<SocketAddr>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn lookup_addr(&self, asked: SocketAddr) -> Option<Resolving<AddrName>> {
        let name = AddrName {
            host: "one.test".into(),
            service: "first".into(),
        };
        (asked == addr("192.0.2.1:1")).then(|| Box::pin(async { Ok(name) }) as Resolving<_>)
    }
}

fn an_address_is_looked_up_by_the_resolver_or_else_by_the_system(on: On) {
    let runtime = on.builder().resolver(Rc::new(Reverse)).build().unwrap();
    let asked = async {
        let name = lookup_addr(addr("192.0.2.1:1")).await.unwrap();
        assert_eq!((&*name.host, &*name.service), ("one.test", "first"));
        assert_eq!(statistics().unwrap().started, 0);
        let name = lookup_addr(addr("127.0.0.1:1")).await.unwrap();
        assert!(!name.host.is_empty() && name.host != "one.test");
        assert_eq!(statistics().unwrap().started, 1);
    };
    runtime.block_on(asked).unwrap();
}

fn a_connect_by_name_tries_what_the_resolver_says_in_its_order(on: On) {
    let (first, second) = (Open::new(), Open::new());
    for pair in [[first.addr, second.addr], [second.addr, first.addr]] {
        let table = Table::default().with("two.test", Answer::Addrs(pair.to_vec()));
        let runtime = on.builder().resolver(table).build().unwrap();
        let stream = runtime.block_on(TcpStream::connect("two.test:80")).unwrap();
        assert_eq!(stream.unwrap().peer_addr().unwrap(), pair[0]);
    }
}

fn a_connect_to_localhost_finds_this_machine(on: On) {
    let open = Open::at("localhost:0");
    on.run(async {
        let target = format!("localhost:{}", open.addr.port());
        let stream = TcpStream::connect(target).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open.addr);
        assert_eq!(open.guests().len(), 1);
    });
}

fn a_look_up_that_is_polled_again_after_its_end_panics(on: On) {
    let polled_twice = std::panic::catch_unwind(|| {
        on.run(async {
            let mut look_up = lookup("127.0.0.1", 1);
            Pin::new(&mut look_up).await.unwrap();
            let _again = Pin::new(&mut look_up).await;
        });
    });
    let payload = polled_twice.unwrap_err();
    let told = payload.downcast_ref::<&str>().copied();
    assert_eq!(told, Some("a look-up was polled after it was done"));
}

/// Asks, as it is dropped, whether its loop is there.
struct Last(Rc<Cell<Option<bool>>>);

impl Resolver for Last {
    fn lookup(&self, _host: &str, _port: u16) -> Resolving<Vec<SocketAddr>> {
        Box::pin(pending())
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.0.set(Some(statistics().is_ok()));
    }
}

fn a_resolver_goes_with_its_loop_while_that_is_entered(on: On) {
    let was_entered = Rc::new(Cell::new(None));
    let last = Last(Rc::clone(&was_entered));
    let runtime = on.builder().resolver(last).build().unwrap();
    // A look-up that never ends goes before.
    drop(runtime.spawn(lookup("never.test", 1)));
    runtime.tick().unwrap();
    assert_eq!(was_entered.get(), None);
    drop(runtime);
    assert_eq!(was_entered.get(), Some(true));
}

fn where_no_loop_runs_a_look_up_says_so(_on: On) {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = pin!(lookup("localhost", 1)).poll(&mut cx);
    let Poll::Ready(Err(error)) = polled else {
        panic!("it waits without a loop");
    };
    assert_eq!(error.kind(), ErrorKind::NotConnected);
    let polled = pin!(lookup_addr(addr(ONE))).poll(&mut cx);
    assert!(matches!(polled, Poll::Ready(Err(_))));
    // A number needs none.
    assert!(pin!(lookup("::1", 1)).poll(&mut cx).is_ready());
}
