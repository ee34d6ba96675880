//! Tests of `html`.

use super::super::fixtures::{self, Template};
use super::*;

fn of(script: &fixtures::Script) -> String {
    let view = script.view();
    let review = Review::of(&view, &Template);
    html(&view, None, Some(&review))
}

/// Returns what a reader sees: the page without its style, tags and entities left as they are.
fn body(page: &str) -> &str {
    let (_, body) = page.split_once("<body>").unwrap();
    body
}

#[test]
fn a_review_is_a_page() {
    insta::assert_snapshot!("fleet", body(&of(&fixtures::fleet())));
    insta::assert_snapshot!("halted", body(&of(&fixtures::halted())));
    insta::assert_snapshot!("nothing", body(&of(&fixtures::nothing())));
}

#[test]
fn what_was_changed_by_hand_is_told() {
    insta::assert_snapshot!("drifted", body(&of(&fixtures::drifted())));
}

#[test]
fn a_large_update_is_a_page() {
    let view = fixtures::shop().view();
    let review = Review::of(&view, &fixtures::Shop);
    insta::assert_snapshot!("shop", body(&html(&view, None, Some(&review))));
}

#[test]
fn a_page_needs_nothing_beside_it_and_runs_nothing() {
    for script in [fixtures::fleet(), fixtures::halted(), fixtures::made()] {
        let page = of(&script);
        assert!(page.starts_with("<!doctype html>"), "{page}");
        for outside in [
            "<script", "<link", "<img", "@import", "url(", "src=", "onclick",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(page.contains("Content-Security-Policy"));
    }
}

#[test]
fn nothing_from_outside_has_a_meaning() {
    let page = of(&fixtures::hostile());
    insta::assert_snapshot!("hostile", body(&page));
    let known = [
        "a", "body", "br", "code", "dd", "details", "div", "dl", "dt", "h1", "h2", "html", "li",
        "p", "pre", "span", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
    ];
    for part in body(&page).split('<').skip(1) {
        let name = part.trim_start_matches('/');
        let name = name.split([' ', '>']).next().unwrap();
        assert!(known.contains(&name), "<{part}");
    }
}

#[test]
fn many_targets_are_folded() {
    let targets: Vec<_> = (1..=50)
        .map(|n| fixtures::target(char::from(b'1' + (n % 9)), &format!("eu-west-{n}")))
        .collect();
    let mut script = fixtures::Script::new(&targets);
    for target in &targets {
        script.update(target, fixtures::change_a());
    }
    let page = of(script.ask());
    assert!(page.contains("<details class=\"names\"><summary>50 targets</summary>"));
    assert_eq!(page.matches("eu-west-50</a>").count(), 2, "{page}");
}

#[test]
fn a_text_is_a_page_too() {
    let page = html_text("list <all>", "one\n  two & \u{1b}[31mthree\n");
    assert!(page.contains("<title>list &lt;all&gt;</title>"), "{page}");
    assert!(page.contains("one\n  two &amp; "), "{page}");
    assert!(!page.contains('\u{1b}'));
}
