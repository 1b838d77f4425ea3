//! A proxy between two sockets: the same bytes, ends and errors, whether the kernel splices, refuses, or runs out of pipes.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{StreamSocket, TcpStream, UnixStream, proxy};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::spawn;
use mainspring::time::timeout;

use crate::MIB;
use crate::rig::{
    On, both, open_fds, pattern, read_to_end, reset_on_close, small_buffers, tcp_pair, turns,
};

on_both! {
    p51_a_proxy_passes_bytes_and_half_closes_both_ways,
    p51_a_proxy_passes_the_same_when_the_kernel_refuses_to_splice,
    p51_a_proxy_without_descriptors_for_a_pipe_copies,
    p51_what_is_little_is_copied_and_what_is_much_is_spliced,
    every_splice_may_be_short,
    an_error_of_a_splice_ends_the_proxy_and_its_counts_are_told,
    hz_i05_a_proxy_holds_its_source_back_for_a_slow_sink,
    hz_i05_a_proxy_ends_when_either_side_is_reset,
    idle_proxies_hold_no_pipes,
    hz_d04_proxies_that_end_or_are_dropped_leave_no_descriptor,
}

/// Real time, for kernel timers run by it.
const LONG: Duration = Duration::from_secs(20);
const HAS_SPLICE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// What a proxy came to: its counts, how much was spliced, and what arrived on either side.
struct Run {
    counts: (u64, u64),
    spliced: (u64, u64),
    asked: Vec<u8>,
    answered: Vec<u8>,
}

/// A client sends `ask` and ends, the server sends `answer` when it has read that, all through a proxy.
async fn run(ask: &[u8], answer: &[u8], splice_from: Option<usize>) -> Run {
    let (client, front) = tcp_pair().await;
    let (back, server) = tcp_pair().await;
    run_over(client, &front, &back, server, ask, answer, splice_from).await
}

async fn run_over(
    client: TcpStream,
    front: &impl StreamSocket,
    back: &impl StreamSocket,
    server: TcpStream,
    ask: &[u8],
    answer: &[u8],
    splice_from: Option<usize>,
) -> Run {
    let through = async {
        let proxy = proxy(front, back);
        let mut proxy = pin!(match splice_from {
            Some(bytes) => proxy.splice_from(bytes),
            None => proxy,
        });
        let counts = proxy.as_mut().await.unwrap();
        assert_eq!(counts, proxy.moved());
        (counts, proxy.spliced())
    };
    let client = async {
        client.write_all(ask).await.unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        read_to_end(&client, 64 << 10).await
    };
    let server = async {
        let asked = read_to_end(&server, 64 << 10).await;
        server.write_all(answer).await.unwrap();
        drop(server);
        asked
    };
    let ((counts, spliced), (answered, asked)) = timeout(LONG, both(through, both(client, server)))
        .await
        .expect("nobody hangs");
    Run {
        counts,
        spliced,
        asked,
        answered,
    }
}

#[track_caller]
fn assert_whole(run: &Run, ask: &[u8], answer: &[u8]) {
    assert_eq!(run.counts, (ask.len() as u64, answer.len() as u64));
    assert!(run.asked == ask, "{} bytes arrived", run.asked.len());
    assert!(run.answered == answer, "{} bytes", run.answered.len());
}

fn p51_a_proxy_passes_bytes_and_half_closes_both_ways(on: On) {
    let (ask, answer) = (pattern(3 * MIB + 1), pattern(2 * MIB + 3));
    on.run(async {
        for splice_from in [None, Some(0), Some(usize::MAX)] {
            let run = run(&ask, &answer, splice_from).await;
            assert_whole(&run, &ask, &answer);
            match splice_from {
                Some(0) if HAS_SPLICE => assert_eq!(run.spliced, run.counts),
                Some(usize::MAX) => assert_eq!(run.spliced, (0, 0)),
                _ => assert_eq!(HAS_SPLICE, run.spliced.0 > 0 && run.spliced.1 > 0),
            }
            assert_whole(&self::run(b"", b"x", splice_from).await, b"", b"x");
        }
        // From TCP to a Unix socket, and on from its other end.
        let (client, front) = tcp_pair().await;
        let (back, relay) = UnixStream::pair().unwrap();
        let (last, server) = tcp_pair().await;
        let second = spawn(async move { proxy(&relay, &last).await });
        let run = run_over(client, &front, &back, server, &ask, &answer, Some(0));
        assert_whole(&run.await, &ask, &answer);
        drop((front, back));
        let counts = timeout(LONG, second).await.unwrap().unwrap().unwrap();
        assert_eq!(counts, (ask.len() as u64, answer.len() as u64));
    });
}

