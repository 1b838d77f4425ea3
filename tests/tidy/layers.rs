//! Layers: who may use whom, as a table, and the rule that holds the `use` lines to it.
//!
//! A module uses modules of lower layers. Within a layer it uses another only where an arrow below
//! says so. A submodule belongs to its parent, unless the table names it as a module of its own: the
//! files of `task` know each other, but the words and blocks they are made of know none of them.

use crate::source::{Path, Source};
use crate::tree::Complaint;

/// The modules of one crate.
#[derive(Debug)]
pub(crate) struct Layers {
    /// The folder of the crate's sources, with a `/`.
    folder: &'static str,
    /// Lowest first.
    layers: &'static [&'static [&'static str]],
    /// `(from, to)`: the one may use the other although both are of one layer.
    arrows: &'static [(&'static str, &'static str)],
    /// Modules that know nothing of `mainspring_sys`.
    structures: &'static [&'static str],
}

/// The loop: structures, tasks, drivers, the loop itself, and what users see.
pub(crate) const SRC: Layers = Layers {
    folder: "src/",
    layers: &[
        &["shim", "pin", "debug"],
        &["list", "slab", "wheel", "histogram"],
        &["task::state", "task::count", "task::block"],
        &["task"],
        &[
            "reactor", "timers", "pool", "quiet", "resolver", "cancel", "clocks",
        ],
        &["event_loop", "context"],
        &[
            "runtime", "handle", "spawn", "callback", "blocking", "time", "scope", "join", "io",
            "net", "pipe", "process", "signal", "fs", "sync", "channel", "inspect", "sim",
            "stream", "codec", "terminal", "stdio", "workers",
        ],
    ],
    arrows: &[
        ("wheel", "list"),
        ("clocks", "reactor"),
        ("context", "event_loop"),
        ("runtime", "handle"),
        ("runtime", "spawn"),
        ("runtime", "time"),
        ("runtime", "inspect"),
        ("runtime", "signal"),
        ("spawn", "handle"),
        ("blocking", "handle"),
        ("callback", "time"),
        ("handle", "callback"),
        ("scope", "spawn"),
        ("scope", "time"),
        ("scope", "join"),
        ("join", "stream"),
        ("stream", "time"),
        ("io", "runtime"),
        ("io", "blocking"),
        ("io", "stream"),
        ("io", "time"),
        ("codec", "io"),
        ("codec", "stream"),
        ("net", "blocking"),
        ("net", "io"),
        ("net", "stream"),
        ("net", "time"),
        ("net", "scope"),
        ("net", "sync"),
        ("pipe", "io"),
        ("process", "io"),
        ("process", "pipe"),
        ("process", "signal"),
        ("process", "spawn"),
        ("process", "time"),
        ("signal", "stream"),
        ("fs", "blocking"),
        ("fs", "io"),
        ("fs", "stream"),
        ("fs", "time"),
        ("channel", "stream"),
        ("channel", "sync"),
        ("stdio", "blocking"),
        ("stdio", "io"),
        ("terminal", "io"),
        ("terminal", "signal"),
        ("terminal", "stream"),
        ("workers", "runtime"),
        ("workers", "handle"),
        ("workers", "channel"),
        ("workers", "net"),
        ("workers", "time"),
        ("sim", "runtime"),
    ],
    structures: &["list", "slab", "wheel"],
};

/// The system calls: words at the bottom, sockets on top.
pub(crate) const SYS: Layers = Layers {
    folder: "sys/src/",
    layers: &[
        &["event", "fault", "clock", "bytes"],
        &["fd", "fork", "kqueue", "sigpipe", "affinity", "storm"],
        &["notify"],
        &["backend"],
        // A kqueue is its own notifier: that file stands beside the selector it triggers.
        &[
            "notify::user_event",
            "selector",
            "socket",
            "thread",
            "pipe",
            "terminal",
            "stdio",
            "signal",
            "child",
            "file",
            "resolve",
            "sendfile",
            "splice",
            "watch",
            "clock_watch",
        ],
    ],
    arrows: &[
        ("clock", "fault"),
        ("kqueue", "fork"),
        ("child", "pipe"),
        ("file", "socket"),
        ("pipe", "socket"),
        ("sendfile", "socket"),
        ("splice", "sendfile"),
        ("stdio", "pipe"),
        ("stdio", "socket"),
        ("stdio", "terminal"),
        ("terminal", "pipe"),
        ("terminal", "signal"),
        ("terminal", "socket"),
        ("splice", "socket"),
        ("watch", "socket"),
    ],
    structures: &[],
};

impl Layers {
    fn layer_of(&self, module: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.contains(&module))
    }

    /// The module that a path below the crate's root belongs to: two parts if the table names both.
    fn module_of(&self, parts: &[String]) -> String {
        let both = parts.iter().take(2).cloned().collect::<Vec<_>>().join("::");
        if self.layer_of(&both).is_some() {
            both
        } else {
            parts.first().cloned().unwrap_or_default()
        }
    }

    fn allows(&self, from: &str, to: &str) -> bool {
        let is_child = from == to
            || to
                .strip_prefix(from)
                .is_some_and(|rest| rest.starts_with("::"));
        is_child
            || self.arrows.contains(&(from, to))
            || matches!((self.layer_of(from), self.layer_of(to)), (Some(f), Some(t)) if t < f)
    }
}

