//! The drift of a stack, with its secrets masked by the template that it has.

use crate::aws::{Aws, StackRef};
use crate::diff::{DriftedResource, detected};
use crate::model::{CallFailure, FailureKind, Priority, TargetSpec};
use crate::template::Template;

/// Returns what of a stack drifted, and why not all of it could be checked, if so; `None` if there is no such stack.
pub async fn detect(
    aws: &Aws,
    spec: &TargetSpec,
) -> Result<Option<(Vec<DriftedResource>, Option<String>)>, CallFailure> {
    let by = StackRef::Name(&spec.target.stack);
    let Some(stack) = aws.stack(spec, by, Priority::Read).await? else {
        return Ok(None);
    };
    let found = aws.detect_drift(spec, &stack.id).await?;
    if found.drifted.is_empty() {
        return Ok(Some((Vec::new(), found.failure)));
    }
    let text = match aws.template(spec, &stack.id).await {
        Ok(text) => text,
        Err(failure) if failure.kind == FailureKind::AccessDenied => None,
        Err(failure) => return Err(failure),
    };
    let template = text.and_then(|text| Template::parse("template", text.as_bytes()).ok());
    Ok(Some((
        detected(found.drifted, template.as_ref()),
        found.failure,
    )))
}
