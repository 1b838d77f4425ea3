//! Several addresses, tried a little apart: who begins when, who wins, and what becomes of the others.

use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

use mainspring::net::{ConnectError, Connector, IpPreference, TcpStream};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::time::{now, sleep, timeout};

use crate::places::{Answer, Closed, Hole, Open, Table};
use crate::rig::{On, open_fds, turns};
use crate::signals::borrowed;

on_both! {
    p47_when_the_first_hangs_the_second_begins_after_a_quarter_of_a_second,
    p47_when_the_first_refuses_the_second_begins_at_once,
    p47_an_attempt_that_fails_late_hurries_only_the_one_behind_it,
    p47_an_earlier_attempt_that_fails_late_takes_nobody_s_time_and_is_told_first,
    p47_when_all_fail_each_error_is_told,
    p47_the_first_to_connect_wins_and_the_others_are_closed,
    p47_the_delay_between_attempts_is_what_it_was_set_to,
    p47_the_time_limit_is_over_all_of_it,
    p47_a_time_limit_also_ends_a_look_up,
    p47_a_connection_in_time_beats_the_limit,
    families_that_may_not_be_tried_are_not,
    a_connection_comes_from_where_it_was_bound_to,
    a_list_without_addresses_is_an_error,
    hz_d04_ten_thousand_dropped_races_leave_no_descriptor_and_no_source,
    a_race_that_is_kept_after_its_end_holds_nothing,
    a_long_list_of_refusals_lets_others_run,
}

const DELAY: Duration = Duration::from_millis(250);
/// A timer is late by a step of the wheel at most, in virtual time.
const LATE: Duration = Duration::from_millis(1);

/// Runs `connect` and says how long it took, in virtual time.
async fn timed<T>(connect: impl Future<Output = T>) -> (T, Duration) {
    let start = now();
    let result = connect.await;
    (result, now() - start)
}

#[track_caller]
fn assert_took(took: Duration, expected: Duration) {
    assert!(
        took >= expected && took < expected + LATE,
        "it took {took:?}, not {expected:?}"
    );
}

