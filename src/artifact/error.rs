//! What can go wrong with stored artifacts.

use std::io;
use std::path::PathBuf;

/// Why an artifact cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The folder of the store cannot be made or used.
    #[error("cannot use the artifact folder {}; make it writable or choose another state folder", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the store cannot be written.
    #[error("cannot write {}; check the free space and the permissions of its folder", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the store cannot be read.
    #[error("cannot read {}; check its permissions", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the store is gone.
    #[error("{what} is not in the artifact store, expected {}; restore that file or start a new execution", .path.display())]
    Missing {
        /// The artifact or blob.
        what: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// A file of the store is not what its name says.
    #[error("the content of {} differs from the digest in its name; restore that file or start a new execution", .path.display())]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// A zip cannot be written or read.
    #[error("{what} is not a usable zip archive; make the artifact anew")]
    Zip {
        /// The artifact.
        what: String,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// A file in a zip cannot be unpacked.
    #[error("cannot unpack `{path}` of {what}; make the artifact anew")]
    Unpack {
        /// The artifact.
        what: String,
        /// The file in it.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path could lead out of the artifact.
    #[error(
        "`{path}` is not a path inside an artifact, expected a relative path with forward slashes and without `.` and `..`"
    )]
    BadPath {
        /// The path.
        path: String,
    },
    /// The artifact has no such file.
    #[error("{what} has no file `{path}`; {help}")]
    NoSuchFile {
        /// The artifact.
        what: String,
        /// The path asked for.
        path: String,
        /// What is there instead.
        help: String,
    },
    /// The path leads to something that is not a file with content of its own.
    #[error("`{path}` of {what} is a link or a folder, expected a file; put the file itself there")]
    NotAFile {
        /// The artifact.
        what: String,
        /// The path asked for.
        path: String,
    },
    /// Two files of the archive have one name.
    #[error(
        "{what} has two files of one name, so that it is not clear which one counts; make the artifact anew"
    )]
    DuplicateNames {
        /// The artifact.
        what: String,
    },
    /// More than is allowed.
    #[error(
        "{what} has more than the {limit} {unit} allowed; keep only what the pipeline uses in it"
    )]
    TooLarge {
        /// The artifact or file.
        what: String,
        /// The limit.
        limit: u64,
        /// `bytes` or `files`.
        unit: &'static str,
    },
}
