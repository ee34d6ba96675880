//! Tests of `markdown`.

use super::super::fixtures::{self, Template};
use super::*;

fn of(script: &fixtures::Script) -> String {
    let view = script.view();
    let review = Review::of(&view, &Template);
    markdown(&view, None, Some(&review))
}

#[test]
fn a_plan_is_a_comment() {
    insta::assert_snapshot!("fleet", of(&fixtures::fleet()));
    insta::assert_snapshot!("halted", of(&fixtures::halted()));
    insta::assert_snapshot!("nothing", of(&fixtures::nothing()));
    insta::assert_snapshot!("made", of(&fixtures::made()));
}

#[test]
fn what_was_changed_by_hand_is_told() {
    insta::assert_snapshot!("drifted", of(&fixtures::drifted()));
}

#[test]
fn a_large_update_is_a_comment() {
    let view = fixtures::shop().view();
    let review = Review::of(&view, &fixtures::Shop);
    insta::assert_snapshot!("shop", markdown(&view, None, Some(&review)));
}

#[test]
fn nothing_from_outside_has_a_meaning() {
    let text = of(&fixtures::hostile());
    insta::assert_snapshot!("hostile", text);
    for hostile in [
        "</code><script>alert(1)</script>",
        "`</details>`",
        "![x](https://example.com/x.png)",
        "@everyone",
        "| new | row |",
        "www.example.com",
        "http://example.com",
        "**bold** _it_ ~~no~~ $x$ #1 \\|",
        "a\n\n# heading",
    ] {
        let shown = code(hostile);
        let inner = shown
            .strip_prefix("<code>")
            .and_then(|t| t.strip_suffix("</code>"));
        let inner = inner.unwrap();
        for meant in [
            "<", ">", "`", "|", "[", "]", "(", "*", "_", "~", "@", "\\", "$", "!", "\n", "www.",
            "://",
        ] {
            assert!(!inner.contains(meant), "{meant:?} in {shown}");
        }
    }
}

#[test]
fn what_is_set_on_a_stack_is_named_as_that() {
    let only = fixtures::target('1', "eu-west-1");
    let mut script = fixtures::Script::new(std::slice::from_ref(&only));
    let mut with = fixtures::inputs();
    with.stack_policy = Some("{\"Statement\":[\"```\",\"</details>\"]}".to_owned());
    with.options.termination_protection = Some(true);
    script.update_settings(&only, with).ask();
    let text = of(&script);
    insta::assert_snapshot!("settings", text);
    assert!(!text.contains("metadata"), "{text}");
}

#[test]
fn a_plan_in_a_file_is_answered_where_the_file_is() {
    let mut script = fixtures::fleet();
    script.say(crate::model::EventKind::PlanExported {
        path: "plans/a`b.plan".to_owned(),
        file: crate::model::Digest::of(b"file"),
        by: fixtures::alice(),
    });
    let view = script.view();
    let review = Review::of(&view, &Template);
    let plan = view.plan().unwrap();
    for text in [
        markdown(&view, None, Some(&review)),
        markdown_of_file(&fixtures::fleet().view(), &review, "plans/a`b.plan"),
    ] {
        let command = format!("\nstackgate deploy --plan plans/a`b.plan --approve {plan}\n");
        assert!(text.contains(&command), "{text}");
        assert!(!text.contains("stackgate approve"), "{text}");
    }
}

#[test]
fn a_plan_that_is_denied_names_no_command_that_approves_it() {
    let script = fixtures::fleet();
    let mut view = script.view();
    let review = Review::of(&view, &Template);
    assert!(markdown(&view, None, Some(&review)).contains("stackgate approve"));
    view.note_denied(vec!["stackgate.yaml:2:3 denies `removal`".to_owned()]);
    let text = markdown(&view, None, Some(&review));
    assert!(text.contains("**This plan cannot be approved**"), "{text}");
    assert!(text.contains(" denies "), "{text}");
    assert!(text.contains("\nstackgate reject "), "{text}");
    assert!(!text.contains("stackgate approve"), "{text}");
}

#[test]
fn a_comment_is_never_too_long_and_says_what_is_missing() {
    let mut script = fixtures::many();
    script.say(crate::model::EventKind::StageStarted);
    let view = script.view();
    let mut review = Review::of(&view, &Template);
    let group = review.groups[0].clone();
    for number in 0..400 {
        let mut more = group.clone();
        more.name = format!("N{number}");
        for resource in &mut more.resources {
            for property in &mut resource.properties {
                property.after = Some("<`|".repeat(2_000));
            }
        }
        review.groups.push(more);
    }
    let text = markdown(&view, None, Some(&review));
    assert!(text.len() <= LONGEST, "{}", text.len());
    assert!(
        text.contains("Left out, since a comment holds no more: "),
        "{text}"
    );
    assert!(text.contains("Everything: `stackgate status "));
    assert!(text.contains("stackgate approve "));
    assert_eq!(
        text.matches("<details>").count(),
        text.matches("</details>").count()
    );
}

#[test]
fn a_block_of_text_ends_where_it_should() {
    let text = markdown_text("one\n```\n````\ntwo\n");
    assert!(
        text.starts_with("`````text\n") && text.ends_with("`````\n"),
        "{text}"
    );
    let long = markdown_text(&"line\n".repeat(20_000));
    assert!(long.len() <= LONGEST && long.contains("does not fit"));
}
