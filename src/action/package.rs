//! Packaging: local paths of templates become objects in a bucket, as `aws cloudformation package` does.
//!
//! ```text
//! scan      which files the templates name, nested ones first; every mistake is told with its place
//! gather    with the other sources: the code as zips in the artifact store, and the list of them in the artifact
//! packaged  per bucket, before the change set: all of it uploaded once, nested templates first, the paths replaced
//! ```
//!
//! Nothing is read from the project's folders after the sources were stored. An object's key is the digest of its
//! content, so the text that is planned and approved fixes the code that it leads to.

mod contents;
mod error;
mod folder;
mod private;
mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::world::{Artifacts, World};
use super::{bad_input, cloudformation};
use crate::artifact::Store;
use crate::aws::{ObjectContent, ObjectState, TEMPLATE_ENDING, object_key};
use crate::model::{
    ActionDeclaration, ArtifactName, ArtifactPath, BucketObject, CallFailure, Digest, FailureKind,
    LARGEST_TEMPLATE, PackagedObject, Staleness, TargetSpec, TemplateBucket, Uploads, clean,
};
use crate::template::{Content, Form, LocalPath, ObjectPlace};
pub use contents::Contents;
pub use error::{PackageError, PackageProblem};
pub use scan::{Named, Scan, scan, unusable};

/// The file of the source artifact that lists what was packaged.
const MANIFEST: &str = ".stackgate-package.json";
/// The setting of a source action that names the templates to package, a JSON list of paths.
pub const SETTING: &str = "PackageTemplates";

/// What was packaged for one template or more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    /// By the template that is deployed: the templates that it is made of, nested ones first, itself last.
    templates: BTreeMap<String, Vec<String>>,
    objects: Vec<Object>,
}

/// A file or folder of the project, in the artifact store as it is uploaded.
#[derive(Debug, Serialize, Deserialize)]
struct Object {
    path: String,
    content: Kind,
    digest: Digest,
    /// What the key ends with, without the dot.
    ending: String,
    /// Files in it that are seldom meant for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    private: Vec<String>,
}

/// How a path was read: what the manifest says of [`Content`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Zip,
    Bundle,
    File,
}

impl Kind {
    /// Returns the kind of what is no template.
    fn of(content: Content) -> Option<Self> {
        match content {
            Content::Template => None,
            Content::Zip => Some(Self::Zip),
            Content::Bundle => Some(Self::Bundle),
            Content::File => Some(Self::File),
        }
    }
}

const VERSION: u32 = 1;

/// What packaging adds to an artifact.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The templates and the list, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Everything that was read, for the question whether it differs from a commit.
    pub(super) read: Vec<String>,
}

/// Reads what `templates` name below `root` and puts the code into `store`.
pub(super) fn gather(
    root: &Path,
    store: &Store,
    templates: &[String],
) -> Result<Gathered, PackageError> {
    let mut manifest = Manifest {
        version: VERSION,
        ..Manifest::default()
    };
    let mut files = BTreeMap::new();
    let mut known = BTreeSet::new();
    for template in templates {
        let scan = scan(root, template)?;
        let order = scan.templates.iter().map(|(path, _)| path.clone());
        manifest.templates.insert(template.clone(), order.collect());
        for named in scan.objects() {
            let Some(kind) = Kind::of(named.local.content) else {
                continue;
            };
            if !known.insert((named.path.clone(), kind)) {
                continue;
            }
            let folder::Code {
                digest,
                ending,
                private,
            } = folder::read(root, store, named)?;
            manifest.objects.push(Object {
                path: named.path.clone(),
                content: kind,
                digest,
                ending,
                private,
            });
        }
        files.extend(scan.templates);
    }
    let read = files.keys().cloned();
    let read = read.chain(manifest.objects.iter().map(|object| object.path.clone()));
    let read = read.collect();
    let list = serde_json::to_vec(&manifest).map_err(PackageError::List)?;
    files.insert(MANIFEST.to_owned(), list);
    Ok(Gathered { files, read })
}

/// A template whose paths were replaced, for one bucket.
#[derive(Debug, Clone)]
pub(super) struct Packaged {
    /// Its text, in the artifact store.
    pub(super) digest: Digest,
    /// What it leads to, sorted by key.
    pub(super) objects: Vec<PackagedObject>,
    /// The first value whose service reads objects of the stack's own region alone, and its place.
    regional: Option<String>,
}

/// The packaged templates of a process, by bucket, artifact and path: a fleet shares them.
pub(super) type Cells = std::collections::HashMap<
    (TemplateBucket, Digest, String),
    Arc<tokio::sync::OnceCell<Packaged>>,
