//! Local paths that a template names, which are packaged before it is deployed: whether they can be.

use std::path::{Component, Path};

use crate::action::package::unusable;
use crate::model::clean;
use crate::template::{At, Code, Findings, Foreign, Rule, Severity, Template};

/// Adds what is wrong with the local paths that the template in `bytes` names.
pub(super) fn join(root: &Path, file: &str, bytes: &[u8], findings: &mut Findings) {
    let Ok(template) = Template::parse(file, bytes) else {
        return;
    };
    // A template outside of the project is looked at from the root of the file system.
    let full = root.join(file);
    let is_parent = |part: Component<'_>| part == Component::ParentDir;
    let leads_out = Path::new(file).is_absolute() || Path::new(file).components().any(is_parent);
    let (root, path) = match leads_out {
        true => {
            let full = full.canonicalize().unwrap_or(full);
            let path = full.to_string_lossy();
            (Path::new("/"), path.trim_start_matches('/').to_owned())
        }
        false => (root, file.to_owned()),
    };
    let foreign = |position, message, help: &str| Foreign {
        code: Code::Own(Rule::LocalPath),
        severity: Severity::Error,
        message,
        at: At::Text {
            position,
            length: None,
        },
        help: help.to_owned(),
    };
    // One that no other value can stand for is an error of the template itself.
    let written = template.local_paths().err().map(|error| {
        let help = error.help();
        foreign(error.position, error.what(), help)
    });
    let unusable = unusable(root, &path, &template).into_iter();
    let unusable = unusable.map(|(local, problem)| {
        let text = problem.to_string();
        let (what, help) = text.split_once("; ").unwrap_or((&text, "correct the path"));
        let message = format!("{} is `{}`: {what}", local.place, clean(&local.path));
        foreign(local.position, message, help)
    });
    findings.join(file, bytes, unusable.chain(written).collect());
}
