//! `docs/first-deploy.md`, followed to the letter.

use std::fs;
use std::path::Path;

use rexpect::process::WaitStatus;

use crate::support::{Emulator, TestEnv};

/// A block of commands of the page.
struct Block {
    commands: String,
    /// What is typed at the prompt.
    answer: Option<String>,
    /// The exit code of the last command.
    code: i32,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), is_open) {
            (Some(_), true) => is_open = false,
            (Some(information), false) => {
                is_open = true;
                let mut words = information.split(' ');
                assert_eq!(words.next(), Some("sh"), "only commands are in blocks");
                let mut block = Block {
                    commands: String::new(),
                    answer: None,
                    code: 0,
                };
                for word in words {
                    match word.split_once('=') {
                        Some(("answer", answer)) => block.answer = Some(answer.to_owned()),
                        Some(("code", code)) => block.code = code.parse().unwrap(),
                        other => panic!("unknown: {other:?}"),
                    }
                }
                found.push(block);
            }
            (None, true) => {
                let block = found.last_mut().unwrap();
                block.commands += &format!("{line}\n");
            }
            (None, false) => {}
        }
    }
    found
}

#[test]
fn the_page_on_a_first_deployment_holds() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-deploy.md");
    let page = fs::read_to_string(page).unwrap();
    let env = TestEnv::on(Emulator::LocalStack);
    let mut blocks = blocks(&page).into_iter();
    // The first block sets the shell up, so it comes before each of the others.
    let setup = blocks.next().unwrap().commands;
    assert!(setup.contains("http://127.0.0.1:4566"), "{setup}");
    let setup = setup.replace("http://127.0.0.1:4566", &env.endpoint());
    let status = |region| env.cloud("111111111111", region).status("orders");
    let mut shown = String::new();
    let mut statuses = Vec::new();
    for block in blocks {
        let script = format!("set -e\n{setup}\n{}", block.commands);
        let mut session = env.terminal_shell(&script);
        if let Some(answer) = &block.answer {
            let asked = session.exp_string("Approve plan ");
            shown += &asked.unwrap_or_else(|error| panic!("{}{error}", block.commands));
            session.send_line(answer).unwrap();
        }
        let rest = session.exp_eof();
        shown += &rest.unwrap_or_else(|error| panic!("{}{error}", block.commands));
        let ended = session.process().wait().unwrap();
        assert!(
            matches!(ended, WaitStatus::Exited(_, code) if code == block.code),
            "{ended:?}: {}{shown}",
            block.commands
        );
        statuses.push((status("us-east-1"), status("eu-west-1")));
    }
    // The library takes each byte for a character.
    let bytes: Vec<u8> = shown.chars().map(|byte| byte as u8).collect();
    let shown = String::from_utf8_lossy(&bytes);
    // What the page says that is seen on the way.
    for text in ["QueueUrl", "30 → 45", "no changes", "eu-west-1"] {
        assert!(shown.contains(text), "no `{text}`:\n{shown}");
    }
    let has = |here: Option<&str>, there: Option<&str>| {
        statuses.contains(&(here.map(str::to_owned), there.map(str::to_owned)))
    };
    assert!(has(Some("CREATE_COMPLETE"), None), "{statuses:?}");
    assert!(has(Some("UPDATE_COMPLETE"), None), "{statuses:?}");
    assert!(
        has(Some("UPDATE_COMPLETE"), Some("CREATE_COMPLETE")),
        "{statuses:?}"
    );
    assert_eq!(statuses.last(), Some(&(None, None)));
}
