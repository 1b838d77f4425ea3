//! The backend's own decisions, against the fake kernel. What the real ones do is the business of
//! `sys/tests/conformance.rs`, which runs on the real systems.
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::event::Ready;
use crate::kqueue::event::{EV_CLEAR, EV_EOF, RawChange};

const TOKEN: Token = Token(7 << 32 | 1);
const BOTH: Interest = Interest::READ.union(Interest::WRITE);

fn socket() -> (UnixStream, usize) {
    let (socket, _) = UnixStream::pair().unwrap();
    let number = socket.as_raw_fd() as usize;
    (socket, number)
}

fn condition(filter: Filter) -> RawChange {
    RawChange {
        filter,
        flags: EV_CLEAR,
        fflags: 0,
        data: 1,
    }
}

fn wait(kqueue: &mut Kqueue) -> Vec<Event> {
    let mut events = Events::with_capacity(8);
    kqueue.wait(&mut events, Deadline::Now).unwrap();
    events.iter().collect()
}

#[test]
fn b2_add_reports_a_condition_that_already_holds_and_b4_reports_it_once() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    assert_eq!(
        wait(&mut kqueue),
        [Event {
            token: TOKEN,
            ready: Ready::READABLE
        }]
    );
    assert_eq!(wait(&mut kqueue), []);
}

#[test]
fn rearm_of_a_direction_that_is_there_makes_no_call() {
    let (socket, _) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    let calls = kqueue.queue.kernel().change_calls;
    kqueue.rearm(socket.as_fd(), TOKEN, BOTH).unwrap();
    assert_eq!(kqueue.queue.kernel().change_calls, calls);
}

#[test]
fn b5_rearm_of_a_new_direction_reports_a_level_that_already_holds() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, Interest::READ).unwrap();
    kqueue.queue.kernel().set(number, condition(Filter::Write));
    assert_eq!(wait(&mut kqueue), []);
    kqueue
        .rearm(socket.as_fd(), TOKEN, Interest::WRITE)
        .unwrap();
    assert_eq!(
        wait(&mut kqueue),
        [Event {
            token: TOKEN,
            ready: Ready::WRITABLE
        }]
    );
}

#[test]
fn b8_remove_deletes_every_filter_and_silences_the_token() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, Interest::all()).unwrap();
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    kqueue.remove(socket.as_fd(), TOKEN).unwrap();
    for filter in [Filter::Read, Filter::Write, Filter::Except] {
        assert!(!kqueue.queue.kernel().has(number, filter));
    }
    assert_eq!(wait(&mut kqueue), []);
}

#[test]
fn b8_an_event_with_another_token_is_dropped() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, Interest::READ).unwrap();
    kqueue.queue.kernel().entries.last_mut().unwrap().udata = 99;
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    assert_eq!(wait(&mut kqueue), []);
}

#[test]
fn b11_one_registration_per_number_and_hz_c13_both_work_over_a_dup() {
    let (socket, _) = socket();
    let dup = socket.try_clone().unwrap();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    let again = kqueue.add(socket.as_fd(), Token(2), BOTH).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    kqueue.add(dup.as_fd(), Token(2), BOTH).unwrap();
    kqueue.remove(socket.as_fd(), TOKEN).unwrap();
    let gone = kqueue.remove(socket.as_fd(), TOKEN).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let gone = kqueue.rearm(socket.as_fd(), TOKEN, BOTH).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let stranger = kqueue.remove(dup.as_fd(), TOKEN).unwrap_err();
    assert_eq!(
        stranger.kind(),
        ErrorKind::NotFound,
        "the token must fit as well"
    );
}

#[test]
fn b11_b12_what_cannot_be_watched_is_unsupported_and_what_makes_no_sense_invalid() {
    let directory = std::fs::File::open("/").unwrap();
    let (socket, _) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    let error = kqueue.add(directory.as_fd(), TOKEN, BOTH).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = kqueue
        .add(socket.as_fd(), TOKEN, Interest::empty())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = kqueue.add(socket.as_fd(), Token::NOTIFY, BOTH).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn hz_c22_an_add_that_is_refused_half_way_leaves_nothing_behind() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue
        .queue
        .kernel()
        .refused
        .push((Filter::Write, libc::ENOMEM));
    let error = kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    assert!(!kqueue.queue.kernel().has(number, Filter::Read));
    kqueue.queue.kernel().refused.clear();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
}

#[test]
fn a_rearm_that_is_refused_leaves_the_registration_as_it_was() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, Interest::READ).unwrap();
    kqueue
        .queue
        .kernel()
        .refused
        .push((Filter::Write, libc::EINVAL));
    let error = kqueue.rearm(socket.as_fd(), TOKEN, BOTH).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(kqueue.queue.kernel().has(number, Filter::Read));
    kqueue.queue.kernel().refused.clear();
    kqueue.rearm(socket.as_fd(), TOKEN, BOTH).unwrap();
    assert!(kqueue.queue.kernel().has(number, Filter::Write));
}

