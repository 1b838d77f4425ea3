//! What a thread does that waits for a stream; the ways are tried in `tests/stdio.rs`, which has a process for each.

use super::*;

fn patient() -> (Patient, Fd) {
    let (reader, writer) = pipe::pipe().unwrap();
    (Patient::new(reader.into_owned(), false).unwrap(), writer)
}

#[test]
fn whoever_is_told_to_give_up_before_it_begins_does_not_begin() {
    let (patient, writer) = patient();
    pipe::write(&writer, b"x").unwrap();
    patient.give_up();
    assert_eq!(
        patient.read(&mut [0; 4]).unwrap(),
        None,
        "also if bytes are there"
    );
    patient.go_on();
    assert_eq!(patient.read(&mut [0; 4]).unwrap(), Some(1));
    drop(writer);
    assert_eq!(patient.read(&mut [0; 4]).unwrap(), Some(0), "the end");
}

#[test]
fn whoever_waits_gives_up_when_it_is_told() {
    let (patient, _writer) = patient();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| patient.read(&mut [0; 4]));
        patient.give_up();
        assert_eq!(waiter.join().unwrap().unwrap(), None);
    });
}

#[cfg(feature = "sim")]
#[test]
fn what_does_not_block_after_all_is_waited_for_again() {
    use crate::fault::{Fault, Plan, count_of};
    let (patient, writer) = patient();
    pipe::write(&writer, b"tick").unwrap();
    // Somebody else was quicker, and then more came.
    let plan = Plan::new().at(Call::Read, 1, Fault::Errno(libc::EAGAIN));
    let guard = plan.install();
    assert_eq!(patient.read(&mut [0; 4]).unwrap(), Some(4));
    assert_eq!(count_of(Call::Wait), 2);
    drop(guard);
}

#[test]
fn what_is_written_without_a_wait_stops_where_it_would_wait() {
    let (reader, writer) = pipe::pipe().unwrap();
    pipe::set_nonblocking(&writer, false).unwrap();
    let patient = Patient::new(writer.into_owned(), false).unwrap();
    let much = vec![7; 1 << 20];
    let done = patient.write_now(&much).unwrap();
    assert!((4096..much.len()).contains(&done), "{done}");
    assert_eq!(patient.write_now(&much).unwrap(), 0);
    let mut got = vec![0; 1 << 20];
    let mut count = 0;
    while let Ok(moved) = pipe::read(&reader, &mut got) {
        count += moved.done;
    }
    assert_eq!(count, done);
    drop(reader);
    let error = patient.write_now(&much).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
