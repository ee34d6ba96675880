//! The four-stage pipeline behind `deploy` and `plan`.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::model::{
    ActionCategory, ActionDeclaration, ActionName, ActionTypeId, ArtifactName, FanOut, NOTES,
    NamedArtifact, ON_FAILURE, OverrideLine, PipelineDeclaration, ROLLBACK, RiskChoices, StackName,
    StackOptions, StackWait, StageDeclaration, StageName,
};

/// The stage that stores the files used.
pub const SOURCE_STAGE: &str = "Source";
/// The stage that creates the change sets.
pub const CREATE_STAGE: &str = "CreateChangeSet";
/// The stage that waits for the answer.
pub const APPROVAL_STAGE: &str = "Approval";
/// The stage that executes the change sets.
pub const EXECUTE_STAGE: &str = "ExecuteChangeSet";
/// The artifact of the source stage.
pub const SOURCE_ARTIFACT: &str = "Source";

/// What `deploy` and `plan` deploy, all paths relative to the project root.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The stack's name, which is the pipeline's too.
    pub stack: StackName,
    /// The template.
    pub template: String,
    /// Every file that the execution uses.
    pub files: Vec<String>,
    /// The folder and base name of the layered override files, such as `parameter-overrides/network`.
    pub configuration: Option<String>,
    /// `ParameterOverrides`, a JSON object as text.
    pub parameter_overrides: Option<String>,
    /// Where those stand that a file gives for the command line.
    pub parameter_origins: BTreeMap<String, OverrideLine>,
    /// Tags that win over those of the files.
    pub tags: BTreeMap<String, String>,
    /// The acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// The role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// The bucket that `Fn::GetArtifactAtt` names.
    pub artifact_bucket: Option<String>,
    /// A stack policy that wins over those of the files, as JSON text.
    pub stack_policy: Option<String>,
    /// What else is asked of the stacks.
    pub options: StackOptions,
    /// The templates that name local files, to be packaged.
    pub packaged: Vec<String>,
    /// The buckets for templates that are too large for a request, and for what is packaged.
    pub template_buckets: Option<String>,
    /// Whether an operation of somebody else on a stack is waited for.
    pub wait: Option<StackWait>,
    /// The targets and preferences.
    pub fan_out: FanOut,
    /// Whether what was changed is rolled back where the rollout fails.
    pub rolls_back: bool,
    /// How long the answer is waited for, in minutes.
    pub approval_minutes: u32,
    /// What was chosen for risk rules.
    pub risks: RiskChoices,
    /// What a reviewer is told beside the changes.
    pub notes: Vec<String>,
}

impl Deployment {
    /// Returns the pipeline that deploys it.
    pub fn pipeline(self) -> PipelineDeclaration {
        let artifact = |path: &str| format!("{SOURCE_ARTIFACT}::{path}");
        let mut create = IndexMap::from([
            ("ActionMode".to_owned(), "CHANGE_SET_REPLACE".to_owned()),
            ("StackName".to_owned(), self.stack.to_string()),
            ("TemplatePath".to_owned(), artifact(&self.template)),
        ]);
        let mut set = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                create.insert(key.to_owned(), value);
            }
        };
        set(
            "TemplateConfiguration",
            self.configuration.as_deref().map(artifact),
        );
        set("ParameterOverrides", self.parameter_overrides);
        // Serialising a map of strings and numbers cannot fail.
        set(
            OverrideLine::KEY,
            (!self.parameter_origins.is_empty())
                .then(|| serde_json::json!(self.parameter_origins).to_string()),
        );
        set(
            "Capabilities",
            (!self.capabilities.is_empty()).then(|| self.capabilities.join(",")),
        );
        set("RoleArn", self.role_arn);
        set("ArtifactBucket", self.artifact_bucket);
        set("TemplateBuckets", self.template_buckets);
        set(StackWait::KEY, self.wait.map(|wait| wait.to_string()));
        set(
            NOTES,
            (!self.notes.is_empty()).then(|| serde_json::json!(self.notes).to_string()),
        );
        // Serialising a map of strings cannot fail.
        set(
            "Tags",
            (!self.tags.is_empty()).then(|| serde_json::json!(self.tags).to_string()),
        );
        set("StackPolicy", self.stack_policy);
        for (key, value) in self.options.to_configuration() {
            set(key, Some(value));
        }

        let mut files = IndexMap::from([(
            "Files".to_owned(),
            serde_json::json!(self.files).to_string(),
        )]);
        if !self.packaged.is_empty() {
            let templates = serde_json::json!(self.packaged).to_string();
            files.insert("PackageTemplates".to_owned(), templates);
        }
        let mut execute = IndexMap::from([
            ("ActionMode".to_owned(), "CHANGE_SET_EXECUTE".to_owned()),
            ("StackName".to_owned(), self.stack.to_string()),
        ]);
        if self.rolls_back {
            execute.insert(ON_FAILURE.to_owned(), ROLLBACK.to_owned());
        }
        let source = NamedArtifact {
            name: ArtifactName::from(SOURCE_ARTIFACT),
        };
        let base = ActionDeclaration {
            name: name("Change"),
            action_type_id: type_id(ActionCategory::Deploy, "AWS", "CloudFormation"),
            run_order: 1,
            configuration: IndexMap::new(),
            input_artifacts: Vec::new(),
            output_artifacts: Vec::new(),
            timeout_in_minutes: None,
            fan_out: None,
        };
        let stage = |stage: &str, action: ActionDeclaration| StageDeclaration {
            name: stage_name(stage),
            actions: vec![action],
        };
        PipelineDeclaration {
            name: self.stack.to_string(),
            stages: vec![
                stage(
                    SOURCE_STAGE,
                    ActionDeclaration {
                        name: name("Files"),
                        action_type_id: type_id(ActionCategory::Source, "Custom", "Local"),
                        configuration: files,
                        output_artifacts: vec![source.clone()],
                        ..base.clone()
                    },
                ),
                stage(
                    CREATE_STAGE,
                    ActionDeclaration {
                        name: name("Create"),
                        configuration: create,
                        input_artifacts: vec![source],
                        fan_out: Some(self.fan_out.clone()),
                        ..base.clone()
                    },
                ),
                stage(
                    APPROVAL_STAGE,
                    ActionDeclaration {
                        name: name("Review"),
                        action_type_id: type_id(ActionCategory::Approval, "AWS", "Manual"),
                        configuration: self.risks.to_configuration(),
                        timeout_in_minutes: Some(self.approval_minutes),
                        ..base.clone()
                    },
                ),
                stage(
                    EXECUTE_STAGE,
                    ActionDeclaration {
                        name: name("Execute"),
                        configuration: execute,
                        fan_out: Some(self.fan_out),
                        ..base
                    },
                ),
            ],
        }
    }
}

pub(super) fn type_id(category: ActionCategory, owner: &str, provider: &str) -> ActionTypeId {
    ActionTypeId {
        category,
        owner: owner.to_owned(),
        provider: provider.to_owned(),
        version: "1".to_owned(),
    }
}

pub(super) fn name(text: &str) -> ActionName {
    ActionName::new(text).expect("the names in this file are valid")
}

pub(super) fn stage_name(text: &str) -> StageName {
    StageName::new(text).expect("the names in this file are valid")
}
