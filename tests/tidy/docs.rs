//! Docs: links that lead somewhere, a map that is true, records that are short.

use crate::source::Source;
use crate::tree::{Complaint, Exists, Page};

/// Lines of a decision record.
const DECISION_LINES_MAX: usize = 80;

/// The lines of a page outside its code fences, the insides of code spans blanked.
fn prose(page: &Page) -> Vec<(usize, String)> {
    let mut is_fenced = false;
    let mut prose = Vec::new();
    for (number, line) in page.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            let kept: Vec<&str> = line.split('`').step_by(2).collect();
            prose.push((number, kept.join("` `")));
        }
    }
    prose
}

/// The code spans of a line.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// `../a/./b` seen from `folder`, as a path from the root; `None` if it leaves the repository.
fn resolve(folder: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Every relative link of a page leads to a file or folder that exists.
pub(crate) fn links(page: &Page, exists: &Exists) -> Vec<Complaint> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut complaints = Vec::new();
    for (number, line) in prose(page) {
        // `](target)`, and `[name]: target` at the head of a line.
        let inline = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', ' ']).next());
        let defined = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .and_then(|(_, target)| target.split(' ').next());
        for target in inline.chain(defined) {
            let file = target.split('#').next().unwrap_or("");
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let path = resolve(folder, file);
            if !path.is_some_and(|path| path.is_empty() || exists.0.contains(&path)) {
                let advice = format!("the link `{target}` leads nowhere");
                complaints.push(Complaint::new(&page.path, number, advice));
            }
        }
    }
    complaints
}

/// Every code span in the section "Code map" that looks like a path exists, in a table or a list.
pub(crate) fn code_map(page: &Page, exists: &Exists) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut map_level = 0;
    for (number, line) in page.lines() {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 {
            if line.to_lowercase().contains("code map") {
                map_level = level;
            } else if level <= map_level {
                map_level = 0;
            }
        }
        if map_level == 0 {
            continue;
        }
        for span in code_spans(line) {
            let is_plain = span
                .chars()
                .all(|c| c.is_alphanumeric() || "/._-".contains(c));
            let is_path = is_plain && (span.contains('/') || span.ends_with(".rs"));
            if is_path && !exists.0.contains(span.trim_end_matches('/')) {
                let advice = format!("`{span}` does not exist: mend the code map");
                complaints.push(Complaint::new(&page.path, number, advice));
            }
        }
    }
    complaints
}

/// The summary, from which the book is made, lists every page of `docs`.
pub(crate) fn summary_is_whole(summary: &Page, exists: &Exists) -> Vec<Complaint> {
    exists
        .0
        .iter()
        .filter_map(|path| path.strip_prefix("docs/"))
        .filter(|page| page.ends_with(".md") && *page != "SUMMARY.md")
        .filter(|page| !summary.text.contains(&format!("]({page})")))
        .map(|page| Complaint::new(&summary.path, 1, format!("does not list `{page}`")))
        .collect()
}

/// Every chapter of the tour stands among the doc tests, which compile and run its program.
pub(crate) fn chapters_are_tested(code: &Page, exists: &Exists) -> Vec<Complaint> {
    exists
        .0
        .iter()
        .filter(|path| path.starts_with("docs/tour/") && path.ends_with(".md"))
        .filter(|path| !code.text.contains(&format!("\"../{path}\"")))
        .map(|path| Complaint::new(&code.path, 1, format!("has no `page!` for `{path}`")))
        .collect()
}

/// A decision record is called `NNNN-title.md` and is short.
pub(crate) fn decision_is_short(page: &Page) -> Vec<Complaint> {
    let Some(name) = page.path.strip_prefix("docs/decisions/") else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    let number = name.split('-').next().unwrap_or("");
    let is_numbered = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_numbered && name != "README.md" {
        complaints.push(Complaint::new(&page.path, 1, "call it NNNN-title.md"));
    }
    let count = page.lines().count();
    if count > DECISION_LINES_MAX {
        let advice =
            format!("{count} lines, {DECISION_LINES_MAX} at most: old, drawback, new, cost");
        complaints.push(Complaint::new(&page.path, DECISION_LINES_MAX, advice));
    }
    complaints
}

