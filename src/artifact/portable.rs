//! A plan in a file: an execution's events up to the approval request, and the content they need.
//!
//! ```text
//! plan.json                  what this is, its format, and the digest of every other entry
//! events.ndjson              the events, one a line, as the journal has them
//! artifacts/<sha256>.zip     the templates and override files that the plan was made from
//! artifacts/<sha256>.blob    the templates that the stacks have at present
//! ```
//!
//! Nothing in the file is believed: what was stored is hashed again when it is read.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zip::ZipArchive;

use super::store::{Store, read_capped};
use super::zipped::{self, LIMITS};
use super::{ArtifactError, store};
use crate::model::{ArtifactRef, Digest, Event, ExecutionId};

/// The format that this program writes, and up to which it runs them. Since format 2 the digest of the plan covers what the stacks
/// had before.
pub const VERSION: u32 = 2;

/// What a zip archive begins with.
const ZIP: &[u8] = b"PK\x03\x04";

const FORMAT: &str = "stackgate plan";
const MANIFEST: &str = "plan.json";
const EVENTS: &str = "events.ndjson";
const FOLDER: &str = "artifacts/";

/// A plan that was read from a file, or is to be written to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortablePlan {
    /// The format of the file.
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The execution.
    pub execution: ExecutionId,
    /// The execution's events.
    pub events: Vec<Event>,
    /// Stored content by file name.
    content: BTreeMap<String, Vec<u8>>,
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// The file cannot be read.
    #[error("cannot read plan file `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write plan file {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is no plan file, expected what `stackgate plan --out` wrote", .0.display())]
    Foreign(PathBuf),
    /// The file is only a part of an archive.
    #[error(
        "{} is not a whole plan file, expected what `stackgate plan --out` wrote; copy it again", .path.display()
    )]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the file says about itself is missing or unreadable.
    #[error("{}: {what}, expected what `stackgate plan --out` wrote; make the plan again", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer program wrote the file.
    #[error(
        "{} has format {version} of stackgate {program}, and this stackgate runs formats up to {known}; update this one", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// The program that wrote it.
        program: String,
        /// The newest format known here.
        known: u32,
    },
    /// An event is of a kind, or says something, that this program does not know.
    #[error(
        "{}: event `{kind}` in line {line} of `{EVENTS}` cannot be read by this stackgate; stackgate {program} wrote it, probably a newer one: update this one",
        .path.display()
    )]
    UnknownEvent {
        /// The file.
        path: PathBuf,
        /// The line of the event.
        line: usize,
        /// Its kind, as written.
        kind: String,
        /// The program that wrote the file.
        program: String,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// An entry is not what it was when the file was written.
    #[error("{}: `{entry}` {what}; the file was altered or damaged, do not run it", .path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// How it differs.
        what: &'static str,
    },
    /// Content that the plan needs is not in the store.
    #[error("failed to collect what the plan needs")]
    Content(#[source] ArtifactError),
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    program: String,
    execution: ExecutionId,
    content: BTreeMap<String, Digest>,
}

impl PortablePlan {
    /// Returns the plan of `events`, with the artifacts and blobs that it needs from `store`.
    pub fn collect(
        program: &str,
        events: Vec<Event>,
        store: &Store,
        artifacts: &[&ArtifactRef],
        blobs: &[Digest],
    ) -> Result<Self, PortableError> {
        let mut content = BTreeMap::new();
        for artifact in artifacts {
            let bytes = store.zip(artifact).map_err(PortableError::Content)?;
            content.insert(format!("{}.zip", artifact.digest), bytes);
        }
        for digest in blobs {
            let bytes = store.blob(digest).map_err(PortableError::Content)?;
            content.insert(format!("{digest}.blob"), bytes);
        }
        let execution = match events.first() {
            Some(first) => first.execution.clone(),
            None => {
                return Err(PortableError::Malformed {
                    path: PathBuf::new(),
                    what: "the execution has no events".to_owned(),
                });
            }
        };
        Ok(Self {
            version: VERSION,
            program: program.to_owned(),
            execution,
            events,
            content,
        })
    }

