//! `CancelReason`: why something was cancelled, in words.

use std::borrow::Cow;
use std::fmt;

/// Why a token or a scope was cancelled: a few words for people, which no code should depend on.
///
/// ```
/// use mainspring::task::CancelReason;
/// let reason = CancelReason::from("the disk is full");
/// assert_eq!(reason.to_string(), "the disk is full");
/// assert_eq!(CancelReason::from(format!("shard {} moved", 7)).as_str(), "shard 7 moved");
/// assert_eq!(CancelReason::default().as_str(), "cancelled");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CancelReason(Cow<'static, str>);

impl CancelReason {
    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CancelReason {
    /// What is said where nobody gave a reason.
    fn default() -> CancelReason {
        CancelReason(Cow::Borrowed("cancelled"))
    }
}

impl From<&'static str> for CancelReason {
    fn from(words: &'static str) -> CancelReason {
        CancelReason(Cow::Borrowed(words))
    }
}

impl From<String> for CancelReason {
    fn from(words: String) -> CancelReason {
        CancelReason(Cow::Owned(words))
    }
}

impl From<Cow<'static, str>> for CancelReason {
    fn from(words: Cow<'static, str>) -> CancelReason {
        CancelReason(words)
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::error::Error for CancelReason {}