fn p51_a_proxy_passes_the_same_when_the_kernel_refuses_to_splice(on: On) {
    let (ask, answer) = (pattern(MIB), pattern(MIB / 2));
    for errno in [libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP] {
        // An odd one fills as a rule, an even one drains.
        for (nth, times) in [(1, 1), (2, 1), (3, 1), (4, 1), (1, u64::MAX), (6, u64::MAX)] {
            on.run(async {
                let plan = Plan::new().from(Call::Splice, nth, times, Fault::Errno(errno));
                let _guard = plan.install();
                let run = run(&ask, &answer, Some(0)).await;
                assert_whole(&run, &ask, &answer);
                assert!(
                    times == 1 || count_of(Call::Splice) <= nth + 1,
                    "asked again"
                );
            });
        }
    }
}

fn p51_a_proxy_without_descriptors_for_a_pipe_copies(on: On) {
    let (ask, answer) = (pattern(MIB), pattern(MIB / 2));
    for errno in [libc::EMFILE, libc::ENFILE] {
        on.run(async {
            let (client, front) = tcp_pair().await;
            let (back, server) = tcp_pair().await;
            turns(1).await;
            let plan = Plan::new().from(Call::Open, 1, u64::MAX, Fault::Errno(errno));
            let guard = plan.install();
            let run = run_over(client, &front, &back, server, &ask, &answer, None).await;
            assert_whole(&run, &ask, &answer);
            assert_eq!((run.spliced, count_of(Call::Splice)), ((0, 0), 0));
            drop(guard);
        });
    }
}

fn p51_what_is_little_is_copied_and_what_is_much_is_spliced(on: On) {
    on.run(async {
        let (client, front) = tcp_pair().await;
        let (back, server) = tcp_pair().await;
        let through = spawn(async move { proxy(&front, &back).await });
        turns(2).await;
        let guard = Plan::new().install();
        let mut buf = [0; 64];
        for _ in 0..50 {
            client.write_all(b"ping").await.unwrap();
            assert_eq!(server.read(&mut buf).await.unwrap(), 4);
            server.write_all(b"pong!").await.unwrap();
            assert_eq!(client.read(&mut buf).await.unwrap(), 5);
        }
        assert_eq!(count_of(Call::Splice), 0);
        assert_eq!(
            count_of(Call::Send),
            200,
            "two by the ends, two by the proxy"
        );
        // Level-triggered, a read asks once more before it waits.
        let reads = count_of(Call::Recv);
        assert!(reads <= if on.is_edge() { 210 } else { 410 }, "{reads}");
        drop(guard);
        let guard = Plan::new().install();
        let big = pattern(8 * MIB);
        let send = async {
            client.write_all(&big).await.unwrap();
            drop(client);
        };
        let ((), got) = both(send, read_to_end(&server, 256 << 10)).await;
        assert!(got == big);
        drop(server);
        let counts = timeout(LONG, through).await.unwrap().unwrap().unwrap();
        assert_eq!(counts, (8 * MIB as u64 + 200, 250));
        assert!(!HAS_SPLICE || count_of(Call::Splice) > 0);
        drop(guard);
    });
}

fn every_splice_may_be_short(on: On) {
    let (ask, answer) = (pattern(3_000), pattern(2_000));
    for most in [1, 7] {
        on.run(async {
            let plan = Plan::new()
                .from(Call::Splice, 1, u64::MAX, Fault::Short(most))
                .at(Call::Splice, 5, Fault::Errno(libc::EINTR));
            let _guard = plan.install();
            // A short fill says that there is little: the pipe and the buffer take turns.
            let run = run(&ask, &answer, Some(0)).await;
            assert_whole(&run, &ask, &answer);
        });
    }
}

fn an_error_of_a_splice_ends_the_proxy_and_its_counts_are_told(on: On) {
    if !HAS_SPLICE {
        return;
    }
    for errno in [libc::ENOMEM, libc::ECONNRESET, libc::EPIPE] {
        for nth in [1, 2, 5] {
            on.run(async {
                let (client, front) = tcp_pair().await;
                let (back, server) = tcp_pair().await;
                let writer = spawn(async move { client.write_all(&pattern(MIB)).await });
                let plan = Plan::new().from(Call::Splice, nth, u64::MAX, Fault::Errno(errno));
                let _guard = plan.install();
                let ended = async {
                    let mut proxy = pin!(proxy(&front, &back).splice_from(0));
                    let error = proxy.as_mut().await.unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(errno));
                    back.shutdown(Shutdown::Write).unwrap();
                    proxy.moved().0
                };
                let both = both(ended, read_to_end(&server, 64 << 10));
                let (moved, got) = timeout(LONG, both).await.expect("nobody hangs");
                assert_eq!(moved, got.len() as u64);
                assert!(pattern(MIB).starts_with(&got));
                writer.abort();
            });
        }
    }
}

