use std::collections::BTreeSet;

use super::*;
use crate::template::Rule;

/// A template for each rule, with what is found.
fn cases() -> Vec<(&'static str, String)> {
    let short = [
        ("not-utf8", "Resources: \u{1}"),
        ("empty", "# nothing\n"),
        ("not-yaml", "Resources:\n  Queue: [1, 2\n  B: 3\n"),
        ("not-json", "{\n  \"Resources\": {},\n}\n"),
        ("several-documents", "Resources: {}\n---\nResources: {}\n"),
        ("alias", "Metadata: &m {A: b}\nResources: *m\n"),
        ("merge-key", "Resources:\n  Queue:\n    <<: {Type: X}\n"),
        (
            "duplicate-key",
            "Resources:\n  Queue:\n    Type: A::B::C\n  Other:\n    Type: A::B::C\n  \"Queue\":\n    Type: A::B::C\n",
        ),
        ("key-not-text", "Resources:\n  ? [a, b]\n  : 1\n"),
        ("unknown-tag", "Resources: !!set {a}\n"),
        (
            "wrong-shape",
            "Parameters: [a]\nMappings:\n  M: {a: {b: {c: d}}}\n  N: {a: b}\nConditions: {C: yes please}\nResources:\n  Queue: text\n  Other:\n    Type: [A]\n    Properties: x\n",
        ),
        ("wrong-shape", "- a\n- b\n"),
        (
            "null-value",
            "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName:\n      Tags: [~]\n",
        ),
        (
            "format-version",
            "AWSTemplateFormatVersion: 2012-10-17\nResources: {A: {Type: A::B::C}}\n",
        ),
        (
            "unknown-section",
            "Resource: {A: {Type: A::B::C}}\nResources: {A: {Type: A::B::C}}\nStuff: {}\n",
        ),
        ("no-resources", "Parameters: {}\n"),
        ("bad-name", "Resources: {my-queue: {Type: A::B::C}}\n"),
        (
            "missing-key",
            "Parameters: {P: {Default: a}}\nResources: {A: {Properties: {B: !Ref P}}}\nOutputs:\n  O: {Export: {Nam: x}}\n",
        ),
        (
            "unknown-key",
            "Parameters: {P: {Type: String, Defualt: a}}\nResources: {A: {Type: A::B::C, DependOn: A, QueueName: !Ref P}}\n",
        ),
        (
            "bad-value",
            "Resources: {B: {Type: SNS::Topic}, C: {Type: AWS::SNS}, D: {Type: Custom::Thing}, E: {Type: A::B::C::MODULE}, A: {Type: Queue, DeletionPolicy: retain, UpdateReplacePolicy: Keep}}\n",
        ),
        (
            "parameter-type",
            "Parameters: {P: {Type: Strin}, Q: {Type: List<Map>}}\nResources: {A: {Type: A::B::C, Properties: [!Ref P, !Ref Q]}}\n",
        ),
        (
            "bad-constraint",
            "Parameters: {P: {Type: String, MinLength: 9, MaxLength: 3}, Q: {Type: Number, MinValue: low}, R: {Type: String, AllowedValues: a}}\nResources: {A: {Type: A::B::C, Metadata: [!Ref P, !Ref Q, !Ref R]}}\n",
        ),
        (
            "bad-default",
            "Parameters:\n  Stage:\n    Type: String\n    Default: prodution\n    AllowedValues: [production, test]\n  Name: {Type: String, AllowedPattern: '[a-z]+', Default: App1}\n  Count: {Type: Number, Default: many}\n  Least: {Type: Number, Default: 0, MinValue: 1}\n  Most: {Type: Number, Default: 12, MaxValue: 10}\n  Short: {Type: String, Default: ab, MinLength: 3}\n  Long: {Type: String, Default: abcd, MaxLength: 3}\n  Secret: {Type: String, NoEcho: true, Default: hunter2, MinLength: 12}\nResources: {A: {Type: A::B::C, Metadata: [!Ref Stage, !Ref Name, !Ref Count, !Ref Least, !Ref Most, !Ref Short, !Ref Long, !Ref Secret]}}\n",
        ),
        (
            "secret-default",
            "Parameters:\n  Password:\n    Type: String\n    NoEcho: true\n    Default: hunter2\nResources: {A: {Type: A::B::C, Metadata: !Ref Password}}\n",
        ),
        (
            "unknown-name",
            "Parameters: {Stage: {Type: String}}\nConditions: {IsProduction: !Equals [!Ref Stag, production]}\nResources:\n  Queue:\n    Type: AWS::SQS::Queue\n    DependsOn: [Topic]\n    Condition: IsProd\n    Properties:\n      A: !Sub \"${Stag}-${AWS::Regio}-${!Kept}-${Quee.Arn}\"\n      B: !If [IsProducton, !FindInMap [Sizes, a, b], !GetAtt Queu.Arn]\nOutputs:\n  O: {Value: !Ref Queu, Condition: IsProduction}\n",
        ),
        (
            "wrong-kind",
            "Parameters: {Stage: {Type: String}}\nConditions: {C: !Equals [!Ref A, x]}\nMappings: {M: {a: {b: c}}}\nResources:\n  A:\n    Type: A::B::C\n    Properties: {P: !Ref C, Q: !Ref M, R: !GetAtt Stage.X, S: !If [Stage, a, b]}\n",
        ),
        (
            "unused-parameter",
            "Parameters:\n  Used: {Type: String}\n  Unused: {Type: String}\nResources: {A: {Type: A::B::C, Properties: {P: !Ref Used}}}\n",
        ),
        (
            "unused-condition",
            "Conditions: {C: !Equals [a, b]}\nResources: {A: {Type: A::B::C}}\n",
        ),
        (
            "unused-mapping",
            "Mappings: {M: {a: {b: c}}}\nResources: {A: {Type: A::B::C}}\n",
        ),
        (
            "unused-variable",
            "Resources: {A: {Type: A::B::C, Properties: {P: !Sub [\"${B}\", {B: x, C: y}]}}}\n",
        ),
        (
            "circle",
            "Resources:\n  First:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      Source: !GetAtt Second.GroupId\n  Second:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      Source: !Sub \"x-${Third}\"\n  Third:\n    Type: AWS::EC2::SecurityGroup\n    DependsOn: First\n  Self: {Type: A::B::C, DependsOn: Self}\n",
        ),
        (
            "circle",
            "Conditions: {First: !Not [!Condition Second], Second: !Not [!Condition First], Self: !Not [!Condition Self]}\nResources: {A: {Type: A::B::C, Condition: First}, B: {Type: A::B::C, Condition: Self}}\n",
        ),
        (
            "circle",
            "Conditions: {C: !Equals [a, b]}\nResources:\n  A: {Type: A::B::C, Properties: !If [C, {P: !Ref B}, {P: x}]}\n  B: {Type: A::B::C, DependsOn: A}\n",
        ),
        (
            "unknown-function",
            "Resources: {A: {Type: A::B::C, Properties: {P: !Substitute x, Q: !Joni ['', [a]]}}}\n",
        ),
        (
            "bad-arguments",
            "Conditions: {C: !And [!Condition C]}\nResources:\n  A:\n    Type: A::B::C\n    Properties:\n      P: !Join ['-', a, b]\n      Q: !If [[C], a, b]\n      R: !GetAtt A\n      S: !Sub \"${A\"\n      T: {Fn::Sub: a, Other: b}\n      U: !Ref [A]\n      V: !Select 1\n",
        ),
        (
            "bad-arguments",
            "Parameters: {Name: {Type: String}, Names: {Type: CommaDelimitedList}}\nResources:\n  A:\n    Type: A::B::C\n    Properties:\n      Text: !Join [\",\", \"x\"]\n      Ref: !Join [\",\", !Ref Name]\n      Sub: !Select [0, !Sub \"${Name}\"]\n      Index: !Select [first, [a]]\n      Separator: !Join [[a], [b]]\n      Split: !Split [\",\", [a]]\n      Map: !Join [\",\", {a: b}]\n      Fine: [!Join [\",\", !Ref Names], !Select [\"1\", !Split [\",\", !Ref Name]], !Join [\"\", !GetAtt B.Names]]\n  B: {Type: A::B::C}\n",
        ),
        (
            "needs-transform",
            "Resources:\n  Fn::ForEach::Queues: [N, [A], {'Q${N}': {Type: A::B::C}}]\n  B: {Type: A::B::C, DeletionPolicy: !Ref AWS::Region, Properties: {P: !ToJsonString {a: b}}}\n",
        ),
        (
            "ambiguous-scalar",
            "Resources:\n  A:\n    Type: A::B::C\n    Properties: {Account: 012345670123, Mode: 0755, On: yes, Port: 22:22, Version: 3.10, Commit: 6e7890, Size: 1_000}\n",
        ),
        ("over-limit", "Resources: {A: {Type: A::B::C}}\n"),
    ];
    let mut cases: Vec<(&str, String)> = short.map(|(code, text)| (code, text.to_owned())).into();
    let resources: String = (0..501)
        .map(|n| format!("  R{n}: {{Type: A::B::C}}\n"))
        .collect();
    let parameters: String = (0..201)
        .map(|n| format!("  P{n}: {{Type: String}}\n"))
        .collect();
    let used: String = (0..201).map(|n| format!("!Ref P{n},")).collect();
    let name = "N".repeat(256);
    let keys: String = (0..201).map(|n| format!("k{n}: {{a: b}}, ")).collect();
    let references = "'{{resolve:ssm:x}}', ".repeat(61);
    cases.pop();
    cases.push(("over-limit", format!("Resources:\n{resources}")));
    cases.push((
        "over-limit",
        format!(
            "Parameters:\n{parameters}Resources: {{A: {{Type: A::B::C, Metadata: [{used}]}}}}\n"
        ),
    ));
    cases.push(("over-limit", format!("Description: {}\nMappings:\n  M: {{{keys}}}\nResources:\n  {name}: {{Type: A::B::C, Properties: [!FindInMap [M, k1, a], {references}]}}\n", "d".repeat(1025))));
    cases.push(("over-limit", format!("Parameters: {{P: {{Type: String, Default: {}}}}}\nResources: {{A: {{Type: A::B::C, Metadata: !Ref P}}}}\n", "v".repeat(4097))));
    cases.push(("too-large", " ".repeat(1_048_577)));
    cases.push(("too-deep", "[".repeat(101) + &"]".repeat(101)));
    cases
}

