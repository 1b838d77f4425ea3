//! Pages: puts the tables of a measured file between the markers of a Markdown page.
//!
//! A table begins after `<!-- peers: NAME -->` and ends before `<!-- end of peers -->`.

use crate::record::Record;
use crate::report;

const CLOSES: &str = "<!-- end of peers -->";

/// The page with its tables made anew.
pub fn filled(page: &str, record: &Record) -> Result<String, String> {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text += line;
        text += "\n";
        let name = line
            .strip_prefix("<!-- peers: ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        let Some(name) = name else {
            continue;
        };
        let table = match name {
            "about" => report::about(record),
            "costs" => report::costs(record),
            "latencies" => report::latencies(record),
            "besides" => report::besides(record),
            "calls" => report::calls(record),
            "start-up" => report::start_up(record),
            other => return Err(format!("there is no table `{other}`")),
        };
        lines
            .find(|line| *line == CLOSES)
            .ok_or_else(|| format!("`{line}` has no `{CLOSES}`"))?;
        // Empty lines, because Markdown takes a comment and what follows it for one block of HTML.
        text += &format!("\n{table}\n{CLOSES}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_old_one_and_nothing_else_changes() {
        let mut record = Record::default();
        record.push("yield", "mainspring", "cpu_ns", vec![10.0]);
        let page = "before\n<!-- peers: costs -->\nold\n<!-- end of peers -->\nafter\n";
        let once = filled(page, &record).unwrap();
        assert!(once.starts_with("before\n<!-- peers: costs -->\n\n| cell |"));
        assert!(once.ends_with("|\n\n<!-- end of peers -->\nafter\n"));
        assert!(!once.contains("old"));
        assert_eq!(filled(&once, &record).unwrap(), once);
    }

    #[test]
    fn a_marker_that_is_not_closed_or_not_known_is_an_error() {
        let record = Record::default();
        assert!(filled("<!-- peers: costs -->\n", &record).is_err());
        assert!(filled("<!-- peers: luck -->\n<!-- end of peers -->\n", &record).is_err());
    }
}
