//! Unsafe code: the list of files that hold it, their invariants, and a reason at each block.

use crate::source::Source;
use crate::tree::{Complaint, Page};

/// How far above an unsafe block its reason may begin.
const REASON_LINES_MAX: usize = 8;
/// A reason no longer than this says nothing, unless it cites an invariant.
const REASON_CHARS_MIN: usize = 20;
/// Words of those who gave no reason.
const EMPTY_REASONS: [&str; 3] = ["untriaged", "trivial", "todo"];
/// Opens the list in docs/architecture.md; the same marker again, or one with a `/`, closes it.
const MARKER: &str = "unsafe-files -->";

/// The line of `#![expect(unsafe_code …)]`, if the file has it.
fn opt_in(source: &Source) -> Option<usize> {
    let tokens = source.tokens();
    let want = ["#", "!", "[", "expect", "(", "unsafe_code"];
    tokens
        .windows(want.len())
        .find(|window| window.iter().map(|token| token.text).eq(want))
        .map(|window| window[0].line)
}

fn is_of_a_crate(source: &Source) -> bool {
    source.path.starts_with("src/") || source.path.starts_with("sys/src/")
}

/// The files that opt in are those that docs/architecture.md lists.
pub(crate) fn list_is_true(sources: &[Source], page: &Page) -> Vec<Complaint> {
    let mut listed = Vec::new();
    let mut is_open = false;
    for (number, line) in page.lines() {
        if line.contains(MARKER) {
            is_open = !is_open;
        } else if is_open {
            let spans = line
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|span| span.ends_with(".rs"));
            listed.extend(spans.map(|path| (number, path)));
        }
    }
    let mut complaints = Vec::new();
    let opted: Vec<(&str, usize)> = sources
        .iter()
        .filter(|source| is_of_a_crate(source))
        .filter_map(|source| opt_in(source).map(|line| (source.path.as_str(), line)))
        .collect();
    for (path, line) in &opted {
        if !listed.iter().any(|(_, listed)| listed == path) {
            let advice = format!("put it into the list of unsafe files in {}", page.path);
            complaints.push(Complaint::new(path, *line, advice));
        }
    }
    for (line, path) in &listed {
        if !opted.iter().any(|(opted, _)| opted == path) {
            let advice = format!("`{path}` has no `#![expect(unsafe_code`: take it off the list");
            complaints.push(Complaint::new(&page.path, *line, advice));
        }
    }
    complaints
}

/// A file that opts in names its invariants (`# Invariants` or `*Invariants.*` in the header), or cites
/// in the header or the attribute those of its parent (`LIST-2`).
pub(crate) fn names_its_invariants(source: &Source) -> Vec<Complaint> {
    if !is_of_a_crate(source) || source.is_test_file() {
        return Vec::new();
    }
    let Some(line) = opt_in(source) else {
        return Vec::new();
    };
    let is_named = source.lines.iter().any(|line| {
        let text = line.raw.strip_prefix("//!").unwrap_or("").trim();
        text == "# Invariants" || text.starts_with("*Invariants") || cites(text)
    });
    // The attribute, to the line of its `]`.
    let attribute = source.lines[line - 1..].iter();
    let end = attribute
        .clone()
        .position(|line| line.code.contains(']'))
        .unwrap_or(0);
    if is_named || attribute.take(end + 1).any(|line| cites(&line.raw)) {
        return Vec::new();
    }
    let advice = "unsafe code rests on invariants: name them under `//! # Invariants`";
    vec![Complaint::new(&source.path, line, advice)]
}

/// Whether a text cites an invariant by its id: capitals, a dash, a number.
fn cites(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .any(|word| {
            word.split_once('-').is_some_and(|(name, number)| {
                name.len() >= 2
                    && name.bytes().all(|byte| byte.is_ascii_uppercase())
                    && number.parse::<u32>().is_ok()
            })
        })
}

/// Each unsafe block, impl and function has its reason above it.
pub(crate) fn gives_its_reason(source: &Source) -> Vec<Complaint> {
    let tokens = source.tokens();
    let mut complaints = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.text != "unsafe" {
            continue;
        }
        let what = match tokens.get(index + 1).map_or("", |next| next.text) {
            "{" => "block",
            "impl" => "impl",
            // Not a function pointer's type, which is `unsafe fn(`.
            "fn" if tokens.get(index + 2).is_some_and(|name| name.is_word()) => "fn",
            "extern" if tokens.get(index + 3).is_some_and(|next| next.text != "fn") => "extern",
            _ => continue,
        };
        if let Err(fault) = reason_above(source, token.line, what) {
            let advice = format!("unsafe {what}: {fault}");
            complaints.push(Complaint::new(&source.path, token.line, advice));
        }
    }
    complaints
}

