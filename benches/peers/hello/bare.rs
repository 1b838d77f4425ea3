//! The least program: what Rust itself costs.

fn main() {}
