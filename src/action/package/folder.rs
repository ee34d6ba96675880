//! Code as it is uploaded: a folder or a file as a zip, or a file as it is.
//!
//! Nothing is left out. What cannot be uploaded is refused instead, such as links that lead out of the folder, and of what
//! is seldom meant to be, such as `.env`, people are told.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{PackageError, PackageProblem};
use super::private;
use super::scan::Named;
use crate::artifact::{CodeFile, Store};
use crate::model::{Digest, clean};
use crate::template::Content;

/// What AWS Lambda takes, unpacked.
const MOST_BYTES: u64 = 250 << 20;
const MOST_FILES: u64 = 50_000;
const MOST_LINKS: u64 = 10_000;

/// What is never code: it is changed by this program as it is read.
const OWN: &str = ".stackgate";

/// What is uploaded for a local path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// The digest of its bytes, which are in the artifact store.
    pub(super) digest: Digest,
    /// What its key ends with.
    pub(super) ending: String,
    /// The files in it that are seldom meant for others.
    pub(super) private: Vec<String>,
}

/// Puts into `store` what is uploaded for what `named` leads to, piece by piece: code may be large.
pub(super) fn read(root: &Path, store: &Store, named: &Named) -> Result<Code, PackageError> {
    let path = root.join(&named.path);
    let zipped = |files: &BTreeMap<String, CodeFile>| {
        let what = format!("`{}`", clean(&named.path));
        let digest = store.put_code(&what, files).map_err(PackageProblem::Zip)?;
        Ok(Code {
            digest,
            ending: "zip".to_owned(),
            private: private::among(files.keys().map(String::as_str)),
        })
    };
    let read = || {
        if path.is_dir() {
            let mut folder = Folder::of(&path)?;
            folder.walk(&path, "")?;
            if folder.files.is_empty() {
                return Err(PackageProblem::Empty);
            }
            return zipped(&folder.files);
        }
        let (file, _) = look_at(&path, &named.path, MOST_BYTES)?;
        let must_be_zip = match named.local.content {
            Content::Zip => !begins_as_zip(&path).map_err(|e| unreadable(&named.path, e))?,
            Content::Bundle | Content::File | Content::Template => false,
        };
        if must_be_zip {
            let name = path.file_name().map(|name| name.to_string_lossy());
            let name = name.unwrap_or_default().into_owned();
            return zipped(&BTreeMap::from([(name, file)]));
        }
        let name = path.file_name().map(|name| name.to_string_lossy());
        Ok(Code {
            digest: store
                .put_file(&path, MOST_BYTES)
                .map_err(PackageProblem::Store)?,
            ending: ending(&path),
            private: private::among(name.as_deref()),
        })
    };
    read().map_err(|problem| named.fails(problem))
}

