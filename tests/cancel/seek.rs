//! Seeks, dropped at each of their waits.

use std::io::SeekFrom;
use std::pin::Pin;

use mainspring::io::{AsyncBufRead, AsyncSeekExt};

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::slow::Slow;

everywhere! {
    a_seek_leaves_the_old_place_or_the_new_one,
    a_rewind_can_be_made_again,
    a_position_that_is_asked_for_moves_nothing,
}

/// A stream of ten bytes, and the places that were told.
fn ten_bytes() -> ((Slow, Vec<u64>), ()) {
    ((Slow::reader(&pattern(10)), Vec::new()), ())
}

// cancels: AsyncSeekExt::seek
fn a_seek_leaves_the_old_place_or_the_new_one(on: On) {
    let waits = Case::new(on, ten_bytes).safe(
        async |(stream, told)| {
            for place in [SeekFrom::Start(7), SeekFrom::End(-4)]
                .into_iter()
                .skip(told.len())
            {
                assert_eq!(stream.rest().len(), [10, 3][told.len()]);
                told.push(stream.seek(place).await.unwrap());
            }
        },
        async |(stream, told), ()| {
            assert_eq!((&told[..], stream.rest()), (&[7, 6][..], &pattern(10)[6..]));
        },
    );
    assert_eq!(waits, 2);
}

// cancels: AsyncSeekExt::rewind
fn a_rewind_can_be_made_again(on: On) {
    let setup = || {
        let ((mut stream, _), ()) = ten_bytes();
        Pin::new(&mut stream).consume(8);
        (stream, ())
    };
    let waits = Case::new(on, setup).safe(
        async |stream| stream.rewind().await.unwrap(),
        async |stream, ()| assert_eq!(stream.rest(), pattern(10)),
    );
    assert_eq!(waits, 1);
}

// cancels: AsyncSeekExt::stream_position
fn a_position_that_is_asked_for_moves_nothing(on: On) {
    let waits = Case::new(on, ten_bytes).safe(
        async |(stream, told)| {
            while told.len() < 3 {
                told.push(stream.stream_position().await.unwrap());
            }
        },
        async |(stream, told), ()| {
            assert_eq!((&told[..], stream.rest().len()), (&[0; 3][..], 10));
        },
    );
    assert_eq!(waits, 3);
}