#[track_caller]
fn inside(error: &std::io::Error) -> &ConnectError {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

fn p47_when_the_first_hangs_the_second_begins_after_a_quarter_of_a_second(on: On) {
    let (hole, open) = (Hole::new(), Open::new());
    on.sim(async {
        let (stream, took) = timed(TcpStream::connect([hole.addr, open.addr])).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
        assert_took(took, DELAY);
        // Two that hang: the third begins after twice the delay.
        let far = [hole.addr, hole.addr, open.addr];
        let (stream, took) = timed(TcpStream::connect(far)).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
        assert_took(took, 2 * DELAY);
    });
}

fn p47_when_the_first_refuses_the_second_begins_at_once(on: On) {
    let (closed, open) = (Closed::new(), Open::new());
    on.sim(async {
        let (stream, took) = timed(TcpStream::connect([closed.addr, open.addr])).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
        assert_took(took, Duration::ZERO);
        // Also if it takes a turn to be told, and if the call itself fails.
        for fault in [Fault::Short(0), Fault::Errno(libc::ENETUNREACH)] {
            let _plan = Plan::new().at(Call::Connect, 1, fault).install();
            let (stream, took) = timed(TcpStream::connect([closed.addr, open.addr])).await;
            assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
            assert_took(took, Duration::ZERO);
        }
    });
}

/// The first hangs, so the second begins after the delay; it refuses, so the third begins at once.
fn p47_an_attempt_that_fails_late_hurries_only_the_one_behind_it(on: On) {
    let (hole, closed, open) = (Hole::new(), Closed::new(), Open::new());
    on.sim(async {
        let far = [hole.addr, closed.addr, open.addr];
        let (stream, took) = timed(TcpStream::connect(far)).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
        assert_took(took, DELAY);
        let far = [closed.addr, hole.addr, open.addr];
        let (stream, took) = timed(TcpStream::connect(far)).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
        assert_took(took, DELAY);
    });
}

/// The first hangs, so the second begins after the delay, and hangs too; then the first fails. The second keeps its
/// time: the third begins when that is over, not earlier and not later. When that is refused the next begins at once.
fn p47_an_earlier_attempt_that_fails_late_takes_nobody_s_time_and_is_told_first(on: On) {
    if !cfg!(target_os = "linux") {
        eprintln!("only Linux lets an attempt be ended from outside: nothing was tested");
        return;
    }
    on.alone(|| {
        let (first, second) = (Hole::new(), Hole::new());
        let (third, fourth, last) = (Closed::new(), Closed::new(), Open::new());
        on.sim(async {
            let far = [first.addr, second.addr, third.addr, fourth.addr];
            let before = open_fds();
            let attempts = || {
                let is_new = |fd: &RawFd| !before.contains(fd);
                open_fds().into_iter().filter(is_new).collect::<Vec<_>>()
            };
            for winner in [None, Some(last.addr)] {
                let plan = Plan::new().install();
                let start = now();
                let far: Vec<SocketAddr> = far.into_iter().chain(winner).collect();
                let connecting = mainspring::spawn(async move { TcpStream::connect(far).await });
                turns(2).await;
                let one = attempts();
                assert_eq!(one.len(), 1);
                sleep(DELAY + DELAY / 2).await;
                assert_eq!(count_of(Call::Connect), 2);
                end(one[0]);
                sleep(DELAY / 4).await;
                assert_eq!(count_of(Call::Connect), 2, "the second has its time");
                let two = attempts();
                assert!(two.len() == 1 && two != one, "the first is closed");
                let begun = start + 2 * DELAY;
                while count_of(Call::Connect) == 2 {
                    sleep(LATE).await;
                }
                assert!(now() >= begun && now() <= begun + 2 * LATE);
                let Some(winner) = winner else {
                    turns(8).await;
                    assert_eq!(count_of(Call::Connect), 4, "at once");
                    end(two[0]);
                    let error = connecting.await.unwrap().unwrap_err();
                    let told = inside(&error).failures().iter();
                    let told: Vec<_> = told.map(|(addr, it)| (*addr, it.kind())).collect();
                    let (reset, refused) =
                        (ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused);
                    let in_order = [
                        (first.addr, reset),
                        (third.addr, refused),
                        (fourth.addr, refused),
                        (second.addr, reset),
                    ];
                    assert_eq!(told, in_order);
                    assert!(attempts().is_empty());
                    continue;
                };
                let stream = connecting.await.unwrap().unwrap();
                assert_eq!(stream.peer_addr().unwrap(), winner);
                assert_eq!(attempts().len(), 1, "the winner's");
                drop((stream, plan));
                let mut guests = last.guests();
                assert_eq!(guests.len(), 1);
                guests[0].set_nonblocking(false).unwrap();
                assert_eq!(guests[0].read(&mut [0]).unwrap(), 0);
            }
        });
    });
}

/// Ends an attempt under way, as if its peer had.
fn end(fd: RawFd) {
    rustix::net::shutdown(borrowed(fd), rustix::net::Shutdown::Both).unwrap();
}

fn p47_when_all_fail_each_error_is_told(on: On) {
    let closed = [Closed::new(), Closed::new(), Closed::new()];
    let addrs: Vec<SocketAddr> = closed.iter().map(|it| it.addr).collect();
    on.sim(async {
        let plan = Plan::new().at(Call::Connect, 2, Fault::Errno(libc::ENETUNREACH));
        let plan = plan.install();
        let error = TcpStream::connect(&addrs).await.unwrap_err();
        drop(plan);
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        let failures = inside(&error).failures();
        let told: Vec<_> = failures
            .iter()
            .map(|(addr, error)| (*addr, error.raw_os_error()))
            .collect();
        // In the order in which they failed: what is refused may take a turn.
        for (addr, errno) in
            addrs
                .iter()
                .zip([libc::ECONNREFUSED, libc::ENETUNREACH, libc::ECONNREFUSED])
        {
            assert!(told.contains(&(*addr, Some(errno))), "{told:?}");
        }
        assert_eq!(told.len(), 3);
        assert!(inside(&error).unfinished().is_empty());
        // One address alone says what the kernel said, and nothing else.
        let alone = TcpStream::connect([addrs[0]]).await.unwrap_err();
        assert_eq!(alone.raw_os_error(), Some(libc::ECONNREFUSED));
    });
}

/// The first address is connected in the kernel, but the loop is kept from seeing it until the second has won.
fn p47_the_first_to_connect_wins_and_the_others_are_closed(on: On) {
    let (first, second) = (Open::new(), Open::new());
    on.sim(async {
        // An edge comes once, a level until the second attempt is there too.
        let unseen = if on.is_edge() { 1 } else { 2 };
        let again = Fault::Errno(libc::EAGAIN);
        let plan = Plan::new()
            .from(Call::SocketOption, 1, unseen, again)
            .install();
        let connector = Connector::new().attempt_delay(Duration::ZERO);
        let stream = connector.connect([first.addr, second.addr]).await.unwrap();
        assert_eq!(count_of(Call::Connect), 2);
        drop(plan);
        assert_eq!(stream.peer_addr().unwrap(), second.addr);
        assert_eq!(second.guests().len(), 1);
        let mut losers = first.guests();
        assert_eq!(losers.len(), 1, "the loser was connected");
        losers[0].set_nonblocking(false).unwrap();
        assert_eq!(losers[0].read(&mut [0]).unwrap_or(0), 0, "and is closed");
    });
}

fn p47_the_delay_between_attempts_is_what_it_was_set_to(on: On) {
    let (hole, open) = (Hole::new(), Open::new());
    on.sim(async {
        for delay in [Duration::from_millis(40), Duration::from_secs(7)] {
            let connector = Connector::new().attempt_delay(delay);
            let (stream, took) = timed(connector.connect([hole.addr, open.addr])).await;
            assert_eq!(stream.unwrap().peer_addr().unwrap(), open.addr);
            assert_took(took, delay);
        }
        // Without end: the second waits for the first, which never comes.
        let one_by_one = Connector::new().attempt_delay(Duration::MAX);
        let hour = Duration::from_secs(3600);
        let connect = one_by_one.connect([hole.addr, open.addr]);
        assert!(timeout(hour, connect).await.is_err());
    });
}

fn p47_the_time_limit_is_over_all_of_it(on: On) {
    let (hole, closed) = (Hole::new(), Closed::new());
    on.sim(async {
        let limit = Duration::from_millis(600);
        let connector = Connector::new().timeout(limit);
        let far = [closed.addr, hole.addr, hole.addr, hole.addr, hole.addr];
        let (result, took) = timed(connector.connect(far)).await;
        let error = result.unwrap_err();
        assert_took(took, limit);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let inside = inside(&error);
        assert_eq!(inside.failures().len(), 1);
        assert_eq!(inside.failures()[0].0, closed.addr);
        // Three were begun, and one was not.
        assert_eq!(inside.unfinished(), [hole.addr; 4]);
        assert!(error.to_string().contains("no answer yet"), "{error}");
        // One address by number is limited too.
        let (result, took) = timed(connector.connect(hole.addr)).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_took(took, limit);
    });
}

fn p47_a_time_limit_also_ends_a_look_up(on: On) {
    on.sim(async {
        let limit = Duration::from_secs(3);
        let table = Table::default().with("slow.test", Answer::Never);
        let connector = Connector::new().resolver(table).timeout(limit);
        let (result, took) = timed(connector.connect("slow.test:80")).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("looked up"), "{error}");
        assert_took(took, limit);
    });
}

