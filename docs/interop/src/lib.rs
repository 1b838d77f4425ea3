//! Adapters between mainspring and what others build on other traits, one file each, to be copied.
//!
//! `README.md` says which is for what. This crate exists so that they are built and tested; it is published
//! nowhere.

#![forbid(unsafe_code)]

pub mod certificate;
pub mod futures_io;
pub mod hyper_rt;
pub mod tls;
pub mod tokio_io;

/// The page's program compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod page {}
