//! What can go wrong with local paths.

use std::io;

use crate::artifact::ArtifactError;
use crate::template::TemplateError;

/// Why a template cannot be packaged.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A template cannot be read or understood.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template that is deployed cannot be read.
    #[error("cannot read template `{path}`")]
    Read {
        /// The template.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A path that a template names cannot be used.
    #[error("{at}: {place} is `{path}`; {problem}")]
    Path {
        /// The file, line and column.
        at: String,
        /// What it is the value of.
        place: String,
        /// The path as it is written, cleaned.
        path: String,
        /// What is wrong with it.
        problem: Box<PackageProblem>,
    },
    /// The list cannot be written.
    #[error("cannot list what was packaged")]
    List(#[source] serde_json::Error),
}

/// What is wrong with a local path.
#[derive(Debug, thiserror::Error)]
pub enum PackageProblem {
    /// Nothing is there.
    #[error("there is no `{0}`; correct the path, which counts from the folder of its template")]
    Missing(String),
    /// It leads out of the project.
    #[error(
        "it leads out of the project; run this in a folder that holds the template and what it names, and write the \
         path relative to the template"
    )]
    Outside,
    /// A folder is where a file should be.
    #[error("that is a folder, expected a file; name the file")]
    Folder,
    /// Something else is there.
    #[error("`{0}` is neither a file nor a folder; remove it there")]
    Special(String),
    /// Templates nest each other.
    #[error("the templates nest each other in a circle: {}; break it", .0.join(" → "))]
    Cycle(Vec<String>),
    /// More levels than anybody has.
    #[error("templates are nested more than {0} levels deep here; nest them less")]
    Deep(usize),
    /// The folder has nothing in it.
    #[error("the folder is empty; name the one with the code")]
    Empty,
    /// The folder has the state folder in it.
    #[error(
        "the folder holds `{0}`, which would be uploaded too, and differs each time; name a folder with the code alone"
    )]
    Own(String),
    /// It is larger than a template may be.
    #[error(
        "that has {size} bytes, expected {limit} at most, which is what CloudFormation takes; split it, for example into nested stacks"
    )]
    LargeTemplate {
        /// Its bytes.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// A link leads out of the folder.
    #[error(
        "`{0}` is a link that leads out of the folder, or into a circle; put a copy there, or make it lead to a file in the folder"
    )]
    Link(String),
    /// The name is not UTF-8.
    #[error("`{0}` has a name that is no UTF-8; rename it")]
    Name(String),
    /// There is more than a function can have.
    #[error(
        "it has more than the {limit} {unit} that a function can have; leave out what it does not need"
    )]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Of what: `bytes`, `files`, or what else is counted.
        unit: &'static str,
    },
    /// It cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It cannot be zipped.
    #[error("it cannot be zipped: {0}")]
    Zip(ArtifactError),
    /// It cannot be stored.
    #[error("it cannot be stored: {0}")]
    Store(ArtifactError),
}