#[test]
fn every_diagnostic_is_as_it_was_looked_at() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut out = String::new();
    for (code, text) in cases() {
        let bytes = if code == "not-utf8" {
            b"Resources:\n  A: \xff\n".to_vec()
        } else {
            text.into_bytes()
        };
        let findings = template::validate("templates/app.yaml", &bytes);
        let codes: BTreeSet<_> = findings
            .diagnostics
            .iter()
            .map(|d| d.code.as_str().to_owned())
            .collect();
        assert!(codes.contains(code), "{code} is not among {codes:?}");
        assert!(
            findings.diagnostics.iter().all(|d| d.help.is_some()),
            "{code}: all say what to do"
        );
        seen.extend(codes);
        let drawn = drawn(&[("templates/app.yaml".to_owned(), findings)]);
        out.push_str(&format!(
            "── {code}\n{}\n",
            anstream::adapter::strip_str(&drawn)
        ));
    }
    let text = "Mappings: {M: {eu-west-1: {Size: 1}}}\nConditions: {Here: !Equals [!Ref AWS::Region, eu-west-1]}\nResources:\n  A: {Type: A::B::C, Condition: Here}\n  B:\n    Type: A::B::C\n    Properties:\n      Size: !FindInMap [M, !Ref AWS::Region, Size]\n      Name: !Sub \"x-${A}\"\n      Zone: !Select [2, !Split ['-', a-b]]\n";
    let known = Known {
        region: Some("us-east-1".to_owned()),
        ..Known::default()
    };
    let mut findings = template::validate("templates/app.yaml", text.as_bytes());
    let template = template::Template::parse("templates/app.yaml", text.as_bytes()).unwrap();
    findings.add(template.unresolved(&known));
    assert_eq!(findings.count(Severity::Error), 3);
    seen.extend(
        findings
            .diagnostics
            .iter()
            .map(|d| d.code.as_str().to_owned()),
    );
    let drawn = drawn(&[("templates/app.yaml".to_owned(), findings)]);
    out.push_str(&format!(
        "── unresolved\n{}\n",
        anstream::adapter::strip_str(&drawn)
    ));
    let (drawn, codes) = of_files();
    out.push_str(&drawn);
    seen.extend(codes);
    let missing: Vec<_> = Rule::ALL
        .iter()
        .map(|r| r.code())
        .filter(|c| !seen.contains(*c))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    assert!(!out.contains("hunter2"), "a secret is shown");
    insta::assert_snapshot!("diagnostics", out);
}

