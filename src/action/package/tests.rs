//! Tests of `package`.

use std::fs;

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Returns a template with a nested one for each of `urls`, and a function for each of `code`.
fn template(urls: &[&str], code: &[&str]) -> String {
    let mut text = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n".to_owned();
    for (number, url) in urls.iter().enumerate() {
        text.push_str(&format!(
            "  Nested{number}: {{Type: AWS::CloudFormation::Stack, Properties: {{TemplateURL: {url}}}}}\n"
        ));
    }
    for (number, path) in code.iter().enumerate() {
        text.push_str(&format!(
            "  Function{number}: {{Type: AWS::Lambda::Function, Properties: {{Code: {path}}}}}\n"
        ));
    }
    text
}

fn failure(root: &Path) -> String {
    scan(root, "templates/app.yaml").unwrap_err().to_string()
}

#[test]
fn nested_templates_come_before_those_that_nest_them_and_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        "templates/app.yaml",
        &template(&["a.yaml", "sub/b.yaml"], &["../code"]),
    );
    write(
        root,
        "templates/a.yaml",
        &template(&["./sub/../sub/b.yaml"], &["../code/"]),
    );
    write(
        root,
        "templates/sub/b.yaml",
        &template(&[], &["../../code", "../../code/x.py"]),
    );
    write(root, "code/x.py", "x = 1\n");
    let found = scan(root, "templates/app.yaml").unwrap();
    let order: Vec<_> = found
        .templates
        .iter()
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        order,
        [
            "templates/sub/b.yaml",
            "templates/a.yaml",
            "templates/app.yaml"
        ]
    );
    let objects: Vec<_> = found.objects().map(|named| named.path.as_str()).collect();
    assert_eq!(objects, ["code", "code/x.py"]);
    assert_eq!(found.first().unwrap().at(), "templates/app.yaml:3:73");
}

#[test]
fn what_nested_templates_need_is_needed_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let named = "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}\n";
    write(root, "templates/named.yaml", named);
    write(root, "templates/macro.yaml", "Transform: Mine\n");
    let with_role = "  R: {Type: AWS::IAM::Role}\n";
    let text = template(&["named.yaml", "macro.yaml"], &[]) + with_role;
    write(root, "templates/app.yaml", &text);
    let needed = scan(root, "templates/app.yaml")
        .unwrap()
        .required_capabilities();
    assert!(
        needed
            .iter()
            .eq(["CAPABILITY_AUTO_EXPAND", "CAPABILITY_NAMED_IAM"])
    );
}

#[test]
fn what_is_gathered_is_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        "templates/app.yaml",
        &template(&["a.yaml"], &["../code"]),
    );
    write(
        root,
        "templates/a.yaml",
        &template(&[], &["../code", "../code/x.py"]),
    );
    write(root, "code/x.py", "x = 1\n");
    let templates = ["templates/app.yaml".to_owned()];
    let gather = |name: &str| {
        let store = Store::open(&root.join(name)).unwrap();
        (super::gather(root, &store, &templates).unwrap(), store)
    };
    let (first, store) = gather("one");
    let names: Vec<_> = first.files.keys().map(String::as_str).collect();
    assert_eq!(names, [MANIFEST, "templates/a.yaml", "templates/app.yaml"]);
    assert_eq!(
        first.read,
        [
            "templates/a.yaml",
            "templates/app.yaml",
            "code",
            "code/x.py"
        ]
    );
    assert_eq!(gather("two").0.files, first.files);
    let manifest: Manifest = serde_json::from_slice(&first.files[MANIFEST]).unwrap();
    assert_eq!(manifest.objects.len(), 2);
    // The folder has the one file in it.
    assert_eq!(manifest.objects[0].digest, manifest.objects[1].digest);
    assert!(
        store
            .blob(&manifest.objects[0].digest)
            .unwrap()
            .starts_with(b"PK")
    );
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "templates/a.yaml", &template(&["sub/b.yaml"], &[]));
    write(root, "templates/sub/b.yaml", &template(&["../a.yaml"], &[]));
    write(root, "templates/self.yaml", &template(&["self.yaml"], &[]));
    write(
        root,
        "templates/bad.yaml",
        "Resources: {R: {Properties: {}}}\n",
    );
    write(root, "code/x.py", "");
    let mut said = Vec::new();
    for text in [
        template(&["missing.yaml"], &[]),
        template(&[], &["../coda"]),
        template(&[], &["../../code"]),
        template(&[], &["/etc"]),
        template(&["../code"], &[]),
        template(&["a.yaml"], &[]),
        template(&["self.yaml"], &[]),
        template(&["bad.yaml"], &[]),
        template(&[], &["!!str ../code"]),
    ] {
        write(root, "templates/app.yaml", &text);
        said.push(failure(root));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_nested_template_has_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "templates/app.yaml", &template(&["a.yaml"], &[]));
    let large = "Resources: {}\n".to_owned() + &"#".repeat(LARGEST_TEMPLATE);
    write(root, "templates/a.yaml", &large[..LARGEST_TEMPLATE]);
    assert!(scan(root, "templates/app.yaml").is_ok());
    write(root, "templates/a.yaml", &large);
    assert_eq!(
        failure(root),
        "templates/app.yaml:3:73: `TemplateURL` of resource `Nested0` is `a.yaml`; that has 1048590 bytes, expected 1048576 at most, which \
         is what CloudFormation takes; split it, for example into nested stacks"
    );
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_project() {
    let folder = tempfile::tempdir().unwrap();
    let root = &folder.path().join("project");
    write(folder.path(), "secrets/x", "s");
    write(root, "templates/app.yaml", &template(&[], &["../code"]));
    std::os::unix::fs::symlink("../secrets", root.join("code")).unwrap();
    assert!(failure(root).contains("it leads out of the project"));
}

#[test]
fn nesting_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "templates/app.yaml", &template(&["0.yaml"], &[]));
    for number in 0..100 {
        let next = format!("{}.yaml", number + 1);
        let nested = if number < 99 {
            vec![next.as_str()]
        } else {
            vec![]
        };
        write(
            root,
            &format!("templates/{number}.yaml"),
            &template(&nested, &[]),
        );
    }
    assert!(failure(root).contains("nested more than 30 levels deep"));
}

#[test]
fn a_byte_order_mark_stays() {
    let bytes = "\u{feff}Resources: {}".as_bytes();
    let now = rewritten(bytes, "Resources: {}", "Resources: {A: 1}".to_owned());
    assert_eq!(now, "\u{feff}Resources: {A: 1}".as_bytes());
}
