//! `Source/Local`: stores the project's files that an execution uses.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{World, bad_input, package};
use crate::model::{
    ActionDeclaration, ArtifactRef, CallFailure, FailureKind, SourceRevision, clean,
};

/// The setting of a source action that names what an earlier execution stored, to be used again as it is: a JSON object
/// with `artifact` and `revision`, as the journal has them.
pub const STORED: &str = "Stored";

/// What an earlier execution stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stored {
    /// The artifact.
    pub artifact: ArtifactRef,
    /// Where it came from.
    pub revision: SourceRevision,
}

/// Stores the files that the action names, and returns the artifact and where it came from.
pub async fn store(
    world: &World,
    action: &ActionDeclaration,
) -> Result<(ArtifactRef, SourceRevision), CallFailure> {
    let bad = |message: String| CallFailure::new(FailureKind::BadInput, message);
    if let Some(json) = action.configuration.get(STORED) {
        let stored: Stored = serde_json::from_str(json).map_err(|e| {
            bad(format!(
                "`{STORED}` of action `{}` names no artifact: {e}",
                action.name
            ))
        })?;
        // Whole and unaltered, or nothing is planned with it.
        world
            .store
            .zip(&stored.artifact)
            .map_err(|e| bad_input(&e))?;
        return Ok((stored.artifact, stored.revision));
    }
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
    let mut read = names;
    if let Some(listed) = action.configuration.get(package::SETTING) {
        let templates: Vec<String> = serde_json::from_str(listed).map_err(|e| {
            bad(format!(
                "`{}` of action `{}` is no list of paths: {e}",
                package::SETTING,
                action.name
            ))
        })?;
        let (root, store) = (world.root.clone(), world.store.clone());
        let gather = move || package::gather(&root, &store, &templates);
        let gathered = tokio::task::spawn_blocking(gather)
            .await
            .map_err(|e| bad(format!("failed to package: {e}")))?
            .map_err(|e| bad_input(&e))?;
        files.extend(gathered.files);
        read.extend(gathered.read);
    }
    let artifact = world
        .store
        .put_zip(output.name.clone(), &files)
        .map_err(|e| bad_input(&e))?;
    Ok((artifact, revision(&world.root, &read).await))
}

/// Returns the git commit of `root`, and whether one of `files` differs from it.
///
/// A folder that is no repository, or a machine without git, has no revision; that is no error.
async fn revision(root: &Path, files: &[String]) -> SourceRevision {
    // Looked for here, since a process that only says no costs more than all else of this step.
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return SourceRevision::default();
    }
    let (commit, status) = tokio::join!(
        git(root, &["log", "-1", "--format=%H%n%s"], &[]),
        git(root, &["status", "--porcelain"], files),
    );
    let Some(commit) = commit else {
        return SourceRevision::default();
    };
    let (commit, message) = commit.split_once('\n').unwrap_or((&commit, ""));
    SourceRevision {
        commit: Some(clean(commit)),
        commit_message: Some(clean(message)).filter(|m| !m.is_empty()),
        dirty: status.is_none_or(|s| !s.is_empty()),
    }
}

/// Returns what git says, or `None` where it fails or is absent.
async fn git(root: &Path, arguments: &[&str], files: &[String]) -> Option<String> {
    let output = tokio::process::Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .arg("--")
        .args(files)
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let said = || String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then(said)
}
