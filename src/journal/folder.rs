//! The state folder: made private, and kept out of version control.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::JournalError;

const DATABASE: &str = "journal.db";

/// Returns the path of the database in `state`.
pub(super) fn database(state: &Path) -> PathBuf {
    state.join(DATABASE)
}

/// Makes the state folder and an empty database where they are missing, and returns the database's path.
pub(super) fn create(state: &Path) -> Result<PathBuf, JournalError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| match (blocking_file(state), source) {
            (Some(file), _) => JournalError::NotAFolder {
                state: state.to_owned(),
                file,
            },
            (None, source) => JournalError::Create { path, source },
        }
    };
    let parent = state.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    let made = match fs::DirBuilder::new().mode(0o700).create(state) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && state.is_dir() => false,
        Err(error) => return Err(failed(state)(error)),
    };
    // A folder that has something in it is somebody's: `--state .` must not hide a project from git.
    // An empty one may be ours from a process that died here.
    if made || fs::read_dir(state).map_err(failed(state))?.next().is_none() {
        ignore(state).map_err(failed(&state.join(".gitignore")))?;
        // Without this a power failure could take the folder away, and all synced intents with it.
        let parent = parent.unwrap_or(Path::new("."));
        fs::File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(failed(parent))?;
    }
    // SQLite would make the file readable for all; its companions take over the mode of the file.
    let path = database(state);
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
    {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
        Err(error) => Err(failed(&path)(error)),
    }
}

/// Returns the first part of the path that exists and is not a folder.
fn blocking_file(state: &Path) -> Option<PathBuf> {
    let mut parts: Vec<&Path> = state.ancestors().collect();
    parts.reverse();
    parts
        .into_iter()
        .find(|part| part.exists() && !part.is_dir())
        .map(Path::to_owned)
}

/// Writes a `.gitignore` that hides the whole folder, whole or not at all.
fn ignore(state: &Path) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(state)?;
    file.write_all(b"*\n")?;
    match file.persist_noclobber(state.join(".gitignore")) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_is_private_and_ignored_by_git() {
        let root = tempfile::tempdir().unwrap();
        let state = root.path().join("deep/.stackgate");
        let path = create(&state).unwrap();
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
        let mut names: Vec<_> = fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, [".gitignore", "journal.db"]);
    }

    #[test]
    fn a_folder_with_other_files_is_not_hidden_from_git() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("README.md"), "mine").unwrap();
        create(root.path()).unwrap();
        assert!(!root.path().join(".gitignore").exists());
    }

    #[test]
    fn an_empty_folder_left_by_a_dead_process_is_completed() {
        let root = tempfile::tempdir().unwrap();
        create(root.path()).unwrap();
        assert!(root.path().join(".gitignore").exists());
    }

    #[test]
    fn a_path_through_a_file_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("README.md");
        fs::write(&file, "text").unwrap();
        for state in [file.clone(), file.join("state"), file.join("a/b")] {
            match create(&state) {
                Err(JournalError::NotAFolder { file: named, .. }) => assert_eq!(named, file),
                other => panic!("{other:?}"),
            }
        }
        let message = create(&file.join("state")).unwrap_err().to_string();
        assert!(
            message.contains("README.md` is a file, not a folder"),
            "{message}"
        );
    }
}
