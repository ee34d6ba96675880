//! Executions told by constructed events, for the tests of all screens.

mod large;
mod large_sources;
mod scenes;
mod script;

use jiff::Timestamp;

use crate::diff::PropertyChange;
use crate::model::{
    Approver, ChangeAction, ChangeDetail, ChangeScope, Digest, EffectiveParameter, Evaluation,
    Layer, LogicalId, ParameterValue, PlannedTarget, Provenance, Recreation, Replacement,
    ResourceChange, StackEvent, Target, TargetInputs,
};

use super::ScreenOptions;
use super::review_data::{Place, ReviewSources};

pub(super) use large::shop;
pub(super) use large_sources::Shop;
pub(super) use scenes::*;
pub(super) use script::Script;

/// The four ways in which every screen is pinned.
pub(super) fn all_options() -> [(&'static str, ScreenOptions); 4] {
    let of = |width, colour| ScreenOptions {
        width,
        colour,
        ..ScreenOptions::default()
    };
    [
        ("80", of(80, false)),
        ("120", of(120, false)),
        ("80_colour", of(80, true)),
        ("120_colour", of(120, true)),
    ]
}

/// Pins a screen at both widths, with and without colour.
macro_rules! assert_screens {
    ($name:literal, $draw:expr) => {
        let draw = $draw;
        for (variant, options) in $crate::report::fixtures::all_options() {
            let text: String = draw(&options);
            insta::assert_snapshot!(format!("{}_{variant}", $name), text.replace('\u{1b}', "␛"));
        }
    };
}
pub(super) use assert_screens;

pub(super) fn target(account: char, region: &str) -> Target {
    Target {
        account: account.to_string().repeat(12).parse().unwrap(),
        region: region.parse().unwrap(),
        stack: "network".parse().unwrap(),
    }
}

/// Two accounts in two regions.
pub(super) fn four() -> Vec<Target> {
    vec![
        target('1', "us-east-1"),
        target('2', "us-east-1"),
        target('1', "eu-west-1"),
        target('2', "eu-west-1"),
    ]
}

pub(super) fn begin() -> Timestamp {
    "2026-11-22T22:00:00Z".parse().unwrap()
}

fn id(text: &str) -> LogicalId {
    text.parse().unwrap()
}

/// A change of a resource, without details.
pub(super) fn change(name: &str, kind: &str, action: ChangeAction) -> ResourceChange {
    ResourceChange {
        logical_id: id(name),
        resource_type: kind.to_owned(),
        physical_id: (action != ChangeAction::Add).then(|| format!("physical-{name}")),
        action,
        replacement: Replacement::No,
        policy_action: None,
        scope: Vec::new(),
        details: Vec::new(),
        before: None,
        after: None,
        nested: None,
        module: None,
        drift: None,
    }
}

/// A change of a property, as a detail.
pub(super) fn detail(path: &str, before: &str, after: &str) -> ChangeDetail {
    ChangeDetail {
        attribute: Some(ChangeScope::Properties),
        name: path.split('/').next().map(str::to_owned),
        path: Some(format!("/Properties/{path}")),
        recreation: Recreation::Never,
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        evaluation: Some(Evaluation::Static),
        source: Some("DirectModification".to_owned()),
        causing_entity: None,
        drift: None,
    }
}

/// The queue with another timeout, and a new topic.
pub(super) fn change_a() -> Vec<ResourceChange> {
    vec![
        change("Alerts", "AWS::SNS::Topic", ChangeAction::Add),
        ResourceChange {
            scope: vec![ChangeScope::Properties],
            details: vec![detail("VisibilityTimeout", "30", "60")],
            ..change("Queue", "AWS::SQS::Queue", ChangeAction::Modify)
        },
    ]
}

/// A table that is replaced.
pub(super) fn change_b() -> Vec<ResourceChange> {
    vec![ResourceChange {
        replacement: Replacement::Will,
        scope: vec![ChangeScope::Properties],
        details: vec![ChangeDetail {
            recreation: Recreation::Always,
            ..detail("KeySchema/0/AttributeName", "id", "orderId")
        }],
        ..change("Orders", "AWS::DynamoDB::Table", ChangeAction::Modify)
    }]
}

pub(super) fn parameter(name: &str, value: &str, layer: Layer, file: &str) -> EffectiveParameter {
    EffectiveParameter {
        name: name.to_owned(),
        value: ParameterValue::Plain(value.to_owned()),
        provenance: Provenance {
            layer,
            file: Some(format!("parameter-overrides/{file}")),
            line: Some(4),
            lookup: None,
        },
    }
}

pub(super) fn inputs() -> TargetInputs {
    TargetInputs {
        template: "SourceOutput::templates/network.yaml".parse().unwrap(),
        template_digest: Digest::of(b"template"),
        packaged: None,
        uploads: crate::model::Uploads::default(),
        parameters: Vec::new(),
        tags: None,
        capabilities: Default::default(),
        role_arn: None,
        stack_policy: None,
        options: crate::model::StackOptions::default(),
    }
}

pub(super) fn alice() -> Approver {
    Approver {
        arn: Some("arn:aws:sts::111111111111:assumed-role/Deploy/alice".to_owned()),
        os_user: "alice".to_owned(),
        host: "laptop".to_owned(),
    }
}

pub(super) fn stack_event(name: &str, status: &str, reason: Option<&str>) -> StackEvent {
    StackEvent {
        id: format!("{name}-{status}"),
        at: begin(),
        logical_id: id(name),
        resource_type: "AWS::DynamoDB::Table".to_owned(),
        physical_id: None,
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
        token: None,
    }
}

/// Sources as if the template were at hand.
pub(super) struct Template;

impl ReviewSources for Template {
    fn place(
        &self,
        _: &PlannedTarget,
        resource: &LogicalId,
        property: Option<&PropertyChange>,
    ) -> Option<Place> {
        let line = match resource.as_str() {
            "Queue" => 14,
            "Orders" => 41,
            _ => 7,
        };
        Some(Place {
            file: "templates/network.yaml".to_owned(),
            line,
            column: if property.is_some() { 7 } else { 3 },
        })
    }

    fn template_diff(&self, _: &PlannedTarget) -> Option<String> {
        let text = "@@ -12,3 +12,3 @@\n   Queue:\n-    VisibilityTimeout: 30\n+    VisibilityTimeout: 60\n";
        Some(text.to_owned())
    }
}
