//! Tests of `local`.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Template {
    Template::parse("templates/app.yaml", text.as_bytes()).unwrap()
}

fn paths(text: &str) -> Vec<String> {
    let found = parse(text).local_paths().unwrap();
    found.into_iter().map(|local| local.path).collect()
}

fn place() -> ObjectPlace {
    ObjectPlace {
        bucket: "code".to_owned(),
        key: "stackgate/1a.zip".to_owned(),
        version: None,
        url: "https://s3.eu-west-1.amazonaws.com/code/stackgate/1a.zip".to_owned(),
    }
}

fn packaged(text: &str) -> String {
    let template = parse(text);
    let values: Vec<_> = template
        .local_paths()
        .unwrap()
        .into_iter()
        .map(|local| {
            let value = local.form.value(&place());
            (local, value)
        })
        .collect();
    template.with_values(&values)
}

#[test]
fn every_property_of_the_table_is_found_and_holds_where_its_object_is() {
    for Property(resource_type, path, content, form) in PROPERTIES {
        let mut value = serde_json::json!("./x");
        for name in path.iter().rev() {
            value = serde_json::json!({ *name: value });
        }
        let resource = serde_json::json!({"Type": resource_type, "Properties": value});
        let text = serde_json::json!({"Resources": {"R": resource}}).to_string();
        let found = parse(&text).local_paths().unwrap();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!((found[0].content, found[0].form), (*content, *form));
        assert_eq!(
            found[0].place,
            format!("`{}` of resource `R`", path.join("."))
        );
        let packaged: serde_json::Value = serde_json::from_str(&packaged(&text)).unwrap();
        let pointer = format!("/Resources/R/Properties/{}", path.join("/"));
        let now = packaged.pointer(&pointer).unwrap();
        let is_there = match form {
            Form::Uri | Form::VersionedUri => now == "s3://code/stackgate/1a.zip",
            Form::Url => now == "https://s3.eu-west-1.amazonaws.com/code/stackgate/1a.zip",
            Form::Mapping { bucket, key, .. } => {
                *now == serde_json::json!({*bucket: "code", *key: "stackgate/1a.zip"})
            }
        };
        assert!(is_there, "{now}");
    }
}

