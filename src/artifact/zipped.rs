//! Zip archives: the same files always give the same bytes, and foreign ones cannot do harm.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

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
    let too_large = |what: String, limit, unit| ArtifactError::TooLarge { what, limit, unit };
    if files.len() as u64 > limits.files {
        return Err(too_large(what.to_owned(), limits.files, "files"));
    }
    let mut total = 0u64;
    for (path, bytes) in files {
        check_path(path)?;
        let size = bytes.len() as u64;
        total = total.saturating_add(size);
        if size > limits.file {
            return Err(too_large(
                format!("`{}`", clean(path)),
                limits.file,
                "bytes",
            ));
        }
        if total > limits.archive {
            return Err(too_large(what.to_owned(), limits.archive, "bytes"));
        }
    }
    let failed = |source| ArtifactError::Zip {
        what: what.to_owned(),
        source,
    };
    let options = SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::DEFAULT)
        .system(System::Unix)
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        writer.start_file(path.as_str(), options).map_err(failed)?;
        writer
            .write_all(bytes)
            .map_err(|source| failed(source.into()))?;
    }
    Ok(writer.finish().map_err(failed)?.into_inner())
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
