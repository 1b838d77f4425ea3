//! How bytes move through stream sockets: peeked at, in several slices, without waiting, in huge lengths.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::Shutdown;
use std::pin::Pin;
use std::time::Duration;

use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::net::{TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::timeout;

use crate::rig::{On, both, pattern, small_buffers, std_tcp_pair, std_unix_pair, tcp_pair, turns};
use crate::{MIB, NEVER};

on_both! {
    a_peek_leaves_the_bytes_to_the_next_read,
    slices_are_written_and_read_in_one_call_each,
    slices_move_through_the_traits_too,
    a_try_asks_the_kernel_and_never_waits,
    readable_waits_for_what_a_try_did_not_find,
    writable_waits_for_room,
    hz_d08_short_counts_repeat_nothing_and_lose_nothing,
    hz_d09_empty_slices_neither_wait_nor_end,
    hz_d10_five_thousand_slices_pass_whole,
    hz_d10_a_length_over_two_gigabytes_passes_whole,
}

fn a_peek_leaves_the_bytes_to_the_next_read(on: On) {
    on.sim(async {
        let (near, mut far) = std_tcp_pair();
        let peeker = async {
            let mut buf = [0; 8];
            for _ in 0..2 {
                let peeked = timeout(NEVER, near.peek(&mut buf)).await.unwrap();
                assert_eq!(&buf[..peeked.unwrap()], b"tick");
            }
            assert_eq!(near.read(&mut buf[..2]).await.unwrap(), 2);
            assert_eq!(near.peek(&mut buf).await.unwrap(), 2);
            assert_eq!(near.read(&mut buf).await.unwrap(), 2);
            assert_eq!(&buf[..2], b"ck");
            assert_eq!(near.peek(&mut []).await.unwrap(), 0);
            assert_eq!(
                timeout(NEVER, near.peek(&mut buf)).await.unwrap().unwrap(),
                0,
                "the end"
            );
        };
        let writer = async {
            turns(2).await;
            far.write_all(b"tick").unwrap();
            turns(4).await;
            far.shutdown(Shutdown::Write).unwrap();
        };
        both(peeker, writer).await;
    });
}

fn slices_are_written_and_read_in_one_call_each(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let _guard = Plan::new().install();
        let parts = [&b""[..], b"ti", b"ck", b"", b"-tock"].map(IoSlice::new);
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 9);
        assert_eq!(count_of(Call::Send), 1);
        far.readable().await.unwrap();
        let (mut head, mut tail) = ([0; 5], [0; 8]);
        let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
        assert_eq!(far.read_vectored(&mut bufs).await.unwrap(), 9);
        assert_eq!(count_of(Call::Recv), 1);
        assert_eq!((&head, &tail[..4]), (b"tick-", &b"tock"[..]));
    });
}

fn slices_move_through_the_traits_too(on: On) {
    async fn exchange(mut near: impl AsyncWrite + Unpin, mut far: impl AsyncRead + Unpin) {
        let parts = [&b"tick"[..], b"tock"].map(IoSlice::new);
        let write = std::future::poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &parts));
        let (mut head, mut tail) = ([0; 3], [0; 8]);
        let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
        let read = std::future::poll_fn(|cx| Pin::new(&mut far).poll_read_vectored(cx, &mut bufs));
        let write = async {
            turns(2).await;
            write.await
        };
        let (read, written) = both(read, write).await;
        assert_eq!((read.unwrap(), written.unwrap()), (8, 8));
        assert_eq!((&head, &tail[..5]), (b"tic", &b"ktock"[..]));
    }
    on.run(async {
        let (near, far) = tcp_pair().await;
        exchange(&near, &far).await;
        exchange(far, near).await;
        let (near, far) = UnixStream::pair().unwrap();
        exchange(&near, far).await;
    });
}