fn p47_a_connection_in_time_beats_the_limit(on: On) {
    let open = Open::new();
    on.sim(async {
        let after = Answer::After(Duration::from_secs(2), vec![open.addr]);
        let table = Table::default().with("late.test", after);
        let connector = Connector::new().resolver(table);
        let in_time = connector.clone().timeout(Duration::from_secs(3));
        assert!(in_time.connect("late.test:80").await.is_ok());
        let too_late = connector.timeout(Duration::from_secs(1));
        assert!(too_late.connect("late.test:80").await.is_err());
    });
}

fn families_that_may_not_be_tried_are_not(on: On) {
    let open = Open::new();
    on.sim(async {
        let six: SocketAddr = "[::1]:9".parse().unwrap();
        let _plan = Plan::new().install();
        let only_six = Connector::new().preference(IpPreference::Ipv6Only);
        let error = only_six.connect([open.addr]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
        let from_six = Connector::new().bind("[::1]:0".parse().unwrap());
        let error = from_six.connect([open.addr]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
        assert_eq!(count_of(Call::Connect), 0);
        let only_four = Connector::new().preference(IpPreference::Ipv4Only);
        let stream = only_four.connect([six, open.addr]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open.addr);
        assert_eq!(count_of(Call::Connect), 1);
    });
}

fn a_connection_comes_from_where_it_was_bound_to(on: On) {
    let open = Open::new();
    // Where all of 127 is this machine, another address shows that the call did something.
    let ip = if cfg!(target_os = "linux") {
        [127, 0, 0, 9]
    } else {
        [127, 0, 0, 1]
    };
    on.sim(async {
        let local = SocketAddr::from((ip, 0));
        let connector = Connector::new().bind(local);
        let stream = connector.connect(open.addr).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local.ip());
        // A local address that is taken, or somebody else's.
        let taken = Closed::new();
        let error = Connector::new().bind(taken.addr).connect(open.addr).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AddrInUse);
        let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = Connector::new().bind(foreign).connect(open.addr).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
    });
}

