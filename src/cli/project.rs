//! The files of a user's repository: templates and their override files, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::CliError;
use crate::model::{AccountId, Region, Target, clean};
use crate::parameters::{
    OverrideExpression, Place, choose_file, layer_files, nearest, parse_override_file,
};
use crate::template::{Given, Template};

/// Where templates are looked for.
pub(super) const TEMPLATES: &str = "templates";
/// What the names of templates end with.
pub(super) const EXTENSIONS: [&str; 4] = ["yaml", "yml", "json", "template"];
/// Where override files are looked for.
pub(super) const OVERRIDES: &str = "parameter-overrides";

/// A template of the project and where its override files are.
pub(super) struct Project {
    /// The project root.
    pub root: PathBuf,
    /// The template's path, relative to the root.
    pub template_path: String,
    /// The template.
    pub template: Template,
    /// The base name of the layered override files, relative to the root.
    pub configuration: String,
}

impl Project {
    /// Finds the template of `stack`, or reads the one given.
    pub(super) fn open(
        stack: Option<&str>,
        template: Option<&Path>,
        overrides: Option<&str>,
    ) -> Result<Self, CliError> {
        let root = std::env::current_dir().map_err(CliError::failed)?;
        let template_path = match (template, stack) {
            (Some(path), _) => relative(&root, path)?,
            (None, Some(stack)) => find(&root, stack, BY_OPTION)?,
            (None, None) => {
                return Err(CliError::message(
                    "name a stack, or a template with `--template FILE`",
                ));
            }
        };
        let bytes = std::fs::read(root.join(&template_path))
            .map_err(|error| CliError::unread("template", &template_path, error))?;
        let template = Template::parse(&template_path, &bytes).map_err(CliError::usage)?;
        let name = stack.map_or_else(|| stem(&template_path), str::to_owned);
        let configuration = match overrides {
            Some(base) => named(&root, base)?,
            None => format!("{OVERRIDES}/{name}"),
        };
        Ok(Self {
            root,
            template_path,
            template,
            configuration,
        })
    }

