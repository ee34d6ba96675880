//! What local paths lead to, by the keys that packaging would give it: whether a stack has it is told without an upload.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::PackageError;
use super::{Kind, MANIFEST, Manifest, Object, gather, rewritten};
use crate::artifact::Store;
use crate::aws::{TEMPLATE_ENDING, object_key};
use crate::model::{Digest, clean};
use crate::template::{Form, LocalPath, Node, NodeKind, ObjectPlace, Position, Template};

/// What the keys of objects begin with.
const FOLDER: &str = "stackgate/";

/// What a template and those nested in it name.
#[derive(Debug, Default)]
pub struct Contents {
    /// Nested templates before those that nest them, the one asked for last.
    templates: Vec<OneTemplate>,
}

#[derive(Debug)]
struct OneTemplate {
    path: String,
    bytes: Vec<u8>,
    template: Template,
    named: Vec<(LocalPath, Held)>,
}

/// What a local path leads to.
#[derive(Debug)]
enum Held {
    /// Code, by its digest and what its key ends with.
    Code(Digest, String),
    /// A template at this path from the project root.
    Template(String),
    /// It is not in the list.
    Unknown,
}

impl Contents {
    /// Reads what the template at `template`, a path below `root`, names. The code goes through `store`, as when it is
    /// packaged, and is not needed there afterwards.
    pub fn of(root: &Path, store: &Store, template: &str) -> Result<Self, PackageError> {
        let mut gathered = gather(root, store, &[template.to_owned()])?;
        let list = gathered.files.remove(MANIFEST).unwrap_or_default();
        let manifest: Manifest = serde_json::from_slice(&list).map_err(PackageError::List)?;
        let code: BTreeMap<(&str, Kind), &Object> = manifest
            .objects
            .iter()
            .map(|object| ((object.path.as_str(), object.content), object))
            .collect();
        let mut templates = Vec::new();
        for path in manifest.templates.get(template).into_iter().flatten() {
            let bytes = gathered.files.remove(path).unwrap_or_default();
            let template = Template::parse(path, &bytes)?;
            let held = |local: LocalPath| {
                let leads_to = local.from_root(path).unwrap_or_default();
                let held = match Kind::of(local.content) {
                    None => Held::Template(leads_to),
                    Some(kind) => match code.get(&(leads_to.as_str(), kind)) {
                        Some(object) => Held::Code(object.digest, object.ending.clone()),
                        None => Held::Unknown,
                    },
                };
                (local, held)
            };
            let named = template.local_paths()?.into_iter().map(held).collect();
            templates.push(OneTemplate {
                path: path.clone(),
                bytes,
                template,
                named,
            });
        }
        Ok(Self { templates })
    }

    /// Puts what `before` has in the place of the local paths in `after`, a tree of the template, that lead to the same
    /// content, and returns where the paths are that lead to other content. The others stay, and nothing is known of
    /// them: what another program packaged, or what is not where it was.
    pub fn place(&self, after: &mut Node, before: &Node) -> Vec<Position> {
        let root = self.templates.last();
        let named = root.into_iter().flat_map(|template| &template.named);
        let mut walk = Walk {
            contents: self,
            named: named
                .map(|(local, held)| (local.bytes().start, (local, held)))
                .collect(),
            nested: BTreeMap::new(),
            differs: Vec::new(),
        };
        if !walk.named.is_empty() {
            walk.node(after, before);
        }
        walk.differs
    }

    /// Returns what the nested template that is named at `position` brings with it: the files and folders that it and those
    /// inside it name, such as ``functions/greet (`Code` of resource `Greet` in nested/fn.yaml)``; safe to show.
    ///
    /// Their keys are part of its text, so that other content of theirs makes another template of it. Which of them it is
    /// cannot be told: of what the stack has, the digest of the whole is known.
    pub fn inside(&self, position: Position) -> Vec<String> {
        let root = self.templates.last();
        let mut named = root.into_iter().flat_map(|template| &template.named);
        let at = named.find(|(local, _)| local.position == position);
        let Some((_, Held::Template(first))) = at else {
            return Vec::new();
        };
        let by_path: BTreeMap<&str, &OneTemplate> = self
            .templates
            .iter()
            .map(|one| (one.path.as_str(), one))
            .collect();
        let (mut seen, mut pending, mut found) =
            (BTreeSet::new(), vec![first.as_str()], Vec::new());
        while let Some(path) = pending.pop() {
            let template = by_path.get(path).filter(|_| seen.insert(path));
            for (local, held) in template.into_iter().flat_map(|one| &one.named) {
                match held {
                    Held::Template(inner) => pending.push(inner),
                    Held::Code(..) | Held::Unknown => {
                        let leads_to = local.from_root(path).unwrap_or_default();
                        let (leads_to, path) = (clean(&leads_to), clean(path));
                        found.push(format!("{leads_to} ({} in {path})", local.place));
                    }
                }
            }
        }
        found
    }

