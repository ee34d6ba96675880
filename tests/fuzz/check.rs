//! What is done with an input, and what holds of it.

use std::collections::BTreeMap;

use fastrand::Rng;
use stackgate::model::LogicalId;
use stackgate::parameters::{parse_document, parse_override_file, parse_overrides};
use stackgate::template::{Forms, Known, Node, PathSegment, Template, validate};

use super::input::VALUES;

/// A template is not longer, nor is what is printed of one read again.
const LONGEST: usize = 1 << 20;

/// Gives an input to every reader, and returns whether it is a template, or what does not hold.
pub fn all(input: &[u8], number: u64) -> Result<bool, String> {
    for path in ["f.json", "f.yaml", "f"] {
        if let Err(error) = parse_override_file(path, input) {
            said(&error.to_string())?;
        }
    }
    if let Err(error) = parse_document("f.yaml", input) {
        said(&error.to_string())?;
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Err(error) = parse_overrides(text)
    {
        said(&error.to_string())?;
    }
    let findings = validate("f.yaml", input);
    for found in &findings.diagnostics {
        said(&found.message)?;
    }
    match Template::parse("f.yaml", input) {
        Ok(read) => template(&read, number).map(|()| true),
        Err(error) if findings.diagnostics.is_empty() => {
            Err(format!("it is no template, but nothing is found: {error}"))
        }
        Err(error) => said(&error.to_string()).map(|()| false),
    }
}

/// What is said to people can be shown to them.
fn said(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control() && *c != '\n') {
        Some(found) => Err(format!("a message holds {found:?}: {text:?}")),
        None => Ok(()),
    }
}

fn template(template: &Template, number: u64) -> Result<(), String> {
    let root = template.root();
    if !root.says_the_same_as(root) {
        return Err("it is not the same as itself".to_owned());
    }
    is_read_again(root, "the template")?;
    template.shown_text();
    template.required_capabilities();
    template.secret_outputs();
    let graph = template.graph();
    graph.circles(true);
    graph.circles(false);
    let path = ["Properties", "Tags"].map(|key| PathSegment::Key(key.to_owned()));
    for name in template.resources().keys().take(20) {
        graph.needs(name);
        graph.needed_by(name);
        if let Ok(id) = LogicalId::new(name.as_str()) {
            template.secrecy(&id, &path);
            template.property_position(&id, &path);
        }
    }
    template.unresolved(&Known::default());
    for known in [Known::default(), known(template, number)] {
        let evaluation = template.evaluate(&known);
        is_read_again(&evaluation.root, "the template as it is at a target")?;
        is_worked_out(&evaluation.root, &known)?;
        let given = known.parameters.into_iter();
        let given = given.map(|(name, value)| (name, ("f.json:1".to_owned(), Some(value))));
        for found in template.given(&given.collect()) {
            said(&found.message)?;
        }
    }
    Ok(())
}

/// Nothing more comes of working out again what was worked out.
fn is_worked_out(root: &Node, known: &Known) -> Result<(), String> {
    let printed = root.to_yaml(Forms::Long);
    // A template that was left as it is since it makes too much of itself would be left again at another place.
    if printed.len() >= LONGEST / 4 {
        return Ok(());
    }
    let Ok(again) = Template::parse("again.yaml", printed.as_bytes()) else {
        return Err(format!(
            "the template as it is at a target is none:\n{printed}"
        ));
    };
    let again = again.evaluate(known).root;
    let place = differs(root, &again);
    place.map_or(Ok(()), |place| {
        Err(format!("working it out again makes it another: {place}"))
    })
}

/// What is printed is read as the same.
fn is_read_again(root: &Node, what: &str) -> Result<(), String> {
    for (form, printed) in [
        ("short YAML", root.to_yaml(Forms::Short)),
        ("long YAML", root.to_yaml(Forms::Long)),
        ("JSON", root.to_json()),
    ] {
        // Values in blocks take more room than those in brackets.
        if printed.len() >= LONGEST {
            continue;
        }
        match Template::parse("again.yaml", printed.as_bytes()) {
            // JSON has no word for what YAML readers disagree about.
            Ok(again) if form == "JSON" && again.root().to_json() == printed => Ok(()),
            Ok(again) => match differs(root, again.root()) {
                Some(place) => Err(format!("{what} as {form} is read as another: {place}")),
                None => Ok(()),
            },
            Err(error) => {
                let line = printed.lines().nth(error.position.line as usize - 1);
                Err(format!("{what} as {form} is not read: {error} in {line:?}"))
            }
        }?;
    }
    Ok(())
}

/// Returns where two trees differ, and in what.
fn differs(one: &Node, other: &Node) -> Option<String> {
    if one.says_the_same_as(other) {
        return None;
    }
    if let (Some(one), Some(other)) = (one.items(), other.items())
        && one.len() == other.len()
    {
        let mut pairs = one.iter().zip(other).enumerate();
        return pairs
            .find_map(|(at, (one, other))| Some(format!("[{at}]{}", differs(one, other)?)));
    }
    if let (Some(one), Some(other)) = (one.entries(), other.entries())
        && one.keys().eq(other.keys())
    {
        let mut pairs = one.iter().zip(other.values());
        return pairs.find_map(|((key, one), other)| {
            Some(format!(".{key}{}", differs(&one.value, &other.value)?))
        });
    }
    Some(format!(" is {:?} and {:?}", one.kind, other.kind))
}

/// Returns what may be known of a target.
fn known(template: &Template, number: u64) -> Known {
    let mut rng = Rng::with_seed(!number);
    let mut value = || VALUES[rng.usize(..VALUES.len())].to_owned();
    let names = template.parameters().keys();
    let mut parameters: BTreeMap<String, String> =
        names.map(|name| (name.clone(), value())).collect();
    let (account, region) = (Some(value()), Some("eu-west-1".to_owned()));
    let mut is_left_out = |_: &String, _: &mut String| rng.u8(..4) > 0;
    parameters.retain(|name, value| is_left_out(name, value));
    Known {
        parameters,
        account,
        region,
        partition: Some("aws".to_owned()),
        stack_name: Some("app".to_owned()),
    }
}
