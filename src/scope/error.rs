//! `ScopeError`: why a scope has no value.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use crate::cancel::CancelReason;

/// Why a scope has no value.
///
/// Where several apply: errors say more than a cancellation, which they may have followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeError<E = Infallible> {
    /// The body failed, or children that were to fail the scope: all errors, in the order in which they came.
    /// There is at least one.
    Failed(Vec<E>),
    /// It was cancelled, for this reason.
    Cancelled(CancelReason),
    /// Its deadline has passed.
    TimedOut,
}

impl<E> ScopeError<E> {
    /// The errors of the body and the children; none, if it was cancelled or its time was over.
    #[must_use]
    pub fn errors(&self) -> &[E] {
        match self {
            ScopeError::Failed(errors) => errors,
            ScopeError::Cancelled(_) | ScopeError::TimedOut => &[],
        }
    }

    /// Whether it was cancelled, or its time was over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        !matches!(self, ScopeError::Failed(_))
    }
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeError::Failed(errors) => {
                f.write_str("the scope failed")?;
                for (index, error) in errors.iter().enumerate() {
                    f.write_str(if index == 0 { ": " } else { "; " })?;
                    error.fmt(f)?;
                }
                Ok(())
            }
            ScopeError::Cancelled(reason) => write!(f, "the scope was cancelled: {reason}"),
            ScopeError::TimedOut => f.write_str("the deadline of the scope has passed"),
        }
    }
}

impl<E: Error + 'static> Error for ScopeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors()
            .first()
            .map(|error| error as &(dyn Error + 'static))
    }
}