fn a_try_asks_the_kernel_and_never_waits(on: On) {
    on.run(async {
        let (near, mut far) = std_unix_pair();
        let mut buf = [0; 8];
        let empty = near.try_read(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        assert_eq!(near.try_read(&mut []).unwrap(), 0);
        far.write_all(b"tick").unwrap();
        // Nobody awaited anything, so nobody told the loop; the kernel knows.
        assert_eq!(near.try_read(&mut buf[..1]).unwrap(), 1);
        let mut bufs = [&mut [][..], &mut buf].map(IoSliceMut::new);
        assert_eq!(near.try_read_vectored(&mut bufs).unwrap(), 3);
        assert_eq!(near.try_write(b"to").unwrap(), 2);
        assert_eq!(
            near.try_write_vectored(&[IoSlice::new(b""), IoSlice::new(b"ck")])
                .unwrap(),
            2
        );
        far.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(near.try_write(&[]).unwrap(), 0);
        drop(far);
        assert_eq!(near.try_read(&mut buf).unwrap(), 0);
        assert_eq!(
            near.try_write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

fn readable_waits_for_what_a_try_did_not_find(on: On) {
    on.sim(async {
        let (near, mut far) = std_tcp_pair();
        let early = timeout(Duration::from_secs(1), near.readable());
        assert!(
            early.await.is_err(),
            "nothing is there: that is not a guess"
        );
        let sent = pattern(100_000);
        let mut all = Vec::new();
        let reader = async {
            while all.len() < sent.len() {
                timeout(NEVER, near.readable()).await.unwrap().unwrap();
                let mut buf = [0; 1000];
                loop {
                    match near.try_read(&mut buf) {
                        Ok(count) => all.extend_from_slice(&buf[..count]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        };
        let writer = async {
            for part in sent.chunks(25_000) {
                turns(2).await;
                far.write_all(part).unwrap();
            }
        };
        both(reader, writer).await;
        assert!(all == sent);
        far.shutdown(Shutdown::Write).unwrap();
        timeout(NEVER, near.readable()).await.unwrap().unwrap();
        assert_eq!(near.try_read(&mut [0; 8]).unwrap(), 0);
    });
}

fn writable_waits_for_room(on: On) {
    on.sim(async {
        let (near, mut far) = std_unix_pair();
        timeout(NEVER, near.writable()).await.unwrap().unwrap();
        let full = [0; 1 << 16];
        let mut held = 0;
        while let Ok(count) = near.try_write(&full) {
            held += count;
        }
        let none = timeout(Duration::from_secs(1), near.writable());
        assert!(none.await.is_err(), "it is full");
        far.read_exact(&mut vec![0; held]).unwrap();
        timeout(NEVER, near.writable()).await.unwrap().unwrap();
        assert!(near.try_write(&full).unwrap() > 0);
    });
}

/// Writes all of it by `write_vectored`, in slices of unequal lengths.
async fn write_in_slices(stream: &TcpStream, sent: &[u8]) {
    let mut done = 0;
    while done < sent.len() {
        let rest = &sent[done..sent.len().min(done + 50_000)];
        let (head, tail) = rest.split_at(rest.len() / 3);
        let parts = [head, &[], tail].map(IoSlice::new);
        done += stream.write_vectored(&parts).await.unwrap();
    }
}

fn hz_d08_short_counts_repeat_nothing_and_lose_nothing(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        let sent = pattern(MIB);
        // The first thousand transfers of each kind are cut, and so are the slices.
        let plan = Plan::new()
            .from(Call::Send, 1, 1000, Fault::Short(577))
            .from(Call::Recv, 1, 1000, Fault::Short(311));
        let _guard = plan.install();
        let writer = async {
            let (first, second) = sent.split_at(MIB / 4);
            near.write_all(first).await.unwrap();
            write_in_slices(&near, second).await;
        };
        let reader = async {
            let mut all = Vec::<u8>::new();
            let (mut head, mut tail) = (vec![0; 100], vec![0; 5000]);
            while all.len() < sent.len() {
                let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
                let count = far.read_vectored(&mut bufs).await.unwrap();
                all.extend(head.iter().chain(&tail).take(count));
            }
            all
        };
        // Full buffers wait for the kernel's own timers, which know no virtual time.
        let ((), got) = both(writer, reader).await;
        assert!(got == sent);
    });
}

fn hz_d09_empty_slices_neither_wait_nor_end(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        for count in [0, 2] {
            let mut bufs: Vec<_> = (0..count).map(|_| IoSliceMut::new(&mut [])).collect();
            let parts = vec![IoSlice::new(&[]); count];
            assert_eq!(near.read_vectored(&mut bufs).await.unwrap(), 0);
            assert_eq!(near.write_vectored(&parts).await.unwrap(), 0);
        }
        near.write_all(b"x").await.unwrap();
        let mut one = [0; 1];
        let mut bufs = [&mut [][..], &mut one].map(IoSliceMut::new);
        let read = timeout(NEVER, far.read_vectored(&mut bufs)).await.unwrap();
        assert_eq!(read.unwrap(), 1, "empty slices at the front are skipped");
    });
}

/// More than the kernel takes at once: a full answer to a part of the question is no short transfer.
fn hz_d10_five_thousand_slices_pass_whole(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        let sent = pattern(5000);
        let writer = async {
            let mut done = 0;
            while done < sent.len() {
                let parts: Vec<_> = sent[done..].chunks(1).map(IoSlice::new).collect();
                done += near.write_vectored(&parts).await.unwrap();
            }
        };
        let reader = async {
            turns(3).await;
            let (mut got, mut done) = (vec![0; sent.len()], 0);
            while done < got.len() {
                let mut bufs: Vec<_> = got[done..].chunks_mut(1).map(IoSliceMut::new).collect();
                done += far.read_vectored(&mut bufs).await.unwrap();
            }
            got
        };
        let ((), got) = timeout(NEVER, both(writer, reader))
            .await
            .expect("nobody hangs");
        assert!(got == sent);
    });
}

/// The bytes are zeroed pages that nobody writes to, so they cost no memory.
fn hz_d10_a_length_over_two_gigabytes_passes_whole(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let huge = vec![0; (1 << 31) + 4096];
        let _guard = Plan::new().install();
        let count = near.write(&huge).await.unwrap();
        assert!(count > 0 && count < huge.len());
        let parts = [&huge[..1], &huge].map(IoSlice::new);
        // The socket is full now, or takes some more: no EINVAL.
        match near.try_write_vectored(&parts) {
            Ok(more) => assert!(more > 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let mut room = vec![0; (1 << 31) + 4096];
        assert!(far.read(&mut room).await.unwrap() > 0);
    });
}
