//! The public functions and types of a file, with what their docs say of cancel safety.
//!
//! *Model.* One walk over the tokens, which steps over bodies, and knows only in what block it stands.
//!
//! *Limits.* Of the functions that a macro writes only the names are known, not the types: they stand as
//! `*::name`. Where the macro is given the name too (`read_u16`), the function is not seen, nor is a future
//! behind a `Box` or a `Result`.

use crate::source::{Source, Token};

/// What the docs say of a drop, by how the section `# Cancel safety` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Safe,
    LosesItsPlace,
    NotSafe,
    /// Other words than the fixed ones.
    Other,
}

/// A public function, also of a public trait.
#[derive(Debug)]
pub(crate) struct Function {
    /// `Type::method`, or the bare name; `*::method` for what a macro writes.
    pub(crate) name: String,
    pub(crate) is_method: bool,
    pub(crate) line: usize,
    pub(crate) claim: Option<Claim>,
    /// The name of the type it returns, if that is one; `Future` for `impl Future` and `async fn`.
    pub(crate) returns: Option<String>,
}

/// A public struct or enum.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) claim: Option<Claim>,
}

/// What a file has.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) functions: Vec<Function>,
    pub(crate) types: Vec<Type>,
    /// The types for which it implements `Future`, public or not.
    pub(crate) futures: Vec<String>,
}

/// A block that items stand in.
enum Block {
    /// An `impl` of a type, or a public trait: with the name that comes before `::`.
    Named(String),
    /// An `impl` of a trait, or a trait that is not public: its functions are nobody's own.
    Foreign,
    Other,
}

impl Items {
    pub(crate) fn of(source: &Source) -> Items {
        let tokens = source.tokens();
        let mut items = Items::default();
        let mut blocks = Vec::new();
        let (mut index, mut macro_end) = (0, 0);
        while index < tokens.len() {
            let line = tokens[index].line;
            if source.lines[line - 1].is_test {
                index += 1;
                continue;
            }
            match tokens[index].text {
                "#" => index = after_group(&tokens, index + 1 + is(&tokens, index + 1, "!")),
                "macro_rules" => {
                    macro_end = after_group(&tokens, index + 3);
                    index += 3;
                }
                "use" | "static" | "type" => index = after_item(&tokens, index),
                "const" if !starts_function(&tokens, index) => index = after_item(&tokens, index),
                "impl" => {
                    blocks.push(items.note_impl(&tokens, index));
                    index = body(&tokens, index) + 1;
                }
                "trait" => {
                    let name = tokens[index + 1].text.to_string();
                    let is_public = is_public(&tokens, index);
                    blocks.push(if is_public {
                        Block::Named(name)
                    } else {
                        Block::Foreign
                    });
                    index = body(&tokens, index) + 1;
                }
                "struct" | "enum" => {
                    if is_public(&tokens, index) {
                        items.types.push(Type {
                            name: tokens[index + 1].text.to_string(),
                            line,
                            claim: claim(source, line),
                        });
                    }
                    index = after_item(&tokens, index);
                }
                "fn" => {
                    let written = Block::Named("*".to_string());
                    let block = match blocks.last() {
                        Some(Block::Foreign) => Some(&Block::Foreign),
                        _ if index < macro_end => Some(&written),
                        block => block,
                    };
                    items.note_function(source, &tokens, index, block);
                    index = after_item(&tokens, index);
                }
                "{" => {
                    blocks.push(Block::Other);
                    index += 1;
                }
                "}" => {
                    blocks.pop();
                    index += 1;
                }
                _ => index += 1,
            }
        }
        items
    }

