//! Forgotten awaits: the compiler warns of each future of ours that is made and dropped.

use crate::items::Items;
use crate::source::Source;
use crate::tree::Complaint;

/// Futures whose drop without an await is meant: what they stand for goes on.
const DETACHING: [&str; 2] = ["JoinHandle", "RemoteJoin"];

/// Each public future is `#[must_use]`.
pub(crate) fn futures_must_be_used(source: &Source) -> Vec<Complaint> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let items = Items::of(source);
    let futures = items
        .types
        .iter()
        .filter(|kind| items.futures.contains(&kind.name));
    futures
        .filter(|kind| !DETACHING.contains(&&*kind.name) && !is_must_use(source, kind.line))
        .map(|kind| {
            let advice = format!("`{}` is a future: give it `#[must_use = …]`", kind.name);
            Complaint::new(&source.path, kind.line, advice)
        })
        .collect()
}

/// Whether one of the attributes right above the item on this line says so.
fn is_must_use(source: &Source, line: usize) -> bool {
    let above = source.lines[..line - 1].iter().rev();
    above
        .map(|line| line.raw.trim())
        .take_while(|text| text.starts_with("#[") || text.starts_with("///"))
        .any(|text| text.starts_with("#[must_use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUTURE: &str = "pub struct Wait;\nimpl Future for Wait {\n}\n";

    #[test]
    fn a_future_that_may_be_forgotten_goes_red() {
        let source = Source::new("src/a.rs", FUTURE);
        assert_eq!(futures_must_be_used(&source).len(), 1);
        let used = format!("#[must_use = \"await it\"]\n#[derive(Debug)]\n{FUTURE}");
        assert!(futures_must_be_used(&Source::new("src/a.rs", &used)).is_empty());
        let private = FUTURE.replace("pub ", "");
        assert!(futures_must_be_used(&Source::new("src/a.rs", &private)).is_empty());
    }
}