>;

/// Uploads what the template of a target names, and returns what it is then; `None` where it names nothing local.
pub(super) async fn packaged(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    template: &ArtifactPath,
) -> Result<Option<Packaged>, CallFailure> {
    let Some(manifest) = manifest(world, artifacts, &template.artifact)? else {
        return Ok(None);
    };
    let Some(order) = manifest.templates.get(&template.path) else {
        return Ok(None);
    };
    let buckets = action.configuration.get("TemplateBuckets");
    let region = &spec.target.region;
    let Some(bucket) = cloudformation::bucket(spec, buckets.map(String::as_str))? else {
        return Err(bad(format!(
            "`{}` names local files, and no bucket is named for them in {region}; name one with `--s3-bucket`",
            clean(&template.path)
        )));
    };
    let Some(artifact) = artifacts.get(&template.artifact) else {
        return Ok(None);
    };
    let cell = world.package_cell((bucket.clone(), artifact.digest, template.path.clone()));
    let made = cell
        .get_or_try_init(|| make(world, spec, &bucket, artifacts, template, &manifest, order))
        .await?;
    let found = made.objects.first().map(|object| &object.object.region);
    if let (Some(value), Some(found)) = (&made.regional, found)
        && found != region
    {
        return Err(bad(format!(
            "{value} is read from a bucket in {region}, and bucket {} is in {found}; name one there with `--s3-bucket {region}=NAME`",
            bucket.name
        )));
    }
    Ok(Some(made.clone()))
}

/// Returns what can no longer be said to be what was approved among the objects that a template leads to.
///
/// What is named by its version cannot be another one. Whoever reads the others does so some time after this.
pub(super) async fn differences(
    world: &World,
    uploads: &Uploads,
) -> Result<Vec<Staleness>, CallFailure> {
    let mut differences = Vec::new();
    for packaged in uploads.packaged.iter().filter(|object| !object.is_pinned) {
        let PackagedObject { path, object, .. } = packaged;
        let state = world.aws.object_state(object).await?;
        let BucketObject { bucket, key, .. } = object;
        let why = match state {
            ObjectState::AsPut => continue,
            ObjectState::Other => format!(
                "`s3://{bucket}/{key}` was replaced after the plan was made; find out who did it, let the bucket keep versions, and plan again"
            ),
            ObjectState::Gone => {
                format!("`s3://{bucket}/{key}` is gone; plan again, which puts it there")
            }
            ObjectState::Untold => format!(
                "the bucket tells neither checksum nor entity tag of `s3://{bucket}/{key}`; let it keep versions, and plan again"
            ),
        };
        differences.push(Staleness::ObjectDiffers {
            path: path.clone(),
            why,
        });
    }
    Ok(differences)
}

fn manifest(
    world: &World,
    artifacts: &Artifacts,
    artifact: &ArtifactName,
) -> Result<Option<Arc<Manifest>>, CallFailure> {
    let is_there = artifacts
        .get(artifact)
        .filter(|artifact| artifact.files.iter().any(|file| file == MANIFEST))
        .map(|artifact| artifact.digest);
    let Some(digest) = is_there else {
        return Ok(None);
    };
    world
        .manifest(digest, || {
            let bytes = world.file(artifacts, &at(artifact, MANIFEST))?;
            let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| bad_input(&e))?;
            if manifest.version > VERSION {
                return Err(bad(
                    "a newer stackgate packaged the sources; update this one".to_owned(),
                ));
            }
            Ok(manifest)
        })
        .map(Some)
}

