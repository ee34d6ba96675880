use super::*;
use crate::model::{AccountId, Region, StackName, StackStatus};

fn command(line: &[&str]) -> GateCommand {
    GateCommand {
        line: line.iter().map(|word| (*word).to_owned()).collect(),
        files: Vec::new(),
        timeout_minutes: 10,
    }
}

async fn run_in(
    root: &Path,
    line: &[&str],
    limit: Duration,
    secrets: &[&str],
) -> Result<(), String> {
    let target = Target {
        account: AccountId::new("111111111111").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        stack: StackName::new("app").unwrap(),
    };
    let outcome = TargetOutcome::Succeeded {
        status: StackStatus::CreateComplete,
    };
    let told = Told {
        execution: &ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap(),
        wave: &WaveName::new("canary").unwrap(),
        targets: &[(target, outcome)],
    };
    let secrets: Vec<String> = secrets.iter().map(|s| (*s).to_owned()).collect();
    run_for(root, &command(line), &told, limit, &secrets).await
}

const LONG: Duration = Duration::from_secs(60);

fn script(root: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = root.join("smoke.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn it_runs_in_the_project_and_is_told_what_ended() {
    let root = tempfile::tempdir().unwrap();
    script(
        root.path(),
        "echo \"$STACKGATE_EXECUTION $STACKGATE_WAVE $1\" > told; cat \"$STACKGATE_TARGETS\" >> told",
    );
    let line = ["./smoke.sh", "a b; exit 1"];
    assert_eq!(run_in(root.path(), &line, LONG, &[]).await, Ok(()));
    let told = std::fs::read_to_string(root.path().join("told")).unwrap();
    assert_eq!(
        told,
        "01938f5e-0000-7000-8000-000000000001 canary a b; exit 1\n\
         [{\"account\":\"111111111111\",\"region\":\"eu-west-1\",\"stack\":\"app\",\"outcome\":{\"succeeded\":{\"status\":\"CREATE_COMPLETE\"}}}]"
    );
}

#[tokio::test]
async fn what_it_said_last_is_told_without_secrets_and_control_characters() {
    let root = tempfile::tempdir().unwrap();
    script(
        root.path(),
        "i=0; while [ $i -lt 9 ]; do echo line $i; i=$((i+1)); done; printf 'pass\\033[2Jword is hunter2\\n' >&2; exit 3",
    );
    let failed = run_in(root.path(), &["./smoke.sh"], LONG, &["hunter2"])
        .await
        .unwrap_err();
    assert!(failed.starts_with("exit code 3: "), "{failed}");
    assert!(failed.contains("is ****"), "{failed}");
    assert!(
        !failed.contains('\u{1b}') && !failed.contains("hunter2"),
        "{failed}"
    );
    assert_eq!(failed.matches(" | ").count(), SHOWN_LINES - 1, "{failed}");
}

#[tokio::test]
async fn what_cannot_be_started_or_is_killed_does_not_pass() {
    let root = tempfile::tempdir().unwrap();
    let none = run_in(root.path(), &["./none.sh"], LONG, &[])
        .await
        .unwrap_err();
    assert!(none.starts_with("it could not be started: "), "{none}");
    script(root.path(), "kill -9 $$");
    let killed = run_in(root.path(), &["./smoke.sh"], LONG, &[]).await;
    assert_eq!(killed, Err("ended by signal 9".to_owned()));
}

#[tokio::test]
async fn it_ends_with_all_that_it_began_when_its_time_is_over() {
    let root = tempfile::tempdir().unwrap();
    // The one in the background has the lock as long as it runs.
    script(
        root.path(),
        "exec 9> lock; flock 9; sleep 600 & echo waiting; wait",
    );
    let short = Duration::from_millis(500);
    let failed = run_in(root.path(), &["./smoke.sh"], short, &[])
        .await
        .unwrap_err();
    assert_eq!(failed, "it did not end in 0 s, and was ended: waiting");
    let freed = ["flock", "--timeout", "20", "lock", "true"];
    assert_eq!(run_in(root.path(), &freed, LONG, &[]).await, Ok(()));
}

#[tokio::test]
async fn it_ends_with_all_that_it_began_when_nobody_waits_any_more() {
    let root = tempfile::tempdir().unwrap();
    script(
        root.path(),
        "exec 9> lock; flock 9; sleep 600 & touch begun; wait",
    );
    let path = root.path().to_owned();
    let running = tokio::spawn(async move { run_in(&path, &["./smoke.sh"], LONG, &[]).await });
    let begun = "while [ ! -e begun ]; do sleep 0.05; done";
    assert_eq!(
        run_in(root.path(), &["sh", "-c", begun], LONG, &[]).await,
        Ok(())
    );
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let freed = ["flock", "--timeout", "20", "lock", "true"];
    assert_eq!(run_in(root.path(), &freed, LONG, &[]).await, Ok(()));
}

#[test]
fn a_file_that_was_changed_or_is_gone_is_not_run() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("smoke.sh"), "one").unwrap();
    let file = |path: &str| CommandFile {
        path: path.to_owned(),
        digest: Digest::of(b"one"),
    };
    assert_eq!(changed(root.path(), &[file("./smoke.sh")]), Ok(()));
    let gone = changed(root.path(), &[file("none.sh")]).unwrap_err();
    assert!(
        gone.contains("`none.sh`, which was approved, cannot be read"),
        "{gone}"
    );
    std::fs::write(root.path().join("smoke.sh"), "two").unwrap();
    let other = changed(root.path(), &[file("./smoke.sh")]).unwrap_err();
    assert!(
        other.contains("`./smoke.sh` was changed after the plan was made"),
        "{other}"
    );
}

#[test]
fn half_a_secret_is_not_shown() {
    let mut tail = Tail::default();
    tail.add(b"hunter2");
    tail.add(&vec![b'x'; KEPT - 4]);
    assert_eq!(tail.last_lines(&["hunter2".to_owned()]), "");
    tail.add(b"\nlast");
    assert_eq!(tail.last_lines(&["hunter2".to_owned()]), "last");
}
