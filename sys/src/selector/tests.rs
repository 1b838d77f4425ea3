//! What all backends share: the length of a sleep, and what `add` refuses.

use super::*;

const NOW: Instant = Instant::from_ns(1_000);

fn until_ns(at: u64) -> Sleep {
    Sleep::until(Deadline::At {
        at: Instant::from_ns(at),
        now: NOW,
    })
}

#[test]
fn b09_a_deadline_becomes_its_distance_from_now() {
    assert_eq!(until_ns(1_001), Sleep::Ns(1));
    assert_eq!(until_ns(1_000), Sleep::Zero);
    assert_eq!(until_ns(0), Sleep::Zero, "a deadline that has passed");
    assert_eq!(Sleep::until(Deadline::Now), Sleep::Zero);
    assert_eq!(Sleep::until(Deadline::Never), Sleep::Endless);
}

#[test]
fn b09_long_sleeps_are_cut_and_the_far_future_is_never() {
    assert_eq!(until_ns(1_000 + SLEEP_NS_MAX), Sleep::Ns(SLEEP_NS_MAX));
    assert_eq!(until_ns(1_001 + SLEEP_NS_MAX), Sleep::Ns(SLEEP_NS_MAX));
    assert_eq!(until_ns(u64::MAX - 1), Sleep::Ns(SLEEP_NS_MAX));
    assert_eq!(until_ns(u64::MAX), Sleep::Endless);
}

#[test]
fn the_default_kind_is_the_native_backend() {
    let selector = Selector::new(BackendKind::default()).unwrap();
    assert_eq!(selector.name(), Native::NAME);
    assert_eq!(selector.triggering(), Native::TRIGGERING);
    assert_eq!(selector.forgets_on_close(), Native::FORGETS_ON_CLOSE);
    assert_eq!(Selector::new(BackendKind::Poll).unwrap().name(), "poll");
}

#[test]
fn the_cfg_chose_the_backend_that_it_names() {
    let expected = if cfg!(mainspring_backend = "epoll") {
        "epoll"
    } else if cfg!(mainspring_backend = "kqueue") {
        "kqueue"
    } else if cfg!(mainspring_backend = "poll") {
        "poll"
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        "epoll"
    } else if cfg!(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    )) {
        "kqueue"
    } else {
        "poll"
    };
    assert_eq!(Native::NAME, expected);
}