/// Returns what is said of files that are not there, with the codes.
fn of_files() -> (String, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("templates/code")).unwrap();
    let text = "Resources:\n  Missing:\n    Type: AWS::Lambda::Function\n    Properties: {Code: ../code}\n  \
        There:\n    Type: AWS::Lambda::Function\n    Properties: {Code: ./code}\n  \
        Outside:\n    Type: AWS::Lambda::Function\n    Properties: {Code: ../../code}\n  \
        Folder:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: code}\n  \
        Elsewhere:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: !Ref AWS::Region}\n";
    let (file, unread) = ("templates/app.yaml", "templates/b.yaml".to_owned());
    let mut findings = template::validate(file, text.as_bytes());
    local::join(root.path(), file, text.as_bytes(), &mut findings);
    assert_eq!(findings.count(Severity::Error), 3, "{findings:?}");
    let unreadable = Findings::unread("Permission denied (os error 13)");
    let all = [(file.to_owned(), findings), (unread, unreadable)];
    let codes = all.iter().flat_map(|(_, findings)| &findings.diagnostics);
    let codes = codes.map(|one| one.code.as_str().to_owned()).collect();
    let drawn = drawn(&all);
    let drawn = anstream::adapter::strip_str(&drawn);
    (format!("── files\n{drawn}\n"), codes)
}