/// Every use of another module goes down, or along an arrow.
pub(crate) fn check(table: &Layers, source: &Source) -> Vec<Complaint> {
    let Some(place) = source.path.strip_prefix(table.folder) else {
        return Vec::new();
    };
    if place == "lib.rs" || source.is_test_file() {
        return Vec::new();
    }
    let place: Vec<String> = place
        .trim_end_matches(".rs")
        .split('/')
        .map(ToString::to_string)
        .collect();
    let from = table.module_of(&place);
    if table.layer_of(&from).is_none() {
        let advice = format!("give `{from}` a place in the table of tests/tidy/layers.rs");
        return vec![Complaint::new(&source.path, 1, advice)];
    }
    let is_free_of_system = table.structures.contains(&from.as_str());
    let mut complaints = Vec::new();
    for path in source.paths() {
        if source.lines[path.line - 1].is_test {
            continue;
        }
        if is_free_of_system && path.parts[0] == "mainspring_sys" {
            let advice = format!("`{from}` is a structure: no I/O, no clock; move this use up");
            complaints.push(Complaint::new(&source.path, path.line, advice));
        }
        let Some(target) = below_root(&place, &path) else {
            continue;
        };
        let to = table.module_of(&target);
        let advice = if table.layer_of(&to).is_none() {
            format!(
                "`crate::{to}` is not in the table of tests/tidy/layers.rs: name the module it is from"
            )
        } else if !table.allows(&from, &to) {
            format!(
                "`{from}` may not use `{to}`: it is not below it and no arrow leads there (tests/tidy/layers.rs)"
            )
        } else {
            continue;
        };
        complaints.push(Complaint::new(&source.path, path.line, advice));
    }
    complaints
}

/// The path from the crate's root, if it is one: `crate::…`, or `super::…` that leaves the file.
fn below_root(place: &[String], path: &Path) -> Option<Vec<String>> {
    let first = path.parts[0].as_str();
    if first == "crate" {
        return Some(path.parts[1..].to_vec());
    }
    if first != "super" {
        return None;
    }
    let mut base = [place, path.inside.as_slice()].concat();
    let mut rest = path.parts.as_slice();
    while let [first, after @ ..] = rest {
        if first != "super" {
            break;
        }
        base.pop();
        rest = after;
    }
    base.extend_from_slice(rest);
    (base.len() < place.len() + rest.len()).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&SRC, &Source::new(path, text))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn an_arrow_upwards_goes_red() {
        let found = complaints(
            "src/list.rs",
            "//! A list.\nuse crate::{shim::Cell, runtime::Runtime};",
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/list.rs:2: `list` may not use `runtime`"));
    }

    #[test]
    fn a_path_in_an_expression_goes_red_and_a_comment_does_not() {
        let found = complaints(
            "src/timers.rs",
            "// crate::net\nfn a() { crate::net::b(); }",
        );
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn siblings_need_an_arrow() {
        assert_eq!(
            complaints("src/timers.rs", "use crate::pool::Pool;").len(),
            1
        );
        assert_eq!(
            complaints("src/net/tcp.rs", "use crate::io::AsyncRead;").len(),
            0
        );
        assert_eq!(
            complaints("src/io/copy.rs", "use crate::net::TcpStream;").len(),
            1
        );
    }

    #[test]
    fn a_submodule_that_the_table_names_stands_for_itself() {
        assert_eq!(
            complaints("src/task/state.rs", "use super::raw::Header;").len(),
            1
        );
        assert_eq!(
            complaints("src/task/raw.rs", "use super::state::State;").len(),
            0
        );
        assert_eq!(complaints("src/task/raw.rs", "use super::waker;").len(), 0);
        assert_eq!(
            complaints("src/task.rs", "use crate::task::state::State;").len(),
            0
        );
    }

    #[test]
    fn super_within_the_file_is_no_use_of_another_module() {
        assert!(complaints("src/list.rs", "mod node { use super::List; }").is_empty());
        assert_eq!(
            complaints("src/list.rs", "use super::runtime::Runtime;").len(),
            1
        );
        assert_eq!(
            complaints("src/net/tcp.rs", "use super::super::inspect::Snapshot;").len(),
            1
        );
    }

    #[test]
    fn what_the_table_does_not_know_goes_red() {
        assert_eq!(complaints("src/odds_and_ends.rs", "").len(), 1);
        assert_eq!(complaints("src/net.rs", "use crate::Runtime;").len(), 1);
    }

    #[test]
    fn structures_know_no_system() {
        assert_eq!(
            complaints("src/wheel.rs", "use mainspring_sys::Instant;").len(),
            1
        );
        assert_eq!(
            complaints("src/timers.rs", "use mainspring_sys::Instant;").len(),
            0
        );
    }

    #[test]
    fn tests_may_use_whatever_they_like() {
        let text = "#[cfg(test)]\nmod tests { use crate::runtime::Runtime; }";
        assert!(complaints("src/list.rs", text).is_empty());
        assert!(complaints("src/list/tests.rs", "use crate::runtime::Runtime;").is_empty());
    }

    #[test]
    fn the_arrows_stay_within_a_layer_and_make_no_cycle() {
        for table in [&SRC, &SYS] {
            for (from, to) in table.arrows {
                let layers = (table.layer_of(from), table.layer_of(to));
                assert!(
                    layers.0.is_some() && layers.0 == layers.1,
                    "arrow {from} -> {to}"
                );
            }
            // Take away whatever points at nothing that is left; a cycle stays.
            let mut left: Vec<_> = table.arrows.to_vec();
            while let Some(index) = left
                .iter()
                .position(|(_, to)| left.iter().all(|(from, _)| from != to))
            {
                left.remove(index);
            }
            assert!(left.is_empty(), "these arrows go round: {left:?}");
        }
    }
}
