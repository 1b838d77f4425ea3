//! The methods of readers and writers on sockets, on both backends.

use std::io::{self, IoSlice};
use std::time::Duration;

use mainspring::io::{AsyncReadExt, AsyncWriteExt, Buf, Incomplete, ReadCursor};
use mainspring::net::UnixStream;
use mainspring::time::timeout;

use super::rig::{On, both, pattern, small_buffers, tcp_pair};

on_both! {
    a_mebibyte_passes_through_small_buffers_by_every_pair_of_methods,
    hz_d09_no_room_and_no_bytes_wait_for_nobody,
    hz_d10_five_thousand_slices_arrive_in_order,
    a_read_of_a_given_length_that_times_out_is_called_again,
    a_write_that_times_out_is_called_again,
    a_peer_that_closes_within_a_read_says_after_how_many_bytes,
    a_number_comes_together_from_its_bytes,
    what_is_closed_is_read_to_its_end,
}

fn a_mebibyte_passes_through_small_buffers_by_every_pair_of_methods(on: On) {
    on.run(async {
        let sent = pattern(1 << 20);
        let (mut near, mut far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        small_buffers(&far, 16 << 10);
        let writer = async {
            AsyncWriteExt::write_all(&mut near, &sent).await.unwrap();
            near.write_all_buf(&mut &sent[..]).await.unwrap();
            let (head, tail) = sent.split_at(1000);
            let mut halves = [IoSlice::new(head), IoSlice::new(tail)];
            near.write_all_vectored(&mut halves).await.unwrap();
            near.close().await.unwrap();
        };
        let reader = async {
            let mut got = vec![0; sent.len()];
            far.read_exact(&mut got).await.unwrap();
            assert!(got == sent);
            got.fill(0);
            let mut cursor = ReadCursor::new(&mut got);
            far.read_exact_buf(&mut cursor).await.unwrap();
            assert!(cursor.filled() == sent);
            let mut got = Vec::new();
            assert_eq!(far.read_to_end(&mut got).await.unwrap(), sent.len());
            assert!(got == sent);
        };
        both(writer, reader).await;
    });
}

fn hz_d09_no_room_and_no_bytes_wait_for_nobody(on: On) {
    on.run(async {
        let (mut near, mut far) = tcp_pair().await;
        // Nothing has come, so whoever waited would wait for ever.
        assert_eq!(AsyncReadExt::read(&mut near, &mut []).await.unwrap(), 0);
        near.read_exact(&mut []).await.unwrap();
        assert_eq!(near.read_vectored(&mut []).await.unwrap(), 0);
        AsyncWriteExt::write_all(&mut near, b"").await.unwrap();
        near.write_all_vectored(&mut [IoSlice::new(b"")])
            .await
            .unwrap();
        AsyncWriteExt::write_all(&mut near, b"tick").await.unwrap();
        let mut buf = [0; 4];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"tick", "and none of it was an end");
    });
}

fn hz_d10_five_thousand_slices_arrive_in_order(on: On) {
    on.run(async {
        let sent = pattern(25_000);
        let slices: Vec<IoSlice<'_>> = sent.chunks(5).map(IoSlice::new).collect();
        assert_eq!(slices.len(), 5000);
        let (mut near, mut far) = tcp_pair().await;
        let writer = async {
            near.write_all_vectored(&mut slices.clone()).await.unwrap();
            let mut once_more = slices.clone();
            let mut left = &mut once_more[..];
            near.write_all_buf(&mut left).await.unwrap();
            assert!(left.is_empty());
            // As many as the kernel is asked to take at once is the socket's business.
            let count = near.write_vectored(&slices).await.unwrap();
            near.close().await.unwrap();
            count
        };
        let reader = async {
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            got
        };
        let (count, got) = both(writer, reader).await;
        assert!(count > 0);
        assert!(got == [&sent[..], &sent, &sent[..count]].concat());
    });
}

fn a_read_of_a_given_length_that_times_out_is_called_again(on: On) {
    on.sim(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut buf = [0; 9];
        let mut cursor = ReadCursor::new(&mut buf);
        for piece in [&b"ti"[..], b"", b"ck to"] {
            near.write_all(piece).await.unwrap();
            let read = far.read_exact_buf(&mut cursor);
            assert!(timeout(Duration::from_secs(1), read).await.is_err());
        }
        assert_eq!(cursor.filled(), b"tick to");
        near.write_all(b"ck").await.unwrap();
        far.read_exact_buf(&mut cursor).await.unwrap();
        assert_eq!(cursor.into_filled(), b"tick tock");
    });
}

fn a_write_that_times_out_is_called_again(on: On) {
    on.sim(async {
        let sent = pattern(1 << 20);
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let mut rest = &sent[..];
        let mut got = Vec::new();
        let mut late_count = 0;
        while rest.has_remaining() {
            let write = near.write_all_buf(&mut rest);
            if timeout(Duration::from_secs(1), write).await.is_err() {
                late_count += 1;
                // Nobody reads while the write waits; then what was written is taken away.
                let written = sent.len() - rest.len() - got.len();
                let mut taken = vec![0; written];
                far.read_exact(&mut taken).await.unwrap();
                got.append(&mut taken);
            }
        }
        assert!(late_count > 0, "a mebibyte does not fit into the kernel");
        drop(near);
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == sent);
    });
}

fn a_peer_that_closes_within_a_read_says_after_how_many_bytes(on: On) {
    on.run(async {
        let (near, mut far) = tcp_pair().await;
        near.write_all(b"tick").await.unwrap();
        drop(near);
        let mut buf = [0; 9];
        let error = far.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(Incomplete::of(&error).unwrap().done(), 4);
        assert_eq!(&buf[..4], b"tick");
    });
}

fn a_number_comes_together_from_its_bytes(on: On) {
    on.run(async {
        let (near, mut far) = tcp_pair().await;
        let writer = async {
            for byte in 0xdead_beef_u32.to_be_bytes() {
                (&near).write_u8(byte).await.unwrap();
                mainspring::yield_to_io().await;
            }
            (&near).write_f64_le(0.5).await.unwrap();
        };
        let reader = async {
            assert_eq!(far.read_u32().await.unwrap(), 0xdead_beef);
            assert_eq!(far.read_f64_le().await.unwrap(), 0.5);
        };
        both(writer, reader).await;
    });
}

fn what_is_closed_is_read_to_its_end(on: On) {
    on.run(async {
        let (mut near, mut far) = tcp_pair().await;
        AsyncWriteExt::write_all(&mut near, "tïck".as_bytes())
            .await
            .unwrap();
        near.flush().await.unwrap();
        near.close().await.unwrap();
        near.close().await.unwrap();
        let mut text = String::new();
        assert_eq!(far.read_to_string(&mut text).await.unwrap(), 5);
        assert_eq!(text, "tïck");
        // Only one direction is closed.
        AsyncWriteExt::write_all(&mut far, b"tock").await.unwrap();
        let mut buf = [0; 4];
        near.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"tock");
    });
}
