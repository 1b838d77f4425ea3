//! Framed streams, dropped at each of their waits.

use mainspring::codec::{Framed, FramedRead, FramedWrite, LinesCodec};
use mainspring::net::UnixStream;
use mainspring::stream::StreamExt;

use crate::everywhere::Case;
use crate::rig::On;
use crate::wire::{self, Far, Near};

everywhere! {
    a_frame_that_has_come_in_part_stays,
    a_frame_that_has_come_in_part_stays_while_others_go,
    a_send_takes_the_item_or_nothing_of_it,
    a_feed_takes_the_item_or_nothing_of_it,
    a_flush_writes_each_byte_once,
    a_close_writes_each_byte_once_and_then_the_end,
}

/// The lines that come, which are cut anywhere.
const TEXT: &str = "a\nlonger\n\nline\n";
/// How many lines are sent.
const LINES: usize = 120;

fn line(number: usize) -> String {
    format!("{number:0>200}")
}

/// The first `count` lines, as they go over the wire.
fn lines(count: usize) -> Vec<u8> {
    let lines = (0..count).map(|number| line(number) + "\n");
    lines.collect::<String>().into_bytes()
}

/// Sends two more bytes of the text, or its end.
fn dribble(far: &mut Far) {
    match TEXT.as_bytes()[far.sent..].chunks(2).next() {
        Some(bytes) => far.send_bytes(bytes),
        None => far.end(),
    }
}

// cancels: FramedRead
fn a_frame_that_has_come_in_part_stays(on: On) {
    let setup = || {
        let (near, far) = wire::unix();
        let lines = FramedRead::new(near.stream, LinesCodec::new());
        ((lines, Vec::new()), far)
    };
    let waits = Case::new(on, setup).others_wait().world(dribble).safe(
        async |(lines, got)| {
            while let Some(line) = lines.next().await {
                got.push(line.unwrap());
            }
        },
        async |(_, got), _| assert_eq!(*got, ["a", "longer", "", "line"]),
    );
    assert_eq!(waits, TEXT.len().div_ceil(2) as u32 + 1);
}

// cancels: Framed
fn a_frame_that_has_come_in_part_stays_while_others_go(on: On) {
    let setup = || {
        let (near, far) = wire::narrow_unix();
        let framed = Framed::new(near.stream, LinesCodec::new());
        ((framed, 0, Vec::new()), far)
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|far| {
            dribble(far);
            far.make_room();
        })
        .safe(
            async |(framed, fed, got)| {
                while *fed < 100 {
                    framed.feed(line(*fed)).await.unwrap();
                    *fed += 1;
                }
                // Meanwhile it writes what is kept.
                while let Some(line) = framed.next().await {
                    got.push(line.unwrap());
                }
            },
            async |(framed, _, got), far| {
                assert_eq!(*got, ["a", "longer", "", "line"]);
                let (kept, all) = (framed.write_buffer().len(), lines(100));
                far.receive_all(all.len() - kept);
                assert!(far.got == all[..all.len() - kept] && !far.got.is_empty());
            },
        );
    assert!(waits >= 8, "{waits}");
}

/// A writer of lines that keeps few of them, and how many it took.
fn narrow_lines() -> ((FramedWrite<UnixStream, LinesCodec>, usize), Far) {
    let (near, far) = wire::narrow_unix();
    let Near { stream, .. } = near;
    let lines = FramedWrite::new(stream, LinesCodec::new()).water_marks(300, 1000);
    ((lines, 0), far)
}

/// A writer of lines that takes them all without a wait, and how many it took.
fn wide_lines() -> ((FramedWrite<UnixStream, LinesCodec>, usize), Far) {
    let ((lines, taken), far) = narrow_lines();
    ((lines.water_marks(300, 1 << 20), taken), far)
}

/// All arrives, each line once.
async fn all_came(
    (framed, taken): &mut (FramedWrite<UnixStream, LinesCodec>, usize),
    far: &mut Far,
) {
    assert_eq!(*taken, LINES);
    let all = lines(LINES);
    far.receive_all(all.len() - framed.write_buffer().len());
    framed.close().await.unwrap();
    far.receive_all(usize::MAX);
    assert!(far.got == all);
}

// cancels: FramedWrite::send
fn a_send_takes_the_item_or_nothing_of_it(on: On) {
    let waits = Case::new(on, narrow_lines)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(framed, taken)| {
                while *taken < LINES {
                    framed.send(line(*taken)).await.unwrap();
                    *taken += 1;
                }
            },
            all_came,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: FramedWrite::feed
fn a_feed_takes_the_item_or_nothing_of_it(on: On) {
    let waits = Case::new(on, narrow_lines)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(framed, taken)| {
                while *taken < LINES {
                    framed.feed(line(*taken)).await.unwrap();
                    *taken += 1;
                }
            },
            all_came,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: FramedWrite::flush
fn a_flush_writes_each_byte_once(on: On) {
    let waits = Case::new(on, wide_lines)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(framed, taken)| {
                while *taken < LINES {
                    framed.feed(line(*taken)).await.unwrap();
                    *taken += 1;
                }
                framed.flush().await.unwrap();
                assert!(framed.write_buffer().is_empty());
            },
            all_came,
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: FramedWrite::close
fn a_close_writes_each_byte_once_and_then_the_end(on: On) {
    let waits = Case::new(on, wide_lines)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(framed, taken)| {
                while *taken < LINES {
                    framed.feed(line(*taken)).await.unwrap();
                    *taken += 1;
                }
                framed.close().await.unwrap();
            },
            async |_, far| {
                // Nobody closes it but the operation.
                far.receive_all(usize::MAX);
                assert!(far.got == lines(LINES));
            },
        );
    assert!(waits >= 2, "{waits}");
}