/// Returns what the name of a file ends with, where that can stand in a key.
fn ending(path: &Path) -> String {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let can_stand = |ending: &&str| {
        ending.len() <= 16 && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    ending.filter(can_stand).unwrap_or_default().to_owned()
}

struct Folder {
    /// The folder without links.
    root: PathBuf,
    /// The folders that are being read, each inside the one before, without links.
    above: Vec<PathBuf>,
    files: BTreeMap<String, CodeFile>,
    bytes: u64,
    /// How many links to folders were followed: a few that lead to each other's make more than anybody waits for.
    links: u64,
}

impl Folder {
    fn of(path: &Path) -> Result<Self, PackageProblem> {
        let root = path.canonicalize().map_err(|e| unreadable("", e))?;
        Ok(Self {
            above: vec![root.clone()],
            root,
            files: BTreeMap::new(),
            bytes: 0,
            links: 0,
        })
    }

    /// Reads what is in `folder`, whose path inside the code is `inside`.
    fn walk(&mut self, folder: &Path, inside: &str) -> Result<(), PackageProblem> {
        for entry in fs::read_dir(folder).map_err(|e| unreadable(inside, e))? {
            let entry = entry.map_err(|e| unreadable(inside, e))?;
            let name = entry.file_name();
            let joint = if inside.is_empty() { "" } else { "/" };
            let shown = format!("{inside}{joint}{}", name.to_string_lossy());
            let Some(name) = name.to_str() else {
                return Err(PackageProblem::Name(clean(&shown)));
            };
            if name == OWN {
                return Err(PackageProblem::Own(clean(&shown)));
            }
            let inside = format!("{inside}{joint}{name}");
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| unreadable(&inside, e))?;
            if kind.is_symlink() {
                self.check_link(&path, &inside)?;
            }
            let found = fs::metadata(&path).map_err(|e| unreadable(&inside, e))?;
            if found.is_dir() {
                self.links += u64::from(kind.is_symlink());
                if self.links > MOST_LINKS {
                    return Err(PackageProblem::TooLarge {
                        limit: MOST_LINKS,
                        unit: "links to folders",
                    });
                }
                let folder = path.canonicalize().map_err(|e| unreadable(&inside, e))?;
                self.above.push(folder);
                self.walk(&path, &inside)?;
                self.above.pop();
            } else if found.is_file() {
                self.take(&path, inside)?;
            } else {
                return Err(PackageProblem::Special(clean(&inside)));
            }
        }
        Ok(())
    }

    /// Refuses a link that leads out of the code, nowhere, or to a folder that it is in itself.
    fn check_link(&self, path: &Path, inside: &str) -> Result<(), PackageProblem> {
        let leads_inside = path
            .canonicalize()
            .is_ok_and(|to| to.starts_with(&self.root) && !self.above.contains(&to));
        match leads_inside {
            true => Ok(()),
            false => Err(PackageProblem::Link(clean(inside))),
        }
    }

    fn take(&mut self, path: &Path, inside: String) -> Result<(), PackageProblem> {
        if self.files.len() as u64 >= MOST_FILES {
            return Err(PackageProblem::TooLarge {
                limit: MOST_FILES,
                unit: "files",
            });
        }
        let (file, bytes) = look_at(path, &inside, MOST_BYTES - self.bytes)?;
        self.bytes += bytes;
        self.files.insert(inside, file);
        Ok(())
    }
}

/// Returns a file of at most `most` bytes, and its size.
fn look_at(path: &Path, shown: &str, most: u64) -> Result<(CodeFile, u64), PackageProblem> {
    let about = fs::metadata(path).map_err(|e| unreadable(shown, e))?;
    if about.len() > most {
        return Err(PackageProblem::TooLarge {
            limit: MOST_BYTES,
            unit: "bytes",
        });
    }
    let file = CodeFile {
        path: path.to_owned(),
        is_executable: is_executable(&about),
    };
    Ok((file, about.len()))
}

fn begins_as_zip(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut begin)?;
    Ok(begin == b"PK\x03\x04")
}

fn unreadable(path: &str, source: io::Error) -> PackageProblem {
    PackageProblem::Read {
        path: clean(path),
        source,
    }
}

