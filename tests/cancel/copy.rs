//! Copies from one stream to another, dropped at each of their waits.

use mainspring::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, copy_buf};
use mainspring::net::UnixStream;

use crate::everywhere::Case;
use crate::rig::{On, pattern};
use crate::slow::Slow;
use crate::wire::{self, Far, MUCH_FOR_UNIX as MUCH, Near};

everywhere! {
    a_copy_leaves_a_beginning_and_streams_that_work,
    a_copy_from_a_buffer_takes_only_what_it_has_written,
    a_copy_from_a_slow_buffer_gives_each_byte_once,
    a_copy_both_ways_leaves_beginnings_and_streams_that_work,
}

/// Much to read at once, and a socket that takes little of it.
fn source_and_sink() -> ((std::io::Cursor<Vec<u8>>, Near<UnixStream>), Far) {
    let (near, far) = wire::narrow_unix();
    ((std::io::Cursor::new(pattern(MUCH)), near), far)
}

// cancels: io::copy
fn a_copy_leaves_a_beginning_and_streams_that_work(on: On) {
    let waits = Case::new(on, source_and_sink)
        .others_wait()
        .world(Far::make_room)
        .not_safe(
            async |(source, sink)| {
                let count = copy(source, &mut sink.stream).await.unwrap();
                sink.is_done = count == MUCH as u64;
            },
            async |(source, sink), far| {
                // What was read and not written is lost; all behind that can still be read.
                let mut rest = Vec::new();
                source.read_to_end(&mut rest).await.unwrap();
                assert!(pattern(MUCH).ends_with(&rest));
                far.make_room();
                AsyncWriteExt::write_all(&mut sink.stream, &[255])
                    .await
                    .unwrap();
                sink.stream.close().await.unwrap();
                far.receive_all(usize::MAX);
                assert_eq!(far.got.pop(), Some(255));
                assert!(pattern(MUCH).starts_with(&far.got));
                assert!(far.got.len() + rest.len() <= MUCH && !far.got.is_empty());
                assert!(!sink.is_done || far.got.len() == MUCH);
            },
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: io::copy_buf
fn a_copy_from_a_buffer_takes_only_what_it_has_written(on: On) {
    let waits = Case::new(on, source_and_sink)
        .others_wait()
        .world(Far::make_room)
        .safe(
            async |(source, sink)| {
                copy_buf(source, &mut sink.stream).await.unwrap();
            },
            async |_, far| {
                far.receive_all(MUCH);
                assert!(far.got == pattern(MUCH));
            },
        );
    assert!(waits >= 2, "{waits}");
}

// cancels: io::copy_buf
fn a_copy_from_a_slow_buffer_gives_each_byte_once(on: On) {
    let setup = || ((Slow::reader(&pattern(20)), Slow::default()), ());
    let waits = Case::new(on, setup).safe(
        async |(source, sink)| {
            copy_buf(source, sink).await.unwrap();
        },
        async |(source, sink), ()| {
            assert!(source.rest().is_empty() && sink.rest().is_empty());
            assert_eq!(sink.arrived, pattern(20));
        },
    );
    assert!(waits >= 20, "{waits}");
}

/// What arrived at the far end of `to` is a beginning of what came from the far end of `from`, and what is
/// still in `from` is the end of it.
async fn came_through(
    from: &mut Near<UnixStream>,
    far_from: &mut Far,
    to: &mut Near<UnixStream>,
    far_to: &mut Far,
) {
    far_from.end();
    let mut rest = Vec::new();
    from.stream.read_to_end(&mut rest).await.unwrap();
    to.stream.close().await.unwrap();
    far_to.receive_all(usize::MAX);
    let all = pattern(far_from.sent);
    assert!(all.starts_with(&far_to.got) && all.ends_with(&rest));
    assert!(far_to.got.len() + rest.len() <= all.len());
    assert!(!from.is_done || far_to.got == all);
}

// cancels: io::copy_bidirectional
fn a_copy_both_ways_leaves_beginnings_and_streams_that_work(on: On) {
    const ALL: usize = 9;
    let setup = || {
        let ((a, far_a), (b, far_b)) = (wire::unix(), wire::unix());
        ((a, b), (far_a, far_b))
    };
    let waits = Case::new(on, setup)
        .others_wait()
        .world(|(far_a, far_b)| {
            far_a.send_or_end(3, ALL);
            far_b.send_or_end(2, ALL - 1);
        })
        .not_safe(
            async |(a, b)| {
                let copied = copy_bidirectional(&mut a.stream, &mut b.stream).await;
                assert_eq!(copied.unwrap(), (ALL as u64, ALL as u64 - 1));
                (a.is_done, b.is_done) = (true, true);
            },
            async |(a, b), (far_a, far_b)| {
                came_through(a, far_a, b, far_b).await;
                came_through(b, far_b, a, far_a).await;
            },
        );
    assert!(waits >= 4, "{waits}");
}
