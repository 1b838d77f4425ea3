//! What each call may say, as its manual pages have it (Linux and POSIX), and which of that is no failure.

use mainspring::sim::fault::Call;

/// The calls that are swept, in the order in which they are made.
pub(crate) const CALLS: [Call; 21] = [
    Call::Socket,
    Call::Bind,
    Call::SocketFile,
    Call::Listen,
    Call::OpenReserve,
    Call::SocketOption,
    Call::Resolve,
    Call::Connect,
    Call::Accept,
    Call::Control,
    Call::Wait,
    Call::Send,
    Call::Recv,
    Call::SendMsg,
    Call::RecvMsg,
    Call::SendMany,
    Call::RecvMany,
    Call::Open,
    Call::Splice,
    Call::Sendfile,
    Call::Shutdown,
];

/// What is documented for each; for a look-up, its codes.
const ERRNOS: [(Call, &[i32]); 21] = [
    (
        Call::Socket,
        &[
            libc::EINTR,
            libc::EACCES,
            libc::EAFNOSUPPORT,
            libc::EINVAL,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EPROTONOSUPPORT,
        ],
    ),
    (
        Call::Bind,
        &[
            libc::EINTR,
            libc::EACCES,
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::EINVAL,
            libc::ELOOP,
            libc::ENAMETOOLONG,
            libc::ENOENT,
            libc::ENOMEM,
            libc::ENOTDIR,
            libc::EROFS,
        ],
    ),
    (
        Call::Listen,
        &[
            libc::EINTR,
            libc::EADDRINUSE,
            libc::EINVAL,
            libc::EOPNOTSUPP,
        ],
    ),
    (
        Call::SocketFile,
        &[
            libc::EINTR,
            libc::EACCES,
            libc::ENOENT,
            libc::EPERM,
            libc::EROFS,
            libc::EIO,
        ],
    ),
    (
        Call::SendMany,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EACCES,
            libc::ECONNRESET,
            libc::ECONNREFUSED,
            libc::EHOSTUNREACH,
            libc::EMSGSIZE,
            libc::ENETDOWN,
            libc::ENETUNREACH,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOTCONN,
            libc::EPERM,
            libc::EPIPE,
            libc::ETIMEDOUT,
        ],
    ),
    (
        Call::RecvMany,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::EHOSTUNREACH,
            libc::EIO,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOTCONN,
            libc::ETIMEDOUT,
        ],
    ),
    (
        Call::OpenReserve,
        &[
            libc::EINTR,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOENT,
            libc::ENOMEM,
        ],
    ),
    (
        Call::SocketOption,
        &[
            libc::EINTR,
            libc::EINVAL,
            libc::ENOPROTOOPT,
            libc::ENOMEM,
            libc::ENOBUFS,
            libc::EDOM,
            libc::EPERM,
        ],
    ),
    (
        Call::Resolve,
        &[
            libc::EAI_AGAIN,
            libc::EAI_FAIL,
            libc::EAI_FAMILY,
            libc::EAI_MEMORY,
            libc::EAI_NONAME,
            libc::EAI_SERVICE,
            libc::EAI_SYSTEM,
        ],
    ),
    (
        Call::Connect,
        &[
            libc::EINTR,
            libc::EINPROGRESS,
            libc::EALREADY,
            libc::EACCES,
            libc::EPERM,
            libc::EADDRINUSE,
            libc::EADDRNOTAVAIL,
            libc::EAGAIN,
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
            libc::ENOBUFS,
            libc::ENOENT,
            libc::EPROTOTYPE,
        ],
    ),
    (
        Call::Accept,
        &[
            libc::EINTR,
            libc::ECONNABORTED,
            libc::EAGAIN,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EPERM,
            libc::EPROTO,
            libc::ENETDOWN,
            libc::EHOSTUNREACH,
            libc::ETIMEDOUT,
            libc::EINVAL,
        ],
    ),
    (Call::Control, &[libc::ENOMEM, libc::ENOSPC, libc::EPERM]),
    (Call::Wait, &[libc::EINTR]),
    (
        Call::Send,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EACCES,
            libc::ECONNRESET,
            libc::ECONNREFUSED,
            libc::EHOSTUNREACH,
            libc::EMSGSIZE,
            libc::ENETDOWN,
            libc::ENETUNREACH,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOTCONN,
            libc::EPERM,
            libc::EPIPE,
            libc::ETIMEDOUT,
        ],
    ),
    (
        Call::Recv,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::EHOSTUNREACH,
            libc::EIO,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOTCONN,
            libc::ETIMEDOUT,
        ],
    ),
    (
        Call::SendMsg,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNRESET,
            libc::EMSGSIZE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EPERM,
            libc::EPIPE,
            libc::ETOOMANYREFS,
        ],
    ),
    (
        Call::RecvMsg,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::ECONNRESET,
            libc::EMSGSIZE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ENOTCONN,
        ],
    ),
    (Call::Open, &[libc::EMFILE, libc::ENFILE, libc::ENOMEM]),
    (
        Call::Splice,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EINVAL,
            libc::ENOMEM,
            libc::EPIPE,
            libc::ECONNRESET,
            libc::ENOSYS,
            libc::EIO,
        ],
    ),
    (
        Call::Sendfile,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EINVAL,
            libc::EIO,
            libc::ENOMEM,
            libc::EOVERFLOW,
            libc::EPIPE,
            libc::ECONNRESET,
            libc::ENOSYS,
            libc::EOPNOTSUPP,
        ],
    ),
    (
        Call::Shutdown,
        &[libc::EINTR, libc::ENOTCONN, libc::EINVAL, libc::ENOBUFS],
    ),
];

