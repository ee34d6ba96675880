//! Findings that several targets have alike, told once.

use indexmap::IndexMap;

/// The most findings that are told one by one.
const TOLD: usize = 5;

/// Findings with the places where they are, in the order in which they were first found.
#[derive(Debug, Default)]
pub(super) struct Findings(IndexMap<String, Vec<String>>);

impl Findings {
    /// Adds a finding, in one line that is safe to show.
    pub(super) fn add(&mut self, finding: String, place: String) {
        self.0.entry(finding).or_default().push(place);
    }

    /// Returns them, each with its place.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(finding, places): (&String, &Vec<String>)| {
            let place = match &places[..] {
                [one] => one.clone(),
                many => format!("{} targets", many.len()),
            };
            format!("{finding} (in {place})")
        };
        self.0.iter().map(line).collect()
    }
}

/// Returns the first of `lines`, and how many more there are.
pub(super) fn first(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines.iter().take(TOLD) {
        text.push_str(&format!("  {line}\n"));
    }
    if let Some(more) = lines.len().checked_sub(TOLD).filter(|more| *more > 0) {
        text.push_str(&format!("  and {more} more, which the review names\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_have_alike_is_told_once() {
        let mut findings = Findings::default();
        for (finding, place) in [("a", "one"), ("b", "one"), ("a", "two")] {
            findings.add(finding.to_owned(), place.to_owned());
        }
        assert_eq!(
            first(&findings.lines()),
            "  a (in 2 targets)\n  b (in one)\n"
        );
        for finding in ["c", "d", "e", "f", "g"] {
            findings.add(finding.to_owned(), "one".to_owned());
        }
        let told = first(&findings.lines());
        assert_eq!(told.lines().count(), 6);
        assert!(told.ends_with("  and 2 more, which the review names\n"));
    }
}
