//! Quotes: code that a page of `docs` shows as this tree's own stands there as it stands in the sources.
//!
//! *Model.* A page opens a quote by a comment that names a file and an item of it, and closes it by
//! another. The code fence between them is compared with the item, both without their common indent: from
//! its first line (attributes and doc comments are left out) to the closing brace, or to the semicolon at
//! the end of that first line.
//!
//! ```text
//! <!-- quote: src/event_loop.rs fn tick -->
//! (a code fence)
//! <!-- end of quote -->
//! ```
//!
//! An item is named by its keyword and what follows: `fn tick`, `enum OnWake`, `impl Future for YieldNow`.
//! The first of that name in the file is meant.
//!
//! *Why by name and not by line number.* Numbers rot with the first edit above them, and in silence.

use std::fs;
use std::path::{Path, PathBuf};

const OPENS: &str = "<!-- quote: ";
const CLOSES: &str = "<!-- end of quote -->";
/// What can be quoted.
const KINDS: [&str; 7] = [
    "fn ", "struct ", "enum ", "trait ", "impl", "const ", "static ",
];

/// A block of code that a page shows, and where it says that it is from.
#[derive(Debug, PartialEq, Eq)]
struct Quote {
    /// Counted from 1.
    line: usize,
    file: String,
    /// `fn tick`
    item: String,
    code: Vec<String>,
}

/// The quotes of a page; `Err` says what is wrong with the form of one.
fn quotes(page: &str) -> Result<Vec<Quote>, String> {
    let mut quotes = Vec::new();
    let mut lines = page.lines().zip(1..);
    while let Some((text, line)) = lines.next() {
        let Some(rest) = text.strip_prefix(OPENS) else {
            continue;
        };
        let name = rest
            .strip_suffix(" -->")
            .and_then(|name| name.split_once(' '))
            .filter(|(_, item)| KINDS.iter().any(|kind| item.starts_with(kind)));
        let (file, item) = name.ok_or_else(|| format!("line {line}: write `file fn name`"))?;
        let inside: Vec<&str> = lines
            .by_ref()
            .map(|(text, _)| text)
            .take_while(|text| *text != CLOSES)
            .collect();
        let code = match inside.as_slice() {
            [first, code @ .., "```"] if first.starts_with("```") => code,
            _ => {
                return Err(format!(
                    "line {line}: a quote is one code fence, then `{CLOSES}`"
                ));
            }
        };
        quotes.push(Quote {
            line,
            file: file.to_string(),
            item: item.to_string(),
            code: without_indent(code),
        });
    }
    Ok(quotes)
}

/// The item's lines, from the one that names it to the brace of the same indent, if it has one.
fn item(source: &str, name: &str) -> Option<Vec<String>> {
    let lines: Vec<&str> = source.lines().collect();
    let is_name = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_head = |line: &&str| {
        let line = line.trim_start();
        // Nothing but `pub(crate)`, `unsafe` and the like comes before the keyword.
        let is_word = |c: char| c.is_alphanumeric() || "_() ".contains(c);
        line.split_once(name)
            .is_some_and(|(before, rest)| before.chars().all(is_word) && is_name(rest))
    };
    let first = lines.iter().position(is_head)?;
    if lines[first].ends_with(';') {
        return Some(without_indent(&lines[first..=first]));
    }
    let indent = lines[first].len() - lines[first].trim_start().len();
    let end = format!("{}}}", " ".repeat(indent));
    let length = lines[first..].iter().position(|line| *line == end)?;
    Some(without_indent(&lines[first..=first + length]))
}

/// The lines without the indent of the first.
fn without_indent(lines: &[&str]) -> Vec<String> {
    let indent = lines
        .first()
        .map_or(0, |line| line.len() - line.trim_start().len());
    lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or("").to_string())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown page of `docs`, and the README.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("docs is readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn quoted_items_are_those_of_the_sources() {
    let mut count = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).expect("pages are UTF-8");
        let found = quotes(&page).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for quote in found {
            let at = format!("{}:{}", path.display(), quote.line);
            let source = fs::read_to_string(root().join(&quote.file)).expect(&at);
            let item = item(&source, &quote.item);
            let item = item.unwrap_or_else(|| panic!("{at}: {} has no such item", quote.file));
            assert_eq!(
                quote.code, item,
                "{at}: copy the item anew, and read the text around it"
            );
            count += 1;
        }
    }
    assert!(count >= 2, "the tour quotes the tick");
}

#[test]
fn the_readme_shows_the_echo_of_the_example() {
    let read = |path| fs::read_to_string(root().join(path)).expect("pages are UTF-8");
    let shown = item(&read("README.md"), "fn echo").expect("the README shows an echo server");
    assert_eq!(
        Some(shown),
        item(&read("docs/examples/echo_server.rs"), "fn echo")
    );
}

#[test]
fn a_quote_that_differs_goes_red() {
    let source = "impl A {\n    // fn b() is short\n    fn b<T>(&self) {\n        c();\n    }\n}\n";
    let page = "<!-- quote: a.rs fn b -->\n```rust,ignore\nfn b<T>(&self) {\n    d();\n}\n```\n<!-- end of quote -->\n";
    let quote = &quotes(page).unwrap()[0];
    let item = item(source, "fn b").unwrap();
    assert_eq!(item, ["fn b<T>(&self) {", "    c();", "}"]);
    assert_ne!(quote.code, item);
    assert_eq!((quote.file.as_str(), quote.line), ("a.rs", 1));
}

#[test]
fn an_item_is_found_by_its_whole_name_and_ends_where_it_ends() {
    let source = "const BIT: u8 = 1;\n/// as struct A\npub(crate) struct Ab {\n    b: u8,\n}\nstruct A;\nimpl C for A {\n    const D: u8 = 2;\n}\n";
    let found = |name| item(source, name).unwrap_or_default();
    assert_eq!(found("const BIT"), ["const BIT: u8 = 1;"]);
    assert_eq!(
        found("struct Ab"),
        ["pub(crate) struct Ab {", "    b: u8,", "}"]
    );
    assert_eq!(found("struct A"), ["struct A;"]);
    assert_eq!(found("impl C for A").len(), 3);
    assert_eq!(found("const D"), ["const D: u8 = 2;"]);
    assert_eq!(item(source, "struct B"), None);
}

#[test]
fn a_quote_without_its_form_goes_red() {
    assert!(quotes("<!-- quote: a.rs b -->\n").is_err());
    assert!(quotes("<!-- quote: a.rs fn b -->\ntext\n<!-- end of quote -->\n").is_err());
    assert!(quotes("<!-- quote: a.rs fn b -->\n```\nfn b() {}\n").is_err());
}