#[cfg(unix)]
fn is_executable(about: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    about.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Form, Template};

    /// What is uploaded.
    #[derive(Debug, PartialEq, Eq)]
    struct Packed {
        bytes: Vec<u8>,
        ending: String,
        private: Vec<String>,
    }

    /// Returns what is read of `path` as the code of a function.
    fn read_at(root: &Path, path: &str) -> Result<Packed, String> {
        let text = format!(
            "{{\"Resources\": {{\"F\": {{\"Type\": \"AWS::Lambda::Function\", \"Properties\": {{\"Code\": \"{path}\"}}}}}}}}"
        );
        let template = Template::parse("t.json", text.as_bytes()).unwrap();
        let local = template.local_paths().unwrap().remove(0);
        assert!(matches!(local.form, Form::Mapping { .. }));
        let named = Named {
            template: "t.json".to_owned(),
            path: local.from_root("t.json").unwrap(),
            local,
        };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let code = read(root, &store, &named).map_err(|e| e.to_string())?;
        Ok(Packed {
            bytes: store.blob(&code.digest).unwrap(),
            ending: code.ending,
            private: code.private,
        })
    }

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_folder_gives_the_same_bytes_wherever_and_whenever_it_is_read() {
        let read_new = |order: [&str; 3]| {
            let folder = tempfile::tempdir().unwrap();
            for path in order {
                write(folder.path(), &format!("code/{path}"), path);
            }
            read_at(folder.path(), "code").unwrap()
        };
        let code = read_new(["a.py", "lib/b.py", "z"]);
        assert_eq!(code.ending, "zip");
        assert_eq!(read_new(["z", "lib/b.py", "a.py"]).bytes, code.bytes);
        assert_ne!(read_new(["z", "lib/c.py", "a.py"]).bytes, code.bytes);
    }

    #[cfg(unix)]
    #[test]
    fn what_can_be_executed_stays_so() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "code/bootstrap", "x");
        let plain = read_at(folder.path(), "code").unwrap();
        let path = folder.path().join("code/bootstrap");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            read_at(folder.path(), "code").unwrap(),
            plain,
            "the umask does not count"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_ne!(read_at(folder.path(), "code").unwrap(), plain);
    }

    #[test]
    fn a_zip_is_uploaded_as_it_is_and_another_file_in_a_zip() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "app.jar", "PK\u{3}\u{4}rest");
        let jar = read_at(folder.path(), "app.jar").unwrap();
        assert_eq!(
            (&jar.bytes[..], &jar.ending[..]),
            (&b"PK\x03\x04rest"[..], "jar")
        );
        write(folder.path(), "app.py", "x = 1");
        write(folder.path(), "same/app.py", "x = 1");
        let file = read_at(folder.path(), "app.py").unwrap();
        assert_eq!(file, read_at(folder.path(), "same").unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_the_folder_alone() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(root, "code/lib/a.py", "x");
        write(root, "secret", "s");
        symlink("lib", root.join("code/lib64")).unwrap();
        symlink("lib/a.py", root.join("code/main.py")).unwrap();
        write(root, "same/lib/a.py", "x");
        write(root, "same/lib64/a.py", "x");
        write(root, "same/main.py", "x");
        assert_eq!(read_at(root, "code"), read_at(root, "same"));
        for to in ["../secret", "..", ".", "lib/../../code", "nowhere", "/etc"] {
            symlink(to, root.join("code/link")).unwrap();
            let refused = read_at(root, "code").unwrap_err();
            assert!(
                refused.contains("`link` is a link that leads out"),
                "{refused}"
            );
            fs::remove_file(root.join("code/link")).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_multiply_folders_without_end_are_refused() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        for level in 0..24 {
            let here = code.join(format!("{level:02}"));
            fs::create_dir_all(&here).unwrap();
            for link in ["a", "b"] {
                symlink(format!("../{:02}", level + 1), here.join(link)).unwrap();
            }
        }
        write(folder.path(), "code/24/end", "x");
        let refused = read_at(folder.path(), "code").unwrap_err();
        assert!(refused.contains("10000 links to folders"), "{refused}");
    }

    #[test]
    fn what_is_no_code_is_refused_and_not_left_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        let refused = read_at(folder.path(), "empty").unwrap_err();
        assert!(refused.contains("the folder is empty"), "{refused}");
        write(folder.path(), "code/sub/.stackgate/x", "x");
        let refused = read_at(folder.path(), "code").unwrap_err();
        assert!(refused.contains("holds `sub/.stackgate`"), "{refused}");
    }

    #[test]
    fn what_is_seldom_meant_for_others_is_packed_and_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [".env", ".git/HEAD", "main.py", "keys/a.pem"] {
            write(folder.path(), &format!("code/{path}"), "x");
        }
        let code = read_at(folder.path(), "code").unwrap();
        assert_eq!(code.private, [".env", ".git/", "keys/a.pem"]);
        let packed = |name: &str| code.bytes.windows(name.len()).any(|w| w == name.as_bytes());
        assert!(packed(".git/HEAD") && packed(".env"));
        let file = read_at(folder.path(), "code/keys/a.pem").unwrap();
        assert_eq!(file.private, ["a.pem"]);
    }
}
