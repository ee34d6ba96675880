//! What a review tells in tables of their own: permissions, network, data and outputs.

use serde::Serialize;

use super::declared::Templates;
use super::iam::Openness;
use super::network::Direction;
use super::rules::Subject;
use super::value::MARKER;
use super::{KNOWN_AFTER_APPLY, outputs};
use crate::model::{ChangeAction, LogicalId, PlannedTarget, RiskChoices, RiskSetting, clean};
use crate::template::Template;

/// What changes that a person should see at once, whatever else does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// Who may do what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<ImpactRow>,
    /// What security groups let through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<ImpactRow>,
    /// What becomes of resources that hold data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<ImpactRow>,
    /// Outputs that go, or are exported under another name or no longer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<ImpactRow>,
    /// What the templates say that the change set does not describe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undescribed: Vec<ImpactRow>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImpactRow {
    /// The resource, or the output.
    pub name: LogicalId,
    /// What kind of change it is.
    pub kind: ImpactKind,
    /// What changes, in one line.
    pub what: String,
    /// Whether it opens something, or loses it, and the rule about that is not turned off.
    pub warns: bool,
}

/// What kind of change a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImpactKind {
    /// It was not there.
    Added,
    /// It goes.
    Removed,
    /// It allows more.
    Broadened,
    /// It allows less.
    Narrowed,
    /// It is another one, neither more nor less.
    Changed,
    /// It is let through now.
    Opened,
    /// It is let through no longer.
    Closed,
    /// Data is lost.
    Lost,
    /// Data stays outside the stack.
    Kept,
}

impl ImpactKind {
    /// Returns the lowercase name.
    pub fn as_str(self) -> &'static str {
        match self {
            ImpactKind::Added => "added",
            ImpactKind::Removed => "removed",
            ImpactKind::Broadened => "broadened",
            ImpactKind::Narrowed => "narrowed",
            ImpactKind::Changed => "changed",
            ImpactKind::Opened => "opened",
            ImpactKind::Closed => "closed",
            ImpactKind::Lost => "lost",
            ImpactKind::Kept => "kept",
        }
    }
}

impl Impact {
    /// Returns the tables by their titles, those with something to say.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &[ImpactRow])> {
        [
            ("Permissions", &self.permissions),
            ("Network", &self.network),
            ("Data", &self.data),
            ("Outputs", &self.outputs),
            ("Not in the change set", &self.undescribed),
        ]
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(title, rows)| (title, rows.as_slice()))
    }

    /// Returns whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.tables().next().is_none()
    }
}

/// Returns what changes in permissions, network, data and outputs, in the order of the changes.
pub fn impact(
    target: &PlannedTarget,
    template: Option<&Template>,
    previous: Option<&Template>,
    choices: &RiskChoices,
) -> Impact {
    let mut impact = Impact::default();
    let templates = Templates::of(target, template, previous);
    let is_on = |rule: &str| {
        let chosen = choices.0.get(rule);
        chosen.is_none_or(|chosen| chosen.setting != RiskSetting::Off)
    };
    for change in &target.changes {
        let name = &change.logical_id;
        let subject = Subject::of(change, &templates);
        for one in subject.permissions() {
            // What a new resource permits is read as a whole; a policy that grows may be overlooked.
            let is_grown = one.is_wider && change.action != ChangeAction::Add;
            let is_public = one.openness == Openness::Open;
            let warns = is_grown && is_on("iam_broadening") || is_public && is_on("public_access");
            let row = row(name, one.kind, &one.what, warns);
            impact.permissions.push(row);
        }
        for one in subject.network() {
            let rule = match (one.direction, one.is_opened_wide(), one.is_web()) {
                // There is no rule about what goes out.
                (Direction::Out, _, _) => None,
                (Direction::In, true, _) => Some("wide_ingress"),
                (Direction::In, false, true) => Some("public_web_ingress"),
                (Direction::In, false, false) => Some("public_ingress"),
            };
            let is_opened = match one.direction {
                Direction::In => one.is_opened_wide() || one.is_opened_to_world(),
                Direction::Out => one.is_opened_to_world(),
            };
            let row = row(
                name,
                one.kind,
                &one.to_string(),
                is_opened && rule.is_none_or(is_on),
            );
            impact.network.push(row);
        }
        if let Some((kind, what)) = subject.data() {
            let warns = kind == ImpactKind::Lost && is_on(subject.data_rule());
            let row = row(name, kind, what, warns);
            impact.data.push(row);
        }
    }
    if let (Some(new), Some(old)) = (template, previous) {
        for gone in outputs::gone_with(new, old, &target.gone_exports) {
            let row = row(
                &gone.output,
                gone.kind(),
                &gone.to_string(),
                gone.export.is_some() && is_on("output_removed"),
            );
            impact.outputs.push(row);
        }
    }
    // A table may be cut: what opens or loses something comes first.
    let Impact {
        permissions,
        network,
        data,
        outputs,
        undescribed,
    } = &mut impact;
    for rows in [permissions, network, data, outputs, undescribed] {
        rows.sort_by_key(|row| !row.warns);
    }
    impact
}

