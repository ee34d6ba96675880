//! Which files and folders a template names, and those that are nested in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::error::{PackageError, PackageProblem};
use crate::model::{LARGEST_TEMPLATE, clean};
use crate::template::{Content, LocalPath, Template};

/// CloudFormation has no limit; nobody nests like this on purpose.
const DEEPEST: usize = 30;

/// What a template names, itself included.
#[derive(Debug, Default)]
pub struct Scan {
    /// The templates and their bytes, nested ones before those that nest them, the one asked for last.
    pub(super) templates: Vec<(String, Vec<u8>)>,
    /// Every local path, in the order of the files.
    named: Vec<Named>,
    capabilities: BTreeSet<String>,
}

/// A local path and where it leads.
#[derive(Debug, Clone)]
pub struct Named {
    /// The template that names it, from the project root.
    pub template: String,
    /// What the template says.
    pub local: LocalPath,
    /// Where it leads, from the project root.
    pub path: String,
}

impl Scan {
    /// Returns whether the template names nothing local.
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// Returns the first local path.
    pub fn first(&self) -> Option<&Named> {
        self.named.first()
    }

    /// Returns the capabilities that the templates need, as far as they show.
    pub fn required_capabilities(&self) -> BTreeSet<String> {
        let mut capabilities = self.capabilities.clone();
        if capabilities.contains("CAPABILITY_NAMED_IAM") {
            // It includes the other one.
            capabilities.remove("CAPABILITY_IAM");
        }
        capabilities
    }

    /// Returns what is no template, each path once for each way to read it.
    pub(super) fn objects(&self) -> impl Iterator<Item = &Named> {
        let mut seen = BTreeSet::new();
        let objects = self.named.iter();
        objects
            .filter(|named| named.local.content != Content::Template)
            .filter(move |named| seen.insert((&named.path, named.local.content)))
    }
}

impl Named {
    /// Returns where it is written, `FILE:LINE:COLUMN`.
    pub fn at(&self) -> String {
        let position = self.local.position;
        let template = clean(&self.template);
        format!("{template}:{}:{}", position.line, position.column)
    }

    pub(super) fn fails(&self, problem: PackageProblem) -> PackageError {
        PackageError::Path {
            at: self.at(),
            place: self.local.place.clone(),
            path: clean(&self.local.path),
            problem: Box::new(problem),
        }
    }
}

/// Finds what the template at `template`, a path below `root`, names.
pub fn scan(root: &Path, template: &str) -> Result<Scan, PackageError> {
    let bytes = std::fs::read(root.join(template)).map_err(|source| PackageError::Read {
        path: clean(template),
        source,
    })?;
    let root_folder = root.canonicalize().map_err(|source| PackageError::Read {
        path: clean(template),
        source,
    })?;
    let mut finder = Finder {
        root,
        root_folder: &root_folder,
        scan: Scan::default(),
        done: BTreeSet::new(),
        chain: Vec::new(),
    };
    finder.template(template, bytes)?;
    Ok(finder.scan)
}

/// Returns the local paths of a template, a path below `root`, that cannot be packaged, and why. What nested templates
/// name is theirs.
pub fn unusable(root: &Path, path: &str, template: &Template) -> Vec<(LocalPath, PackageProblem)> {
    let (Ok(paths), Ok(root_folder)) = (template.local_paths(), root.canonicalize()) else {
        return Vec::new();
    };
    let problem = |local: LocalPath| {
        let Some(found) = local.from_root(path) else {
            return Some((local, PackageProblem::Outside));
        };
        let problem = check(root, &root_folder, &found, local.content).err()?;
        Some((local, problem))
    };
    paths.into_iter().filter_map(problem).collect()
}

/// Returns what a template begins with, one byte more than it may have, and its size.
fn read_template(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(LARGEST_TEMPLATE as u64 + 1)
        .read_to_end(&mut bytes)?;
    let size = size.max(bytes.len() as u64);
    Ok((bytes, size))
}

struct Finder<'a> {
    root: &'a Path,
    /// The same without links.
    root_folder: &'a Path,
    scan: Scan,
    /// The templates that were visited with all below them.
    done: BTreeSet<String>,
    /// The templates that are being visited, each nested in the one before.
    chain: Vec<String>,
}

impl Finder<'_> {
    fn template(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), PackageError> {
        let template = Template::parse(path, &bytes)?;
        self.chain.push(path.to_owned());
        let capabilities = template.required_capabilities();
        self.scan.capabilities.extend(capabilities);
        for local in template.local_paths()? {
            let found = local.from_root(path);
            let named = Named {
                template: path.to_owned(),
                path: found.clone().unwrap_or_default(),
                local,
            };
            if found.is_none() {
                return Err(named.fails(PackageProblem::Outside));
            }
            check(
                self.root,
                self.root_folder,
                &named.path,
                named.local.content,
            )
            .map_err(|problem| named.fails(problem))?;
            self.scan.named.push(named.clone());
            if named.local.content == Content::Template && !self.done.contains(&named.path) {
                self.nested(&named)?;
            }
        }
        self.chain.pop();
        self.done.insert(path.to_owned());
        self.scan.templates.push((path.to_owned(), bytes));
        Ok(())
    }

    fn nested(&mut self, named: &Named) -> Result<(), PackageError> {
        if let Some(begin) = self.chain.iter().position(|path| *path == named.path) {
            let circle = self.chain.iter().skip(begin).chain([&named.path]);
            let circle = circle.map(|path| clean(path)).collect();
            return Err(named.fails(PackageProblem::Cycle(circle)));
        }
        if self.chain.len() >= DEEPEST {
            return Err(named.fails(PackageProblem::Deep(DEEPEST)));
        }
        let (bytes, size) = read_template(&self.root.join(&named.path)).map_err(|source| {
            named.fails(PackageProblem::Read {
                path: clean(&named.path),
                source,
            })
        })?;
        if bytes.len() > LARGEST_TEMPLATE {
            return Err(named.fails(PackageProblem::LargeTemplate {
                size,
                limit: LARGEST_TEMPLATE,
            }));
        }
        self.template(&named.path, bytes)
    }
}

/// Checks that something is there, inside the project, and that it is a file where a file is needed.
fn check(
    root: &Path,
    root_folder: &Path,
    path: &str,
    content: Content,
) -> Result<(), PackageProblem> {
    let full = match root.join(path).canonicalize() {
        Ok(full) => full,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(PackageProblem::Missing(clean(path)));
        }
        Err(source) => {
            return Err(PackageProblem::Read {
                path: clean(path),
                source,
            });
        }
    };
    if !full.starts_with(root_folder) {
        return Err(PackageProblem::Outside);
    }
    let takes_folders = match content {
        Content::Zip | Content::Bundle => true,
        Content::Template | Content::File => false,
    };
    if full.is_dir() && !takes_folders {
        return Err(PackageProblem::Folder);
    }
    if !full.is_dir() && !full.is_file() {
        return Err(PackageProblem::Special(clean(path)));
    }
    Ok(())
}