#[test]
fn what_loops_make_is_counted_where_it_is_known() {
    let said = |resources: &str| {
        let text = format!(
            "Transform: AWS::LanguageExtensions\nParameters: {{L: {{Type: CommaDelimitedList}}}}\nResources: {{{resources}}}\n"
        );
        let findings = template::validate("t.yaml", text.as_bytes());
        assert_eq!(findings.count(Severity::Error), 0, "{findings:?}");
        let drawn = drawn(&[("t.yaml".to_owned(), findings)]);
        let last = drawn.lines().last().unwrap().to_owned();
        last.split_once("   ").unwrap().1.to_owned()
    };
    let known =
        "'Fn::ForEach::A': [N, [a, b, c], {'Q${N}': {Type: A::B::C}, 'R${N}': {Type: A::B::C}}]";
    let unknown = "'Fn::ForEach::B': [N, !Ref L, {'S${N}': {Type: A::B::C}}]";
    let plain = "T: {Type: A::B::C, Properties: {P: !Ref L}}";
    assert!(said(&format!("{known}, {plain}")).starts_with("7 resources, 1 parameter"));
    assert!(said(unknown).starts_with("1 loop of resources, 1 parameter"));
    let both = said(&format!("{known}, {unknown}"));
    assert!(
        both.starts_with("6 resources, 1 loop of resources"),
        "{both}"
    );
}

#[test]
fn long_and_strange_lines_are_cut_around_the_place() {
    let text = format!(
        "Resources: {{A: {{Type: A::B::C, Metadata: [{}!Ref Nope]}}}}\n",
        "\u{202e}ä, ".repeat(60)
    );
    let findings = template::validate("t.yaml", text.as_bytes());
    let drawn = drawn(&[("t.yaml".to_owned(), findings)]);
    insta::assert_snapshot!(
        "long_line",
        anstream::adapter::strip_str(&drawn).to_string()
    );
}

#[test]
fn what_is_nested_is_validated_with_the_template_around_it() {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let nests = |url: &str| {
        format!(
            "Resources:\n  N:\n    Type: AWS::CloudFormation::Stack\n    Properties: {{TemplateURL: {url}}}\n"
        )
    };
    write("templates/app.yaml", &nests("nested/a.yaml"));
    write("templates/nested/a.yaml", &nests("../b.yaml"));
    let role =
        "Resources:\n  R: {Type: 'AWS::IAM::Role', Properties: {RoleName: r, X: !Ref Nope}}\n";
    write("templates/b.yaml", role);
    write("templates/self.yaml", &nests("./self.yaml"));
    write("templates/one.yaml", &nests("two.yaml"));
    write("templates/two.yaml", &nests("one.yaml"));
    write("templates/above.yaml", &nests("one.yaml"));
    let said = |names: &[&str], is_all: bool| -> Vec<String> {
        let files = names.iter().map(|name| (*name).to_owned()).collect();
        let found = super::read(root.path(), files, is_all, None).unwrap();
        let line = |one: &Read| {
            let codes = one.findings.diagnostics.iter();
            let codes: Vec<&str> = codes.map(|one| one.code.as_str()).collect();
            let needs: Vec<&str> = one
                .findings
                .capabilities
                .iter()
                .map(String::as_str)
                .collect();
            format!("{} {} {}", one.file, codes.join(","), needs.join(","))
        };
        found.iter().map(line).collect()
    };
    let inner = [
        "templates/nested/a.yaml  CAPABILITY_NAMED_IAM",
        "templates/b.yaml unknown-name CAPABILITY_NAMED_IAM",
    ];
    let app = "templates/app.yaml  CAPABILITY_NAMED_IAM";
    assert_eq!(
        said(&["templates/app.yaml"], false),
        [app, inner[0], inner[1]]
    );
    // Each once, whoever names it.
    let both = said(&["./templates/b.yaml", "templates/app.yaml"], false);
    assert_eq!(
        both,
        [
            "./templates/b.yaml unknown-name CAPABILITY_NAMED_IAM",
            app,
            inner[0]
        ]
    );
    assert_eq!(
        said(&["templates/self.yaml"], true),
        ["templates/self.yaml local-path "]
    );
    assert_eq!(
        said(&["templates/above.yaml"], false),
        [
            "templates/above.yaml  ",
            "templates/one.yaml local-path ",
            "templates/two.yaml local-path "
        ]
    );
    let full = root.path().join("templates/app.yaml").display().to_string();
    assert_eq!(said(&[&full], false).len(), 3);
}