/// The errnos that are documented for the call.
pub(crate) fn of(call: Call) -> &'static [i32] {
    let found = ERRNOS.iter().find(|(kind, _)| *kind == call);
    found.map_or(&[], |(_, errnos)| errnos)
}

/// Whether it is made up for where it happens, so that nobody hears of it.
pub(crate) fn is_passing(call: Call, errno: i32) -> bool {
    match errno {
        libc::EINTR => true,
        libc::EAGAIN => !is_final(call, errno),
        libc::ECONNABORTED => call == Call::Accept,
        libc::EINPROGRESS | libc::EALREADY => call == Call::Connect,
        _ => false,
    }
}

/// Whether EAGAIN is a failure: to connect it says that no local port is free, or that a listener's queue is
/// full.
pub(crate) fn is_final(call: Call, errno: i32) -> bool {
    errno == libc::EAGAIN && call == Call::Connect
}

/// Whether only a connection can say so.
pub(crate) fn is_of_streams(call: Call, errno: i32) -> bool {
    call == Call::Connect && matches!(errno, libc::EINPROGRESS | libc::EALREADY)
}

/// Whether the thing that the caller wanted is so all the same.
pub(crate) fn is_harmless(call: Call, errno: i32) -> bool {
    // A listener does without its reserve. A drop has nobody to tell that a file, or a registration, stays;
    // and a registration that failed is tried again by the next who waits.
    matches!(call, Call::OpenReserve | Call::SocketFile | Call::Control)
        // The connection is gone, so there is nothing to shut.
        || call == Call::Shutdown && errno == libc::ENOTCONN
}

/// Whether what is injected is no errno.
pub(crate) fn is_code(call: Call) -> bool {
    call == Call::Resolve
}

/// Whether the call moves bytes, of which it may move fewer; or, with 0, can say something else than usual.
pub(crate) fn can_be_short(call: Call) -> bool {
    matches!(
        call,
        Call::Send
            | Call::Recv
            | Call::SendMsg
            | Call::RecvMsg
            | Call::SendMany
            | Call::RecvMany
            | Call::Sendfile
            | Call::Splice
            | Call::Connect
            | Call::Resolve
    )
}