    /// Returns the values that override files give the parameters at a place, and where. What no file gives may be the
    /// stack's own.
    pub(super) fn values(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<BTreeMap<String, Given>, CliError> {
        let (folder, name) = self
            .configuration
            .rsplit_once('/')
            .unwrap_or(("", &self.configuration));
        let present = listing(&self.root, folder)?;
        let mut values = BTreeMap::new();
        for (_, base) in layer_files(name, folder, account, region) {
            let chosen = choose_file(&base, present.iter().map(String::as_str));
            let Some(path) = chosen.map_err(CliError::usage)? else {
                continue;
            };
            let bytes = std::fs::read(self.root.join(path)).map_err(CliError::failed)?;
            let file = parse_override_file(path, &bytes).map_err(CliError::usage)?;
            for (parameter, value) in file.parameters {
                let place = Place::line(path, value.line).to_string();
                // What is looked up is known when it is planned.
                let text = value.literal().map(str::to_owned);
                values.insert(parameter, (place, text));
            }
        }
        Ok(values)
    }

    /// Returns a note for each override file that no target could ever use, since it is of no region or account.
    pub(super) fn stray_files(&self, targets: &[Target]) -> Result<Vec<String>, CliError> {
        let (folder, _) = self.configuration.rsplit_once('/').unwrap_or_default();
        let others: Vec<String> = listing(&self.root, TEMPLATES)?
            .iter()
            .map(|path| stem(path))
            .collect();
        let name = self.configuration.rsplit('/').next().unwrap_or_default();
        let mut notes = Vec::new();
        for path in listing(&self.root, folder)? {
            let rest = path
                .strip_prefix(&self.configuration)
                .and_then(|rest| rest.strip_prefix('.'));
            let Some((place, extension)) = rest.and_then(|rest| rest.rsplit_once('.')) else {
                continue;
            };
            let file = format!("{name}.{place}");
            // A template whose name begins with this one's has files of its own.
            let is_other = others.iter().any(|other| {
                other.len() > name.len()
                    && file
                        .strip_prefix(other.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            if !crate::parameters::EXTENSIONS.contains(&extension) || is_other || is_place(place) {
                continue;
            }
            let known = targets.iter().flat_map(|target| {
                let (account, region) = (&target.account, &target.region);
                [
                    region.to_string(),
                    account.to_string(),
                    format!("{account}.{region}"),
                ]
            });
            let known: Vec<String> = known.collect();
            let meant = nearest(place, known.iter().map(String::as_str));
            let meant = meant
                .map(|meant| format!("; did you mean {meant}?"))
                .unwrap_or_default();
            notes.push(format!(
                "{} is of no region or account, and not used{meant}",
                clean(&path)
            ));
        }
        Ok(notes)
    }

    /// Returns the name that the stack has if no other is given.
    pub(super) fn default_stack_name(&self) -> String {
        stem(&self.template_path)
    }

    /// Returns every file that deploying to `targets` uses: the template, the override files that
    /// exist, and the files that `Fn::GetParam` names.
    pub(super) fn files(
        &self,
        targets: &[Target],
        overrides: &IndexMap<String, OverrideExpression>,
    ) -> Result<Vec<String>, CliError> {
        let mut files = BTreeSet::from([self.template_path.clone()]);
        let (folder, name) = self
            .configuration
            .rsplit_once('/')
            .unwrap_or(("", &self.configuration));
        let present = listing(&self.root, folder)?;
        for target in targets {
            for (_, base) in layer_files(name, folder, &target.account, &target.region) {
                let chosen = choose_file(&base, present.iter().map(String::as_str));
                files.extend(chosen.map_err(CliError::usage)?.map(str::to_owned));
            }
        }
        for expression in overrides.values() {
            if let OverrideExpression::Param { file, .. } = expression {
                if !self.root.join(file).is_file() {
                    return Err(CliError::message(format!(
                        "`Fn::GetParam` names `{file}`, which is no file of {}",
                        self.root.display()
                    )));
                }
                files.insert(relative(&self.root, Path::new(file))?);
            }
        }
        Ok(files.into_iter().collect())
    }
}

/// Returns the base name of override files that was asked for; a project may have none, but a name that
/// fits no file is a mistake.
fn named(root: &Path, base: &str) -> Result<String, CliError> {
    let base = relative(root, Path::new(base))?;
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let files = listing(root, folder)?;
    if files.iter().any(|f| {
        f.strip_prefix(&base)
            .is_some_and(|rest| rest.starts_with('.'))
    }) {
        return Ok(base);
    }
    let error = CliError::message(format!("no override file is named `{base}.*`"));
    Err(if files.contains(&base) {
        error.hint("give the name without its ending; the files of regions and accounts share it")
    } else {
        error.hint("give a folder and a name such as `parameter-overrides/messaging`")
    })
}

fn listing(root: &Path, folder: &str) -> Result<BTreeSet<String>, CliError> {
    let entries = match std::fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            return Err(CliError::failed(
                anyhow::Error::new(error).context(format!("failed to list `{folder}`")),
            ));
        }
    };
    let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
    Ok(names
        .map(|n| {
            if folder.is_empty() {
                n
            } else {
                format!("{folder}/{n}")
            }
        })
        .collect())
}

/// Returns every template of the project, sorted.
pub(super) fn templates(root: &Path) -> Result<Vec<String>, CliError> {
    let files = listing(root, TEMPLATES)?.into_iter();
    let found: Vec<String> = files
        .filter(|path| EXTENSIONS.iter().any(|e| path.ends_with(&format!(".{e}"))))
        .collect();
    if found.is_empty() {
        let error = CliError::message(format!("no templates in `{TEMPLATES}/`"));
        return Err(error.hint("name a file, or run this in the folder that holds `templates/`"));
    }
    Ok(found)
}

/// Returns the stack of a template that `name` was probably meant to be; none where it is the name of one.
pub(super) fn meant(root: &Path, name: &str) -> Option<String> {
    let known: BTreeSet<String> = templates(root)
        .ok()?
        .iter()
        .map(|path| stem(path))
        .collect();
    let other = nearest(name, known.iter().map(String::as_str))?;
    (other != name).then(|| clean(other))
}

/// How a template is named where an argument is the name of a stack.
pub(super) const BY_OPTION: &str = "name one with `--template FILE`";

/// Returns the template named `stack`, by exact name. `how` says how a file is named instead.
pub(super) fn find(root: &Path, stack: &str, how: &str) -> Result<String, CliError> {
    let candidates = EXTENSIONS.map(|e| format!("{TEMPLATES}/{stack}.{e}"));
    let found: Vec<&String> = candidates
        .iter()
        .filter(|c| root.join(c).is_file())
        .collect();
    match found[..] {
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(CliError::message(format!(
            "both `{first}` and `{second}` are templates of `{stack}`; {how}"
        ))),
        [] if root.join(stack).is_dir() => {
            Err(CliError::message(format!("`{stack}` is a folder, and no template")).hint(how))
        }
        [] if stack.contains('/') || EXTENSIONS.iter().any(|e| ends_with(stack, e)) => {
            let (path, name) = (Path::new(stack), stem(stack));
            let is_there = root.join(path).is_file();
            let is_known = EXTENSIONS
                .iter()
                .any(|e| root.join(format!("{TEMPLATES}/{name}.{e}")).is_file());
            let error = CliError::message(format!(
                "`{stack}` is a file, and the name of a stack is expected"
            ));
            Err(match (is_known, is_there) {
                (true, _) => error.hint(format!(
                    "did you mean `{name}`? Its template is found in `{TEMPLATES}/`"
                )),
                (false, true) => error.hint(format!("name it with `--template {stack}`")),
                (false, false) => error.hint(format!(
                    "a stack NAME has its template in `{TEMPLATES}/NAME.yaml`; another one is named with `--template FILE`"
                )),
            })
        }
        [] => {
            let known: BTreeSet<String> = listing(root, TEMPLATES)?
                .iter()
                .filter(|p| EXTENSIONS.iter().any(|e| p.ends_with(&format!(".{e}"))))
                .map(|p| stem(p))
                .collect();
            let error = CliError::message(format!(
                "no template of `{stack}`: none of {} exists",
                candidates.map(|c| format!("`{c}`")).join(", ")
            ));
            Err(if known.is_empty() {
                error.hint(format!("run this in the folder that holds `templates/`, {how}, or begin with `stackgate init`"))
            } else {
                let meant = nearest(stack, known.iter().map(String::as_str))
                    .map(|meant| format!("did you mean `{meant}`? "));
                error.hint(format!(
                    "{}templates here: {}",
                    meant.unwrap_or_default(),
                    known.iter().cloned().collect::<Vec<_>>().join(", ")
                ))
            })
        }
    }
}

fn ends_with(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, end)| end == extension)
}

