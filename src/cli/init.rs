//! `stackgate init`: a repository that deploys as it stands.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::options::{Global, OutputForm};
use super::project::{EXTENSIONS, OVERRIDES, TEMPLATES};
use super::{CliError, exit, output};
use crate::model::{StackName, clean};
use crate::parameters;
use crate::report::DOCUMENT_VERSION;
use crate::template::{ParameterDeclaration, Template};

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The name of the first template, and of its stack
    #[arg(value_name = "STACK", default_value = "app")]
    stack: StackName,
}

/// A queue: made in seconds, free while nothing is in it, and with a change that is seen in a review.
const TEMPLATE: &str = "\
AWSTemplateFormatVersion: \"2010-09-09\"
Description: A queue to begin with

Parameters:
  VisibilityTimeout:
    Type: Number
    Description: Seconds for which a message stays hidden from others while one reads it
    MinValue: 0
    MaxValue: 43200

Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      SqsManagedSseEnabled: true
      VisibilityTimeout: !Ref VisibilityTimeout

Outputs:
  QueueUrl:
    Value: !Ref Queue
";

/// The override file of the template above.
const PARAMETERS: &str = "\
{
  \"Parameters\": {
    \"VisibilityTimeout\": \"30\"
  },
  \"Tags\": {}
}
";

/// Settings that change nothing, and the shape of those that one will want.
const SETTINGS: &str = "\
# What holds where no flag says otherwise. `stackgate deploy STACK --environment NAME` chooses an environment.
defaults:
  approval-expires: 7d

# targetSets:
#   fleet:
#     accounts: [\"111111111111\", \"222222222222\"]
#     regions: [us-east-1, eu-west-1]
#     max-concurrent: 25%

# environments:
#   production:
#     targets: fleet
#     profile: production
";

/// What is kept out of version control: plans and answers of one machine.
const IGNORED: &str = ".stackgate/";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fate {
    Created,
    Extended,
    Kept,
}

#[derive(Debug, Serialize)]
struct Made {
    path: String,
    fate: Fate,
}

#[derive(Debug, Serialize)]
struct Document {
    document: &'static str,
    version: u32,
    stack: String,
    files: Vec<Made>,
    fill_in: Vec<String>,
    secrets: Vec<String>,
}

/// What is made, and what only its owner can add.
#[derive(Debug)]
struct Scaffold {
    files: Vec<Made>,
    /// The parameters that the override file still needs a value for.
    fill_in: Vec<ParameterDeclaration>,
    /// The secret parameters without a default, which are given with each deployment.
    secrets: Vec<String>,
    /// Why it is not known what the template needs.
    unread: Option<String>,
}

/// Runs `stackgate init`.
pub(super) fn init(global: &Global, args: &InitArgs) -> Result<u8, CliError> {
    let root = std::env::current_dir().map_err(CliError::failed)?;
    let stack = args.stack.as_str();
    let Scaffold {
        files,
        fill_in,
        secrets,
        unread,
    } = scaffold(&root, stack)?;
    if let Some(why) = unread {
        output::stderr(&format!("note: what parameters need is not known: {why}\n"));
    }
    match global.output {
        OutputForm::Text | OutputForm::Markdown | OutputForm::Html => {
            for made in &files {
                let fate = match made.fate {
                    Fate::Created => "created ",
                    Fate::Extended => "extended",
                    Fate::Kept => "kept    ",
                };
                output::stdout(&format!("{fate}  {}\n", made.path))?;
            }
            if let (Some(overrides), [_, ..]) = (files.get(1), &fill_in[..]) {
                let mut text = format!(
                    "fill in {}, which cannot be deployed before:\n",
                    overrides.path
                );
                for parameter in &fill_in {
                    text.push_str(&format!("  {}\n", described(parameter)));
                }
                output::stdout(&text)?;
            }
            let secrets: String = secrets
                .iter()
                .map(|name| format!(" --secret {}=prompt", clean(name)))
                .collect();
            let stack = format!("{stack}{secrets}");
            output::stdout(&format!(
                "next:\n  \
                 stackgate deploy {stack}     review the change, approve it at the prompt, execute it\n  \
                 stackgate plan {stack}       the same up to the approval\n"
            ))?;
        }
        OutputForm::Json | OutputForm::Ndjson => {
            let document = Document {
                document: "init",
                version: DOCUMENT_VERSION,
                stack: stack.to_owned(),
                files,
                fill_in: fill_in.into_iter().map(|p| p.name).collect(),
                secrets,
            };
            if global.output == OutputForm::Ndjson {
                output::line(&document)?;
            } else {
                output::document(&document)?;
            }
        }
    }
    Ok(exit::DONE)
}

