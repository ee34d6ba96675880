//! Zip archives: the same files always give the same bytes, and foreign ones cannot do harm.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Cursor, Read, Seek, Write};
use std::path::PathBuf;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use super::ArtifactError;
use crate::model::clean;

/// The limits of what is packed and unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one file in an archive, unpacked.
    pub(super) file: u64,
    /// Bytes of an archive; CodePipeline takes no more for CloudFormation actions.
    pub(super) archive: u64,
    /// Files in an archive.
    pub(super) files: u64,
}

pub(super) const LIMITS: Limits = Limits {
    file: 32 << 20,
    archive: 256 << 20,
    files: 10_000,
};

/// The limits of code for a function: what AWS Lambda takes, unpacked.
const CODE: Limits = Limits {
    file: 250 << 20,
    archive: 250 << 20,
    files: 50_000,
};

/// A file of code that is put into a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it can be executed.
    pub is_executable: bool,
}

/// Writes the zip of `files` of code, by the same rules as artifacts: the same files give the same bytes. Of their
/// permissions only one is kept, that to execute. They are read one after another and piece by piece.
pub(super) fn pack_code(
    what: &str,
    files: &BTreeMap<String, CodeFile>,
    to: &mut File,
) -> Result<(), ArtifactError> {
    let entries = files.iter().map(|(path, file)| {
        let mode = if file.is_executable { 0o755 } else { 0o644 };
        let opened = File::open(&file.path).map_err(|source| ArtifactError::Read {
            path: file.path.clone(),
            source,
        });
        (path.as_str(), opened, mode)
    });
    let mut written = write(what, BufWriter::new(to), entries, CODE)?;
    written.flush().map_err(|source| ArtifactError::Zip {
        what: what.to_owned(),
        source: source.into(),
    })
}

/// Returns the zip of `files`.
///
/// Nothing in it depends on the time, the machine or the file system. Entries are stored and not
/// compressed: what a compressor writes may differ from one of its versions to the next, and the
/// artifact's name with it, while templates are small.
pub(super) fn pack(
    what: &str,
    files: &BTreeMap<String, Vec<u8>>,
    limits: Limits,
) -> Result<Vec<u8>, ArtifactError> {
    let entries = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), Ok(bytes.as_slice()), 0o644));
    let written = write(what, Cursor::new(Vec::new()), entries, limits)?;
    Ok(written.into_inner())
}

/// Writes a zip of paths, contents and modes, the paths in their order.
fn write<'a, W: Write + Seek, R: Read>(
    what: &str,
    to: W,
    entries: impl ExactSizeIterator<Item = (&'a str, Result<R, ArtifactError>, u32)>,
    limits: Limits,
) -> Result<W, ArtifactError> {
    let too_large = |what: String, limit, unit| ArtifactError::TooLarge { what, limit, unit };
    if entries.len() as u64 > limits.files {
        return Err(too_large(what.to_owned(), limits.files, "files"));
    }
    let failed = |source| ArtifactError::Zip {
        what: what.to_owned(),
        source,
    };
    let options = SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix);
    let mut writer = ZipWriter::new(to);
    let mut total = 0u64;
    let mut piece = vec![0; 1 << 16];
    for (path, content, mode) in entries {
        check_path(path)?;
        let mut content = content?;
        let options = options.unix_permissions(mode);
        writer.start_file(path, options).map_err(failed)?;
        // What a folder says of a file's size is a claim; only what is really read counts.
        let mut size = 0u64;
        loop {
            let read = content.read(&mut piece);
            let read = read.map_err(|source| ArtifactError::Read {
                path: PathBuf::from(clean(path)),
                source,
            })?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            size = size.saturating_add(read as u64);
            if size > limits.file {
                let what = format!("`{}`", clean(path));
                return Err(too_large(what, limits.file, "bytes"));
            }
            if total.saturating_add(size) > limits.archive {
                return Err(too_large(what.to_owned(), limits.archive, "bytes"));
            }
            let written = writer.write_all(bytes);
            written.map_err(|source| failed(source.into()))?;
        }
        total = total.saturating_add(size);
    }
    writer.finish().map_err(failed)
}

