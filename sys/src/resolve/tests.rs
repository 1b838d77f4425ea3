//! Look-ups of what every machine knows, and what the codes become.

use std::net::{Ipv6Addr, SocketAddrV6};

use super::*;

fn inside(error: &io::Error) -> &ResolveError {
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[test]
fn numbers_and_localhost_are_looked_up() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 80));
    assert_eq!(lookup("127.0.0.1", 80).unwrap(), [loopback]);
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
    assert_eq!(lookup("::1", 9).unwrap(), [six]);
    let local = lookup("localhost", 80).unwrap();
    assert!(
        local.iter().all(|addr| addr.ip().is_loopback()),
        "{local:?}"
    );
    assert!(local.iter().all(|addr| addr.port() == 80), "{local:?}");
}

#[test]
fn hz_d15_the_scope_of_an_address_survives_the_list() {
    let name = ["lo", "lo0"]
        .into_iter()
        .find(|name| interface_index(name).is_ok());
    let Some(name) = name else {
        eprintln!("no loopback interface: nothing to look up");
        return;
    };
    let index = interface_index(name).unwrap();
    let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 0, index);
    let found = lookup(&format!("fe80::1%{name}"), 7).unwrap();
    assert_eq!(found, [SocketAddr::V6(expected)]);
    // And back: the name says which link it is.
    let (host, _) = lookup_addr(SocketAddr::V6(expected)).unwrap();
    assert_eq!(host, format!("fe80::1%{name}"));
}

#[test]
fn hz_d15_flow_and_scope_survive_the_raw_form() {
    let addr = SocketAddrV6::new("fe80::2".parse().unwrap(), 443, 0x000a_bcde, 77);
    // SAFETY: the address is lent with its length, as a node of a list has it (NAME-2).
    let back = unsafe {
        SocketAddr::V6(addr).with_sockaddr(|ptr, len| ip_address(ptr.cast(), len as usize))
    };
    assert_eq!(back, Some(SocketAddr::V6(addr)));
}

#[test]
fn hz_d15_a_short_or_strange_address_is_no_address() {
    let addr = SocketAddr::from((Ipv6Addr::LOCALHOST, 1));
    // SAFETY: as above; fewer bytes are claimed than there are.
    let read = |claimed: usize| unsafe {
        addr.with_sockaddr(|ptr, len| ip_address(ptr.cast(), claimed.min(len as usize)))
    };
    assert_eq!(read(usize::MAX), Some(addr));
    for claimed in 0..size_of::<libc::sockaddr_in6>() {
        assert_eq!(read(claimed), None, "{claimed} bytes");
    }
    assert_eq!(ip_address(ptr::null(), 16), None);
}

#[test]
fn an_address_is_called_something() {
    let (host, service) = lookup_addr(SocketAddr::from(([127, 0, 0, 1], 1))).unwrap();
    assert!(!host.is_empty() && !service.is_empty());
    // Reserved for documentation: nobody is called this, so the numbers come back; or nobody can be asked.
    match lookup_addr(SocketAddr::from(([127, 9, 8, 7], 64_999))) {
        Ok((_, service)) => assert_eq!(service, "64999"),
        Err(error) => assert!(inside(&error).code().is_some(), "{error}"),
    }
}

#[test]
fn a_nul_in_a_name_is_refused() {
    for error in [
        lookup("local\0host", 1).unwrap_err(),
        interface_index("l\0").unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("NUL"), "{error}");
    }
}

#[test]
fn an_interface_that_is_not_there_keeps_its_errno() {
    let error = interface_index("nosuchlink0").unwrap_err();
    assert!(error.raw_os_error().is_some(), "{error}");
}

#[test]
fn hz_g10_each_code_becomes_an_error_that_keeps_it() {
    let table = [
        (
            libc::EAI_NONAME,
            ResolveErrorKind::NoAddress,
            io::ErrorKind::NotFound,
        ),
        (
            libc::EAI_AGAIN,
            ResolveErrorKind::TryAgain,
            io::ErrorKind::Other,
        ),
        (
            libc::EAI_FAIL,
            ResolveErrorKind::Failed,
            io::ErrorKind::Other,
        ),
        (
            libc::EAI_MEMORY,
            ResolveErrorKind::OutOfMemory,
            io::ErrorKind::OutOfMemory,
        ),
        (
            libc::EAI_FAMILY,
            ResolveErrorKind::Other,
            io::ErrorKind::Other,
        ),
        (
            libc::EAI_SERVICE,
            ResolveErrorKind::Other,
            io::ErrorKind::Other,
        ),
        // What no system knows.
        (12_345, ResolveErrorKind::Other, io::ErrorKind::Other),
    ];
    let no_data = NO_ADDRESS
        .iter()
        .map(|&code| (code, ResolveErrorKind::NoAddress, io::ErrorKind::NotFound));
    for (code, kind, io_kind) in table.into_iter().chain(no_data) {
        let error = failure(code, io::Error::from_raw_os_error(libc::EIO), || {
            "it".into()
        });
        assert_eq!(error.kind(), io_kind, "{code}");
        let inside = inside(&error);
        assert_eq!((inside.kind(), inside.code()), (kind, Some(code)));
        assert!(
            error.to_string().starts_with("cannot look up it: "),
            "{error}"
        );
    }
    let temporary = failure(libc::EAI_AGAIN, injected_errno(), String::new);
    assert!(inside(&temporary).is_temporary());
}

#[test]
fn hz_g10_the_code_that_means_errno_becomes_errno() {
    let emfile = io::Error::from_raw_os_error(libc::EMFILE);
    let error = failure(libc::EAI_SYSTEM, emfile, String::new);
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    // And without one it is an error all the same.
    let none = io::Error::from_raw_os_error(0);
    let error = failure(libc::EAI_SYSTEM, none, String::new);
    assert_eq!(inside(&error).code(), Some(libc::EAI_SYSTEM));
}

#[cfg(feature = "sim")]
mod planned {
    use super::*;
    use crate::fault::{Plan, count_of};

    #[test]
    fn hz_g10_a_plan_can_refuse_a_name_or_give_it_no_address() {
        let guard = Plan::new()
            .at(Call::Resolve, 1, Fault::Errno(libc::EAI_AGAIN))
            .at(Call::Resolve, 2, Fault::Errno(libc::EAI_SYSTEM))
            .at(Call::Resolve, 3, Fault::Short(0))
            .at(Call::Resolve, 5, Fault::Errno(libc::EAI_FAIL))
            .install();
        let again = lookup("localhost", 1).unwrap_err();
        assert_eq!(inside(&again).code(), Some(libc::EAI_AGAIN));
        let system = lookup("localhost", 1).unwrap_err();
        assert_eq!(system.raw_os_error(), Some(libc::EMFILE));
        let empty = lookup("localhost", 1).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::NotFound);
        assert_eq!(inside(&empty).kind(), ResolveErrorKind::NoAddress);
        assert!(lookup("localhost", 1).is_ok());
        let failed = lookup_addr(SocketAddr::from(([127, 0, 0, 1], 1))).unwrap_err();
        assert_eq!(inside(&failed).kind(), ResolveErrorKind::Failed);
        assert_eq!(count_of(Call::Resolve), 5);
        drop(guard);
    }
}