/// Makes what is missing, and leaves alone what is there.
fn scaffold(root: &Path, stack: &str) -> Result<Scaffold, CliError> {
    let template = made(root, &format!("{TEMPLATES}/{stack}"), &EXTENSIONS, TEMPLATE)?;
    let (needed, unread) = match template.fate {
        Fate::Created => (Vec::new(), None),
        Fate::Extended | Fate::Kept => match needed(root, &template.path) {
            Ok(needed) => (needed, None),
            Err(error) => (Vec::new(), Some(error.told().0)),
        },
    };
    let (secrets, mut fill_in): (Vec<_>, Vec<_>) = needed.into_iter().partition(|p| p.no_echo);
    let text = match template.fate {
        Fate::Created => PARAMETERS.to_owned(),
        Fate::Extended | Fate::Kept => to_fill_in(&fill_in),
    };
    // JSON comes first: CodePipeline and the AWS CLI read such a file too.
    let overrides = made(
        root,
        &format!("{OVERRIDES}/{stack}"),
        &parameters::EXTENSIONS,
        &text,
    )?;
    if overrides.fate == Fate::Kept {
        let given = given(root, &overrides.path);
        fill_in.retain(|parameter| !given.contains(&parameter.name));
    }
    let settings = made(root, "stackgate", &["yaml"], SETTINGS)?;
    Ok(Scaffold {
        files: vec![template, overrides, settings, ignored(root)?],
        fill_in,
        secrets: secrets.into_iter().map(|p| p.name).collect(),
        unread,
    })
}

/// Returns the parameters of a template that was there before which have no default.
fn needed(root: &Path, path: &str) -> Result<Vec<ParameterDeclaration>, CliError> {
    let bytes = fs::read(root.join(path)).map_err(CliError::failed)?;
    let template = Template::parse(path, &bytes).map_err(CliError::usage)?;
    let declared = template.parameters().values();
    Ok(declared.filter(|p| p.default.is_none()).cloned().collect())
}

/// Returns an override file for `parameters`. A `null` is no value: deploying refuses it and names its line, where a text
/// that somebody forgot to replace would be deployed.
fn to_fill_in(parameters: &[ParameterDeclaration]) -> String {
    let values: serde_json::Map<String, Value> = parameters
        .iter()
        .map(|parameter| (parameter.name.clone(), Value::Null))
        .collect();
    format!(
        "{:#}\n",
        serde_json::json!({"Parameters": values, "Tags": {}})
    )
}

/// Returns the names that an override file gives values to; none where it cannot be read, which deploying says.
fn given(root: &Path, path: &str) -> Vec<String> {
    let bytes = fs::read(root.join(path)).unwrap_or_default();
    let file = parameters::parse_override_file(path, &bytes);
    file.map(|file| file.parameters.into_keys().collect())
        .unwrap_or_default()
}

/// Returns the name of a parameter and what it takes.
fn described(parameter: &ParameterDeclaration) -> String {
    let ParameterDeclaration {
        name,
        parameter_type,
        constraints,
        ..
    } = parameter;
    let values = constraints.allowed_values.as_ref();
    let values = values.map(|values| format!(": {}", values.join(", ")));
    clean(&format!(
        "{name}   {parameter_type}{}",
        values.unwrap_or_default()
    ))
}

/// Makes the file `base` with the first of the endings, unless it exists with any of them.
fn made(root: &Path, base: &str, endings: &[&str], text: &str) -> Result<Made, CliError> {
    let paths: Vec<String> = endings.iter().map(|e| format!("{base}.{e}")).collect();
    if let Some(path) = paths
        .iter()
        .find(|path| root.join(path).symlink_metadata().is_ok())
    {
        let (path, fate) = (path.clone(), Fate::Kept);
        return Ok(Made { path, fate });
    }
    let path = paths.into_iter().next().unwrap_or_else(|| base.to_owned());
    let full = root.join(&path);
    let parent = full.parent().unwrap_or(root);
    let result = fs::create_dir_all(parent).and_then(|()| create(&full, text));
    result.map_err(|error| failed(error, &path))?;
    let fate = Fate::Created;
    Ok(Made { path, fate })
}

/// Writes a file that does not exist; nothing is left of one that could not be written whole.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // What matters is told already.
        let _ = fs::remove_file(path);
    })
}

/// Adds the state folder to `.gitignore`.
fn ignored(root: &Path) -> Result<Made, CliError> {
    let path = ".gitignore".to_owned();
    let full = root.join(&path);
    let (fate, result) = match fs::read(&full) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let is_there = |line: &str| line.trim().trim_matches('/') == IGNORED.trim_matches('/');
            if text.lines().any(is_there) {
                (Fate::Kept, Ok(()))
            } else {
                let gap = if text.is_empty() || text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                (Fate::Extended, append(&full, &format!("{gap}{IGNORED}\n")))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (Fate::Created, create(&full, &format!("{IGNORED}\n")))
        }
        Err(error) => (Fate::Kept, Err(error)),
    };
    result.map_err(|error| failed(error, &path))?;
    Ok(Made { path, fate })
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(text.as_bytes())
}

