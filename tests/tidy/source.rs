//! A Rust file as the rules see it: comments told from code, test code told from the rest.
//!
//! *Model.* Not a parser: a scanner that knows comments, strings and braces, which is what a rule
//! about names, paths and sizes needs. Each line keeps three texts: as it stands (`raw`), without
//! comments and the insides of strings (`code`), and the comments alone (`comment`). The three have
//! the same columns.
//!
//! *Limits.* It believes that the file compiles, and it does not expand macros.

/// One line, see the header.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) raw: String,
    pub(crate) code: String,
    pub(crate) comment: String,
    /// Whether only a test build compiles it.
    pub(crate) is_test: bool,
}

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, `/` between the parts.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// A function's name and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The line of the closing brace; the first line's for a declaration without a body.
    pub(crate) last_line: usize,
    /// Whether `#[test]` stands above it.
    pub(crate) has_test_attribute: bool,
    /// Whether only a test build compiles it.
    pub(crate) is_test: bool,
}

/// A word, a number, `::` or one other character of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    /// Whether this is an identifier or a keyword.
    pub(crate) fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// A path as code writes it, `use` trees spread out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) parts: Vec<String>,
    /// The inline modules (`mod x { … }`) around it.
    pub(crate) inside: Vec<String>,
}

impl Source {
    /// Scans one text.
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let (code, comment) = split_comments(text);
        let lines = text.lines().zip(code.lines()).zip(comment.lines());
        let mut source = Source {
            path: path.to_string(),
            lines: lines
                .map(|((raw, code), comment)| Line {
                    raw: raw.to_string(),
                    code: code.to_string(),
                    comment: comment.to_string(),
                    is_test: false,
                })
                .collect(),
        };
        source.mark_tests();
        source
    }

    /// Scans all texts; a file that another declares under `#[cfg(test)]` is test code.
    pub(crate) fn read_all(texts: Vec<(String, String)>) -> Vec<Source> {
        let mut sources: Vec<Source> = texts
            .iter()
            .map(|(path, text)| Source::new(path, text))
            .collect();
        let children: Vec<String> = sources.iter().flat_map(Source::test_children).collect();
        for source in &mut sources {
            if children.contains(&source.path) {
                source.lines.iter_mut().for_each(|line| line.is_test = true);
            }
        }
        sources
    }

    /// Whether the whole file is test code: a line that is not would be a line of the product.
    pub(crate) fn is_test_file(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.is_test)
    }

    /// The tokens of the code.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let mut rest = line.code.as_str();
            while let Some(first) = rest.chars().next() {
                let length = if first == '_' || first.is_alphanumeric() {
                    rest.find(|c: char| c != '_' && !c.is_alphanumeric())
                        .unwrap_or(rest.len())
                } else if rest.starts_with("::") {
                    2
                } else {
                    first.len_utf8()
                };
                let (text, after) = rest.split_at(length);
                if !first.is_whitespace() {
                    tokens.push(Token {
                        line: index + 1,
                        text,
                    });
                }
                rest = after;
            }
        }
        tokens
    }

    /// The functions that are declared, in order.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let tokens = self.tokens();
        let mut functions = Vec::new();
        for (index, pair) in tokens.windows(2).enumerate() {
            let [keyword, name] = pair else { continue };
            if keyword.text != "fn" || !name.is_word() {
                continue;
            }
            functions.push(Function {
                name: name.text.to_string(),
                line: keyword.line,
                last_line: end_of_item(&tokens, index),
                has_test_attribute: self.has_test_attribute(keyword.line),
                is_test: self.lines[keyword.line - 1].is_test,
            });
        }
        functions
    }

    /// The paths in the code, spread out; `$crate::…` of a macro is left out.
    pub(crate) fn paths(&self) -> Vec<Path> {
        let tokens = self.tokens();
        let (mut paths, mut braces) = (Vec::new(), Vec::<Option<String>>::new());
        let mut index = 0;
        while index < tokens.len() {
            let before = |distance: usize| {
                index
                    .checked_sub(distance)
                    .map_or("", |before| tokens[before].text)
            };
            // `pub(in crate::x)` uses nothing.
            let is_visibility = before(1) == "in" && before(2) == "(";
            match tokens[index].text {
                "{" => braces.push(opened_module(&tokens, index)),
                "}" => drop(braces.pop()),
                _ => {}
            }
            let starts = tokens[index].is_word()
                && !["::", "$"].contains(&before(1))
                && !is_visibility
                && tokens.get(index + 1).is_some_and(|next| next.text == "::");
            if starts {
                let inside = braces.iter().flatten().cloned().collect::<Vec<_>>();
                let mut found = Vec::new();
                index = spread(&tokens, index, &[], &mut found);
                paths.extend(found.into_iter().map(|(line, parts)| Path {
                    line,
                    parts,
                    inside: inside.clone(),
                }));
            } else {
                index += 1;
            }
        }
        paths
    }

    /// Attributes stand on the lines directly above, between comments.
    fn has_test_attribute(&self, line: usize) -> bool {
        self.lines[..line]
            .iter()
            .rev()
            .enumerate()
            .take_while(|(distance, above)| {
                let code = above.code.trim();
                *distance == 0
                    || code.is_empty() && !above.comment.trim().is_empty()
                    || code.starts_with("#[")
            })
            .any(|(_, above)| above.code.contains("#[test]"))
    }

    /// Test files by their place, and items under `#[cfg(test)]`.
    fn mark_tests(&mut self) {
        let path = self.path.as_str();
        let by_place = path.starts_with("tests/") || path.contains("/tests/");
        if by_place || path.ends_with("/tests.rs") {
            self.lines.iter_mut().for_each(|line| line.is_test = true);
            return;
        }
        let spans: Vec<(usize, usize)> = {
            let tokens = self.tokens();
            test_attributes(&tokens)
                .into_iter()
                .map(|index| (tokens[index].line, end_of_item(&tokens, index)))
                .collect()
        };
        for (first, last) in spans {
            self.lines[first - 1..last]
                .iter_mut()
                .for_each(|line| line.is_test = true);
        }
    }

    /// The files that `#[cfg(test)] mod name;` declares here.
    fn test_children(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/lib.rs") {
            Some(folder) => folder,
            None => self.path.strip_suffix(".rs").unwrap_or(&self.path),
        };
        let tokens = self.tokens();
        let declared = tokens.windows(3).filter(|three| {
            three[0].text == "mod" && three[2].text == ";" && self.lines[three[0].line - 1].is_test
        });
        declared
            .map(|three| format!("{folder}/{}.rs", three[1].text))
            .collect()
    }
}

