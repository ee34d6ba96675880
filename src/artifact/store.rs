//! The folder of artifacts.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::ArtifactError;
use super::zipped::{self, CodeFile, LIMITS};
use crate::model::{ArtifactName, ArtifactRef, Digest, clean};

/// Artifacts and blobs in one folder, which several processes may use at once.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Returns the store in `folder`, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<Store, ArtifactError> {
        make_private_folder(folder).map_err(|source| ArtifactError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Store {
            folder: folder.to_owned(),
        })
    }

    /// Stores `files` as a zip and returns its reference. The same files always give the same digest.
    pub fn put_zip(
        &self,
        name: ArtifactName,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<ArtifactRef, ArtifactError> {
        let bytes = zipped::pack(&format!("artifact `{name}`"), files, LIMITS)?;
        let digest = Digest::of(&bytes);
        self.put(&self.zip_path(&digest), &digest, &bytes)?;
        Ok(ArtifactRef {
            name,
            digest,
            files: files.keys().cloned().collect(),
        })
    }

    /// Returns the file at `path` of an artifact.
    pub fn read(&self, artifact: &ArtifactRef, path: &str) -> Result<Vec<u8>, ArtifactError> {
        let what = format!("artifact `{}`", artifact.name);
        let bytes = self.zip(artifact)?;
        zipped::unpack(&what, &bytes, path, LIMITS)
    }

    /// Returns the bytes of an artifact's zip.
    pub fn zip(&self, artifact: &ArtifactRef) -> Result<Vec<u8>, ArtifactError> {
        let what = format!("artifact `{}`", artifact.name);
        self.checked(&what, &self.zip_path(&artifact.digest), &artifact.digest)
    }

    /// Stores the bytes of a zip that another store had.
    pub fn put_packed(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        let digest = Digest::of(bytes);
        self.put(&self.zip_path(&digest), &digest, bytes)?;
        Ok(digest)
    }

    /// Returns the path of a passing file of that name, which is no artifact.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns where the zip of an artifact is.
    pub fn zip_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.zip"))
    }

    /// Stores one text or other content, and returns its digest.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, ArtifactError> {
        let digest = Digest::of(bytes);
        if bytes.len() as u64 > LARGEST {
            return Err(ArtifactError::TooLarge {
                what: format!("blob {}", digest.short()),
                limit: LARGEST,
                unit: "bytes",
            });
        }
        self.put(&self.blob_path(&digest), &digest, bytes)?;
        Ok(digest)
    }

    /// Stores the zip of `files` of code, and returns its digest. Neither it nor they are held in memory.
    pub fn put_code(
        &self,
        what: &str,
        files: &BTreeMap<String, CodeFile>,
    ) -> Result<Digest, ArtifactError> {
        self.put_written(|to| zipped::pack_code(what, files, to))
    }

    /// Stores a copy of a file of at most `most` bytes, and returns its digest.
    pub fn put_file(&self, path: &Path, most: u64) -> Result<Digest, ArtifactError> {
        self.put_written(|to| {
            let failed = |source| ArtifactError::Read {
                path: path.to_owned(),
                source,
            };
            let file = File::open(path).map_err(failed)?;
            let copied = io::copy(&mut file.take(most.saturating_add(1)), to).map_err(failed)?;
            match copied > most {
                true => Err(ArtifactError::TooLarge {
                    what: format!("`{}`", clean(&path.to_string_lossy())),
                    limit: most,
                    unit: "bytes",
                }),
                false => Ok(()),
            }
        })
    }

    /// Returns the file of a blob and its size, if its content is what `digest` says.
    pub fn blob_file(&self, digest: &Digest) -> Result<(PathBuf, u64), ArtifactError> {
        let path = self.blob_path(digest);
        let read = File::open(&path).and_then(digest_of);
        match read {
            Ok((found, length)) if found == *digest => Ok((path, length)),
            Ok(_) => Err(ArtifactError::Altered { path }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(ArtifactError::Missing {
                    what: format!("blob {}", digest.short()),
                    path,
                })
            }
            Err(source) => Err(ArtifactError::Read { path, source }),
        }
    }

    /// Stores what `write` writes into a file, whole or not at all, and returns its digest.
    fn put_written(
        &self,
        write: impl FnOnce(&mut File) -> Result<(), ArtifactError>,
    ) -> Result<Digest, ArtifactError> {
        let failed = |source| ArtifactError::Write {
            path: self.folder.clone(),
            source,
        };
        let mut file = temporary(&self.folder).map_err(failed)?;
        write(file.as_file_mut())?;
        let digest = file.as_file_mut().rewind();
        let digest = digest.and_then(|()| digest_of(file.as_file_mut()));
        let (digest, _) = digest.map_err(failed)?;
        if self.blob_file(&digest).is_err() {
            keep(&self.folder, &self.blob_path(&digest), file).map_err(failed)?;
        }
        Ok(digest)
    }

    /// Returns what was stored by [`Store::put_blob`].
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        self.checked(
            &format!("blob {}", digest.short()),
            &self.blob_path(digest),
            digest,
        )
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.blob"))
    }

    /// Writes a file whole or not at all; it is on the disk when this returns.
    fn put(&self, path: &Path, digest: &Digest, bytes: &[u8]) -> Result<(), ArtifactError> {
        if matches!(read_capped(path), Ok(Some(found)) if Digest::of(&found) == *digest) {
            return Ok(());
        }
        write_whole(&self.folder, path, bytes).map_err(|source| ArtifactError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the bytes at `path` if they are what `digest` says.
    fn checked(&self, what: &str, path: &Path, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        let read = match read_capped(path) {
            Ok(read) => read,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(ArtifactError::Missing {
                    what: what.to_owned(),
                    path: path.to_owned(),
                });
            }
            Err(source) => {
                return Err(ArtifactError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        match read {
            Some(bytes) if Digest::of(&bytes) == *digest => Ok(bytes),
            Some(_) => Err(ArtifactError::Altered {
                path: path.to_owned(),
            }),
            None => Err(ArtifactError::TooLarge {
                what: what.to_owned(),
                limit: LARGEST,
                unit: "bytes",
            }),
        }
    }
}

/// An archive of the allowed content and the names of its files.
const LARGEST: u64 = LIMITS.archive + (16 << 20);

/// Writes a file of `folder` whole or not at all; only its owner may read it.
pub(super) fn write_whole(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(folder)?;
    file.write_all(bytes)?;
    keep(folder, path, file)
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(folder)
}

/// Gives a file that was written its name.
fn keep(folder: &Path, path: &Path, file: NamedTempFile) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Returns the digest and the length of what can be read, piece by piece.
fn digest_of(mut from: impl Read) -> io::Result<(Digest, u64)> {
    let mut sha = Sha256::new();
    let mut length = 0;
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            let digest: [u8; 32] = sha.finalize().into();
            return Ok((Digest::from(digest), length));
        };
        sha.update(bytes);
        length += read as u64;
    }
}

/// Returns the content of a file, or `None` if it is larger than anything that is stored.
pub(super) fn read_capped(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= LARGEST).then_some(bytes))
}

