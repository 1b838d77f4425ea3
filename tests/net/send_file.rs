//! Files into sockets: whole, in parts, by either way, cut short, refused, and given up half-way.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
use std::pin::{Pin, pin};
use std::time::Duration;

use mainspring::net::{FileSent, SendFile, SentBy, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::task::blocking;
use mainspring::time::timeout;
use mainspring::{spawn, yield_now};

use crate::MIB;
use crate::rig::{
    On, both, file_of, open_fds, pattern, read_to_end, std_tcp_pair, tcp_pair, turns,
};

on_both! {
    p51_a_file_arrives_whole_whichever_way_it_takes,
    p51_a_part_is_what_was_asked_for_and_the_file_s_position_stays,
    p51_a_file_that_the_kernel_refuses_is_read_by_the_pool_from_there_on,
    p51_what_was_sent_before_an_error_or_a_drop_is_told_and_the_rest_can_follow,
    p51_the_way_by_the_pool_never_asks_the_kernel_s_own,
    a_unix_socket_and_an_owned_half_send_files_too,
    hz_d10_a_count_over_two_gibibytes_is_cut_for_the_kernel_and_not_for_the_caller,
    a_file_that_is_cut_short_meanwhile_ends_without_a_spin,
    every_call_may_be_short,
    what_is_no_file_to_read_is_an_error_that_says_so,
    hz_d07_a_peer_that_is_gone_is_an_error_and_no_signal,
    a_fast_peer_does_not_keep_the_others_from_running,
    hz_d04_files_that_were_sent_or_given_up_leave_no_descriptor,
}

/// Real time, for kernels and threads run by it.
const LONG: Duration = Duration::from_secs(20);

/// Whether this system has the call at all.
const HAS_SENDFILE: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly"
));

/// Sends by the kernel, or by the pool.
fn start<'a>(near: &'a TcpStream, file: &'a File, is_by_pool: bool) -> SendFile<'a> {
    let sending = near.send_file(file, 0, None);
    if is_by_pool {
        sending.by_pool()
    } else {
        sending
    }
}

/// Makes the kernel hold little of what is sent; not so little that the sender waits for its timer.
fn narrow(near: &TcpStream) {
    rustix::net::sockopt::set_socket_send_buffer_size(near, 64 << 10).unwrap();
}

fn expected(is_by_pool: bool) -> SentBy {
    if is_by_pool || !HAS_SENDFILE {
        SentBy::Pool
    } else {
        SentBy::Sendfile
    }
}

/// Awaits what `near` sends and then closes, and what arrives of it.
async fn through<R>(
    near: TcpStream,
    far: &TcpStream,
    send: impl AsyncFnOnce(&TcpStream) -> R,
) -> (R, Vec<u8>) {
    let send = async move {
        let result = send(&near).await;
        drop(near);
        result
    };
    timeout(LONG, both(send, read_to_end(far, 64 << 10)))
        .await
        .expect("nobody hangs")
}

fn p51_a_file_arrives_whole_whichever_way_it_takes(on: On) {
    let bytes = pattern(3 * MIB + 17);
    let file = file_of(&bytes);
    for is_by_pool in [false, true] {
        on.run(async {
            let (near, far) = tcp_pair().await;
            narrow(&near);
            let send = async |near: &TcpStream| start(near, &file, is_by_pool).await.unwrap();
            let (sent, got) = through(near, &far, send).await;
            assert_eq!(sent.bytes, bytes.len() as u64);
            assert_eq!(sent.by, expected(is_by_pool));
            assert!(got == bytes, "{} bytes arrived", got.len());
        });
    }
}