/// The numbered comments of `fn tick` are the numbered headings of the chapter, in order.
pub(crate) fn tick_reads_alike(code: &Page, chapter: &Page) -> Vec<Complaint> {
    let source = Source::new(&code.path, &code.text);
    let Some(tick) = source
        .functions()
        .into_iter()
        .find(|function| function.name == "tick")
    else {
        return vec![Complaint::new(
            &code.path,
            1,
            "has no `fn tick`, which the tour explains",
        )];
    };
    let steps: Vec<Step> = source.lines[tick.line - 1..tick.last_line]
        .iter()
        .enumerate()
        .filter_map(|(index, line)| {
            let comment = line.comment.trim().trim_start_matches('/');
            step(comment).map(|(number, words)| (tick.line + index, number, words))
        })
        .collect();
    let headings: Vec<Step> = chapter
        .lines()
        .filter_map(|(line, text)| {
            let (number, words) = step(text.strip_prefix("## ")?)?;
            Some((line, number, words))
        })
        .collect();
    let mut complaints = Vec::new();
    if steps.is_empty() {
        complaints.push(Complaint::new(
            &code.path,
            tick.line,
            "number the steps: `// 1. …`",
        ));
    }
    for index in 0..steps.len().max(headings.len()) {
        match (steps.get(index), headings.get(index)) {
            (Some(step), Some(heading)) if reads_alike(step, heading) => {}
            (Some((line, number, words)), _) => {
                let heading = format!("## {number}. {}", words.join(" "));
                let advice = format!("{} has no heading for this step: `{heading}`", chapter.path);
                complaints.push(Complaint::new(&code.path, *line, advice));
            }
            (None, Some((line, number, _))) => {
                let advice = format!("`fn tick` has no step {number}");
                complaints.push(Complaint::new(&chapter.path, *line, advice));
            }
            (None, None) => {}
        }
    }
    complaints
}

/// Line, number and words of a step.
type Step = (usize, usize, Vec<String>);

/// The number and the words of `3. Expire the timers`, in small letters.
fn step(text: &str) -> Option<(usize, Vec<String>)> {
    let (number, rest) = text.trim().split_once(". ")?;
    let words = rest
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    Some((number.parse().ok()?, words))
}

/// The same number, and the shorter of the two is how the longer begins.
fn reads_alike((_, a_number, a): &Step, (_, b_number, b): &Step) -> bool {
    let length = a.len().min(b.len());
    a_number == b_number && length >= 2 && a[..length] == b[..length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::page;

    fn exists(paths: &[&str]) -> Exists {
        Exists(paths.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_dead_link_goes_red() {
        let exists = exists(&["docs", "docs/a.md", "README.md"]);
        let text = "[a](a.md#x) [b](../README.md) [c](b.md) [d](https://x.y/z) [e](#f) `[g](h)`\n```\n[i](j)\n```\n[k]: ../l.md\n[m](../../n)";
        let found = links(&page("docs/b.md", text), &exists);
        let lines: Vec<usize> = found.iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [1, 5, 6], "{found:?}");
    }

    #[test]
    fn a_map_of_what_is_gone_goes_red() {
        let exists = exists(&["src", "src/list.rs", "src/task"]);
        let text = "# A\n`src/no.rs`\n## Code map\n- `src/list.rs`, `src/task/`, `Waker`, `src/gone.rs`\n### L2\n`src/gone/too.rs`\n## Next\n`src/other.rs`";
        let found = code_map(&page("docs/architecture.md", text), &exists);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_page_that_the_summary_or_the_doc_tests_forgot_goes_red() {
        let exists = exists(&["docs/SUMMARY.md", "docs/a.md", "docs/tour/b.md", "c.md"]);
        let summary = page("docs/SUMMARY.md", "- [A](a.md)\n- [B](tour/c.md)\n");
        assert_eq!(summary_is_whole(&summary, &exists).len(), 1);
        let code = page("src/lib.rs", "page!(b, \"../docs/tour/c.md\");");
        assert_eq!(chapters_are_tested(&code, &exists).len(), 1);
        let code = page("src/lib.rs", "page!(b, \"../docs/tour/b.md\");");
        assert!(chapters_are_tested(&code, &exists).is_empty());
    }

    #[test]
    fn a_long_record_goes_red() {
        let long = "x\n".repeat(81);
        assert_eq!(
            decision_is_short(&page("docs/decisions/0001-a.md", &long)).len(),
            1
        );
        assert_eq!(
            decision_is_short(&page("docs/decisions/one.md", "x")).len(),
            1
        );
        assert!(decision_is_short(&page("docs/decisions/0001-a.md", &long[2..])).is_empty());
        assert!(decision_is_short(&page("docs/other.md", &long)).is_empty());
    }

    #[test]
    fn a_chapter_that_drifts_from_the_code_goes_red() {
        let code = page(
            "src/event_loop.rs",
            "fn tick() {\n a(); // 1. what others woke joins the queue\n b(); // 2. run the batch\n}",
        );
        let alike = "## 1. What others woke\n## Aside\n## 2. Run the batch.\n";
        assert!(tick_reads_alike(&code, &page("docs/tour/one-tick.md", alike)).is_empty());
        for drifted in [
            "## 1. What others woke\n",
            "## 1. What others slept\n## 2. Run the batch",
        ] {
            let found = tick_reads_alike(&code, &page("docs/tour/one-tick.md", drifted));
            assert_eq!(found.len(), 1, "{found:?}");
        }
        let more = format!("{alike}## 3. And another\n");
        assert_eq!(
            tick_reads_alike(&code, &page("docs/tour/one-tick.md", &more)).len(),
            1
        );
    }
}
