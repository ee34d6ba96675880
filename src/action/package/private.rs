//! Which files of a code folder are seldom meant for others.
//!
//! They are packed all the same, as `aws cloudformation package` does: code may need a certificate or a configuration.

use crate::model::clean;

/// Folders, of which the folder is named and not each file.
const FOLDERS: [&str; 8] = [
    ".aws",
    ".azure",
    ".docker",
    ".git",
    ".gnupg",
    ".kube",
    ".ssh",
    ".terraform",
];

/// Files by their whole name.
const FILES: [&str; 12] = [
    ".env",
    ".envrc",
    ".git",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    "credentials.json",
    "terraform.tfstate",
    "terraform.tfvars",
];

/// What the names of files end with.
const ENDINGS: [&str; 8] = [
    ".jks",
    ".kdbx",
    ".key",
    ".keystore",
    ".p12",
    ".pem",
    ".pfx",
    ".ppk",
];

/// What the names of private keys begin with; the public ones beside them end with `.pub`.
const KEYS: [&str; 4] = ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];

/// Returns which of `paths` are seldom meant for others, cleaned, each folder once, in their order.
pub(super) fn among<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for path in paths {
        let Some(private) = private_part(path) else {
            continue;
        };
        let private = clean(private);
        // The paths are sorted: those of one folder follow each other.
        if found.last() != Some(&private) {
            found.push(private);
        }
    }
    found
}

/// Returns the folder of `path` that is private, with a slash behind it, or the whole path where its file is.
fn private_part(path: &str) -> Option<&str> {
    let mut begin = 0;
    while let Some(at) = path[begin..].find('/') {
        let end = begin + at;
        if FOLDERS.contains(&path[begin..end].to_ascii_lowercase().as_str()) {
            return Some(&path[..=end]);
        }
        begin = end + 1;
    }
    is_private(&path[begin..].to_ascii_lowercase()).then_some(path)
}

fn is_private(name: &str) -> bool {
    // `.env.production` is as private as `.env`; the example beside it is meant to be seen.
    let is_example = [".example", ".sample", ".template", ".dist", ".pub"]
        .iter()
        .any(|ending| name.ends_with(ending));
    !is_example
        && (FILES.contains(&name)
            || name.starts_with(".env.")
            || ENDINGS.iter().any(|ending| name.ends_with(ending))
            || KEYS.iter().any(|key| name.starts_with(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seldom_meant_for_others_is_named_and_a_folder_once() {
        let paths = [
            ".ENV",
            ".aws/config",
            ".aws/credentials",
            ".env.production",
            ".git/HEAD",
            ".git/refs/heads/main",
            "deep/.git",
            "keys/id_rsa",
            "keys/server.pem",
            "lib/.ssh/known_hosts",
            "\u{202e}x.key",
        ];
        assert_eq!(
            among(paths),
            [
                ".ENV",
                ".aws/",
                ".env.production",
                ".git/",
                "deep/.git",
                "keys/id_rsa",
                "keys/server.pem",
                "lib/.ssh/",
                &clean("\u{202e}x.key"),
            ]
        );
    }

    #[test]
    fn what_is_meant_for_others_is_not_named() {
        let paths = [
            ".env.example",
            ".gitignore",
            "environment.py",
            "id_rsa.pub",
            "key",
            "keys/readme.md",
            "monkey.py",
            "aws/config",
            "pem.py",
            "é/ü.py",
            "",
        ];
        assert!(among(paths).is_empty(), "{:?}", among(paths));
    }
}