    /// Writes the plan to `path`, whole or not at all, for its owner only. Returns the digest of the file.
    pub fn write(&self, path: &Path) -> Result<Digest, PortableError> {
        let malformed = |what: String| PortableError::Malformed {
            path: path.to_owned(),
            what,
        };
        let mut lines = Vec::new();
        for event in &self.events {
            serde_json::to_writer(&mut lines, event).map_err(|e| malformed(e.to_string()))?;
            lines.push(b'\n');
        }
        let mut entries = BTreeMap::from([(EVENTS.to_owned(), lines)]);
        for (name, bytes) in &self.content {
            entries.insert(format!("{FOLDER}{name}"), bytes.clone());
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: self.version,
            program: self.program.clone(),
            execution: self.execution.clone(),
            content: entries
                .iter()
                .map(|(name, bytes)| (name.clone(), Digest::of(bytes)))
                .collect(),
        };
        let manifest =
            serde_json::to_vec_pretty(&manifest).map_err(|e| malformed(e.to_string()))?;
        entries.insert(MANIFEST.to_owned(), manifest);
        let bytes = zipped::pack("the plan", &entries, LIMITS).map_err(|source| {
            PortableError::Archive {
                path: path.to_owned(),
                source: Box::new(source),
            }
        })?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        store::write_whole(folder, path, &bytes).map_err(|source| PortableError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(Digest::of(&bytes))
    }

    /// Returns the plan in the file at `path`, and the digest of the file. Everything in it is hashed again.
    ///
    /// A file of a newer format is read as far as this program understands it.
    pub fn read(path: &Path) -> Result<(Self, Digest), PortableError> {
        let read = |source| PortableError::Read {
            path: path.to_owned(),
            source,
        };
        // What artifacts are advised is no advice for a plan file.
        let archive = |error| PortableError::Archive {
            path: path.to_owned(),
            source: match error {
                ArtifactError::Zip { source, .. } => Box::new(source),
                ArtifactError::Unpack { source, .. } => Box::new(source),
                other => Box::new(other),
            },
        };
        let malformed = |what: String| PortableError::Malformed {
            path: path.to_owned(),
            what,
        };
        let altered = |entry: &str, what| PortableError::Altered {
            path: path.to_owned(),
            entry: crate::model::clean(entry),
            what,
        };
        let bytes = read_capped(path)
            .map_err(read)?
            .ok_or_else(|| malformed("it is larger than a plan can be".to_owned()))?;
        if bytes.len() >= ZIP.len() && !bytes.starts_with(ZIP) {
            return Err(PortableError::Foreign(path.to_owned()));
        }
        let what = "the plan file";
        let names: Vec<String> = ZipArchive::new(Cursor::new(&bytes))
            .map_err(|source| {
                archive(ArtifactError::Zip {
                    what: what.to_owned(),
                    source,
                })
            })?
            .file_names()
            .flatten()
            .map(|name| name.into_owned())
            .collect();
        let entry = |name: &str| zipped::unpack(what, &bytes, name, LIMITS).map_err(archive);
        let manifest: Manifest = serde_json::from_slice(&entry(MANIFEST)?)
            .map_err(|e| malformed(format!("`{MANIFEST}` is not readable ({e})")))?;
        if manifest.format != FORMAT {
            return Err(malformed("it is something else than a plan".to_owned()));
        }
        for name in &names {
            if name != MANIFEST && !manifest.content.contains_key(name) {
                return Err(altered(name, "was added to it"));
            }
        }
        let mut content = BTreeMap::new();
        let mut lines = None;
        for (name, digest) in &manifest.content {
            if !names.contains(name) {
                return Err(altered(name, "is missing"));
            }
            let found = entry(name)?;
            if Digest::of(&found) != *digest {
                return Err(altered(name, "has another content"));
            }
            match name.strip_prefix(FOLDER) {
                Some(file) => {
                    let stem = file
                        .strip_suffix(".zip")
                        .or_else(|| file.strip_suffix(".blob"));
                    if stem != Some(digest.to_string().as_str()) {
                        return Err(altered(name, "is not named by its content"));
                    }
                    content.insert(file.to_owned(), found);
                }
                None if name == EVENTS => lines = Some(found),
                // A newer format may have more in it.
                None if manifest.version > VERSION => {}
                None => return Err(altered(name, "was added to it")),
            }
        }
        let lines = lines.ok_or_else(|| altered(EVENTS, "is missing"))?;
        let mut events: Vec<Event> = Vec::new();
        for (number, line) in lines.split(|b| *b == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let event: Event = serde_json::from_slice(line).map_err(|e| {
                if manifest.version > VERSION {
                    return PortableError::Newer {
                        path: path.to_owned(),
                        version: manifest.version,
                        program: crate::model::clean(&manifest.program),
                        known: VERSION,
                    };
                }
                match kind(line) {
                    Some(kind) => PortableError::UnknownEvent {
                        path: path.to_owned(),
                        line: number + 1,
                        kind,
                        program: crate::model::clean(&manifest.program),
                        source: e,
                    },
                    None => malformed(format!(
                        "line {} of `{EVENTS}` is no event ({e})",
                        number + 1
                    )),
                }
            })?;
            if event.execution != manifest.execution {
                return Err(altered(EVENTS, "is about another execution"));
            }
            events.push(event);
        }
        let plan = Self {
            version: manifest.version,
            program: crate::model::clean(&manifest.program),
            execution: manifest.execution,
            events,
            content,
        };
        Ok((plan, Digest::of(&bytes)))
    }

    /// Puts the content into `store`, each file under the digest of its bytes.
    pub fn unpack(&self, store: &Store) -> Result<(), ArtifactError> {
        for (name, bytes) in &self.content {
            if name.ends_with(".zip") {
                store.put_packed(bytes)?;
            } else {
                store.put_blob(bytes)?;
            }
        }
        Ok(())
    }
}

/// Returns the kind of an event that may be unknown here.
fn kind(line: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    value.get("event")?.as_str().map(crate::model::clean)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::{ArtifactName, EventKind, Scope};

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn plan(&self) -> PortablePlan {
            let store = Store::open(&self.file("store")).unwrap();
            let files = BTreeMap::from([("t.yaml".to_owned(), b"Resources: {}\n".to_vec())]);
            let artifact = store.put_zip(ArtifactName::from("Source"), &files).unwrap();
            let blob = store.put_blob(b"before").unwrap();
            let events = (1..=3)
                .map(|seq| Event {
                    seq,
                    execution: "019a4c3e-0000-7000-8000-000000000001".parse().unwrap(),
                    at: jiff::Timestamp::UNIX_EPOCH,
                    scope: Scope::default(),
                    kind: EventKind::StageStarted,
                })
                .collect();
            PortablePlan::collect("9.9.9", events, &store, &[&artifact], &[blob]).unwrap()
        }

        /// Returns the archive of a plan after a change of its entries.
        fn changed(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> PathBuf {
            let path = self.file("changed.plan");
            self.plan().write(&path).unwrap();
            let bytes = fs::read(&path).unwrap();
            let names: Vec<String> = ZipArchive::new(Cursor::new(&bytes))
                .unwrap()
                .file_names()
                .flatten()
                .map(|n| n.into_owned())
                .collect();
            let mut entries = names
                .into_iter()
                .map(|name| {
                    let content = zipped::unpack("p", &bytes, &name, LIMITS).unwrap();
                    (name, content)
                })
                .collect();
            change(&mut entries);
            fs::write(&path, zipped::pack("p", &entries, LIMITS).unwrap()).unwrap();
            path
        }

        fn refused(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> String {
            let path = self.changed(change);
            let error = PortablePlan::read(&path).unwrap_err().to_string();
            error.replace(&path.display().to_string(), "FILE")
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let place = Place::new();
        let (plan, path) = (place.plan(), place.file("a.plan"));
        let file = plan.write(&path).unwrap();
        assert_eq!(PortablePlan::read(&path).unwrap(), (plan.clone(), file));
        assert_eq!(plan.write(&place.file("b.plan")).unwrap(), file);
        assert_eq!(file, Digest::of(&fs::read(&path).unwrap()));

        let other = Store::open(&place.file("other")).unwrap();
        plan.unpack(&other).unwrap();
        assert_eq!(other.blob(&Digest::of(b"before")).unwrap(), b"before");
        let names = |folder: &str| {
            let mut names: Vec<_> = fs::read_dir(place.file(folder))
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("other"), names("store"));
    }

    #[test]
    fn what_was_altered_is_named() {
        let place = Place::new();
        assert_eq!(
            place.refused(|entries| {
                entries.get_mut(EVENTS).unwrap().extend(b"\n");
            }),
            "FILE: `events.ndjson` has another content; the file was altered or damaged, do not run it"
        );
        assert!(
            place
                .refused(|entries| {
                    entries.insert("artifacts/x.zip".to_owned(), Vec::new());
                })
                .contains("`artifacts/x.zip` was added to it")
        );
        assert!(
            place
                .refused(|entries| {
                    entries.remove(EVENTS);
                })
                .contains("`events.ndjson` is missing")
        );
        let renamed = place.refused(|entries| {
            let blob = entries
                .keys()
                .find(|k| k.ends_with(".blob"))
                .unwrap()
                .clone();
            let bytes = entries.remove(&blob).unwrap();
            let other = format!("{FOLDER}{}.blob", Digest::of(b"other"));
            let manifest = String::from_utf8(entries[MANIFEST].clone()).unwrap();
            entries.insert(
                MANIFEST.to_owned(),
                manifest.replace(&blob, &other).into_bytes(),
            );
            entries.insert(other, bytes);
        });
        assert!(renamed.contains("is not named by its content"), "{renamed}");
        let foreign = place.refused(|entries| {
            entries.insert(MANIFEST.to_owned(), b"{}".to_vec());
        });
        assert!(foreign.contains("`plan.json` is not readable"), "{foreign}");
    }

    const TELEPORTED: &[u8] = br#"{"seq":1,"execution":"019a4c3e-0000-7000-8000-000000000001","at":"1970-01-01T00:00:00Z","event":"teleported"}"#;

    /// Returns a plan file of a format whose only event is `line`.
    fn with_event(place: &Place, version: u32, line: &[u8]) -> PathBuf {
        place.changed(|entries| {
            let mut manifest: Manifest = serde_json::from_slice(&entries[MANIFEST]).unwrap();
            manifest.version = version;
            let digest = Digest::of(line);
            manifest.content.insert(EVENTS.to_owned(), digest);
            entries.insert(MANIFEST.to_owned(), serde_json::to_vec(&manifest).unwrap());
            entries.insert(EVENTS.to_owned(), line.to_vec());
        })
    }

    #[test]
    fn an_event_of_a_newer_program_is_not_called_damage() {
        let place = Place::new();
        let error = PortablePlan::read(&with_event(&place, VERSION, TELEPORTED)).unwrap_err();
        assert!(
            matches!(error, PortableError::UnknownEvent { .. }),
            "{error:?}"
        );
        let said = error.to_string();
        for part in [
            "event `teleported` in line 1",
            "stackgate 9.9.9 wrote it",
            "update this one",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let error = PortablePlan::read(&with_event(&place, VERSION, b"teleported")).unwrap_err();
        assert!(
            matches!(error, PortableError::Malformed { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn a_newer_format_is_read_as_far_as_it_is_understood() {
        let place = Place::new();
        let mut plan = place.plan();
        plan.version = VERSION + 1;
        plan.write(&place.file("newer.plan")).unwrap();
        let (read, _) = PortablePlan::read(&place.file("newer.plan")).unwrap();
        assert_eq!(read.version, VERSION + 1);

        let error = PortablePlan::read(&with_event(&place, VERSION + 1, TELEPORTED)).unwrap_err();
        assert!(matches!(error, PortableError::Newer { .. }), "{error}");
        assert!(
            error.to_string().contains("format 3 of stackgate 9.9.9"),
            "{error}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200)) {
            let place = Place::new();
            fs::write(place.file("any.plan"), bytes).unwrap();
            let _ = PortablePlan::read(&place.file("any.plan"));
        }
    }
}
