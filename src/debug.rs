//! Debug mode: whether the environment asks for reports that cost something.
//!
//! *Role.* The one place that reads `MAINSPRING_DEBUG`. Any value but `0` and the empty one turns it on.

use std::sync::OnceLock;

const VARIABLE: &str = "MAINSPRING_DEBUG";

/// Whether debug mode is on. Read once in a process.
pub(crate) fn is_on() -> bool {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    *IS_ON.get_or_init(|| {
        let value = std::env::var_os(VARIABLE);
        value.is_some_and(|value| !value.is_empty() && value != "0")
    })
}
