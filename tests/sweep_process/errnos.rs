//! Which errnos each call is documented to have, and which of them nobody need hear of.

use mainspring::sim::fault::Call;

/// The calls that are swept, in this order.
pub(crate) const CALLS: [Call; 14] = [
    Call::Pipe,
    Call::Flags,
    Call::FileName,
    Call::OpenFile,
    Call::Spawn,
    Call::PidfdOpen,
    Call::WaitChild,
    Call::Kill,
    Call::Signal,
    Call::Read,
    Call::Write,
    Call::Control,
    Call::Wait,
    Call::Open,
];

/// What is documented for each.
const ERRNOS: [(Call, &[i32]); 14] = [
    (Call::Pipe, &[libc::EMFILE, libc::ENFILE, libc::ENOMEM]),
    (Call::Flags, &[libc::EPERM, libc::EINVAL]),
    (
        Call::FileName,
        &[
            libc::EACCES,
            libc::EDQUOT,
            libc::EEXIST,
            libc::ENAMETOOLONG,
            libc::ENOENT,
            libc::ENOSPC,
            libc::ENOTDIR,
            libc::EROFS,
        ],
    ),
    (
        Call::OpenFile,
        &[
            libc::EINTR,
            libc::EACCES,
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOENT,
            libc::ENOMEM,
            libc::ENXIO,
            libc::EPERM,
        ],
    ),
    (
        Call::Spawn,
        &[libc::EAGAIN, libc::ENOMEM, libc::ENOSPC, libc::EPERM],
    ),
    (
        Call::PidfdOpen,
        &[
            libc::EMFILE,
            libc::ENFILE,
            libc::ENODEV,
            libc::ENOMEM,
            libc::ENOSYS,
        ],
    ),
    (Call::WaitChild, &[libc::EINTR, libc::ECHILD, libc::EINVAL]),
    (Call::Kill, &[libc::EINVAL, libc::EPERM, libc::ESRCH]),
    (Call::Signal, &[libc::EINVAL, libc::EMFILE, libc::ENFILE]),
    (
        Call::Read,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EIO,
            libc::EINVAL,
            libc::ENOMEM,
        ],
    ),
    (
        Call::Write,
        &[
            libc::EINTR,
            libc::EAGAIN,
            libc::EIO,
            libc::EPIPE,
            libc::EINVAL,
            libc::ENOMEM,
            libc::EPERM,
        ],
    ),
    (Call::Control, &[libc::ENOMEM, libc::ENOSPC, libc::EPERM]),
    (Call::Wait, &[libc::EINTR]),
    (Call::Open, &[libc::EMFILE, libc::ENFILE, libc::ENOMEM]),
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
        // A child is watched without one.
        _ => call == Call::PidfdOpen,
    }
}

/// Whether EAGAIN is a failure: to a start it says that there are too many processes.
pub(crate) fn is_final(call: Call, errno: i32) -> bool {
    errno == libc::EAGAIN && !matches!(call, Call::Read | Call::Write)
}

/// No datagram comes by here.
pub(crate) fn is_of_streams(_call: Call, _errno: i32) -> bool {
    false
}

/// Whether the thing that the caller wanted is so all the same.
pub(crate) fn is_harmless(call: Call, _errno: i32) -> bool {
    // A drop has nobody to tell that a registration stays; and one that failed is tried again by the next who waits.
    call == Call::Control
}

/// No call is swept whose failure is not an errno.
pub(crate) fn is_code(_call: Call) -> bool {
    false
}

/// Whether the call moves bytes, of which it may move fewer.
pub(crate) fn can_be_short(call: Call) -> bool {
    matches!(call, Call::Read | Call::Write)
}
