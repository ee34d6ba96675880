//! The files of the project that a command line names, and whether they are what was approved.

use std::path::Path;

use crate::model::{Digest, GateCommand, clean};

/// Returns the words of a command line, and what they have after `=`, that name a file of the project.
///
/// The program is one if it has a `/`, there or not: other names are looked for on the `PATH`. Absolute paths are of the
/// project where they lead into it.
pub fn named<'a>(root: &Path, line: &'a [String]) -> Vec<&'a str> {
    let mut named: Vec<&str> = Vec::new();
    let mut words = line.iter().map(String::as_str);
    named.extend(words.next().filter(|p| p.contains('/') && is_of(root, p)));
    for word in words {
        let value = word.split_once('=').map(|(_, value)| value);
        for part in [Some(word), value].into_iter().flatten() {
            let is_file = !part.is_empty() && root.join(part).is_file();
            if is_file && is_of(root, part) && !named.contains(&part) {
                named.push(part);
            }
        }
    }
    named
}

fn is_of(root: &Path, word: &str) -> bool {
    let path = Path::new(word);
    if path.is_relative() || root.is_absolute() && path.starts_with(root) {
        return true;
    }
    // Links may lead into it by another name.
    match (root.join(".").canonicalize(), path.canonicalize()) {
        (Ok(root), Ok(path)) => path.starts_with(root),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Fails if a file that the command line names is not what was approved.
pub(super) fn changed(root: &Path, command: &GateCommand) -> Result<(), String> {
    for file in &command.files {
        let name = clean(&file.path);
        let bytes = std::fs::read(root.join(&file.path)).map_err(|error| {
            format!("`{name}`, which was approved, cannot be read ({error}); nothing was run: put it back and retry")
        })?;
        let found = Digest::of(&bytes);
        if found != file.digest {
            return Err(format!(
                "`{name}` was changed after the plan was made (SHA-256 {}, approved {}); nothing was run: put it back and retry, or retry with `--from-files`, which shows the new one in its review",
                found.short(),
                file.digest.short()
            ));
        }
    }
    let is_bound = |name: &&str| command.files.iter().any(|file| file.path == *name);
    match named(root, &command.line)
        .iter()
        .find(|name| !is_bound(name))
    {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{}` is a file of the project now and was none that was approved; nothing was run: remove it and retry, or retry with `--from-files`, which shows it in its review",
            clean(name)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommandFile;

    fn command(line: &[&str], files: &[&str]) -> GateCommand {
        let file = |path: &&str| CommandFile {
            path: (*path).to_owned(),
            digest: Digest::of(b"one"),
        };
        GateCommand {
            line: line.iter().map(|word| (*word).to_owned()).collect(),
            files: files.iter().map(file).collect(),
            timeout_minutes: 10,
        }
    }

    #[test]
    fn every_file_of_the_project_that_a_line_names_is_found() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let linked = elsewhere.path().join("linked");
        std::os::unix::fs::symlink(root.path(), &linked).unwrap();
        for (folder, name) in [(&root, "a.sh"), (&root, "conf.txt"), (&elsewhere, "b.sh")] {
            std::fs::write(folder.path().join(name), "one").unwrap();
        }
        let absolute = |folder: &Path, name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (inside, outside) = (
            absolute(root.path(), "a.sh"),
            absolute(elsewhere.path(), "b.sh"),
        );
        let none = absolute(root.path(), "none.sh");
        let by_link = absolute(&linked, "a.sh");
        for (line, expected) in [
            (
                &["./a.sh", "conf.txt", "conf.txt"][..],
                &["./a.sh", "conf.txt"][..],
            ),
            (&["./none.sh"], &["./none.sh"]),
            (&[&none], &[&none]),
            (&[&inside], &[&inside]),
            (&[&by_link], &[&by_link]),
            (&[&outside, &outside], &[]),
            (&["a.sh", "", "--to=", "none.txt", "."], &[]),
            (
                &["sh", "--config=conf.txt", "X=./a.sh"],
                &["conf.txt", "./a.sh"],
            ),
            (&["sh", &inside], &[&inside]),
        ] {
            let line: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(named(root.path(), &line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_file_that_was_changed_or_is_gone_is_not_run() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("smoke.sh"), "one").unwrap();
        let smoke = command(&["./smoke.sh"], &["./smoke.sh"]);
        assert_eq!(changed(root.path(), &smoke), Ok(()));
        let gone = changed(root.path(), &command(&["none.sh"], &["none.sh"])).unwrap_err();
        assert!(
            gone.contains("`none.sh`, which was approved, cannot be read"),
            "{gone}"
        );
        std::fs::write(root.path().join("smoke.sh"), "two").unwrap();
        let other = changed(root.path(), &smoke).unwrap_err();
        assert!(
            other.contains("`./smoke.sh` was changed after the plan was made"),
            "{other}"
        );
    }

    #[test]
    fn a_word_that_became_a_file_is_not_run() {
        let root = tempfile::tempdir().unwrap();
        let check = command(&["sh", "check", "--to=late.txt"], &[]);
        assert_eq!(changed(root.path(), &check), Ok(()));
        for name in ["late.txt", "check"] {
            std::fs::write(root.path().join(name), "one").unwrap();
            let told = changed(root.path(), &check).unwrap_err();
            let expected = format!("`{name}` is a file of the project now");
            assert!(told.starts_with(&expected), "{told}");
        }
    }
}
