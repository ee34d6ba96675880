use super::*;
use crate::model::{AccountId, Region, StackName, StackStatus};

fn command(line: &[&str]) -> GateCommand {
    GateCommand {
        line: line.iter().map(|word| (*word).to_owned()).collect(),
        files: Vec::new(),
        timeout_minutes: 10,
    }
}

fn hidden(texts: &[&str]) -> Hidden {
    Hidden {
        texts: texts.iter().map(|s| (*s).to_owned()).collect(),
        unknown: None,
    }
}

async fn run_in(
    root: &Path,
    line: &[&str],
    limit: Duration,
    secrets: &[&str],
) -> Result<(), String> {
    let own = tempfile::tempdir().unwrap();
    let list = own.path().join("list");
    run_with(root, &list, line, limit, secrets).await.map(drop)
}

async fn run_with(
    root: &Path,
    list: &Path,
    line: &[&str],
    limit: Duration,
    secrets: &[&str],
) -> Result<String, String> {
    run_telling(root, list, line, limit, secrets, |_| {}).await
}

async fn run_telling(
    root: &Path,
    list: &Path,
    line: &[&str],
    limit: Duration,
    secrets: &[&str],
    tell: impl FnMut(Option<String>),
) -> Result<String, String> {
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
    let hidden = hidden(secrets);
    run_for((root, list), &command(line), &told, limit, &hidden, tell).await
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
async fn what_it_said_is_told_of_one_that_passes_too() {
    let (root, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    script(root.path(), "echo 12 checks; echo by hunter2; echo fine");
    let list = own.path().join("list");
    let said = run_with(root.path(), &list, &["./smoke.sh"], LONG, &["hunter2"]).await;
    let said = said.unwrap();
    assert_eq!(said, "12 checks | by **** | fine");
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

/// A script whose processes leave its group: one below a parent that ends, and one without the environment.
#[cfg(target_os = "linux")]
const DAEMONS: &str = "exec 9> lock; flock -s 9
(setsid sh -c 'touch a; sleep 600' &)
setsid env -i /bin/sh -c 'touch b; sleep 600' &
while [ ! -e a ] || [ ! -e b ]; do sleep 0.05; done
touch begun; wait";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_left_its_group_ends_with_it() {
    let root = tempfile::tempdir().unwrap();
    script(root.path(), DAEMONS);
    let short = Duration::from_secs(5);
    let failed = run_in(root.path(), &["./smoke.sh"], short, &[]).await;
    assert_eq!(
        failed,
        Err("it did not end in 5 s, and was ended".to_owned())
    );
    assert!(root.path().join("begun").exists());
    let freed = ["flock", "--timeout", "20", "lock", "true"];
    assert_eq!(run_in(root.path(), &freed, LONG, &[]).await, Ok(()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_killed_process_left_running_is_ended() {
    let root = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let id = ExecutionId::new("01938f5e-0000-7000-8000-000000000001").unwrap();
    assert_eq!(end_left_over(&store, &id), 0);
    let list = list_of(&store, &id);
    script(root.path(), DAEMONS);
    let path = root.path().to_owned();
    let own = list.clone();
    let running =
        tokio::spawn(async move { run_with(&path, &own, &["./smoke.sh"], LONG, &[]).await });
    let begun = "while [ ! -e begun ]; do sleep 0.05; done";
    let begun = run_in(root.path(), &["sh", "-c", begun], LONG, &[]).await;
    assert_eq!(begun, Ok(()));
    assert!(end_left_over(&store, &id) >= 3);
    assert_eq!(running.await.unwrap(), Err("ended by signal 9".to_owned()));
    let freed = ["flock", "--timeout", "20", "lock", "true"];
    assert_eq!(run_in(root.path(), &freed, LONG, &[]).await, Ok(()));
}

#[tokio::test]
async fn it_does_not_run_beside_one_that_a_killed_process_began() {
    let root = tempfile::tempdir().unwrap();
    let list = root.path().join("list.json");
    script(
        root.path(),
        ": > begun; while [ ! -e go ]; do sleep 0.05; done",
    );
    let (path, own) = (root.path().to_owned(), list.clone());
    let first = async move { run_with(&path, &own, &["./smoke.sh"], LONG, &[]).await };
    let running = tokio::spawn(first);
    let begun = "while [ ! -e begun ]; do sleep 0.05; done";
    let begun = run_in(root.path(), &["sh", "-c", begun], LONG, &[]).await;
    assert_eq!(begun, Ok(()));
    let short = Duration::from_millis(300);
    let beside = run_with(root.path(), &list, &["touch", "second"], short, &[]).await;
    let told = beside.unwrap_err();
    assert!(told.contains("was not run again"), "{told}");
    assert!(!root.path().join("second").exists());
    // Whoever waits is told for what, and that it is over.
    let go = root.path().join("go");
    let mut said = Vec::new();
    let tell = |waits: Option<String>| {
        if waits.is_some() {
            std::fs::write(&go, "").unwrap();
        }
        said.push(waits);
    };
    let waited = run_telling(root.path(), &list, &["true"], LONG, &[], tell).await;
    assert_eq!(waited, Ok(String::new()));
    let [Some(told), None] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(told.contains("end it with `kill -- -"), "{told}");
    assert!(told.contains(", begun at "), "{told}");
    assert_eq!(running.await.unwrap(), Ok(String::new()));
    assert!(!list.exists(), "nothing is left of it");
    let after = run_with(root.path(), &list, &["touch", "second"], LONG, &[]).await;
    assert_eq!(after, Ok(String::new()));
    assert!(root.path().join("second").exists());
}

#[tokio::test]
async fn there_is_nothing_to_read_for_it() {
    let root = tempfile::tempdir().unwrap();
    script(root.path(), "cat > read; wc -c < read >&2; exit 1");
    let failed = run_in(root.path(), &["./smoke.sh"], LONG, &[]).await;
    assert_eq!(failed, Err("exit code 1: 0".to_owned()));
}

#[test]
fn what_cannot_be_masked_is_not_kept() {
    let mut tail = Tail::default();
    let hidden = Hidden {
        texts: Vec::new(),
        unknown: Some("Password".to_owned()),
    };
    assert_eq!(tail.last_lines(&hidden), "");
    tail.add(b"it is hunter2");
    let told = tail.last_lines(&hidden);
    assert!(
        told.contains("`Password`") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn half_a_secret_is_not_shown() {
    let mut tail = Tail::default();
    tail.add(b"hunter2");
    tail.add(&vec![b'x'; KEPT - 4]);
    assert_eq!(tail.last_lines(&hidden(&["hunter2"])), "");
    tail.add(b"\nlast");
    assert_eq!(tail.last_lines(&hidden(&["hunter2"])), "last");
}

#[test]
fn a_line_that_is_cut_says_so() {
    let whole = "é".repeat(SHOWN_CHARACTERS);
    assert_eq!(beginning(&whole), whole);
    let longer = format!("{whole}x");
    assert_eq!(beginning(&longer), format!("{whole}…"));
}