async fn make(
    world: &World,
    spec: &TargetSpec,
    bucket: &TemplateBucket,
    artifacts: &Artifacts,
    root: &ArtifactPath,
    manifest: &Manifest,
    order: &[String],
) -> Result<Packaged, CallFailure> {
    let objects: BTreeMap<(&str, Kind), &Object> = manifest
        .objects
        .iter()
        .map(|object| ((object.path.as_str(), object.content), object))
        .collect();
    let mut digest = None;
    let mut regional = None;
    let mut put = Put::default();
    let mut nested: BTreeMap<&str, String> = BTreeMap::new();
    for path in order {
        let bytes = world.file(artifacts, &at(&root.artifact, path))?;
        let (_, template) = world.template(path, &bytes)?;
        let mut values = Vec::new();
        for local in template.local_paths().map_err(|e| bad_input(&e))? {
            let found = local.from_root(path).unwrap_or_default();
            let key = match Kind::of(local.content) {
                None => nested.get(found.as_str()).cloned(),
                Some(kind) => match objects.get(&(found.as_str(), kind)) {
                    None => None,
                    Some(object) => Some(put.code(world, spec, bucket, object).await?),
                },
            };
            let Some(place) = key.and_then(|key| put.place(world, &key, local.form)) else {
                return Err(bad(format!(
                    "{path}:{}:{}: {} was not packaged with the sources; start a new execution",
                    local.position.line, local.position.column, local.place
                )));
            };
            if local.is_regional && regional.is_none() {
                regional = Some(value_of(path, &local));
            }
            values.push((local.clone(), local.form.value(&place)));
        }
        let text = rewritten(&bytes, template.text(), template.with_values(&values));
        check_size(path, text.len())?;
        if *path == root.path {
            digest = Some(world.store.put_blob(&text).map_err(|e| bad_input(&e))?);
        } else {
            let content = ObjectContent::of(&text);
            let object = world.aws.put_object(spec, bucket, TEMPLATE_ENDING, content);
            let key = put.take(path, object.await?, &[]);
            nested.insert(path, key);
        }
    }
    Ok(Packaged {
        // The list ends with the template itself; a manifest that does not was not written by this program.
        digest: digest.ok_or_else(|| {
            bad(format!(
                "`{}` is not in the list of what was packaged; start a new execution",
                clean(&root.path)
            ))
        })?,
        objects: put.0.into_values().collect(),
        regional,
    })
}

/// What was put into the bucket, by key: many resources may name the same code.
#[derive(Default)]
struct Put(BTreeMap<String, PackagedObject>);

impl Put {
    /// Puts code into the bucket, once, and returns its key.
    async fn code(
        &mut self,
        world: &World,
        spec: &TargetSpec,
        bucket: &TemplateBucket,
        object: &Object,
    ) -> Result<String, CallFailure> {
        let key = object_key(&object.digest, &object.ending);
        if self.0.contains_key(&key) {
            return Ok(key);
        }
        let (store, digest) = (world.store.clone(), object.digest);
        let found = tokio::task::spawn_blocking(move || store.blob_file(&digest)).await;
        let found = found.map_err(|e| bad(format!("failed to read what was packaged: {e}")))?;
        let (path, length) = found.map_err(|e| bad_input(&e))?;
        let content = ObjectContent::of_file(&path, length, digest);
        let put = world.aws.put_object(spec, bucket, &object.ending, content);
        Ok(self.take(&object.path, put.await?, &object.private))
    }

    /// Notes an object, and returns its key.
    fn take(&mut self, path: &str, object: BucketObject, private: &[String]) -> String {
        let key = object.key.clone();
        self.0.entry(key.clone()).or_insert_with(|| PackagedObject {
            path: clean(path),
            is_pinned: object.version.is_some(),
            private: private.to_vec(),
            object,
        });
        key
    }

    /// Returns where an object is, for a place that names it in one form.
    fn place(&mut self, world: &World, key: &str, form: Form) -> Option<ObjectPlace> {
        let put = self.0.get_mut(key)?;
        put.is_pinned &= form.names_version();
        Some(ObjectPlace {
            bucket: put.object.bucket.clone(),
            key: put.object.key.clone(),
            version: put.object.version.clone(),
            url: world.aws.url_of(&put.object),
        })
    }
}

/// Refuses a template that is larger than CloudFormation takes; the paths that were replaced may have made it so.
fn check_size(path: &str, size: usize) -> Result<(), CallFailure> {
    if size <= LARGEST_TEMPLATE {
        return Ok(());
    }
    let path = clean(path);
    Err(bad(format!(
        "`{path}` has {size} bytes once its local paths are replaced by where their content is, expected {LARGEST_TEMPLATE} at most; split it"
    )))
}

fn value_of(path: &str, local: &LocalPath) -> String {
    format!(
        "{}:{}:{}: {}",
        clean(path),
        local.position.line,
        local.position.column,
        local.place
    )
}

/// Returns the bytes of a file with another text: what stands before the text, a byte order mark, stays.
fn rewritten(bytes: &[u8], before: &str, now: String) -> Vec<u8> {
    let mark = bytes.len().saturating_sub(before.len());
    let mut text = bytes.get(..mark).unwrap_or_default().to_vec();
    text.extend_from_slice(now.as_bytes());
    text
}

fn at(artifact: &ArtifactName, path: &str) -> ArtifactPath {
    ArtifactPath {
        artifact: artifact.clone(),
        path: path.to_owned(),
    }
}

fn bad(message: String) -> CallFailure {
    CallFailure::new(FailureKind::BadInput, message)
}

#[cfg(test)]
mod tests;
