//! Copies between sockets: both ways, with half-closes, a slow sink, and an end that breaks.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use mainspring::io;
use mainspring::net::{TcpStream, UnixStream};
use mainspring::spawn;
use mainspring::time::timeout;

use crate::MIB;
use crate::rig::{On, both, pattern, read_to_end, reset_on_close, small_buffers, tcp_pair};

on_both! {
    hz_i05_a_relay_passes_bytes_and_half_closes_both_ways,
    hz_i05_a_relay_holds_its_source_back_for_a_slow_sink,
    hz_i05_a_relay_ends_when_either_side_is_reset,
}

/// Real time, for kernel timers run by it.
const LONG: Duration = Duration::from_secs(20);

fn hz_i05_a_relay_passes_bytes_and_half_closes_both_ways(on: On) {
    on.run(async {
        let (client, mut front) = tcp_pair().await;
        let (mut back, server) = UnixStream::pair().unwrap();
        let relay = spawn(async move { io::copy_bidirectional(&mut front, &mut back).await });
        let ask = async {
            client.write_all(&pattern(MIB)).await.unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            read_to_end(&client, 4096).await
        };
        let answer = async {
            let (mut all, mut buf) = (0, [0; 4096]);
            loop {
                match server.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => all += count,
                }
            }
            assert_eq!(all, MIB, "the end came through, behind every byte");
            server.write_all(&pattern(MIB / 2)).await.unwrap();
            drop(server);
        };
        let (got, ()) = timeout(LONG, both(ask, answer))
            .await
            .expect("nobody hangs");
        assert!(got == pattern(MIB / 2));
        let moved = timeout(LONG, relay)
            .await
            .expect("the relay ends")
            .unwrap()
            .unwrap();
        assert_eq!(moved, (MIB as u64, MIB as u64 / 2));
    });
}

fn hz_i05_a_relay_holds_its_source_back_for_a_slow_sink(on: On) {
    on.run(async {
        let (source, mut inlet) = tcp_pair().await;
        let (mut outlet, sink) = tcp_pair().await;
        for end in [&source, &inlet, &outlet, &sink] {
            small_buffers(end, 16 << 10);
        }
        let relay = spawn(async move { io::copy(&mut inlet, &mut outlet).await });
        let flood = spawn(async move { source.write_all(&pattern(4 * MIB)).await });
        crate::rig::turns(200).await;
        assert!(
            !flood.is_finished(),
            "nobody has taken anything, so nobody keeps megabytes"
        );
        let got = timeout(LONG, read_to_end(&sink, 64 << 10))
            .await
            .expect("nobody hangs");
        assert!(got == pattern(4 * MIB));
        flood.await.unwrap().unwrap();
        assert_eq!(relay.await.unwrap().unwrap(), 4 * MIB as u64);
    });
}

fn hz_i05_a_relay_ends_when_either_side_is_reset(on: On) {
    async fn broken(breaks: TcpStream, mut front: TcpStream, mut back: TcpStream) -> ErrorKind {
        let relay = spawn(async move { io::copy_bidirectional(&mut front, &mut back).await });
        crate::rig::turns(2).await;
        reset_on_close(&breaks);
        drop(breaks);
        let ended = timeout(LONG, relay).await.expect("the relay ends");
        ended.unwrap().unwrap_err().kind()
    }
    on.run(async {
        for is_front in [true, false] {
            let (client, front) = tcp_pair().await;
            let (back, server) = tcp_pair().await;
            let (breaks, mut stays) = if is_front {
                (client, server)
            } else {
                (server, client)
            };
            assert_eq!(
                broken(breaks, front, back).await,
                ErrorKind::ConnectionReset
            );
            let mut buf = [0; 8];
            let read = mainspring::io::AsyncReadExt::read(&mut stays, &mut buf).await;
            assert!(matches!(read, Ok(0)), "the other side is closed: {read:?}");
        }
    });
}