    /// The `impl` at `index`: which type it is of, and whether it makes that a future.
    fn note_impl(&mut self, tokens: &[Token<'_>], index: usize) -> Block {
        let start = after_generics(tokens, index + 1);
        let header = &tokens[start..body(tokens, index)];
        let mut depth = 0;
        let split = header.iter().enumerate().position(|(at, token)| {
            depth += angle(header, at);
            // `for<'a>` binds a lifetime.
            depth == 0 && token.text == "for" && header[at + 1].text != "<"
        });
        let Some(split) = split else {
            return Block::Named(path_name(header).unwrap_or_default());
        };
        if path_name(&header[..split]).as_deref() == Some("Future") {
            self.futures.extend(path_name(&header[split + 1..]));
        }
        Block::Foreign
    }

    fn note_function(
        &mut self,
        source: &Source,
        tokens: &[Token<'_>],
        index: usize,
        block: Option<&Block>,
    ) {
        let (name, line) = (tokens[index + 1].text, tokens[index].line);
        let (owner, is_trait) = match block {
            Some(Block::Named(owner)) => (Some(owner), declares_trait(tokens, owner)),
            Some(Block::Foreign) => return,
            Some(Block::Other) | None => (None, false),
        };
        if !is_trait && !is_public(tokens, index) {
            return;
        }
        let is_async = modifiers(tokens, index).any(|text| text == "async");
        let returns = if is_async {
            Some("Future".to_string())
        } else {
            returned(tokens, index).map(|name| match owner {
                Some(owner) if name == "Self" => owner.clone(),
                _ => name,
            })
        };
        self.functions.push(Function {
            name: owner.map_or(name.to_string(), |owner| format!("{owner}::{name}")),
            is_method: owner.is_some(),
            line,
            claim: claim(source, line),
            returns,
        });
    }
}

/// 1 if the token at `index` is `text`, else 0.
fn is(tokens: &[Token<'_>], index: usize, text: &str) -> usize {
    usize::from(tokens.get(index).is_some_and(|token| token.text == text))
}

/// The index behind the bracket that closes the one at `index`.
fn after_group(tokens: &[Token<'_>], index: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(index) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The index behind the item at `index`: behind its `;`, or behind its body.
fn after_item(tokens: &[Token<'_>], mut index: usize) -> usize {
    while let Some(token) = tokens.get(index) {
        match token.text {
            ";" => return index + 1,
            "{" => {
                let after = after_group(tokens, index);
                // `use a::{b};`, `const A: T = { … };`
                return after + is(tokens, after, ";");
            }
            "(" | "[" => index = after_group(tokens, index),
            _ => index += 1,
        }
    }
    index
}

/// The index of the brace that opens the body of the item at `index`.
fn body(tokens: &[Token<'_>], mut index: usize) -> usize {
    while let Some(token) = tokens.get(index) {
        match token.text {
            "{" => return index,
            "(" | "[" => index = after_group(tokens, index),
            _ => index += 1,
        }
    }
    tokens.len() - 1
}

/// What the token at `at` adds to the depth of angle brackets; the one of `->` adds nothing.
fn angle(tokens: &[Token<'_>], at: usize) -> i32 {
    match tokens[at].text {
        "<" => 1,
        ">" if at == 0 || tokens[at - 1].text != "-" => -1,
        _ => 0,
    }
}

/// The index behind the `<…>` at `index`, if one stands there.
fn after_generics(tokens: &[Token<'_>], index: usize) -> usize {
    let mut depth = 0;
    for at in index..tokens.len() {
        depth += angle(tokens, at);
        if depth == 0 {
            return at + is(tokens, at, ">");
        }
    }
    tokens.len()
}

/// The last name of the path that `tokens` begin with.
fn path_name(tokens: &[Token<'_>]) -> Option<String> {
    let mut name = None;
    for token in tokens {
        if token.is_word() {
            name = Some(token.text.to_string());
        } else if token.text != "::" {
            break;
        }
    }
    name
}

/// `const`, `async`, `unsafe` and `extern` before the `fn` at `index`, from the right.
fn modifiers<'a>(tokens: &'a [Token<'a>], index: usize) -> impl Iterator<Item = &'a str> {
    let before = tokens[..index].iter().rev().map(|token| token.text);
    before.take_while(|text| ["const", "async", "unsafe", "extern", "\""].contains(text))
}

/// Whether the item whose keyword stands at `index` is `pub`, for everybody.
fn is_public(tokens: &[Token<'_>], index: usize) -> bool {
    let first = index - modifiers(tokens, index).count();
    first > 0 && tokens[first - 1].text == "pub"
}

/// Whether a function begins at `index`, with a modifier.
fn starts_function(tokens: &[Token<'_>], index: usize) -> bool {
    let next = tokens.get(index + 1).map_or("", |token| token.text);
    ["fn", "async", "unsafe", "extern"].contains(&next)
}

/// Whether the file has a trait of this name.
fn declares_trait(tokens: &[Token<'_>], name: &str) -> bool {
    tokens
        .windows(2)
        .any(|pair| pair[0].text == "trait" && pair[1].text == name)
}

/// The type that the function at `index` returns, if it is a path; `Future` for `impl Future`.
fn returned(tokens: &[Token<'_>], index: usize) -> Option<String> {
    let arguments = after_generics(tokens, index + 2);
    let arrow = after_group(tokens, arguments);
    if is(tokens, arrow, "-") + is(tokens, arrow + 1, ">") < 2 {
        return None;
    }
    path_name(&tokens[arrow + 2 + is(tokens, arrow + 2, "impl")..])
}

/// The claim of the docs right above `line`.
fn claim(source: &Source, line: usize) -> Option<Claim> {
    let above = source.lines[..line - 1]
        .iter()
        .rev()
        .map(|line| line.raw.trim());
    let block = above.take_while(|raw| raw.starts_with("///") || raw.starts_with("#["));
    let mut docs: Vec<&str> = block.filter_map(|raw| raw.strip_prefix("///")).collect();
    docs.reverse();
    let mut section = docs
        .iter()
        .map(|text| text.trim())
        .skip_while(|text| *text != "# Cancel safety");
    section.next()?;
    let text = section.collect::<Vec<_>>().join(" ");
    let begins = |words: &str| text.starts_with(words);
    Some(if begins("Safe:") || begins("Safe.") || begins("Safe,") {
        Claim::Safe
    } else if begins("Loses its place in line") {
        Claim::LosesItsPlace
    } else if begins("Not safe, because ") {
        Claim::NotSafe
    } else {
        Claim::Other
    })
}
