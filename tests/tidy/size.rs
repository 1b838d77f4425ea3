//! Size and shape: first lines, budgets of files and functions, `mod.rs`.

use crate::source::Source;
use crate::tree::Complaint;

/// Lines of a file, its `///` and `//!` lines left out. The aim is 300.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from `fn` to the closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The file opens with a `//!` sentence.
pub(crate) fn starts_with_a_sentence(source: &Source) -> Vec<Complaint> {
    let raw = |index: usize| source.lines.get(index).map_or("", |line| line.raw.trim());
    // The first paragraph, to its first empty line.
    let paragraph: Vec<&str> = (0..)
        .map(raw)
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let text = paragraph.join(" ");
    let ends = [".", ":", "?", "!"];
    let is_sentence = text.split(' ').count() >= 3
        && ends
            .iter()
            .any(|end| text.ends_with(end) || text.contains(&format!("{end} ")));
    if is_sentence {
        return Vec::new();
    }
    vec![Complaint::new(
        &source.path,
        1,
        "begin with `//!` and a sentence: what this file is",
    )]
}

/// A file outside the tests stays within its budget.
pub(crate) fn file_budget(source: &Source) -> Vec<Complaint> {
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let count = source
        .lines
        .iter()
        .filter(|line| !is_doc(line.raw.trim_start()))
        .count();
    if source.is_test_file() || count <= FILE_LINES_MAX {
        return Vec::new();
    }
    let advice =
        format!("{count} lines without docs, {FILE_LINES_MAX} at most: split the two ideas");
    vec![Complaint::new(&source.path, FILE_LINES_MAX, advice)]
}

/// A function stays within its budget, in tests too.
pub(crate) fn function_budget(source: &Source) -> Vec<Complaint> {
    let lengths = source
        .functions()
        .into_iter()
        .map(|f| (f.last_line + 1 - f.line, f));
    lengths
        .filter(|(length, _)| *length > FUNCTION_LINES_MAX)
        .map(|(length, function)| {
            let name = function.name;
            let advice =
                format!("`{name}` has {length} lines, {FUNCTION_LINES_MAX} at most: split it");
            Complaint::new(&source.path, function.line, advice)
        })
        .collect()
}

/// `foo.rs` beside `foo/`, not `foo/mod.rs`.
pub(crate) fn no_mod_rs(source: &Source) -> Vec<Complaint> {
    match source.path.strip_suffix("/mod.rs") {
        Some(folder) => vec![Complaint::new(
            &source.path,
            1,
            format!("rename it to {folder}.rs"),
        )],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_sentence_goes_red() {
        for text in [
            "",
            "use std::io;\n//! Late.",
            "//! Wheel\n//!\n//! A wheel it is.",
            "// A comment is not it.",
        ] {
            assert_eq!(
                starts_with_a_sentence(&Source::new("src/a.rs", text)).len(),
                1,
                "{text:?}"
            );
        }
        let good = "//! A timer wheel: insert, cancel and advance\n//! in constant time.\n";
        assert!(starts_with_a_sentence(&Source::new("src/a.rs", good)).is_empty());
    }

    #[test]
    fn a_long_file_goes_red_and_its_docs_do_not_count() {
        let code = "//! Docs.\n".repeat(200) + &"let a = 1;\n".repeat(500);
        assert!(file_budget(&Source::new("src/a.rs", &code)).is_empty());
        let code = code + "let b = 2;\n";
        assert_eq!(file_budget(&Source::new("src/a.rs", &code)).len(), 1);
        assert!(file_budget(&Source::new("src/a/tests.rs", &code)).is_empty());
    }

    #[test]
    fn a_long_function_goes_red() {
        let of = |lines: usize| format!("fn a() {{\n{}}}\n", "    if x {}\n".repeat(lines - 2));
        assert!(function_budget(&Source::new("src/a.rs", &of(70))).is_empty());
        let found = function_budget(&Source::new("src/a.rs", &of(71)));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 1);
    }

    #[test]
    fn a_mod_rs_goes_red() {
        assert_eq!(no_mod_rs(&Source::new("src/net/mod.rs", "")).len(), 1);
        assert!(no_mod_rs(&Source::new("src/net.rs", "")).is_empty());
    }
}