fn hz_i05_a_proxy_holds_its_source_back_for_a_slow_sink(on: On) {
    on.run(async {
        let (source, inlet) = tcp_pair().await;
        let (outlet, sink) = tcp_pair().await;
        for end in [&source, &inlet, &outlet, &sink] {
            small_buffers(end, 16 << 10);
        }
        let through = spawn(async move { proxy(&inlet, &outlet).splice_from(0).await });
        let source = Rc::new(source);
        let sender = Rc::clone(&source);
        let flood = spawn(async move {
            sender.write_all(&pattern(4 * MIB)).await.unwrap();
            sender.shutdown(Shutdown::Write).unwrap();
        });
        turns(200).await;
        assert!(!flood.is_finished(), "nobody keeps megabytes");
        let got = timeout(LONG, read_to_end(&sink, 64 << 10));
        assert!(got.await.expect("nobody hangs") == pattern(4 * MIB));
        drop(sink);
        flood.await.unwrap();
        let counts = timeout(LONG, through).await.unwrap().unwrap().unwrap();
        assert_eq!(counts, (4 * MIB as u64, 0));
        drop(source);
    });
}

fn hz_i05_a_proxy_ends_when_either_side_is_reset(on: On) {
    on.run(async {
        for splice_from in [0, usize::MAX] {
            for is_front in [true, false] {
                let (client, front) = tcp_pair().await;
                let (back, server) = tcp_pair().await;
                let (breaks, stays) = match is_front {
                    true => (client, server),
                    false => (server, client),
                };
                let through =
                    spawn(async move { proxy(&front, &back).splice_from(splice_from).await });
                turns(2).await;
                reset_on_close(&breaks);
                drop(breaks);
                let ended = timeout(LONG, through).await.expect("it ends");
                let kind = ended.unwrap().unwrap_err().kind();
                assert_eq!(kind, ErrorKind::ConnectionReset);
                assert!(matches!(stays.read(&mut [0; 8]).await, Ok(0)));
            }
        }
    });
}

fn idle_proxies_hold_no_pipes(on: On) {
    on.alone(|| {
        on.run(async {
            turns(1).await;
            let at_first = open_fds().len();
            let mut ends = Vec::new();
            let mut proxies = Vec::new();
            for _ in 0..24 {
                let (client, front) = tcp_pair().await;
                let (back, server) = tcp_pair().await;
                proxies.push(spawn(
                    async move { proxy(&front, &back).splice_from(0).await },
                ));
                ends.push((client, server));
            }
            turns(2).await;
            let before = open_fds().len();
            for (client, _) in &ends {
                client.write_all(b"tick").await.unwrap();
            }
            for (_, server) in &ends {
                let mut buf = [0; 8];
                assert_eq!(server.read(&mut buf).await.unwrap(), 4);
            }
            turns(2).await;
            let kept = open_fds().len() - before;
            assert!(
                kept <= 32,
                "{kept} descriptors of pipes for 24 idle proxies"
            );
            drop(ends);
            for proxy in proxies {
                timeout(LONG, proxy).await.unwrap().unwrap().unwrap();
            }
            // And the last one closes them.
            assert_eq!(open_fds().len(), at_first);
        });
    });
}

fn hz_d04_proxies_that_end_or_are_dropped_leave_no_descriptor(on: On) {
    on.alone(|| {
        let before = open_fds();
        on.run(async {
            assert_whole(
                &run(&pattern(MIB), b"x", Some(0)).await,
                &pattern(MIB),
                b"x",
            );
            let (client, front) = tcp_pair().await;
            let (back, _server) = tcp_pair().await;
            // Dropped with bytes in its pipe, for nobody reads at the other end.
            let stuck = spawn(async move { proxy(&front, &back).splice_from(0).await });
            let flood = client.write_all(&[0; 32 << 20]);
            assert!(timeout(Duration::from_millis(50), flood).await.is_err());
            stuck.abort();
            assert!(stuck.await.unwrap_err().is_aborted());
        });
        assert_eq!(open_fds(), before);
    });
}