/// Returns the file at `path` of the zip in `bytes`.
pub(super) fn unpack(
    what: &str,
    bytes: &[u8],
    path: &str,
    limits: Limits,
) -> Result<Vec<u8>, ArtifactError> {
    check_path(path)?;
    let failed = |source| ArtifactError::Zip {
        what: what.to_owned(),
        source,
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(failed)?;
    if archive.len() as u64 > limits.files {
        return Err(ArtifactError::TooLarge {
            what: what.to_owned(),
            limit: limits.files,
            unit: "files",
        });
    }
    if archive.has_duplicate_names() {
        return Err(ArtifactError::DuplicateNames {
            what: what.to_owned(),
        });
    }
    let Some(index) = archive.index_for_name(path) else {
        let names: Vec<String> = archive
            .file_names()
            .flatten()
            .map(|name| clean(&name))
            .collect();
        return Err(ArtifactError::NoSuchFile {
            what: what.to_owned(),
            path: clean(path),
            help: what_is_there(names),
        });
    };
    let file = archive.by_index(index).map_err(failed)?;
    if !file.is_file() || file.is_symlink() {
        return Err(ArtifactError::NotAFile {
            what: what.to_owned(),
            path: clean(path),
        });
    }
    // The size in the header is a claim; only what is really read counts.
    let mut content = Vec::new();
    file.take(limits.file.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|source| ArtifactError::Unpack {
            what: what.to_owned(),
            path: clean(path),
            source,
        })?;
    if content.len() as u64 > limits.file {
        return Err(ArtifactError::TooLarge {
            what: format!("`{}`", clean(path)),
            limit: limits.file,
            unit: "bytes",
        });
    }
    Ok(content)
}

/// Refuses paths that could mean something outside the archive on any system.
fn check_path(path: &str) -> Result<(), ArtifactError> {
    let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(|c: char| c == '\\' || c == ':' || c.is_control());
    match inside {
        true => Ok(()),
        false => Err(ArtifactError::BadPath { path: clean(path) }),
    }
}

fn what_is_there(mut names: Vec<String>) -> String {
    const SHOWN: usize = 8;
    names.sort();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect();
    match names.len() {
        0 => "it is empty".to_owned(),
        n if n > SHOWN => format!("it has {} and {} more", shown.join(", "), n - SHOWN),
        _ => format!("it has {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: Limits = Limits {
        file: 100,
        archive: 250,
        files: 3,
    };

    fn files(entries: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
        entries
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
            .collect()
    }

    fn foreign(build: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        build(&mut writer);
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn the_bytes_of_an_archive_never_change() {
        let packed = pack("a", &files(&[("b/c.yaml", b"x: 1\n"), ("a", b"")]), LIMITS).unwrap();
        // A new digest here means that artifacts of earlier executions are stored a second time.
        assert_eq!(
            crate::model::Digest::of(&packed).to_string(),
            "568a9d07207a258ada8503f3fd4b18351cf837f4db0483d292b9d474a2b482a7"
        );
    }

    #[test]
    fn the_bytes_of_code_never_change_and_tell_what_can_be_executed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |bytes: &[u8], is_executable| {
            let path = folder.path().join(bytes.len().to_string());
            std::fs::write(&path, bytes).unwrap();
            CodeFile {
                path,
                is_executable,
            }
        };
        let zip_code = |what: &str, files: &BTreeMap<String, CodeFile>| {
            let mut to = tempfile::tempfile().unwrap();
            pack_code(what, files, &mut to)?;
            let mut bytes = Vec::new();
            to.rewind().unwrap();
            to.read_to_end(&mut bytes).unwrap();
            Ok::<_, ArtifactError>(bytes)
        };
        let files = BTreeMap::from([
            ("bootstrap".to_owned(), file(b"#!/bin/sh\n", true)),
            ("lib/a.py".to_owned(), file(b"x = 1\n", false)),
        ]);
        let packed = zip_code("code", &files).unwrap();
        // A new digest here means that all code is uploaded a second time, and every function updated.
        assert_eq!(
            crate::model::Digest::of(&packed).to_string(),
            "9e5204304be6adb132a7ca593572ec15206ba71d6692c1145f9c68dc2910efb6"
        );
        let mut archive = ZipArchive::new(Cursor::new(&packed)).unwrap();
        let mut mode = |name: &str| archive.by_name(name).unwrap().unix_mode().unwrap() & 0o777;
        assert_eq!((mode("bootstrap"), mode("lib/a.py")), (0o755, 0o644));
        let bad = BTreeMap::from([("../a".to_owned(), file(b"", false))]);
        assert!(zip_code("code", &bad).is_err());
        let gone = CodeFile {
            path: folder.path().join("gone"),
            is_executable: false,
        };
        let gone = zip_code("code", &BTreeMap::from([("a".to_owned(), gone)]));
        assert!(matches!(gone, Err(ArtifactError::Read { .. })));
    }

    #[test]
    fn paths_that_lead_out_are_neither_written_nor_read() {
        let packed = pack("a", &files(&[("a", b"1")]), LIMITS).unwrap();
        for path in [
            "", "/", "/a", "../a", "a/../b", "a/./b", "a//b", "a/", "C:a", "a\\b", "a\0", "a\nb",
        ] {
            let bad = |result: Result<Vec<u8>, ArtifactError>| {
                matches!(result, Err(ArtifactError::BadPath { .. }))
            };
            assert!(bad(pack("a", &files(&[(path, b"")]), LIMITS)), "{path:?}");
            assert!(bad(unpack("a", &packed, path, LIMITS)), "{path:?}");
        }
    }

    #[test]
    fn a_missing_file_is_answered_with_what_is_there() {
        let packed = pack("artifact `S`", &files(&[("b", b""), ("a", b"")]), LIMITS).unwrap();
        assert_eq!(
            unpack("artifact `S`", &packed, "c", LIMITS)
                .unwrap_err()
                .to_string(),
            "artifact `S` has no file `c`; it has `a`, `b`"
        );
        assert_eq!(what_is_there(vec![]), "it is empty");
        let many = (0..10).map(|i| i.to_string()).collect();
        assert!(what_is_there(many).ends_with("`7` and 2 more"));
    }

    #[test]
    fn limits_hold_when_packing() {
        let too_large = |entries: &[(&str, &[u8])]| {
            matches!(
                pack("a", &files(entries), SMALL),
                Err(ArtifactError::TooLarge { .. })
            )
        };
        assert!(!too_large(&[("a", &[0; 100]), ("b", &[0; 100])]));
        assert!(too_large(&[("a", &[0; 101])]));
        assert!(too_large(&[
            ("a", &[0; 100]),
            ("b", &[0; 100]),
            ("c", &[0; 100])
        ]));
        assert!(too_large(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]));
    }

    #[test]
    fn a_compressed_bomb_is_not_unpacked() {
        let deflated = SimpleFileOptions::DEFAULT.compression_method(CompressionMethod::Deflated);
        let bomb = foreign(|zip| {
            zip.start_file("a", deflated).unwrap();
            zip.write_all(&vec![0; 1 << 20]).unwrap();
            zip.start_file("b", deflated).unwrap();
            zip.write_all(&[b'x'; 100]).unwrap();
        });
        assert!(bomb.len() < 10_000);
        assert!(matches!(
            unpack("a", &bomb, "a", SMALL),
            Err(ArtifactError::TooLarge { .. })
        ));
        assert_eq!(unpack("a", &bomb, "b", SMALL).unwrap(), [b'x'; 100]);
    }

    #[test]
    fn links_and_folders_are_not_files() {
        let zip = foreign(|zip| {
            zip.add_symlink("link", "/etc/passwd", SimpleFileOptions::DEFAULT)
                .unwrap();
            zip.add_directory("folder", SimpleFileOptions::DEFAULT)
                .unwrap();
        });
        assert!(matches!(
            unpack("a", &zip, "link", LIMITS),
            Err(ArtifactError::NotAFile { .. })
        ));
        assert!(unpack("a", &zip, "folder", LIMITS).is_err());
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let mut zip = foreign(|zip| {
            for name in ["one", "two"] {
                zip.start_file(name, SimpleFileOptions::DEFAULT).unwrap();
            }
        });
        for at in 0..zip.len() - 3 {
            if &zip[at..at + 3] == b"two" {
                zip[at..at + 3].copy_from_slice(b"one");
            }
        }
        assert!(matches!(
            unpack("a", &zip, "one", LIMITS),
            Err(ArtifactError::DuplicateNames { .. })
        ));
    }

    proptest! {
        /// invariant: what was packed is what is unpacked.
        #[test]
        fn files_round_trip(map in proptest::collection::btree_map("[a-zé]{1,8}(/[a-z.]{1,3}x){0,2}", proptest::collection::vec(any::<u8>(), 0..200), 0..6)) {
            let packed = pack("a", &map, LIMITS).unwrap();
            prop_assert_eq!(&packed, &pack("a", &map.clone(), LIMITS).unwrap());
            for (path, bytes) in &map {
                prop_assert_eq!(&unpack("a", &packed, path, LIMITS).unwrap(), bytes);
            }
        }

        /// invariant: no damaged archive makes the reader panic.
        #[test]
        fn damaged_archives_are_read_or_refused(at in 0usize..400, byte: u8, cut in 0usize..400) {
            let mut packed = pack("a", &files(&[("a", b"hello"), ("b/c", b"world")]), LIMITS).unwrap();
            let length = packed.len();
            packed[at % length] = byte;
            let _ = unpack("a", &packed, "a", LIMITS);
            let _ = unpack("a", &packed[..cut.min(length)], "a", LIMITS);
        }
    }
}