    /// Returns the digests of the templates, as they are packaged for a bucket that keeps no versions; of those that
    /// are known.
    fn packaged(&self, bucket: &str, base: &str) -> BTreeMap<&str, Digest> {
        let mut digests: BTreeMap<&str, Digest> = BTreeMap::new();
        for one in &self.templates {
            let value = |(local, held): &(LocalPath, Held)| {
                let (digest, ending) = match held {
                    Held::Code(digest, ending) => (*digest, ending.as_str()),
                    Held::Template(path) => (*digests.get(path.as_str())?, TEMPLATE_ENDING),
                    Held::Unknown => return None,
                };
                let key = object_key(&digest, ending);
                let place = ObjectPlace {
                    bucket: bucket.to_owned(),
                    url: format!("{base}/{key}"),
                    key,
                    version: None,
                };
                Some((local.clone(), local.form.value(&place)))
            };
            let values: Option<Vec<_>> = one.named.iter().map(value).collect();
            if let Some(values) = values {
                let text = one.template.with_values(&values);
                let text = rewritten(&one.bytes, one.template.text(), text);
                digests.insert(&one.path, Digest::of(&text));
            }
        }
        digests
    }
}

/// A walk through the same places of two trees; recursion is as deep as templates are, which is bounded.
struct Walk<'c> {
    contents: &'c Contents,
    /// The local paths, by where they are in the text.
    named: BTreeMap<usize, (&'c LocalPath, &'c Held)>,
    /// The nested templates, by bucket and the beginning of their URLs.
    nested: BTreeMap<(String, String), BTreeMap<&'c str, Digest>>,
    differs: Vec<Position>,
}

impl Walk<'_> {
    fn node(&mut self, after: &mut Node, before: &Node) {
        match &mut after.kind {
            NodeKind::Scalar(scalar) => {
                let known = self.named.get(&scalar.bytes.start).copied();
                let is_it = |(local, _): &(&LocalPath, &Held)| {
                    *local.bytes() == scalar.bytes && local.path == scalar.text
                };
                let Some((local, held)) = known.filter(is_it) else {
                    return;
                };
                match self.is_same(local, held, before) {
                    Some(true) => after.kind = before.kind.clone(),
                    Some(false) => self.differs.push(local.position),
                    None => {}
                }
            }
            NodeKind::Sequence(items) => {
                for (item, other) in items.iter_mut().zip(before.items().unwrap_or_default()) {
                    self.node(item, other);
                }
            }
            NodeKind::Mapping(entries) => {
                for (key, entry) in entries {
                    if let Some(other) = before.value(key) {
                        self.node(&mut entry.value, other);
                    }
                }
            }
        }
    }

    /// Returns whether a path leads to what the stack has, if that can be told.
    fn is_same(&mut self, local: &LocalPath, held: &Held, deployed: &Node) -> Option<bool> {
        let deployed = Deployed::of(local.form, deployed)?;
        match held {
            Held::Unknown => None,
            Held::Code(digest, _) => Some(*digest == deployed.digest),
            Held::Template(path) => {
                let place = (deployed.bucket.to_owned(), deployed.base.to_owned());
                let contents = self.contents;
                let digests = self
                    .nested
                    .entry(place)
                    .or_insert_with(|| contents.packaged(deployed.bucket, deployed.base));
                let is_same = *digests.get(path.as_str())? == deployed.digest;
                // Where versions are kept, those of what it names are in its text, and are not known here.
                (is_same || !deployed.has_version).then_some(is_same)
            }
        }
    }
}

/// An object that was packaged, as a deployed template names it.
struct Deployed<'n> {
    bucket: &'n str,
    /// What the URL begins with, bucket included; empty where it is no URL.
    base: &'n str,
    digest: Digest,
    has_version: bool,
}