fn row(name: &LogicalId, kind: ImpactKind, what: &str, warns: bool) -> ImpactRow {
    let what = clean(&what.replace(MARKER, KNOWN_AFTER_APPLY));
    ImpactRow {
        name: name.clone(),
        kind,
        what,
        warns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::fixtures::{change as sample, target};
    use crate::diff::rules::RULES;
    use crate::model::{Replacement, RiskChoice};
    use serde_json::json;

    /// A target in which something of every table opens or loses something, and what each row warns of.
    fn marks(off: &[&str]) -> Vec<String> {
        let modify = |id: &str, of: &str, before, after| {
            let mut change = sample(id, of, ChangeAction::Modify, Replacement::No);
            change.before = Some(json!({ "Properties": before }));
            change.after = Some(json!({ "Properties": after }));
            change
        };
        let ingress = |port: u16, cidr: &str| json!({"SecurityGroupIngress": {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}});
        let allow = |actions: &[&str]| json!({"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": actions, "Resource": "x"}}});
        let mut public = allow(&["a:b"]);
        public["PolicyDocument"]["Statement"]["Principal"] = json!("*");
        let group = "AWS::EC2::SecurityGroup";
        let mut lost = sample(
            "Lost",
            "AWS::DynamoDB::Table",
            ChangeAction::Remove,
            Replacement::No,
        );
        lost.policy_action = Some(crate::model::PolicyAction::Delete);
        let changes = vec![
            modify("Ssh", group, json!({}), ingress(22, "0.0.0.0/0")),
            modify("Web", group, json!({}), ingress(443, "0.0.0.0/0")),
            modify("Wide", group, json!({}), ingress(443, "52.0.0.0/7")),
            modify(
                "Grown",
                "AWS::IAM::Policy",
                allow(&["a:b"]),
                allow(&["a:*"]),
            ),
            {
                let mut add = sample(
                    "Public",
                    "AWS::S3::BucketPolicy",
                    ChangeAction::Add,
                    Replacement::No,
                );
                add.after = Some(json!({ "Properties": public }));
                add
            },
            lost,
        ];
        let choice = |rule: &&str| {
            assert!(RULES.iter().any(|known| known.name == *rule), "{rule}");
            let chosen = RiskChoice {
                setting: RiskSetting::Off,
                place: String::new(),
            };
            ((*rule).to_owned(), chosen)
        };
        let choices = RiskChoices(off.iter().map(choice).collect());
        let impact = impact(&target(&[], &[], changes), None, None, &choices);
        let rows = impact.tables().flat_map(|(_, rows)| rows);
        let rows = rows.filter(|row| row.warns).map(|row| row.name.to_string());
        rows.collect()
    }

    #[test]
    fn a_rule_that_is_off_marks_no_row() {
        let all = ["Grown", "Public", "Ssh", "Web", "Wide", "Lost"];
        assert_eq!(marks(&[]), all);
        for (rule, row) in [
            ("iam_broadening", "Grown"),
            ("public_access", "Public"),
            ("public_ingress", "Ssh"),
            ("public_web_ingress", "Web"),
            ("wide_ingress", "Wide"),
            ("stateful_removal", "Lost"),
        ] {
            let left: Vec<&str> = all.into_iter().filter(|one| *one != row).collect();
            assert_eq!(marks(&[rule]), left, "{rule}");
        }
        assert_eq!(marks(&["removal"]), all);
    }
}
