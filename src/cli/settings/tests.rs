use super::*;
use crate::model::RiskSetting;

#[test]
fn an_environment_that_somebody_else_named_weakens_nothing() {
    use RiskSetting::{Approval, Deny, Off, Warn};
    for (everywhere, there, expected) in [
        ("deny", "off", Some(Deny)),
        ("warn", "deny", Some(Deny)),
        ("warn", "off", Some(Warn)),
        ("approval", "", Some(Approval)),
        ("warn", "", Some(Warn)),
        ("off", "", Some(Off)),
        ("", "off", None),
        ("", "warn", None),
        ("", "deny", Some(Deny)),
    ] {
        let risks = |setting: &str| match setting {
            "" => "{}".to_owned(),
            one => format!("{{removal: {one}}}"),
        };
        let text = format!(
            "risks: {}\nenvironments: {{dev: {{risks: {}}}}}\n",
            risks(everywhere),
            risks(there)
        );
        let settings = Settings::parse(text.as_bytes()).unwrap();
        let of = |environment: Option<&str>| {
            let found = settings.strictest_risks(environment);
            found.0.get("removal").map(|choice| choice.setting)
        };
        assert_eq!(of(Some("dev")), expected, "{text}");
        let top = RiskSetting::ALL
            .into_iter()
            .find(|one| one.as_str() == everywhere);
        assert_eq!((of(None), of(Some("prod"))), (top, top), "{text}");
    }
}

const EXAMPLE: &str = include_str!("../../../docs/stackgate-yaml.md");

/// Returns the example of the documentation.
fn example() -> Settings {
    let (_, rest) = EXAMPLE.split_once("```yaml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    Settings::parse(text.as_bytes()).unwrap()
}

fn said(text: &str) -> String {
    Settings::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_documented_example_is_read() {
    let settings = example();
    let (values, set) = settings.choose(Some("production"), None).unwrap();
    assert_eq!(set.as_deref(), Some("fleet"));
    assert_eq!(values.accounts.map(|a| a.len()), Some(2));
    assert_eq!(values.max_concurrent, Some(CountOrPercent::Percent(25)));
    assert_eq!(values.profile.as_deref(), Some("production"));
    // Of the defaults, since nothing nearer says it.
    assert_eq!(values.approval_expires, Some(2 * 24 * 60));
    let (values, _) = settings.choose(Some("production"), Some("pilot")).unwrap();
    assert_eq!(values.targets.map(|t| t.len()), Some(2));
    let (values, set) = settings.choose(None, None).unwrap();
    assert_eq!((values.accounts, set), (None, None));
}

#[test]
fn every_key_is_documented() {
    for key in TOP
        .iter()
        .chain(&OF_SET)
        .chain(&waves::KEYS)
        .chain(&OF_ENVIRONMENT)
        .chain(&OF_DEFAULTS)
    {
        assert!(EXAMPLE.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let cases = [
        "targetsets: {}",
        "environments:\n  prod:\n    profil: x\n",
        "defaults:\n  accounts: [\"111111111111\"]\n",
        "targetSets:\n  a:\n    accounts: [12345]\n",
        "targetSets:\n  a:\n    regions: eu-west-1\n",
        "targetSets:\n  a:\n    targets: [{account: \"111111111111\"}]\n",
        "targetSets:\n  a:\n    accounts: [\"111111111111\"]\n    targets: [{account: \"111111111111\", regions: [eu-west-1]}]\n",
        "targetSets:\n  a:\n    organizational-units: [ou-1]\n",
        "targetSets:\n  a:\n    organizational-units: [r-ab12]\n    targets: [{account: \"111111111111\", regions: [eu-west-1]}]\n",
        "targetSets:\n  a:\n    account-filter: some\n",
        "targetSets:\n  a:\n    account-tags: [Stage=prod]\n",
        "defaults:\n  exclude: [1234]\n",
        "targetSets:\n  a:\n    max-concurrent: 0\n",
        "targetSets:\n  a:\n    max-concurrent: lots\n",
        "targetSets:\n  a:\n    concurrency-mode: loose\n",
        "targetSets:\n  pilot: {regions: [eu-west-1]}\nenvironments:\n  prod: {targets: pilto}\n",
        "environments:\n  prod: {tags: {Team: [a]}}\n",
        "environments:\n  prod:\n",
        "defaults: {endpoint-url: localhost}",
        "defaults: {approval-expires: soon}",
        "- a\n",
        "defaults: {profile: a, profile: b}",
        "defaults:\n  tags: {a: b\n",
        "risks: {statefull_removal: deny}",
        "risks: {wholly-unlike: deny}",
        "risks:\n  removal: never\n",
        "risks:\n  removal: [deny]\n",
        "risks: deny",
        "environments:\n  prod:\n    risks: {removal: denied}\n",
    ];
    let all: Vec<String> = cases.iter().map(|text| said(text)).collect();
    insta::assert_snapshot!(all.join("\n"));
    assert!(Settings::parse(b"# nothing yet\n").is_ok());
}

#[test]
fn a_name_that_is_not_there_is_told_with_those_that_are() {
    let error = example().choose(Some("prodution"), None).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `production`?"),
        "{error}"
    );
    let error = example().choose(None, Some("x")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("target sets there: fleet, pilot"),
        "{error}"
    );
}

#[test]
fn an_environment_decides_about_risks_rule_by_rule() {
    let text = "risks:\n  removal: off\n  replacement: warn\n\
                    environments:\n  prod:\n    risks: {removal: deny, iam_change: approval}\n";
    let settings = Settings::parse(text.as_bytes()).unwrap();
    let told = |environment| {
        let (values, _) = settings.choose(environment, None).unwrap();
        let choices = values.risks.0.into_iter();
        let choices = choices.map(|(r, c)| format!("{r} {} {}", c.setting.as_str(), c.place));
        choices.collect::<Vec<_>>()
    };
    let below = [
        "removal off stackgate.yaml:2:12",
        "replacement warn stackgate.yaml:3:16",
    ];
    assert_eq!(told(None), below);
    assert_eq!(
        told(Some("prod")),
        [
            "iam_change approval stackgate.yaml:6:40",
            "removal deny stackgate.yaml:6:22",
            "replacement warn stackgate.yaml:3:16"
        ]
    );
}

#[test]
fn a_name_of_the_other_kind_is_recognised() {
    let said = |environment, set| example().choose(environment, set).unwrap_err().to_string();
    assert_eq!(
        said(None, Some("production")),
        "`--target-set production`: `stackgate.yaml` has no such target set; production is the name of its \
             environment: `--environment production`"
    );
    assert_eq!(
        said(Some("pilot"), None),
        "`--environment pilot`: `stackgate.yaml` has no such environment; pilot is the name of its target set: \
             `--target-set pilot`"
    );
}

#[test]
fn the_nearer_value_wins() {
    let text = "defaults: {regions: [eu-west-1], profile: low, tags: {A: low, B: low}}\n\
                    targetSets:\n  all: {regions: [us-east-1]}\n\
                    environments:\n  prod: {targets: all, profile: high, tags: {A: high}}\n";
    let settings = Settings::parse(text.as_bytes()).unwrap();
    let (values, _) = settings.choose(Some("prod"), None).unwrap();
    assert_eq!(
        values.regions,
        Some(vec![Region::new("us-east-1").unwrap()])
    );
    assert_eq!(values.profile.as_deref(), Some("high"));
    let tags: Vec<(&str, &str)> = values
        .tags
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(tags, [("A", "high"), ("B", "low")]);
}