fn p51_a_part_is_what_was_asked_for_and_the_file_s_position_stays(on: On) {
    let bytes = pattern(10_000);
    let mut file = file_of(&bytes);
    file.seek(std::io::SeekFrom::Start(77)).unwrap();
    // Offset, how many are asked for, and what comes.
    let parts = [
        (0, Some(10_000), 0..10_000),
        (0, Some(1), 0..1),
        (9_999, None, 9_999..10_000),
        (4_000, Some(500), 4_000..4_500),
        (9_000, Some(2_000), 9_000..10_000),
        (10_000, Some(5), 0..0),
        (10_000, None, 0..0),
        (1 << 40, None, 0..0),
        (3, Some(0), 0..0),
    ];
    for is_by_pool in [false, true] {
        for (offset, count, range) in parts.clone() {
            on.run(async {
                let (near, far) = tcp_pair().await;
                let send = async |near: &TcpStream| {
                    let sending = near.send_file(&file, offset, count);
                    if is_by_pool {
                        sending.by_pool().await
                    } else {
                        sending.await
                    }
                };
                let (sent, got) = through(near, &far, send).await;
                assert_eq!(
                    sent.unwrap().bytes,
                    range.len() as u64,
                    "{offset} {count:?}"
                );
                assert!(got == bytes[range.clone()], "{offset} {count:?}");
            });
        }
    }
    assert_eq!(file.stream_position().unwrap(), 77);
    on.run(async {
        let (near, _far) = tcp_pair().await;
        let _guard = Plan::new().install();
        assert_eq!(near.send_file(&file, 3, Some(0)).await.unwrap().bytes, 0);
        let empty = file_of(b"");
        assert_eq!(near.send_file(&empty, 0, None).await.unwrap().bytes, 0);
        assert!(
            count_of(Call::Sendfile) <= 1,
            "nothing is asked for nothing"
        );
    });
}

fn p51_a_file_that_the_kernel_refuses_is_read_by_the_pool_from_there_on(on: On) {
    let bytes = pattern(2 * MIB + 5);
    let file = file_of(&bytes);
    for errno in [libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP] {
        for nth in [1, 3] {
            on.run(async {
                let (near, far) = tcp_pair().await;
                narrow(&near);
                let plan = Plan::new().from(Call::Sendfile, nth, u64::MAX, Fault::Errno(errno));
                let _guard = plan.install();
                let send = async |near: &TcpStream| near.send_file(&file, 0, None).await;
                let (sent, got) = through(near, &far, send).await;
                let (bytes_sent, by) = (bytes.len() as u64, SentBy::Pool);
                assert_eq!(
                    sent.unwrap(),
                    FileSent {
                        bytes: bytes_sent,
                        by
                    }
                );
                assert!(got == bytes, "{} bytes arrived", got.len());
                assert!(count_of(Call::Sendfile) <= nth, "it is not asked again");
            });
        }
    }
}

fn p51_what_was_sent_before_an_error_or_a_drop_is_told_and_the_rest_can_follow(on: On) {
    let bytes = pattern(MIB + 9);
    let file = file_of(&bytes);
    let last = [
        libc::EIO,
        libc::ENOMEM,
        libc::EOVERFLOW,
        libc::ENOBUFS,
        libc::EFAULT,
    ];
    for errno in last {
        for nth in [1, 2, 4] {
            on.run(async {
                let (near, far) = tcp_pair().await;
                narrow(&near);
                let plan = Plan::new().at(Call::Sendfile, nth, Fault::Errno(errno));
                let _guard = plan.install();
                let send = async |near: &TcpStream| {
                    let mut sending = pin!(near.send_file(&file, 0, None));
                    match sending.as_mut().await {
                        // A fast kernel may need fewer calls, and a system without it makes none.
                        Ok(_) => assert!(nth > 1 || !HAS_SENDFILE),
                        Err(error) => assert_eq!(error.raw_os_error(), Some(errno)),
                    }
                    let so_far = sending.sent();
                    so_far + near.send_file(&file, so_far, None).await.unwrap().bytes
                };
                let (sent, got) = through(near, &far, send).await;
                assert_eq!(sent, bytes.len() as u64);
                assert!(got == bytes, "{errno} at {nth}: {} bytes", got.len());
            });
        }
    }
    for is_by_pool in [false, true] {
        on.run(async {
            let (near, far) = tcp_pair().await;
            narrow(&near);
            let send = async |near: &TcpStream| {
                let mut so_far = 0;
                while so_far < bytes.len() as u64 {
                    let sending = near.send_file(&file, so_far, None);
                    let mut sending = pin!(match is_by_pool {
                        true => sending.by_pool(),
                        false => sending,
                    });
                    // Given up after a few turns, which is before or after whatever it was about to do.
                    let _ = both_or_first(sending.as_mut(), turns(3)).await;
                    so_far += sending.sent();
                }
                so_far
            };
            let (sent, got) = through(near, &far, send).await;
            assert_eq!(sent, bytes.len() as u64);
            assert!(got == bytes, "{} bytes arrived", got.len());
        });
    }
}