/// The indexes of the `#` of every `#[cfg(…test…)]` that is not `not(test)`.
fn test_attributes(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        let starts = tokens[index..].iter().map(|token| token.text).take(4);
        if !starts.eq(["#", "[", "cfg", "("]) {
            continue;
        }
        let inside: Vec<&str> = tokens[index + 4..]
            .iter()
            .map(|token| token.text)
            .take_while(|text| *text != "]")
            .collect();
        let negated = inside.windows(3).any(|three| three == ["not", "(", "test"]);
        if inside.contains(&"test") && !negated {
            found.push(index);
        }
    }
    found
}

/// The last line of the item at `index`: of its `;`, or of the brace that closes its body.
fn end_of_item(tokens: &[Token<'_>], index: usize) -> usize {
    let (mut braces, mut others) = (0usize, 0usize);
    for token in &tokens[index..] {
        match token.text {
            "(" | "[" => others += 1,
            ")" | "]" => others = others.saturating_sub(1),
            "{" => braces += 1,
            "}" if braces <= 1 => return token.line,
            "}" => braces -= 1,
            ";" if braces == 0 && others == 0 => return token.line,
            _ => {}
        }
    }
    tokens.last().map_or(1, |token| token.line)
}

/// The name, if the brace at `index` opens an inline module.
fn opened_module(tokens: &[Token<'_>], index: usize) -> Option<String> {
    let [.., keyword, name] = &tokens[..index] else {
        return None;
    };
    (keyword.text == "mod").then(|| name.text.to_string())
}

/// Reads the path or `use` tree at `index`; answers the index after it.
fn spread(
    tokens: &[Token<'_>],
    mut index: usize,
    prefix: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut parts = prefix.to_vec();
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token<'_>| token.text);
    loop {
        let line = tokens[index].line;
        if text(index) == "{" {
            index += 1;
            while index < tokens.len() && text(index) != "}" {
                let next = tokens[index];
                if next.is_word() || next.text == "{" || next.text == "*" {
                    index = spread(tokens, index, &parts, found);
                } else {
                    index += 1;
                }
                if text(index) == "as" {
                    index += 2;
                }
            }
            return index + 1;
        }
        parts.push(text(index).to_string());
        index += 1;
        let next = text(index + 1);
        let goes_on = text(index) == "::"
            && (next == "{" || next == "*" || tokens.get(index + 1).is_some_and(Token::is_word));
        if !goes_on {
            found.push((line, parts));
            return index;
        }
        index += 1;
    }
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    LineComment,
    /// With its depth: they nest.
    BlockComment(usize),
    Text,
    /// With the number of `#` that must follow the closing quote.
    RawText(usize),
}

/// The text twice, each with the other's part blanked: code, and comments.
fn split_comments(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comment) = (String::new(), String::new());
    let mut inside = Inside::Code;
    let mut index = 0;
    while index < chars.len() {
        let (length, kept) = step(&chars, index, &mut inside);
        for &c in &chars[index..(index + length).min(chars.len())] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if kept == Kept::Code { c } else { blank });
            comment.push(if kept == Kept::Comment { c } else { blank });
        }
        index += length;
    }
    (code, comment)
}

/// Where a stretch of characters belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Code,
    Comment,
    Neither,
}

