//! Scopes: children that end with their region, and borrow; failure, cancellation, time, order.
//!
//! How scopes behave when they are dropped at each of their waits is in `tests/cancel/scope.rs`.
#![cfg(feature = "sim")]

#[path = "scope/forgotten.rs"]
mod forgotten;
#[path = "scope/rig.rs"]
mod rig;
