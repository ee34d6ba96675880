//! What is asked of a stack beside its template, parameters and tags.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, imports};
use crate::model::options::{minutes, policy, topic};
use crate::model::{OnStackFailure, RollbackTrigger, StackOptions};
use crate::template::Template;

/// Options of the stacks; what is not given stays as a stack has it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stacks")]
pub(super) struct StackOptionArgs {
    /// An SNS topic that hears of the stack's events; up to five
    #[arg(long = "notification-arn", value_name = "ARN", value_parser = topic)]
    notification_arns: Vec<String>,
    /// What becomes of a stack whose operation fails: `ROLLBACK`, `DO_NOTHING`, or, for new ones, `DELETE`
    #[arg(long, value_name = "WHAT", conflicts_with = "disable_rollback")]
    on_stack_failure: Option<OnStackFailure>,
    /// Leave what a failed operation made, and let it be tried again
    #[arg(long)]
    disable_rollback: bool,
    /// An alarm that rolls the operation back; `composite:ARN` for a composite one; up to five
    #[arg(long = "rollback-trigger", value_name = "ARN")]
    rollback_triggers: Vec<RollbackTrigger>,
    /// How long alarms are watched after all resources are done, from 0 to 180
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    monitoring_time: Option<u8>,
    /// Adopt resources that exist under the names that the template gives them
    #[arg(long)]
    import_existing_resources: bool,
    /// A YAML or JSON list of resources that exist, each with `ResourceType`, `LogicalResourceId` and
    /// `ResourceIdentifier`, to take into the stacks; `{account}`, `{region}` and `{partition}` are filled in
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "import_existing_resources"
    )]
    resources_to_import: Option<PathBuf>,
    /// Make change sets for nested stacks, too
    #[arg(long)]
    include_nested_stacks: bool,
    /// Compare stacks that exist with what is really there, and put back what was changed outside CloudFormation
    #[arg(long, conflicts_with = "resources_to_import")]
    revert_drift: bool,
    /// A stack policy, as JSON, that wins over those of override files; set after the operation succeeded
    #[arg(long, value_name = "FILE")]
    stack_policy: Option<PathBuf>,
    /// Protect the stacks from deletion, after the operation succeeded
    #[arg(long)]
    termination_protection: bool,
    /// Take that protection away, after the operation succeeded
    #[arg(long, conflicts_with = "termination_protection")]
    no_termination_protection: bool,
}

impl StackOptionArgs {
    /// Returns the options, checked.
    pub(super) fn options(&self, template: &Template) -> Result<StackOptions, CliError> {
        let file = self.resources_to_import.as_ref();
        let imported = file.map(|file| imports::read(file, template)).transpose()?;
        let options = StackOptions {
            notification_arns: self.notification_arns.iter().cloned().collect(),
            on_stack_failure: self.on_stack_failure,
            disable_rollback: self.disable_rollback,
            rollback_triggers: self.rollback_triggers.iter().cloned().collect(),
            monitoring_minutes: self.monitoring_time,
            import_existing_resources: self.import_existing_resources,
            resources_to_import: imported.unwrap_or_default(),
            include_nested_stacks: self.include_nested_stacks,
            revert_drift: self.revert_drift,
            termination_protection: match (
                self.termination_protection,
                self.no_termination_protection,
            ) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
        };
        options.check().map_err(CliError::usage)?;
        Ok(options)
    }

    /// Returns the stack policy of the file that was named, checked.
    pub(super) fn policy(&self) -> Result<Option<String>, CliError> {
        let Some(file) = &self.stack_policy else {
            return Ok(None);
        };
        let context = || format!("failed to read the stack policy `{}`", file.display());
        let text = std::fs::read_to_string(file)
            .map_err(|error| CliError::usage(anyhow::Error::new(error).context(context())))?;
        let text = policy(&text)
            .map_err(|error| CliError::usage(anyhow::Error::new(error).context(context())))?;
        Ok(Some(text))
    }
}