fn a_list_without_addresses_is_an_error(on: On) {
    on.sim(async {
        let error = TcpStream::connect(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = TcpStream::connect("no port").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

fn hz_d04_ten_thousand_dropped_races_leave_no_descriptor_and_no_source(on: On) {
    on.alone(|| {
        let hole = Hole::new();
        let runtime = on.sim_runtime_of(Duration::ZERO);
        let before = open_fds();
        let races = crate::rig::soak(10_000, 100_000);
        runtime
            .block_on(async {
                let connector = Connector::new().attempt_delay(Duration::ZERO);
                for _ in 0..races {
                    let _plan = Plan::new().install();
                    let both = connector.connect([hole.addr, hole.addr]);
                    let drop_when_both_run = timeout(Duration::from_millis(1), both);
                    assert!(drop_when_both_run.await.is_err());
                    assert_eq!(count_of(Call::Connect), 2);
                }
                turns(1).await;
            })
            .unwrap();
        assert_eq!(runtime.metrics().sources, 0);
        assert_eq!(open_fds(), before);
    });
}

/// Its clocks and its losers are gone with its result, not with the future.
fn a_race_that_is_kept_after_its_end_holds_nothing(on: On) {
    on.alone(|| {
        let (hole, open) = (Hole::new(), Open::new());
        on.sim(async {
            let before = open_fds().len();
            let connector = Connector::new().timeout(Duration::from_secs(9));
            let mut race = Box::pin(connector.connect([hole.addr, open.addr, hole.addr]));
            let stream = race.as_mut().await.unwrap();
            assert_eq!(open_fds().len(), before + 1);
            let start = now();
            // Nothing but this is armed.
            sleep(Duration::from_secs(60)).await;
            assert_eq!(now() - start, Duration::from_secs(60));
            drop((stream, race));
        });
    });
}

fn a_long_list_of_refusals_lets_others_run(on: On) {
    let closed = Closed::new();
    on.sim(async {
        let plan = Plan::new().from(Call::Connect, 1, u64::MAX, Fault::Errno(libc::ECONNREFUSED));
        let _plan = plan.install();
        let far = vec![closed.addr; 1000];
        let connect = mainspring::spawn(async move { TcpStream::connect(far).await });
        mainspring::yield_now().await;
        mainspring::yield_now().await;
        let begun = count_of(Call::Connect);
        assert!((1..1000).contains(&begun), "{begun} attempts in one poll");
        let error = connect.await.unwrap().unwrap_err();
        assert_eq!(inside(&error).failures().len(), 1000);
    });
}
