//! Waits for signals, dropped at each of their waits.

use mainspring::signal::{self, Listener, Queue, Signal, SignalSet};
use mainspring::stream::StreamExt;
use mainspring_sys::signal as sys;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_listener_hears_every_signal,
    a_stream_hears_every_signal,
    a_signal_that_is_awaited_once_comes,
    a_ctrl_c_that_is_awaited_once_comes,
    a_queue_gives_every_signal,
}

/// Sends this thread one: the handler has rung the bell by the time this returns.
fn raise(signal: Signal) {
    sys::raise_here(signal).unwrap();
}

/// Its descriptors are kept for ever.
fn make_bell() {
    drop(sys::Bell::new().unwrap());
}

// cancels: Listener::recv
fn a_listener_hears_every_signal(on: On) {
    make_bell();
    let setup = || ((signal::signal(Signal::USR1).unwrap(), 0), ());
    let waits = Case::new(on, setup).world(|()| raise(Signal::USR1)).safe(
        async |(listener, heard): &mut (Listener, u64)| {
            while *heard < 3 {
                *heard += listener.recv().await.unwrap().count;
            }
        },
        async |(_, heard), ()| assert!(*heard >= 3),
    );
    assert_eq!(waits, 3);
}

fn a_stream_hears_every_signal(on: On) {
    make_bell();
    let setup = || ((signal::signal(Signal::USR1).unwrap(), 0), ());
    let case = Case::new(on, setup).world(|()| raise(Signal::USR1));
    let waits = case.others_wait().safe(
        async |(listener, heard): &mut (Listener, u64)| {
            while *heard < 3 {
                *heard += listener.next().await.unwrap().unwrap().count;
            }
        },
        async |(_, heard), ()| assert!(*heard >= 3),
    );
    assert_eq!(waits, 3);
}

/// A new wait hears what comes from then on; the signal's default would end the process if nobody listened.
fn listening(signal: Signal) -> impl Fn() -> ((Listener, u32), ()) {
    make_bell();
    move || ((signal::signal(signal).unwrap(), 0), ())
}

// cancels: signal::once
fn a_signal_that_is_awaited_once_comes(on: On) {
    let case = Case::new(on, listening(Signal::USR2)).world(|()| raise(Signal::USR2));
    case.others_wait().safe(
        async |(_, count): &mut (Listener, u32)| {
            signal::once(Signal::USR2).await.unwrap();
            *count += 1;
        },
        async |(_, count), ()| assert_eq!(*count, 1),
    );
}

// cancels: signal::ctrl_c
fn a_ctrl_c_that_is_awaited_once_comes(on: On) {
    let case = Case::new(on, listening(Signal::INT)).world(|()| raise(Signal::INT));
    case.others_wait().safe(
        async |(_, count): &mut (Listener, u32)| {
            signal::ctrl_c().await.unwrap();
            *count += 1;
        },
        async |(_, count), ()| assert_eq!(*count, 1),
    );
}

// cancels: Queue::recv
fn a_queue_gives_every_signal(on: On) {
    // Only this thread is sent one, whatever other tests run.
    let set = SignalSet::from(Signal::WINCH);
    if signal::queue(set).is_err() {
        return;
    }
    let setup = move || ((signal::queue(set).unwrap(), 0), ());
    let case = Case::new(on, setup).world(|()| raise(Signal::WINCH));
    let waits = case.safe(
        async |(queue, taken): &mut (Queue, u64)| {
            while *taken < 3 {
                *taken += queue.recv().await.unwrap().count;
            }
        },
        async |(_, taken), ()| assert_eq!(*taken, 3),
    );
    assert_eq!(waits, 3);
}
