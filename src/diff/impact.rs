//! What a review tells in tables of their own: permissions, network, data and outputs.

use serde::Serialize;

use super::rules::Subject;
use super::value::MARKER;
use super::{KNOWN_AFTER_APPLY, outputs};
use crate::model::{ChangeAction, LogicalId, PlannedTarget, clean};
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
    /// Whether it opens something, or loses it.
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
) -> Impact {
    let mut impact = Impact::default();
    for change in &target.changes {
        let name = &change.logical_id;
        let subject = Subject::of(change, template, previous);
        for one in subject.permissions() {
            // What a new resource permits is read as a whole; a policy that grows may be overlooked.
            let is_grown = one.is_wider && change.action != ChangeAction::Add;
            let row = row(name, one.kind, &one.what, is_grown || one.is_public);
            impact.permissions.push(row);
        }
        for one in subject.network() {
            let row = row(name, one.kind, &one.to_string(), one.is_opened_to_world());
            impact.network.push(row);
        }
        if let Some((kind, what)) = subject.data() {
            let row = row(name, kind, what, kind == ImpactKind::Lost);
            impact.data.push(row);
        }
    }
    if let (Some(new), Some(old)) = (template, previous) {
        for gone in outputs::gone_with(new, old, &target.gone_exports) {
            let row = row(
                &gone.output,
                gone.kind(),
                &gone.to_string(),
                gone.export.is_some(),
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
