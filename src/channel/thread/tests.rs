//! The parts of a channel between threads that do not show from outside.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use super::line::{Left, Line};
use super::*;

fn waker() -> Waker {
    Waker::noop().clone()
}

#[test]
fn hz_h11_a_queue_that_has_grown_gives_its_memory_back_when_somebody_waits() {
    let shared = Shared::new(UNBOUNDED);
    let mut batch = VecDeque::new();
    let cx = Context::from_waker(Waker::noop());
    for round in 0..2 {
        for number in 0..100_000 {
            shared.try_send(number).unwrap();
        }
        assert!(shared.poll_batch(&mut batch, 1, &cx).is_ready());
        shared.try_send(0).unwrap();
        assert_eq!(batch.len(), 100_000, "round {round}");
        batch.clear();
        assert!(shared.poll_batch(&mut batch, 1, &cx).is_ready());
        batch.clear();
        assert!(shared.poll_batch(&mut batch, 1, &cx).is_pending());
        assert!(batch.capacity() + shared.item_room() < 3000);
    }
}

#[test]
fn hz_h11_a_small_queue_keeps_its_memory() {
    let shared = Shared::new(UNBOUNDED);
    let mut batch = VecDeque::new();
    let cx = Context::from_waker(Waker::noop());
    shared.try_send(1).unwrap();
    assert!(shared.poll_batch(&mut batch, 1, &cx).is_ready());
    batch.clear();
    assert!(shared.poll_batch(&mut batch, 1, &cx).is_pending());
    assert!(batch.capacity() > 0);
}

#[test]
fn hz_h12_a_line_stays_short_while_its_first_waits_and_others_come_and_go() {
    let mut line = Line::new();
    let first = line.join(waker());
    for _ in 0..10_000 {
        let ticket = line.join(waker());
        assert!(matches!(line.leave(ticket), Left::Waker(_)));
        let _kept_in_the_middle = line.join(waker());
        let later = line.join(waker());
        assert!(matches!(line.leave(_kept_in_the_middle), Left::Waker(_)));
        assert!(matches!(line.leave(later), Left::Waker(_)));
    }
    assert!(line.places() < 100, "{} places", line.places());
    assert!(line.grant().is_some());
    assert!(line.take_grant(first) && !line.take_grant(first));
    assert!(line.grant().is_none());
    assert_eq!((line.places(), line.granted()), (0, 0));
}

#[test]
fn a_line_against_a_plain_list() {
    // A small generator of numbers, so that a failure repeats.
    let mut state = 4711_u64;
    let mut random = move |bound: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % bound
    };
    let mut line = Line::new();
    let (mut waiting, mut granted) = (Vec::new(), Vec::new());
    for step in 0..100_000 {
        match random(5) {
            0 | 1 if waiting.len() < 200 => waiting.push(line.join(waker())),
            2 => {
                assert_eq!(line.grant().is_some(), !waiting.is_empty(), "step {step}");
                if !waiting.is_empty() {
                    granted.push(waiting.remove(0));
                }
            }
            3 if !waiting.is_empty() => {
                let ticket = waiting.remove(random(waiting.len() as u64) as usize);
                assert!(matches!(line.leave(ticket), Left::Waker(_)), "step {step}");
                assert!(matches!(line.leave(ticket), Left::Nothing));
            }
            _ if !granted.is_empty() => {
                let ticket = granted.remove(random(granted.len() as u64) as usize);
                if random(2) == 0 {
                    assert!(line.take_grant(ticket), "step {step}");
                } else {
                    assert!(matches!(line.leave(ticket), Left::Grant), "step {step}");
                }
            }
            _ => {}
        }
        assert_eq!(line.granted(), granted.len(), "step {step}");
        assert!(line.places() <= 2 * (waiting.len() + granted.len()) + 34);
    }
    assert_eq!(line.end().len(), waiting.len());
    for ticket in granted {
        assert!(line.take_grant(ticket), "what was granted outlives the end");
    }
    assert_eq!(line.places(), 0);
}

#[test]
fn a_receive_that_is_forgotten_is_replaced_by_the_next() {
    let (sender, mut receiver) = unbounded();
    let mut cx = Context::from_waker(Waker::noop());
    let mut forgotten = Box::pin(receiver.recv());
    assert!(forgotten.as_mut().poll(&mut cx).is_pending());
    std::mem::forget(forgotten);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    let mut recv = pin!(receiver.recv());
    assert!(recv.as_mut().poll(&mut cx).is_ready());
}
