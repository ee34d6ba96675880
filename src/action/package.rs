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
mod scan;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::world::{Artifacts, World};
use super::{bad_input, cloudformation};
use crate::artifact::Store;
use crate::model::{
    ActionDeclaration, ArtifactName, ArtifactPath, CallFailure, Digest, FailureKind, Region,
    TargetSpec, TemplateBucket, clean,
};
use crate::template::{Content, LocalPath, ObjectPlace};
pub use contents::Contents;
pub use error::{PackageError, PackageProblem};
pub use scan::{Named, Scan, scan};

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
            let (bytes, ending) = folder::read(root, named)?;
            let digest = store
                .put_blob(&bytes)
                .map_err(|source| named.fails(PackageProblem::Store(source)))?;
            manifest.objects.push(Object {
                path: named.path.clone(),
                content: kind,
                digest,
                ending,
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
    digest: Digest,
    /// Where the bucket is.
    region: Option<Region>,
    /// The first value whose service reads objects of the stack's own region alone, and its place.
    regional: Option<String>,
}

/// The packaged templates of a process, by bucket, artifact and path: a fleet shares them.
pub(super) type Cells = std::collections::HashMap<
    (TemplateBucket, Digest, String),
    Arc<tokio::sync::OnceCell<Packaged>>,
>;

/// Uploads what the template of a target names, and returns the digest of its text with the paths replaced; `None` where
/// it names nothing local.
pub(super) async fn packaged(
    world: &World,
    spec: &TargetSpec,
    action: &ActionDeclaration,
    artifacts: &Artifacts,
    template: &ArtifactPath,
) -> Result<Option<Digest>, CallFailure> {
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
    if let (Some(value), Some(found)) = (&made.regional, &made.region)
        && found != region
    {
        return Err(bad(format!(
            "{value} is read from a bucket in {region}, and bucket {} is in {found}; name one there with `--s3-bucket {region}=NAME`",
            bucket.name
        )));
    }
    Ok(Some(made.digest))
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
    let mut made = Packaged {
        digest: Digest::of(b""),
        region: None,
        regional: None,
    };
    // Many resources may name the same code: it is read and put into the bucket once.
    let mut placed: BTreeMap<(Digest, &str), ObjectPlace> = BTreeMap::new();
    let mut nested: BTreeMap<&str, ObjectPlace> = BTreeMap::new();
    for path in order {
        let bytes = world.file(artifacts, &at(&root.artifact, path))?;
        let (_, template) = world.template(path, &bytes)?;
        let mut values = Vec::new();
        for local in template.local_paths().map_err(|e| bad_input(&e))? {
            let found = local.from_root(path).unwrap_or_default();
            let place = match Kind::of(local.content) {
                None => nested.get(found.as_str()).cloned(),
                Some(kind) => match objects.get(&(found.as_str(), kind)) {
                    None => None,
                    Some(object) => {
                        let key = (object.digest, object.ending.as_str());
                        Some(match placed.entry(key) {
                            Entry::Occupied(known) => known.get().clone(),
                            Entry::Vacant(free) => {
                                let bytes = world.store.blob(&object.digest);
                                let bytes = bytes.map_err(|e| bad_input(&e))?;
                                let ending = &object.ending;
                                let put = world.aws.put_object(spec, bucket, ending, &bytes);
                                let place = place(bucket, put.await?, &mut made.region);
                                free.insert(place).clone()
                            }
                        })
                    }
                },
            };
            let Some(place) = place else {
                return Err(bad(format!(
                    "{path}:{}:{}: {} was not packaged with the sources; start a new execution",
                    local.position.line, local.position.column, local.place
                )));
            };
            if local.is_regional && made.regional.is_none() {
                made.regional = Some(value_of(path, &local));
            }
            values.push((local.clone(), local.form.value(&place)));
        }
        let text = rewritten(&bytes, template.text(), template.with_values(&values));
        if *path == root.path {
            made.digest = world.store.put_blob(&text).map_err(|e| bad_input(&e))?;
        } else {
            let put = world
                .aws
                .put_object(spec, bucket, "template", &text)
                .await?;
            nested.insert(path, place(bucket, put, &mut made.region));
        }
    }
    Ok(made)
}

fn place(
    bucket: &TemplateBucket,
    put: crate::aws::StoredObject,
    region: &mut Option<Region>,
) -> ObjectPlace {
    region.get_or_insert(put.region);
    ObjectPlace {
        bucket: bucket.name.clone(),
        key: put.key,
        url: put.url,
    }
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