/// Returns whether a part of a file's name is a region, an account, or both.
fn is_place(text: &str) -> bool {
    let is_account = |text: &str| AccountId::new(text).is_ok();
    match text.split_once('.') {
        Some((account, region)) => is_account(account) && is_region(region),
        None => is_account(text) || is_region(text),
    }
}

/// Returns whether a region may be called so; a new one must not be taken for a slip.
fn is_region(text: &str) -> bool {
    const SIDES: [&str; 9] = [
        "central",
        "east",
        "north",
        "northeast",
        "northwest",
        "south",
        "southeast",
        "southwest",
        "west",
    ];
    Region::new(text).is_ok() && text.split('-').any(|part| SIDES.contains(&part))
}

fn stem(path: &str) -> String {
    Path::new(path)
        .file_stem()
        .map_or_else(|| path.to_owned(), |s| s.to_string_lossy().into_owned())
}

/// Returns `path` relative to `root` with forward slashes; artifacts hold files of the project only.
fn relative(root: &Path, path: &Path) -> Result<String, CliError> {
    let full = root.join(path);
    let clean = full.strip_prefix(root).ok().filter(|p| {
        p.components().all(|c| {
            matches!(
                c,
                std::path::Component::Normal(_) | std::path::Component::CurDir
            )
        })
    });
    let Some(inside) = clean else {
        return Err(CliError::message(format!(
            "`{}` is outside of the project root `{}`",
            path.display(),
            root.display()
        ))
        .hint("run this in a folder that holds the template and the override files"));
    };
    let parts: Vec<String> = inside
        .components()
        .filter(|c| matches!(c, std::path::Component::Normal(_)))
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .collect();
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_template_says_how_one_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("templates")).unwrap();
        for (name, what) in [
            ("templates", "`templates` is a folder, and no template"),
            (".", "`.` is a folder, and no template"),
            ("app", "no template of `app`: none of"),
        ] {
            let (said, hints) = find(root.path(), name, "name a file").unwrap_err().told();
            assert!(said.starts_with(what), "{said}");
            assert!(hints[0].contains("name a file"), "{hints:?}");
        }
    }

    #[test]
    fn an_override_file_of_no_place_is_noted() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "templates/app.yaml",
            "templates/app.extra.yaml",
            "parameter-overrides/app.json",
            "parameter-overrides/app.eu-west-1.json",
            "parameter-overrides/app.eu-wets-1.json",
            "parameter-overrides/app.222222222222.yaml",
            "parameter-overrides/app.production.yml",
            "parameter-overrides/app.extra.json",
            "parameter-overrides/app.notes.md",
            "parameter-overrides/apple.production.json",
        ] {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        let project = Project {
            root: root.path().to_owned(),
            template_path: "templates/app.yaml".to_owned(),
            template: Template::parse("templates/app.yaml", b"Resources: {}").unwrap(),
            configuration: "parameter-overrides/app".to_owned(),
        };
        let target = Target {
            account: "111111111111".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            stack: "app".parse().unwrap(),
        };
        assert_eq!(
            project.stray_files(&[target]).unwrap(),
            [
                "parameter-overrides/app.eu-wets-1.json is of no region or account, and not used; did you mean eu-west-1?",
                "parameter-overrides/app.production.yml is of no region or account, and not used",
            ]
        );
    }

    #[test]
    fn a_stack_is_meant_by_a_name_that_is_nearly_its_own() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(TEMPLATES)).unwrap();
        for file in ["messaging.yaml", "access.json", "notes.md"] {
            std::fs::write(root.path().join(TEMPLATES).join(file), "").unwrap();
        }
        let meant = |name| meant(root.path(), name);
        assert_eq!(meant("mesaging").as_deref(), Some("messaging"));
        for other in ["messaging", "note", "network"] {
            assert_eq!(meant(other), None, "{other}");
        }
        assert_eq!(
            super::meant(&root.path().join("elsewhere"), "mesaging"),
            None
        );
    }

    #[test]
    fn only_regions_and_accounts_are_places() {
        for place in [
            "eu-west-1",
            "ap-southeast-9",
            "222222222222",
            "222222222222.us-gov-east-1",
        ] {
            assert!(is_place(place), "{place}");
        }
        for other in ["eu-wets-1", "22222222222", "prod", "222222222222.prod"] {
            assert!(!is_place(other), "{other}");
        }
    }
}
