//! `Stdio`: what a child gets as one of its standard streams.

use std::os::fd::OwnedFd;

use crate::pipe::{PipeReader, PipeWriter};

/// What a child gets as its standard input, output or error.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// This process's own; `/dev/null` if it has none.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe whose other end is in the [`Child`](super::Child).
    Piped,
    /// This descriptor. If others share it, so does its being blocking or not.
    Fd(OwnedFd),
    /// For standard error: wherever standard output goes.
    ToStdout,
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::Fd(fd)
    }
}

impl From<std::fs::File> for Stdio {
    fn from(file: std::fs::File) -> Stdio {
        Stdio::Fd(file.into())
    }
}

/// The end is made blocking, as a program expects it that did not ask for anything else; for
/// everybody who shares it. One that is to stay as it is comes as [`Stdio::Fd`].
impl From<PipeReader> for Stdio {
    fn from(reader: PipeReader) -> Stdio {
        Stdio::Fd(reader.into_fd_for_a_child())
    }
}

/// As for [`PipeReader`].
impl From<PipeWriter> for Stdio {
    fn from(writer: PipeWriter) -> Stdio {
        Stdio::Fd(writer.into_fd_for_a_child())
    }
}