#[test]
fn a_version_is_named_where_the_property_takes_one() {
    let place = ObjectPlace {
        version: Some("v.1_a".to_owned()),
        url: "https://s3.eu-west-1.amazonaws.com/code/stackgate/1a.zip?versionId=v.1_a".to_owned(),
        ..place()
    };
    let mut said = String::new();
    for Property(resource_type, path, _, form) in PROPERTIES {
        let value = form.value(&place);
        assert_eq!(value.contains("v.1_a"), form.names_version(), "{value}");
        said.push_str(&format!("{resource_type} {}: {value}\n", path.join(".")));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn only_the_values_change() {
    let text = "\
# The application.
Transform:
- AWS::Serverless-2016-10-31
- {Name: AWS::Include, Parameters: {Location: macros.yaml}}
Resources:
  Fn::ForEach::Workers:
  - Name
  - [A, B]
  - Worker${Name}:
      Type: AWS::Lambda::Function
      Properties:\t# a tab
        Code: ../functions/wörker   # shared
  Hello:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: '../functions/hello', Runtime: \"python3.11\"}\r
  Network:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL:
        \"network.yaml\"
  Rest:
    Fn::Transform: {Name: 'AWS::Include', Parameters: {Location: rest.yaml}}
    Type: AWS::SNS::Topic
";
    assert_eq!(
        paths(text),
        [
            "macros.yaml",
            "../functions/wörker",
            "../functions/hello",
            "network.yaml",
            "rest.yaml"
        ]
    );
    let uri = "\"s3://code/stackgate/1a.zip\"";
    let expected = text
        .replace("Location: macros.yaml", &format!("Location: {uri}"))
        .replace(
            "../functions/wörker",
            "{\"S3Bucket\": \"code\", \"S3Key\": \"stackgate/1a.zip\"}",
        )
        .replace("'../functions/hello'", uri)
        .replace(
            "\"network.yaml\"",
            "\"https://s3.eu-west-1.amazonaws.com/code/stackgate/1a.zip\"",
        )
        .replace("Location: rest.yaml", &format!("Location: {uri}"));
    let packaged = packaged(text);
    assert_eq!(packaged, expected);
    assert!(paths(&packaged).is_empty());
}

#[test]
fn what_is_no_local_path_is_left() {
    for value in [
        "s3://bucket/key",
        "https://s3.amazonaws.com/bucket/key",
        "'{{resolve:ssm:/code}}'",
        "{S3Bucket: a, S3Key: b}",
        "{ZipFile: 'return 1'}",
        "!Sub 's3://${Bucket}/key'",
        "!If [A, x, y]",
        "",
        "''",
        "~",
    ] {
        for (resource_type, property) in [
            ("AWS::Lambda::Function", "Code"),
            ("AWS::CloudFormation::Stack", "TemplateURL"),
        ] {
            let text = format!(
                "Resources:\n  R:\n    Type: {resource_type}\n    Properties:\n      {property}: {value}\n"
            );
            assert!(paths(&text).is_empty(), "{text}");
        }
    }
    let other = "Resources: {R: {Type: AWS::SQS::Queue, Properties: {Code: x, TemplateURL: y}}}\n";
    assert!(paths(other).is_empty());
}

#[test]
fn a_path_that_cannot_be_replaced_is_told_with_its_place() {
    for value in [
        "!!str ./x",
        "! ./x",
        "&code ./x",
        "|\n        ./x",
        ">-\n        ./x",
        "./x\n        y",
        "\"./x\n        y\"",
    ] {
        let text = format!(
            "Resources:\n  R:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: {value}\n"
        );
        let error = parse(&text).local_paths().unwrap_err().to_string();
        assert!(
            // The text of a block begins on the next line.
            error.starts_with(["templates/app.yaml:5:", "templates/app.yaml:6:"][usize::from(value.contains("\n        ./"))])
                && error.ends_with(
                    ": `Code` of resource `R` is a local path that cannot be replaced as it is written here; \
                     write it on one line, without a tag or an anchor"
                ),
            "{error}"
        );
    }
}

#[test]
fn paths_count_from_the_folder_of_the_template() {
    let local = |path: &str| LocalPath {
        path: path.to_owned(),
        position: Position { line: 1, column: 1 },
        place: String::new(),
        content: Content::Zip,
        form: Form::Uri,
        is_regional: false,
        bytes: 0..0,
    };
    for (template, path, expected) in [
        ("templates/app.yaml", "x", Some("templates/x")),
        ("templates/app.yaml", "./a//b/", Some("templates/a/b")),
        ("templates/app.yaml", "../functions/x", Some("functions/x")),
        ("app.yaml", "x", Some("x")),
        ("templates/app.yaml", "..", Some(".")),
        ("templates/app.yaml", "../../x", None),
        ("app.yaml", "../x", None),
        ("templates/app.yaml", "/etc/x", None),
    ] {
        let found = local(path).from_root(template);
        assert_eq!(found.as_deref(), expected, "{template} {path}");
    }
}

proptest! {
    /// invariant: whatever a template holds, its packaged text is a template with the same keys and no local path.
    #[test]
    fn packaged_templates_are_templates(
        path in "[-a-zA-Z0-9._/ é#:,\"'{}]{1,12}",
        style in 0usize..4,
        comment in "( # [a-z:]{0,8})?",
    ) {
        let written = match style {
            0 => path.clone(),
            1 => serde_json::json!(path).to_string(),
            2 => format!("'{}'", path.replace('\'', "''")),
            _ => format!("\n        {path}"),
        };
        let text = format!(
            "Resources:\n  R:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: {written}{comment}\n      Handler: h\n"
        );
        if let Ok(template) = Template::parse("t.yaml", text.as_bytes())
            && let Ok(found) = template.local_paths()
            && !found.is_empty()
        {
            let now = packaged(&text);
            let parsed = parse(&now);
            prop_assert!(parsed.local_paths().unwrap().is_empty());
            let properties = parsed.root().value("Resources").unwrap().value("R").unwrap().value("Properties").unwrap();
            prop_assert_eq!(properties.value("Handler").unwrap().text(), Some("h"));
            prop_assert_eq!(properties.value("Code").unwrap().value("S3Bucket").unwrap().text(), Some("code"));
        }
    }
}
