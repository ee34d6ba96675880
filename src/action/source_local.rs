//! `Source/Local`: stores the project's files that an execution uses.

use std::collections::BTreeMap;
use std::path::Path;

use super::{World, bad_input};
use crate::model::{
    ActionDeclaration, ArtifactRef, CallFailure, FailureKind, SourceRevision, clean,
};

/// Stores the files that the action names, and returns the artifact and where it came from.
pub async fn store(
    world: &World,
    action: &ActionDeclaration,
) -> Result<(ArtifactRef, SourceRevision), CallFailure> {
    let bad = |message: String| CallFailure::new(FailureKind::BadInput, message);
    let listed = action
        .configuration
        .get("Files")
        .map(String::as_str)
        .unwrap_or("[]");
    let names: Vec<String> = serde_json::from_str(listed).map_err(|e| {
        bad(format!(
            "`Files` of action `{}` is no list of paths: {e}",
            action.name
        ))
    })?;
    let Some(output) = action.output_artifacts.first() else {
        return Err(bad(format!(
            "action `{}` names no output artifact",
            action.name
        )));
    };
    let mut files = BTreeMap::new();
    for name in &names {
        let bytes = tokio::fs::read(world.root.join(name))
            .await
            .map_err(|e| bad(format!("failed to read `{name}`: {e}")))?;
        files.insert(name.clone(), bytes);
    }
    let artifact = world
        .store
        .put_zip(output.name.clone(), &files)
        .map_err(|e| bad_input(&e))?;
    Ok((artifact, revision(&world.root, &names).await))
}

/// Returns the git commit of `root`, and whether one of `files` differs from it.
///
/// A folder that is no repository, or a machine without git, has no revision; that is no error.
async fn revision(root: &Path, files: &[String]) -> SourceRevision {
    let Some(commit) = git(root, &["rev-parse", "--verify", "--quiet", "HEAD"], &[]).await else {
        return SourceRevision::default();
    };
    let message = git(root, &["log", "-1", "--format=%s"], &[]).await;
    let status = git(root, &["status", "--porcelain"], files).await;
    SourceRevision {
        commit: Some(clean(&commit)),
        commit_message: message.map(|m| clean(&m)).filter(|m| !m.is_empty()),
        dirty: status.is_none_or(|s| !s.is_empty()),
    }
}

async fn git(root: &Path, arguments: &[&str], files: &[String]) -> Option<String> {
    let mut command = tokio::process::Command::new("git");
    command
        .arg("-C")
        .arg(root)
        .args(arguments)
        .arg("--")
        .env("GIT_TERMINAL_PROMPT", "0");
    // `rev-parse -- …` would echo the separator.
    if arguments.first() == Some(&"rev-parse") {
        command = tokio::process::Command::new("git");
        command
            .arg("-C")
            .arg(root)
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0");
    }
    command
        .args(files)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
