//! `Received`: what a receive of a message brought.

/// What a receive of a datagram, or of a record, brought into its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes are in the buffer.
    pub len: usize,
    /// The message was longer than the buffer: what did not fit is gone.
    pub is_truncated: bool,
}