impl<'n> Deployed<'n> {
    fn of(form: Form, value: &'n Node) -> Option<Self> {
        let (bucket, base, key) = match form {
            Form::Mapping { bucket, key, .. } => {
                (value.value(bucket)?.text()?, "", value.value(key)?.text()?)
            }
            Form::Uri | Form::VersionedUri => {
                let (bucket, key) = value.text()?.strip_prefix("s3://")?.split_once('/')?;
                (bucket, "", key)
            }
            Form::Url => {
                let url = value.text()?;
                let at = url.rfind(&format!("/{FOLDER}"))?;
                let (base, key) = (url.get(..at)?, url.get(at + 1..)?);
                (base.rsplit('/').next()?, base, key)
            }
        };
        let (key, version) = key.split_once('?').unwrap_or((key, ""));
        let name = key.strip_prefix(FOLDER)?;
        let digest = name.split('.').next()?.parse().ok()?;
        Some(Self {
            bucket,
            base,
            digest,
            has_version: !version.is_empty(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const BUCKET: &str = "code";
    const BASE: &str = "https://s3.eu-west-1.amazonaws.com/code";

    const PARENT: &str = "\u{feff}Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: nested.yaml  # below
  Greet:
    Type: AWS::Lambda::Function
    Properties:
      Code: ../code
      MemorySize: 128
";
    const NESTED: &str =
        "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Code: ../code/main.py}}}\n";

    struct Project(tempfile::TempDir);

    impl Project {
        fn new() -> Self {
            let project = Self(tempfile::tempdir().unwrap());
            project.write("templates/app.yaml", PARENT);
            project.write("templates/nested.yaml", NESTED);
            project.write("code/main.py", "x = 1\n");
            project
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self) -> Result<Contents, PackageError> {
            let aside = tempfile::tempdir().unwrap();
            let store = Store::open(aside.path()).unwrap();
            Contents::of(self.0.path(), &store, "templates/app.yaml")
        }

        fn contents(&self) -> Contents {
            self.read().unwrap()
        }

        /// Returns what is deployed of it; `value` writes what a local path is replaced by.
        fn deployed(&self, version: &str) -> Node {
            let contents = self.contents();
            let digests = contents.packaged(BUCKET, BASE);
            let code = &contents.templates.last().unwrap().named[1].1;
            let Held::Code(code, _) = code else {
                panic!("{code:?}")
            };
            let nested = format!(
                "{BASE}/stackgate/{}.template{version}",
                digests["templates/nested.yaml"]
            );
            let code =
                format!("{{S3Bucket: {BUCKET}, S3Key: stackgate/{code}.zip, S3ObjectVersion: v}}");
            let text = PARENT
                .replace("nested.yaml", &nested)
                .replace("../code", &code);
            root(&text)
        }

        /// Returns the lines of the paths that stay, and of those whose content is another.
        fn compared(&self, deployed: &Node) -> (Vec<u32>, Vec<u32>) {
            let mut after = root(PARENT);
            let differs = self.contents().place(&mut after, deployed);
            let template = Template::parse("t.yaml", PARENT.as_bytes()).unwrap();
            let text = after.to_json();
            let paths = template.local_paths().unwrap();
            let stay = paths
                .iter()
                .filter(|local| text.contains(&format!("\"{}\"", local.path)));
            let line = |position: &Position| position.line;
            (
                stay.map(|local| line(&local.position)).collect(),
                differs.iter().map(line).collect(),
            )
        }
    }

    fn root(text: &str) -> Node {
        Template::parse("t.yaml", text.as_bytes())
            .unwrap()
            .root()
            .clone()
    }

    #[test]
    fn equal_content_is_told_without_an_upload() {
        let project = Project::new();
        let deployed = project.deployed("");
        assert_eq!(project.compared(&deployed), (vec![], vec![]));
        // Where versions are kept, a template that is the same is so all the same.
        let versioned = project.deployed("?versionId=1");
        assert_eq!(project.compared(&versioned), (vec![], vec![]));
    }

    #[test]
    fn other_content_is_told_through_nested_templates() {
        let project = Project::new();
        let (deployed, versioned) = (project.deployed(""), project.deployed("?versionId=1"));
        project.write("code/main.py", "x = 2\n");
        assert_eq!(project.compared(&deployed), (vec![5, 9], vec![5, 9]));
        assert_eq!(project.compared(&versioned), (vec![5, 9], vec![9]));
        // What cannot be read is not known.
        fs::remove_dir_all(project.0.path().join("code")).unwrap();
        assert!(project.read().is_err());
        let mut after = root(PARENT);
        assert!(Contents::default().place(&mut after, &deployed).is_empty());
        assert_eq!(after, root(PARENT));
    }

    #[test]
    fn what_a_nested_template_brings_is_named() {
        let project = Project::new();
        let contents = project.read().unwrap();
        let root = contents.templates.last().unwrap();
        let told: Vec<Vec<String>> = root
            .named
            .iter()
            .map(|(local, _)| contents.inside(local.position))
            .collect();
        let nested: Vec<&String> = told.iter().flatten().collect();
        assert_eq!(nested.len(), 1, "{told:?}");
        assert!(
            nested[0].starts_with("code/main.py (`Code` of"),
            "{nested:?}"
        );
        assert!(
            nested[0].ends_with(" in templates/nested.yaml)"),
            "{nested:?}"
        );
    }

    #[test]
    fn what_others_packaged_is_not_known() {
        let project = Project::new();
        for (url, code) in [
            ("https://example.com/nested.yaml", "{S3Bucket: b, S3Key: k}"),
            (
                "https://example.com/stackgate/x",
                "{S3Bucket: b, S3Key: stackgate/12}",
            ),
            ("!Ref Url", "{ZipFile: x}"),
            ("/stackgate/", "{S3Bucket: [b], S3Key: !Ref K}"),
        ] {
            let text = PARENT.replace("nested.yaml", url).replace("../code", code);
            assert_eq!(
                project.compared(&root(&text)),
                (vec![5, 9], vec![]),
                "{text}"
            );
        }
        assert_eq!(
            project.compared(&root("Resources: {}")),
            (vec![5, 9], vec![])
        );
    }
}
