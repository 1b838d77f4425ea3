//! Options, set and read back, and what is refused before the kernel is asked.

use std::io::ErrorKind;

use super::*;
use crate::socket::{take_error, tcp_socket};

fn v4() -> Fd {
    tcp_socket(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
}

#[track_caller]
fn comes_back<O: SocketOption>(fd: &Fd, option: O, value: O::Value)
where
    O::Value: PartialEq + std::fmt::Debug + Clone,
{
    option.set(fd, value.clone()).unwrap();
    assert_eq!(option.get(fd).unwrap(), value);
}

#[test]
fn what_is_set_comes_back() {
    let fd = v4();
    for on in [true, false] {
        comes_back(&fd, ReuseAddress, on);
        comes_back(&fd, KeepAlive, on);
        comes_back(&fd, NoDelay, on);
        comes_back(&fd, OutOfBandInline, on);
        comes_back(&fd, ReusePort, on);
    }
    comes_back(&fd, Linger, Some(Duration::from_secs(3)));
    comes_back(&fd, Linger, Some(Duration::ZERO));
    comes_back(&fd, Linger, None);
    comes_back(&fd, Ttl, 7);
    comes_back(&fd, Tos, 0x10);
}

#[test]
fn times_are_rounded_up_and_never_to_nothing() {
    let fd = v4();
    let little = Duration::from_millis(300);
    Linger.set(&fd, Some(little)).unwrap();
    assert_eq!(Linger.get(&fd).unwrap(), Some(Duration::from_secs(1)));
    if cfg!(target_os = "openbsd") {
        return;
    }
    KeepAliveIdle.set(&fd, little).unwrap();
    assert_eq!(KeepAliveIdle.get(&fd).unwrap(), Duration::from_secs(1));
    let zero = KeepAliveInterval.set(&fd, Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    assert!(zero.to_string().contains("at least a second"), "{zero}");
}

#[test]
fn an_int_names_any_option() {
    let fd = v4();
    let nodelay = Int::new(libc::IPPROTO_TCP, libc::TCP_NODELAY);
    nodelay.set(&fd, 1).unwrap();
    assert!(NoDelay.get(&fd).unwrap());
    let nothing = Int::new(libc::IPPROTO_TCP, 0x7fff);
    assert!(nothing.get(&fd).unwrap_err().raw_os_error().is_some());
}

#[test]
fn the_name_of_an_interface_is_looked_at() {
    let fd = v4();
    for name in ["", "a\0b"] {
        let error = BindToDevice.set(&fd, Some(name.to_string())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    if cfg!(any(target_os = "linux", target_vendor = "apple")) {
        assert_eq!(BindToDevice.get(&fd).unwrap(), None);
        let nobody = BindToDevice.set(&fd, Some("nobody-has-it".to_string()));
        assert!(nobody.unwrap_err().raw_os_error().is_some());
    } else {
        let error = BindToDevice.get(&fd).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_linux_alone_has_comes_back_there() {
    let fd = v4();
    comes_back(&fd, KeepAliveIdle, Duration::from_secs(60));
    comes_back(&fd, KeepAliveInterval, Duration::from_secs(5));
    comes_back(&fd, KeepAliveCount, 4);
    comes_back(&fd, UserTimeout, Duration::from_millis(1500));
    comes_back(&fd, UserTimeout, Duration::ZERO);
    let long = UserTimeout.set(&fd, Duration::MAX).unwrap_err();
    assert_eq!(long.kind(), ErrorKind::InvalidInput);
    for on in [true, false] {
        comes_back(&fd, Cork, on);
        comes_back(&fd, QuickAck, on);
        comes_back(&fd, FreeBind, on);
        comes_back(&fd, FastOpenConnect, on);
    }
    comes_back(&fd, NotSentLowWater, 16 << 10);
    comes_back(&fd, FastOpen, 5);
    let name = Congestion.get(&fd).unwrap();
    comes_back(&fd, Congestion, name);
    // Interface "lo" is there, and no privilege is needed for the first binding.
    if BindToDevice.set(&fd, Some("lo".to_string())).is_ok() {
        assert_eq!(BindToDevice.get(&fd).unwrap().as_deref(), Some("lo"));
    }
}

#[test]
fn the_family_decides_which_hop_limit_and_which_class() {
    let fd = v4();
    set_ttl(&fd, 9).unwrap();
    set_tos(&fd, 0x20).unwrap();
    assert_eq!((ttl(&fd).unwrap(), Ttl.get(&fd).unwrap()), (9, 9));
    assert_eq!((tos(&fd).unwrap(), Tos.get(&fd).unwrap()), (0x20, 0x20));
    let Ok(fd) = tcp_socket(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))) else {
        return; // A machine without IPv6.
    };
    set_ttl(&fd, 9).unwrap();
    set_tos(&fd, 0x20).unwrap();
    assert_eq!((ttl(&fd).unwrap(), HopLimit.get(&fd).unwrap()), (9, 9));
    let classes = (tos(&fd).unwrap(), TrafficClass.get(&fd).unwrap());
    assert_eq!(classes, (0x20, 0x20));
    comes_back(&fd, OnlyV6, true);
    assert!(take_error(&fd).unwrap().is_none());
}

#[test]
#[cfg(feature = "sim")]
fn a_fault_reaches_each_call_and_eintr_is_repeated() {
    use crate::fault::{Fault, Plan, count_of};
    let fd = v4();
    let plan = Plan::new().at(Call::SocketOption, 1, Fault::Errno(libc::EINTR));
    let _guard = plan.at(Call::SocketOption, 3, Fault::Errno(libc::ENOBUFS));
    let _guard = _guard.install();
    KeepAlive.set(&fd, true).unwrap();
    assert_eq!(count_of(Call::SocketOption), 2);
    let error = KeepAlive.set(&fd, false).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
    assert!(KeepAlive.get(&fd).unwrap(), "nothing was changed");
}
