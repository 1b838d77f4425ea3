//! Scopes: children that end with their region, and borrow; failure, cancellation, time, order.
//!
//! How scopes behave when they are dropped at each of their waits is in `tests/cancel/scope.rs`.
#![cfg(feature = "sim")]

#[path = "scope/borrow.rs"]
mod borrow;
#[path = "scope/cancel.rs"]
mod cancel;
#[path = "scope/failure.rs"]
mod failure;
#[path = "scope/forgotten.rs"]
mod forgotten;
#[path = "scope/inside.rs"]
mod inside;
#[path = "scope/order.rs"]
mod order;
#[path = "scope/rig.rs"]
mod rig;
#[path = "scope/start.rs"]
mod start;
#[path = "scope/time.rs"]
mod time;
#[path = "scope/token.rs"]
mod token;
#[path = "scope/tree.rs"]
mod tree;
