//! `stackgate validate` with what others find: programs that stand on the `PATH`, and the service.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::schema::assert_documented;
use crate::support::{Emulator, TestEnv};

/// The template of which the reports were recorded.
const RECORDED_OF: &str = "AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage:
    Type: String
  Unused:
    Type: String
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: abc
      QueueNam: !Ref Stage
      DelaySeconds: !Ref Nope
";

const LINT: &str = include_str!("../../src/cli/validate/recorded/lint.json");
const GUARD: &str = include_str!("../../src/cli/validate/recorded/guard.json");

/// Returns a place with the template, in which only programs of the test and of the system are found.
fn place() -> TestEnv {
    let env = TestEnv::offline();
    let path = format!("{}/bin:/usr/bin:/bin", env.root().display());
    let env = env.variable("PATH", &path);
    env.write("templates/app.yaml", RECORDED_OF);
    env
}

/// Makes a program of a shell script.
fn program(env: &TestEnv, name: &str, script: &str) {
    let path = format!("bin/{name}");
    env.write(&path, &format!("#!/bin/sh\n{script}\n"));
    let path = env.root().join(path);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes one that takes these arguments alone, and answers with a file and an exit code.
fn answering(env: &TestEnv, name: &str, arguments: &str, answer: &str, code: i32) {
    env.write("answer.json", answer);
    let script = format!(
        "[ \"$*\" = '{arguments}' ] || {{ echo \"strange arguments: $*\" >&2; exit 99; }}\ncat answer.json\nexit {code}"
    );
    program(env, name, &script);
}

const LINT_ARGUMENTS: &str = "--format json -- templates/app.yaml";

#[test]
fn what_cfn_lint_finds_joins_the_report() {
    let env = place();
    answering(&env, "cfn-lint", LINT_ARGUMENTS, LINT, 6);
    let found = env.run(&["validate", "app", "--lint"]);
    insta::assert_snapshot!("validate_lint", found.code(1).to_string());
    let found = env.run(&["validate", "app", "--lint", "--output", "json"]);
    let document: Value = serde_json::from_str(&found.code(1).raw).unwrap();
    assert_documented(&document);
    let all = document["templates"][0]["diagnostics"].as_array().unwrap();
    let of = |code: &str| all.iter().find(|one| one["code"] == code);
    let lint = of("E3012").unwrap();
    assert_eq!(
        (&lint["by"], &lint["severity"]),
        (&"cfn-lint".into(), &"error".into())
    );
    assert_eq!(
        (&lint["line"], &lint["column"], &lint["length"]),
        (&11.into(), &7.into(), &17.into())
    );
    assert!(of("W2001").is_none(), "our own rule says it");
    assert_eq!(of("unused-parameter").unwrap().get("by"), None);
}

#[test]
fn what_cfn_guard_finds_joins_the_report() {
    let env = place();
    env.write("rules/queues.guard", "");
    env.write("plain.guard", "");
    env.write("templates/app.yaml", &RECORDED_OF.replace("!Ref Nope", "5"));
    let arguments = "validate --data=templates/app.yaml --rules=rules --rules=plain.guard \
                     --output-format json --structured --show-summary none";
    answering(&env, "cfn-guard", arguments, GUARD, 19);
    let chosen = ["--guard", "rules", "--guard", "plain.guard"];
    let found = env.run(&[&["validate", "app"], &chosen[..]].concat());
    insta::assert_snapshot!("validate_guard", found.code(1).to_string());
    // A file of rules that it cannot read is left out by it, with the same exit code.
    let broken =
        "Parsing error handling rule file = plain.guard, Error = Parser Error when parsing";
    program(
        &env,
        "cfn-guard",
        &format!("echo '{broken}' >&2; cat answer.json; exit 19"),
    );
    let found = env.run(&[&["validate", "app"], &chosen[..]].concat());
    let stderr = &found.code(1).stderr;
    assert!(stderr.contains("cannot read all of the rules"), "{found}");
    assert!(stderr.contains("plain.guard, Error"), "{found}");
    // So it does with a folder without rules.
    let nothing = r#"[{"not_compliant": [], "not_applicable": [], "compliant": []}]"#;
    program(&env, "cfn-guard", &format!("echo '{nothing}'"));
    let found = env.run(&[&["validate", "app"], &chosen[..]].concat());
    assert!(found.code(1).stderr.contains("found no rules"), "{found}");
    // A template that cannot be read is told by ourselves, and not by the program.
    env.write("templates/app.yaml", "Resources: [1\n");
    program(&env, "cfn-guard", "exit 99");
    env.run(&[&["validate", "app"], &chosen[..]].concat())
        .code(1);
    env.run(&["validate", "app", "--guard", "nowhere"]).code(2);
}

#[test]
fn the_file_chooses_programs_and_flags_win() {
    let env = place();
    env.write("stackgate.yaml", "validate: {lint: true}\n");
    env.write(
        "templates/app.yaml",
        "Resources: {A: {Type: AWS::SNS::Topic}}\n",
    );
    answering(&env, "cfn-lint", LINT_ARGUMENTS, "[]", 0);
    env.run(&["validate", "app"]).success();
    program(&env, "cfn-lint", "echo broken >&2; exit 1");
    env.run(&["validate", "app"]).code(1);
    env.run(&["validate", "app", "--lint=false"]).success();
}

#[test]
fn programs_that_fail_are_told_and_nothing_passes_for_checked() {
    let env = place();
    env.write(
        "templates/app.yaml",
        "Resources: {A: {Type: AWS::SNS::Topic}}\n",
    );
    env.write("r.guard", "");
    let mut said = String::new();
    let mut run = |what: &str, flag: &[&str]| {
        let found = env.run(&[&["validate", "app"], flag].concat());
        said.push_str(&format!("── {what}\n{}\n", found.code(1)));
    };
    let (lint, guard) = (["--lint"], ["--guard", "r.guard"]);
    run("absent", &lint);
    run("absent", &guard);
    let crash = "printf 'Traceback:\\n  \\033[31mred\\n' >&2; for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&2; done; exit 1";
    let cases = [
        ("crash", crash),
        ("killed", "kill -9 $$"),
        ("garbage", "echo 'everything is fine'"),
        ("silence", "true"),
        ("a list of something else", "echo '[1]'"),
        ("nothing listed", "echo '[]'; exit 2"),
        ("huge", "exec head -c 80000000 /dev/zero"),
        ("never ending", "exec cat /dev/zero"),
        (
            "endless complaints",
            "head -c 9000000 /dev/zero | tr '\\0' x >&2; exit 3",
        ),
    ];
    for (what, script) in cases {
        program(&env, "cfn-lint", script);
        run(what, &lint);
    }
    program(
        &env,
        "cfn-guard",
        "echo 'Parse Error on ruleset file r.guard' >&2; exit 5",
    );
    run("rules that cannot be read", &guard);
    program(&env, "cfn-guard", "echo '[]'; exit 19");
    run("disagrees with itself", &guard);
    let other = LINT.replace("templates/app.yaml", "elsewhere.yaml");
    answering(&env, "cfn-lint", LINT_ARGUMENTS, &other, 6);
    run("another file", &lint);
    insta::assert_snapshot!("validate_programs", said);
}

#[test]
fn names_are_arguments_and_never_commands() {
    let env = place();
    let name = "templates/$(touch x); [a] *.yaml";
    env.write(name, "Resources: {A: {Type: AWS::SNS::Topic}}\n");
    program(
        &env,
        "cfn-lint",
        "printf '%s\\n' \"$@\" > arguments; echo '[]'",
    );
    env.run(&["validate", name, "--lint"]).success();
    let arguments = fs::read_to_string(env.root().join("arguments")).unwrap();
    assert_eq!(
        arguments,
        "--format\njson\n--\ntemplates/$(touch x); [[]a] [*].yaml\n"
    );
    assert!(!env.root().join("x").exists());
}

#[test]
fn a_service_that_cannot_be_asked_is_an_error() {
    let env = place().samples();
    let found = env.run(&["validate", "messaging", "--online"]);
    assert!(
        found.code(1).to_string().contains("cannot be reached"),
        "{found}"
    );
}

const WITH_ROLE: &str = "Parameters: {Stage: {Type: String, Default: test}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref Stage
      AssumeRolePolicyDocument: {}
";

#[test]
fn localstack_is_asked() {
    let env = TestEnv::on(Emulator::LocalStack).samples();
    env.run(&["validate", "--online"]).success();
    env.write("templates/role.yaml", WITH_ROLE);
    env.run(&[
        "validate",
        "role",
        "--online",
        "--at",
        "111111111111/eu-west-1",
    ])
    .success();
    env.write("templates/bad.yaml", "Resources: {A: [1\n");
    let found = env.run(&["validate", "bad", "--online"]);
    insta::assert_snapshot!("validate_online_localstack", found.code(1).to_string());
}

#[test]
fn ministack_is_asked() {
    let env = TestEnv::on(Emulator::Ministack).samples();
    env.run(&["validate", "--online"]).success();
    env.write("templates/role.yaml", WITH_ROLE);
    env.run(&["validate", "role", "--online", "--strict"])
        .success();
    env.write("templates/bad.yaml", "Resources:\n  A: {Properties: {}}\n");
    let found = env.run(&["validate", "bad", "--online"]);
    insta::assert_snapshot!("validate_online_ministack", found.code(1).to_string());
    let large = format!("{WITH_ROLE}# {}\n", "x".repeat(51_200));
    env.write("templates/role.yaml", &large);
    let found = env.run(&["validate", "role", "--online"]);
    assert!(
        found.success().to_string().contains("was not asked"),
        "{found}"
    );
    env.run(&["validate", "role", "--online", "--strict"])
        .code(1);
}
