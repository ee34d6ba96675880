//! An output goes that others may read, or its export does.

use super::{Check, Rule};
use crate::diff::outputs;
use crate::model::{GoneExport, LogicalId, RiskLevel, clean};
use crate::template::Template;

pub(super) const RULE: Rule = Rule {
    name: "output_removed",
    level: RiskLevel::Medium,
    explanation: "An output is removed, or exported under another name or no longer. The update fails while another stack imports \
                  the export, and whoever looks the output up no longer finds it.",
    check: Check::Templates(check),
};

fn check(new: &Template, old: &Template, known: &[GoneExport]) -> Vec<(LogicalId, String)> {
    let gone = outputs::gone_with(new, old, known).into_iter();
    gone.map(|gone| {
        let message = clean(&gone.to_string());
        (gone.output, message)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::risks;
    use super::*;

    #[test]
    fn an_export_that_goes_is_found_without_any_change_of_a_resource() {
        let template = |outputs: &str| {
            let text =
                format!("Resources: {{T: {{Type: 'AWS::SNS::Topic'}}}}\nOutputs: {outputs}\n");
            Template::parse("t.yaml", text.as_bytes()).unwrap()
        };
        let (old, new) = (
            template("{A: {Value: x, Export: {Name: a}}}"),
            template("{}"),
        );
        let found = risks(&[], Some(&new), Some(&old));
        assert_eq!((found.len(), found[0].resource.as_str()), (1, "A"));
        assert!(
            found[0].message.contains("list-imports"),
            "{}",
            found[0].message
        );
        assert!(risks(&[], Some(&old), Some(&new)).is_empty());
        assert!(risks(&[], Some(&new), None).is_empty());
    }
}
