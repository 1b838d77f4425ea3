//! A flood of connections, and who else gets a turn meanwhile.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use mainspring::spawn;
use mainspring::time::sleep;

use crate::rig::{On, listener, turns};

on_both! {
    hz_d16_a_flood_of_connections_leaves_room_for_another_listener,
    hz_d16_a_flood_of_connections_leaves_room_for_a_timer,
}

/// Three times a poll's budget and more, less than a backlog, and few enough for a limit of 1024
/// descriptors.
const FLOOD: usize = 450;

/// What an accept takes, by the clock of these tests.
const ACCEPT: Duration = Duration::from_micros(10);

/// Accepts a flood of connections in a task that never yields by itself, while `other` waits in another;
/// `meanwhile` happens after the first. Says how many were accepted when that one went on.
async fn flood_until(
    other: impl Future<Output = ()> + 'static,
    meanwhile: impl FnOnce() + 'static,
) -> usize {
    let accepted = Rc::new(Cell::new(0));
    let count = Rc::clone(&accepted);
    let waits = spawn(async move {
        other.await;
        count.get()
    });
    // It waits in the selector, or in the wheel, before the flood begins.
    turns(2).await;
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    let connect = |_| std::net::TcpStream::connect(addr).unwrap();
    let _clients: Vec<_> = (0..FLOOD).map(connect).collect();
    let accepts = spawn(async move {
        let mut streams = vec![listener.accept().await.unwrap()];
        meanwhile();
        while streams.len() < FLOOD {
            streams.push(listener.accept().await.unwrap());
            accepted.set(streams.len());
            mainspring::sim::advance(ACCEPT);
        }
    });
    accepts.await.unwrap();
    waits.await.unwrap()
}

fn hz_d16_a_flood_of_connections_leaves_room_for_another_listener(on: On) {
    on.sim(async {
        let other = listener();
        let addr = other.local_addr().unwrap();
        let connect = move || drop(std::net::TcpStream::connect(addr).unwrap());
        let accept = async move { drop(other.accept().await.unwrap()) };
        let so_far = flood_until(accept, connect).await;
        assert!(
            0 < so_far && so_far < FLOOD,
            "{so_far} were accepted before"
        );
    });
}

fn hz_d16_a_flood_of_connections_leaves_room_for_a_timer(on: On) {
    on.sim(async {
        let so_far = flood_until(sleep(Duration::from_millis(1)), || ()).await;
        assert!(
            0 < so_far && so_far < FLOOD,
            "{so_far} were accepted before"
        );
    });
}