/// Polls `first` until it or `second` is done.
async fn both_or_first(mut first: Pin<&mut SendFile<'_>>, second: impl Future<Output = ()>) {
    let mut second = pin!(second);
    std::future::poll_fn(|cx| {
        use std::task::Poll::{Pending, Ready};
        match (first.as_mut().poll(cx), second.as_mut().poll(cx)) {
            (Pending, Pending) => Pending,
            (Ready(result), _) => Ready(result.map(|_| ())),
            (Pending, Ready(())) => Ready(Ok(())),
        }
    })
    .await
    .unwrap();
}

fn p51_the_way_by_the_pool_never_asks_the_kernel_s_own(on: On) {
    let file = file_of(&pattern(600 << 10));
    on.run(async {
        let (near, far) = tcp_pair().await;
        let _guard = Plan::new().install();
        let before = blocking::statistics().unwrap().finished;
        let send = async |near: &TcpStream| near.send_file(&file, 0, None).by_pool().await;
        let (sent, got) = through(near, &far, send).await;
        assert_eq!((sent.unwrap().by, got.len()), (SentBy::Pool, 600 << 10));
        assert_eq!(count_of(Call::Sendfile), 0);
        // Pieces of 256 KiB; the length is known, so nobody asks for the end.
        while blocking::statistics().unwrap().running > 0 {
            std::thread::yield_now();
        }
        assert_eq!(blocking::statistics().unwrap().finished - before, 3);
    });
}

fn a_unix_socket_and_an_owned_half_send_files_too(on: On) {
    let file = file_of(b"tick tock");
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut buf = [0; 16];
        assert_eq!(near.send_file(&file, 5, None).await.unwrap().bytes, 4);
        assert_eq!(far.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"tock");
        let (_reader, writer) = near.into_split();
        let borrowed = std::os::fd::AsFd::as_fd(&file);
        assert_eq!(
            writer.send_file(&borrowed, 0, Some(4)).await.unwrap().bytes,
            4
        );
        assert_eq!(far.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"tick");
    });
}

fn hz_d10_a_count_over_two_gibibytes_is_cut_for_the_kernel_and_not_for_the_caller(on: On) {
    const FIVE_GIB: u64 = 5 << 30;
    let file = file_of(b"");
    file.set_len(FIVE_GIB).unwrap();
    let bytes = pattern(MIB);
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, FIVE_GIB - MIB as u64).unwrap();
    for is_by_pool in [false, true] {
        on.run(async {
            let (near, far) = tcp_pair().await;
            let send = async |near: &TcpStream| {
                let sending = near.send_file(&file, FIVE_GIB - MIB as u64, Some(u64::MAX));
                match is_by_pool {
                    true => sending.by_pool().await,
                    false => sending.await,
                }
            };
            let (sent, got) = through(near, &far, send).await;
            assert_eq!(sent.unwrap().bytes, MIB as u64);
            assert!(got == bytes);
        });
    }
    on.run(async {
        let (near, far) = tcp_pair().await;
        let mut sending = Box::pin(near.send_file(&file, 0, Some(FIVE_GIB - 1)));
        both_or_first(sending.as_mut(), turns(2)).await;
        assert!(sending.sent() > 0);
        drop(sending);
        let offset = i64::MAX as u64 + 1;
        let error = near.send_file(&file, offset, Some(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        drop(far);
    });
}

fn a_file_that_is_cut_short_meanwhile_ends_without_a_spin(on: On) {
    for is_by_pool in [false, true] {
        let file = file_of(&pattern(4 * MIB));
        on.run(async {
            let (near, far) = tcp_pair().await;
            narrow(&near);
            let _guard = Plan::new().install();
            let send = async |near: &TcpStream| {
                let mut sending = pin!(start(near, &file, is_by_pool));
                both_or_first(sending.as_mut(), turns(4)).await;
                file.set_len(0).unwrap();
                sending.await.unwrap()
            };
            let cut = through(near, &far, send).await;
            let (sent, got) = cut;
            assert_eq!(sent.bytes, got.len() as u64);
            assert!(got.len() < 4 * MIB && pattern(4 * MIB).starts_with(&got));
            assert!(
                count_of(Call::Sendfile) < 2000,
                "{}",
                count_of(Call::Sendfile)
            );
        });
    }
}

fn every_call_may_be_short(on: On) {
    let bytes = pattern(5_000);
    let file = file_of(&bytes);
    for (call, most) in [(Call::Sendfile, 1), (Call::Sendfile, 7), (Call::Send, 3)] {
        on.run(async {
            let (near, far) = tcp_pair().await;
            let plan = Plan::new().from(call, 1, u64::MAX, Fault::Short(most)).at(
                Call::Sendfile,
                4,
                Fault::Errno(libc::EINTR),
            );
            let _guard = plan.install();
            let is_by_pool = call == Call::Send;
            let send = async |near: &TcpStream| start(near, &file, is_by_pool).await.unwrap();
            let (sent, got) = through(near, &far, send).await;
            assert_eq!(sent.bytes, 5_000);
            assert!(got == bytes);
            let calls = count_of(call) as usize;
            assert!(!HAS_SENDFILE || calls >= 5_000 / most, "{calls}");
        });
    }
}

fn what_is_no_file_to_read_is_an_error_that_says_so(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let folder = File::open("/").unwrap();
        let error = near.send_file(&folder, 0, None).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR), "{error}");
        let null = File::options().write(true).open("/dev/null").unwrap();
        let error = near.send_file(&null, 0, Some(1)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        let error = near.send_file(&pipe, 0, Some(1)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESPIPE), "{error}");
        // The stream works on, and files that do not know their length go whole.
        #[cfg(target_os = "linux")]
        {
            let file = File::open("/proc/version").unwrap();
            let text = std::fs::read("/proc/version").unwrap();
            let sent = near.send_file(&file, 0, None).await.unwrap();
            assert_eq!(sent.bytes, text.len() as u64);
            drop(near);
            assert!(read_to_end(&far, 4096).await == text);
        }
        drop(far);
    });
}