/// Looks for the reason above `line`, the line itself included.
fn reason_above(source: &Source, line: usize, what: &str) -> Result<(), &'static str> {
    let is_comment = |index: usize| !source.lines[index].comment.trim().is_empty();
    // The docs of a function may be long, so those count to their beginning.
    let mut first = line.saturating_sub(1 + REASON_LINES_MAX);
    while what != "block" && first > 0 && is_comment(first) {
        first -= 1;
    }
    let above = &source.lines[first..line];
    let Some(start) = above
        .iter()
        .rposition(|line| line.comment.contains("SAFETY:") || line.comment.contains("# Safety"))
    else {
        return Err("write `// SAFETY:` above it: what could go wrong, and what rules it out");
    };
    let text: String = above[start..]
        .iter()
        .map(|line| line.comment.trim())
        .take_while(|comment| !comment.is_empty())
        .map(|comment| comment.trim_start_matches(['/', '!', ' ']))
        .collect::<Vec<_>>()
        .join(" ");
    let reason = text.split_once("SAFETY:").or(text.split_once("# Safety"));
    let reason = reason.map_or("", |(_, reason)| reason.trim());
    let is_empty = reason
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| EMPTY_REASONS.contains(&word));
    let is_short = reason.chars().count() <= REASON_CHARS_MIN && !cites(reason);
    if is_short || is_empty {
        return Err("its reason gives none: what could go wrong, and what rules it out?");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::page;

    const OPT_IN: &str = "//! A list.\n#![expect(unsafe_code, reason = \"links\")]\n";

    #[test]
    fn the_list_goes_red_both_ways() {
        let sources = [
            Source::new("src/list.rs", OPT_IN),
            Source::new("src/slab.rs", "//! A slab."),
        ];
        let list = |body: &str| {
            page(
                "docs/architecture.md",
                &format!("<!-- unsafe-files -->\n{body}\n<!-- unsafe-files -->\n`src/x.rs`"),
            )
        };
        assert!(list_is_true(&sources, &list("- `src/list.rs`: links")).is_empty());
        assert_eq!(list_is_true(&sources, &list("")).len(), 1);
        assert_eq!(
            list_is_true(&sources, &list("- `src/list.rs`\n- `src/slab.rs`")).len(),
            1
        );
    }

    #[test]
    fn missing_invariants_go_red() {
        assert_eq!(
            names_its_invariants(&Source::new("src/list.rs", OPT_IN)).len(),
            1
        );
        let cited = "//! A part.\n#![expect(\n unsafe_code,\n reason = \"links; LIST-2\"\n)]\n";
        for good in [&format!("//! # Invariants\n{OPT_IN}"), cited] {
            assert!(names_its_invariants(&Source::new("src/list.rs", good)).is_empty());
        }
    }

    #[test]
    fn a_block_without_a_reason_goes_red() {
        let bad = [
            "fn a() { unsafe { b() } }",
            "// SAFETY: Untriaged, but most certainly fine.\nunsafe { b() }",
            "// SAFETY: trivial\nunsafe { b() }",
            "// SAFETY: ok here\nunsafe impl Send for A {}",
            "unsafe fn a() {}",
        ];
        for text in bad {
            assert_eq!(
                gives_its_reason(&Source::new("src/a.rs", text)).len(),
                1,
                "{text:?}"
            );
        }
        let far = format!(
            "// SAFETY: LIST-2 says that the node is linked.\n{}unsafe {{ b() }}",
            "c();\n".repeat(8)
        );
        assert_eq!(gives_its_reason(&Source::new("src/a.rs", &far)).len(), 1);
    }

    #[test]
    fn a_block_with_a_reason_stays_green() {
        let good = [
            "// SAFETY: LIST-2.\nunsafe { b() }",
            "// SAFETY: LIST-2: the node is linked,\n// so it lives.\nunsafe { b() }",
            "/// Frees it.\n///\n/// # Safety\n/// The pointer came from `alloc` above.\n#[inline]\nunsafe fn a() {}",
            "struct V { wake: unsafe fn(*const ()) } // and \"unsafe {\"",
        ];
        for text in good {
            let found = gives_its_reason(&Source::new("src/a.rs", text));
            assert!(found.is_empty(), "{text:?}: {found:?}");
        }
    }
}