#[test]
fn hz_c19_an_event_in_the_place_of_a_receipt_is_not_lost() {
    let (first, first_number) = socket();
    let (second, second_number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(first.as_fd(), Token(1), Interest::READ).unwrap();
    kqueue.queue.kernel().unreceipted.push(Filter::Write);
    // One's own event, and then a stranger's.
    kqueue
        .queue
        .kernel()
        .set(second_number, condition(Filter::Write));
    kqueue.add(second.as_fd(), Token(2), BOTH).unwrap();
    assert_eq!(
        wait(&mut kqueue),
        [Event {
            token: Token(2),
            ready: Ready::WRITABLE
        }]
    );
    kqueue
        .queue
        .kernel()
        .set(first_number, condition(Filter::Read));
    kqueue.remove(second.as_fd(), Token(2)).unwrap();
    assert_eq!(
        wait(&mut kqueue),
        [Event {
            token: Token(1),
            ready: Ready::READABLE
        }]
    );
}

#[test]
fn a_pipe_that_refuses_its_filter_with_epipe_is_reported_at_its_end() {
    let (_, writer) = rustix::pipe::pipe().unwrap();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue
        .queue
        .kernel()
        .refused
        .push((Filter::Write, libc::EPIPE));
    kqueue.add(writer.as_fd(), TOKEN, Interest::WRITE).unwrap();
    let mut events = Events::with_capacity(1);
    kqueue.wait(&mut events, Deadline::Never).unwrap();
    let ready = Ready::WRITABLE | Ready::WRITE_CLOSED;
    assert_eq!(
        events.get(0),
        Some(Event {
            token: TOKEN,
            ready
        })
    );
    assert_eq!(wait(&mut kqueue), []);
}

#[test]
fn b8_a_report_that_is_owed_dies_with_its_registration() {
    let (_, writer) = rustix::pipe::pipe().unwrap();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue
        .queue
        .kernel()
        .refused
        .push((Filter::Write, libc::EPIPE));
    kqueue.add(writer.as_fd(), TOKEN, Interest::WRITE).unwrap();
    kqueue.submit().unwrap();
    kqueue.remove(writer.as_fd(), TOKEN).unwrap();
    assert_eq!(wait(&mut kqueue), []);
}

#[test]
fn b10_the_notifiers_pipe_is_drained_and_not_reported() {
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.notifier().notify().unwrap();
    let Mechanism::Pipe(pipe) = kqueue.notifier.mechanism() else {
        panic!("the fake has a pipe")
    };
    let number = pipe.as_fd().as_raw_fd() as usize;
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    assert_eq!(wait(&mut kqueue), []);
    let Mechanism::Pipe(pipe) = kqueue.notifier.mechanism() else {
        unreachable!()
    };
    assert!(
        rustix::io::read(pipe.as_fd(), &mut [0; 1]).is_err(),
        "drained"
    );
}

#[test]
fn hz_c21_more_events_than_room_come_in_the_next_wait() {
    let sockets: Vec<_> = (0..5).map(|_| socket()).collect();
    let mut kqueue = Kqueue::new().unwrap();
    for (index, (socket, number)) in sockets.iter().enumerate() {
        kqueue
            .add(socket.as_fd(), Token(index as u64), Interest::READ)
            .unwrap();
        kqueue.queue.kernel().set(*number, condition(Filter::Read));
    }
    let mut events = Events::with_capacity(2);
    let mut seen = Vec::new();
    for _ in 0..3 {
        kqueue.wait(&mut events, Deadline::Now).unwrap();
        seen.extend(events.iter().map(|event| event.token.0));
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn b7_a_half_close_and_a_reset_come_through_whole() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    let reset = RawChange {
        flags: EV_CLEAR | EV_EOF,
        fflags: 54,
        ..condition(Filter::Read)
    };
    kqueue.queue.kernel().set(number, reset);
    let ready = Ready::READABLE | Ready::WRITABLE | Ready::READ_CLOSED | Ready::ERROR;
    assert_eq!(
        wait(&mut kqueue),
        [Event {
            token: TOKEN,
            ready
        }]
    );
}

#[test]
fn b9_the_deadline_reaches_the_kernel() {
    let mut kqueue = Kqueue::new().unwrap();
    let mut events = Events::with_capacity(1);
    kqueue.wait(&mut events, Deadline::Never).unwrap();
    assert_eq!(kqueue.queue.kernel().timeout, None);
    kqueue.wait(&mut events, Deadline::Now).unwrap();
    assert_eq!(kqueue.queue.kernel().timeout, Some(Duration::ZERO));
}

#[cfg(feature = "sim")]
#[test]
fn hz_c01_eintr_is_an_empty_return_of_wait_and_is_made_up_for_by_add() {
    use crate::fault::{Fault, Plan, count_of};
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    let _guard = Plan::new()
        .at(Call::Control, 1, Fault::Errno(libc::EINTR))
        .at(Call::Wait, 1, Fault::Errno(libc::EINTR))
        .install();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    assert_eq!(count_of(Call::Control), 2);
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    assert_eq!(wait(&mut kqueue), []);
    assert_eq!(wait(&mut kqueue).len(), 1);
}

#[test]
fn after_fork_the_queue_is_another_and_its_notifier_is_watched_there() {
    let (socket, number) = socket();
    let mut kqueue = Kqueue::new().unwrap();
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    kqueue.owed.push(Event {
        token: TOKEN,
        ready: Ready::READABLE,
    });
    kqueue.after_fork().unwrap();
    assert_eq!(wait(&mut kqueue), []);
    let entries = kqueue.queue.kernel().entries.len();
    assert_eq!(entries, 1, "the notifier's pipe, and nothing else");
    kqueue.queue.kernel().set(number, condition(Filter::Read));
    kqueue.add(socket.as_fd(), TOKEN, BOTH).unwrap();
    assert_eq!(wait(&mut kqueue).len(), 1);
}