fn hz_d07_a_peer_that_is_gone_is_an_error_and_no_signal(on: On) {
    let file = file_of(&pattern(MIB));
    for is_by_pool in [false, true] {
        on.run(async {
            let (near, far) = tcp_pair().await;
            drop(far);
            let error = loop {
                match start(&near, &file, is_by_pool).await {
                    Ok(_) => yield_now().await,
                    Err(error) => break error,
                }
            };
            let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
            assert!(kinds.contains(&error.kind()), "{error}");
        });
    }
}

fn a_fast_peer_does_not_keep_the_others_from_running(on: On) {
    const LEN: usize = 48 * MIB;
    let file = file_of(b"");
    file.set_len(LEN as u64).unwrap();
    let (near, mut far) = std_tcp_pair();
    let reader = std::thread::spawn(move || {
        let (mut all, mut buf) = (0, vec![0; MIB]);
        loop {
            match far.read(&mut buf) {
                Ok(0) => return all,
                Ok(count) => all += count,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Interrupted),
            }
        }
    });
    let others = on.run(async {
        let other = spawn(async {
            let mut turns = 0;
            std::future::poll_fn(|cx| -> std::task::Poll<()> {
                turns += 1;
                OTHERS.set(turns);
                cx.waker().wake_by_ref();
                std::task::Poll::Pending
            })
            .await;
        });
        near.send_file(&file, 0, None).await.unwrap();
        other.abort();
        OTHERS.get()
    });
    drop(near);
    assert_eq!(reader.join().unwrap(), LEN);
    // A poll moves 8 MiB, and what its last call does beyond that.
    assert!(others >= LEN / (9 * MIB), "{others}");
}

std::thread_local! {
    static OTHERS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn hz_d04_files_that_were_sent_or_given_up_leave_no_descriptor(on: On) {
    on.alone(|| {
        let file = file_of(&pattern(MIB));
        let before = open_fds();
        for is_by_pool in [false, true] {
            on.run(async {
                let (near, far) = tcp_pair().await;
                narrow(&near);
                for _ in 0..20 {
                    let mut sending = Box::pin(start(&near, &file, is_by_pool));
                    both_or_first(sending.as_mut(), turns(2)).await;
                }
                drop(near);
                read_to_end(&far, MIB).await;
            });
        }
        assert_eq!(open_fds(), before);
    });
}