fn failed(error: io::Error, path: &str) -> CliError {
    CliError::failed(anyhow::Error::new(error).context(format!("failed to make `{path}`")))
        .hint("this folder must be writable; what exists is kept, so the command can be run again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(root: &Path, stack: &str) -> Vec<(String, Fate)> {
        let made = scaffold(root, stack).unwrap();
        made.files.into_iter().map(|m| (m.path, m.fate)).collect()
    }

    fn said(list: &[(&str, Fate)]) -> Vec<(String, Fate)> {
        list.iter().map(|(p, f)| ((*p).to_owned(), *f)).collect()
    }

    #[test]
    fn what_is_missing_is_made_once() {
        let root = tempfile::tempdir().unwrap();
        let all = [
            "templates/app.yaml",
            "parameter-overrides/app.json",
            "stackgate.yaml",
            ".gitignore",
        ];
        let expect = |fate| said(&all.map(|path| (path, fate)));
        assert_eq!(fates(root.path(), "app"), expect(Fate::Created));
        assert_eq!(fates(root.path(), "app"), expect(Fate::Kept));
        let ignore = fs::read_to_string(root.path().join(".gitignore")).unwrap();
        assert_eq!(ignore, ".stackgate/\n");
    }

    #[test]
    fn the_settings_are_good_with_their_examples_too() {
        use super::super::settings::Settings;
        Settings::parse(SETTINGS.as_bytes()).unwrap();
        let (comment, rest) = SETTINGS.split_once('\n').unwrap();
        assert!(comment.starts_with('#'));
        let live: String = rest
            .lines()
            .map(|l| format!("{}\n", l.strip_prefix("# ").unwrap_or(l)))
            .collect();
        let (values, _) = Settings::parse(live.as_bytes())
            .unwrap()
            .choose(Some("production"), None)
            .unwrap();
        assert_eq!(values.accounts.map(|a| a.len()), Some(2));
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("templates")).unwrap();
        fs::write(root.path().join("templates/app.json"), "mine").unwrap();
        fs::write(root.path().join(".gitignore"), "target").unwrap();
        assert_eq!(
            fates(root.path(), "app"),
            said(&[
                ("templates/app.json", Fate::Kept),
                ("parameter-overrides/app.json", Fate::Created),
                ("stackgate.yaml", Fate::Created),
                (".gitignore", Fate::Extended),
            ])
        );
        let text = |path| fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(text("templates/app.json"), "mine");
        assert_eq!(text(".gitignore"), "target\n.stackgate/\n");
        // A parameter of our own template would be unknown to theirs.
        assert_eq!(text("parameter-overrides/app.json"), to_fill_in(&[]));
        assert!(scaffold(root.path(), "app").unwrap().unread.is_some());
    }

    #[test]
    fn what_a_template_needs_is_left_to_fill_in_and_cannot_be_forgotten() {
        const THEIRS: &str = "Parameters:\n  Vpc: {Type: AWS::EC2::VPC::Id}\n  Size: {Type: String, AllowedValues: [s, m]}\n  \
                              Level: {Type: Number, Default: 1}\n  Password: {Type: String, NoEcho: true}\nResources: {}\n";
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("templates")).unwrap();
        fs::write(root.path().join("templates/app.yaml"), THEIRS).unwrap();
        let overrides = "parameter-overrides/app.json";
        let wanted = || {
            let made = scaffold(root.path(), "app").unwrap();
            let fill_in: Vec<String> = made.fill_in.iter().map(described).collect();
            (fill_in, made.secrets)
        };
        let both = ["Vpc   AWS::EC2::VPC::Id", "Size   String: s, m"].map(str::to_owned);
        // As long as nothing was filled in, it is told again.
        for _ in 0..2 {
            assert_eq!(wanted(), (both.to_vec(), vec!["Password".to_owned()]));
        }
        let text = fs::read_to_string(root.path().join(overrides)).unwrap();
        assert!(
            text.contains("\"Vpc\": null,\n    \"Size\": null\n"),
            "{text}"
        );
        let refused = parameters::parse_override_file(overrides, text.as_bytes()).unwrap_err();
        assert!(
            refused.to_string().starts_with(
                "parameter-overrides/app.json:3:12: found no value for parameter `Vpc`"
            ),
            "{refused}"
        );
        fs::write(root.path().join(overrides), r#"{"Vpc": "vpc-1"}"#).unwrap();
        assert_eq!(wanted().0, both[1..]);
    }
}