#[cfg(unix)]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn make_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// A new name in a folder is safe only when the folder itself is on the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([
            ("templates/web.yaml".to_owned(), b"Resources: {}\n".to_vec()),
            ("parameter-overrides/web.json".to_owned(), b"{}".to_vec()),
        ])
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn an_artifact_is_stored_once_under_its_digest() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state/artifacts");
        let store = Store::open(&folder).unwrap();
        let artifact = store
            .put_zip(ArtifactName::from("Source"), &files())
            .unwrap();
        assert_eq!(
            artifact.files,
            ["parameter-overrides/web.json", "templates/web.yaml"]
        );
        let again = Store::open(&folder)
            .unwrap()
            .put_zip(ArtifactName::from("Source"), &files())
            .unwrap();
        assert_eq!(again, artifact);
        assert_eq!(names(&folder), [format!("{}.zip", artifact.digest)]);
        assert_eq!(
            store.read(&artifact, "templates/web.yaml").unwrap(),
            b"Resources: {}\n"
        );
        let error = store.read(&artifact, "templates/db.yaml").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("artifact `Source` has no file")
        );
    }

    #[test]
    fn a_blob_is_read_back() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let digest = store.put_blob(b"old template").unwrap();
        assert_eq!(digest, Digest::of(b"old template"));
        assert_eq!(store.blob(&digest).unwrap(), b"old template");
        let missing = Digest::of(b"never stored");
        assert!(matches!(
            store.blob(&missing),
            Err(ArtifactError::Missing { .. })
        ));
    }

    #[test]
    fn a_file_is_stored_without_being_held_in_memory() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("store")).unwrap();
        let path = place.path().join("app.jar");
        let bytes = vec![7; (1 << 16) + 1];
        fs::write(&path, &bytes).unwrap();
        let digest = store.put_file(&path, bytes.len() as u64).unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(store.blob(&digest).unwrap(), bytes);
        let (at, length) = store.blob_file(&digest).unwrap();
        assert_eq!(length, bytes.len() as u64);
        let large = store.put_file(&path, length - 1);
        assert!(matches!(large, Err(ArtifactError::TooLarge { .. })));
        // What was not kept leaves nothing.
        assert_eq!(
            names(&place.path().join("store")),
            [format!("{digest}.blob")]
        );
        fs::write(&at, b"evil").unwrap();
        assert!(matches!(
            store.blob_file(&digest),
            Err(ArtifactError::Altered { .. })
        ));
        assert_eq!(store.put_file(&path, length).unwrap(), digest);
        assert!(store.blob_file(&digest).is_ok());
        fs::remove_file(&at).unwrap();
        assert!(matches!(
            store.blob_file(&digest),
            Err(ArtifactError::Missing { .. })
        ));
    }

    #[test]
    fn altered_content_is_noticed_and_repaired_by_storing_again() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let artifact = store
            .put_zip(ArtifactName::from("Source"), &files())
            .unwrap();
        fs::write(store.zip_path(&artifact.digest), b"something else").unwrap();
        let read = store.read(&artifact, "templates/web.yaml");
        assert!(matches!(read, Err(ArtifactError::Altered { .. })));
        store
            .put_zip(ArtifactName::from("Source"), &files())
            .unwrap();
        assert!(store.read(&artifact, "templates/web.yaml").is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Store::open(&file.join("artifacts")).unwrap_err();
        assert!(error.to_string().contains("file/artifacts"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("artifacts");
        let store = Store::open(&folder).unwrap();
        let digest = store.put_blob(b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&store.blob_path(&digest)), 0o600);
    }

    #[test]
    fn several_writers_of_one_content_do_not_disturb_each_other() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for i in 0..10u8 {
                        let digest = store.put_blob(&[i; 1000]).unwrap();
                        assert_eq!(store.blob(&digest).unwrap(), [i; 1000]);
                    }
                });
            }
        });
        assert_eq!(names(place.path()).len(), 10);
    }
}