/// Takes one step: how many characters, and where they belong.
fn step(chars: &[char], index: usize, inside: &mut Inside) -> (usize, Kept) {
    let c = chars[index];
    let next = chars.get(index + 1).copied().unwrap_or('\0');
    match *inside {
        Inside::Code => code_step(chars, index, inside),
        Inside::LineComment => {
            if c == '\n' {
                *inside = Inside::Code;
            }
            (1, Kept::Comment)
        }
        Inside::BlockComment(depth) => match (c, next) {
            ('*', '/') => {
                *inside = if depth == 1 {
                    Inside::Code
                } else {
                    Inside::BlockComment(depth - 1)
                };
                (2, Kept::Comment)
            }
            ('/', '*') => {
                *inside = Inside::BlockComment(depth + 1);
                (2, Kept::Comment)
            }
            _ => (1, Kept::Comment),
        },
        Inside::Text => match c {
            '\\' => (2, Kept::Neither),
            '"' => {
                *inside = Inside::Code;
                (1, Kept::Code)
            }
            _ => (1, Kept::Neither),
        },
        Inside::RawText(hashes) => {
            let closes =
                c == '"' && (1..=hashes).all(|ahead| chars.get(index + ahead) == Some(&'#'));
            if closes {
                *inside = Inside::Code;
                return (1 + hashes, Kept::Code);
            }
            (1, Kept::Neither)
        }
    }
}

/// A step in code: does a comment, a string or a character literal begin here?
fn code_step(chars: &[char], index: usize, inside: &mut Inside) -> (usize, Kept) {
    let at = |ahead: usize| chars.get(index + ahead).copied().unwrap_or('\0');
    let after_word = index > 0 && (chars[index - 1].is_alphanumeric() || chars[index - 1] == '_');
    match (at(0), at(1)) {
        ('/', '/') => {
            *inside = Inside::LineComment;
            (2, Kept::Comment)
        }
        ('/', '*') => {
            *inside = Inside::BlockComment(1);
            (2, Kept::Comment)
        }
        ('"', _) => {
            *inside = Inside::Text;
            (1, Kept::Code)
        }
        ('r', '"' | '#') if !after_word || chars[index - 1] == 'b' || chars[index - 1] == 'c' => {
            let hashes = (1..).take_while(|ahead| at(*ahead) == '#').count();
            if at(1 + hashes) != '"' {
                return (1, Kept::Code);
            }
            *inside = Inside::RawText(hashes);
            (2 + hashes, Kept::Code)
        }
        // A character literal, and not a lifetime: escaped, or closed after one character.
        ('\'', '\\') => {
            let length = (3..).find(|ahead| at(*ahead) == '\'' || at(*ahead) == '\0');
            (length.unwrap_or(3) + 1, Kept::Neither)
        }
        ('\'', _) if at(2) == '\'' => (3, Kept::Neither),
        _ => (1, Kept::Code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        let source = Source::new(
            "src/a.rs",
            "let a = \"libc // x\"; // libc\n/* libc\nlibc */ b",
        );
        let code: Vec<&str> = source.lines.iter().map(|line| line.code.trim()).collect();
        assert_eq!(code, ["let a = \"         \";", "", "b"]);
        assert_eq!(source.lines[0].comment.trim(), "// libc");
    }

    #[test]
    fn raw_strings_and_quotes_as_characters_do_not_confuse_the_scanner() {
        let text = "let a = r#\"// \"no\" comment\"#; let b = '\"'; let c = '\\''; f::<'a>(b'/');";
        let source = Source::new("src/a.rs", text);
        assert!(source.lines[0].comment.trim().is_empty());
        assert!(
            source.lines[0].code.ends_with("f::<'a>(b   );"),
            "{}",
            source.lines[0].code
        );
    }

    #[test]
    fn use_trees_are_spread_out() {
        let source = Source::new(
            "src/a.rs",
            "use std::{io, time::{Duration as D, Instant}};\nmod m { use super::b; }\nx::y::<u8>();",
        );
        let paths: Vec<String> = source
            .paths()
            .iter()
            .map(|path| path.parts.join("::"))
            .collect();
        let want = [
            "std::io",
            "std::time::Duration",
            "std::time::Instant",
            "super::b",
            "x::y",
        ];
        assert_eq!(paths, want);
        assert_eq!(source.paths()[3].inside, ["m"]);
    }

    #[test]
    fn test_modules_are_marked_and_their_files_found() {
        let text = "fn a() {}\n#[cfg(all(test, mainspring_loom))]\nmod loom;\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}";
        let sources = Source::read_all(vec![
            ("src/a.rs".into(), text.into()),
            ("src/a/loom.rs".into(), "fn d() {}".into()),
        ]);
        let marks: Vec<bool> = sources[0].lines.iter().map(|line| line.is_test).collect();
        assert_eq!(marks, [false, true, true, true, true, true, true, false]);
        assert!(sources[1].is_test_file());
    }

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let source = Source::new(
            "src/a.rs",
            "#[test]\n// why\n#[should_panic]\nfn a() {\n if x { }\n}\ntrait T {\n fn b(x: [u8; 2]);\n}",
        );
        let functions = source.functions();
        assert_eq!((functions[0].line, functions[0].last_line), (4, 6));
        assert!(functions[0].has_test_attribute);
        assert_eq!((functions[1].line, functions[1].last_line), (8, 8));
        assert!(!functions[1].has_test_attribute);
    }
}
