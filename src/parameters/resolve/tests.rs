//! Tests of `resolve`.

use proptest::prelude::*;

use super::*;
use crate::parameters::parse_override_file;
use crate::template::{Constraints, Position};

struct World {
    declared: IndexMap<String, ParameterDeclaration>,
    files: Vec<(Layer, OverrideFile)>,
    overrides: IndexMap<String, String>,
    origins: BTreeMap<String, OverrideLine>,
    flags: BTreeMap<String, &'static str>,
    secrets: BTreeMap<String, SecretRef>,
    allow: bool,
    previous: Vec<String>,
    tags: BTreeMap<String, String>,
}

impl World {
    /// Returns a world whose template declares `Plain`, `Chosen` (with a default) and `Secret`.
    fn new() -> Self {
        let declared = [
            ("Plain", None, false),
            ("Chosen", Some("default"), false),
            ("Secret", None, true),
        ];
        let declared = declared
            .into_iter()
            .enumerate()
            .map(|(i, (name, default, no_echo))| {
                let declaration = ParameterDeclaration {
                    name: name.to_owned(),
                    parameter_type: "String".to_owned(),
                    default: default.map(str::to_owned),
                    no_echo,
                    constraints: Constraints::default(),
                    position: Position {
                        line: 10 + i as u32,
                        column: 3,
                    },
                };
                (name.to_owned(), declaration)
            })
            .collect();
        Self {
            declared,
            files: Vec::new(),
            overrides: IndexMap::new(),
            origins: BTreeMap::new(),
            flags: BTreeMap::new(),
            secrets: BTreeMap::new(),
            allow: false,
            previous: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    fn file(mut self, layer: Layer, json: &str) -> Self {
        let path = format!("p/{layer:?}.json");
        let file = parse_override_file(&path, json.as_bytes()).unwrap();
        self.files.push((layer, file));
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.overrides.insert(name.to_owned(), value.to_owned());
        self
    }

    fn secret(mut self, name: &str, reference: &str) -> Self {
        self.secrets
            .insert(name.to_owned(), reference.parse().unwrap());
        self
    }

    fn previous(mut self, names: &[&str]) -> Self {
        self.previous = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    fn resolve(&self) -> Result<Resolved, ParameterError> {
        self.ask(|request| resolve(&request))
    }

    fn ask<T>(&self, question: impl FnOnce(Request<'_>) -> T) -> T {
        question(Request {
            declared: &self.declared,
            file: "t.yaml",
            files: &self.files,
            overrides: &self.overrides,
            origins: &self.origins,
            flags: &self.flags,
            secrets: &self.secrets,
            allow_literal_secrets: self.allow,
            previous: &self.previous,
            tags: &self.tags,
            artifact: &ArtifactName::from("Source"),
            looked_up: None,
        })
    }

    /// Returns the value of a parameter and where it came from, in short.
    fn value(&self, name: &str) -> String {
        let resolved = self.resolve().unwrap();
        let found = resolved.parameters.iter().find(|p| p.name == name).unwrap();
        let Provenance {
            layer, file, line, ..
        } = &found.provenance;
        let place = match (file, line) {
            (Some(file), Some(line)) => format!(" {file}:{line}"),
            _ => String::new(),
        };
        format!("{:?} {layer:?}{place}", found.value)
    }

    fn errors(&self) -> Vec<String> {
        let error = self.resolve().unwrap_err();
        error.problems().iter().map(|e| e.to_string()).collect()
    }
}

fn export(name: &str) -> Lookup {
    Lookup {
        what: crate::model::LookedUp::Export(name.to_owned()),
        region: None,
    }
}

const LOOKED_UP: &str = r#"{"Plain": {"Export": "weak"}, "Chosen": {"Export": "other"}}"#;

#[test]
fn an_override_from_a_file_names_its_line() {
    let mut world = World::new().set("Plain", "1").set("Chosen", "2");
    let origin = |line| OverrideLine {
        file: "stackgate.yaml".to_owned(),
        line,
    };
    world.origins.insert("Plain".to_owned(), origin(12));
    world.previous.push("Secret".to_owned());
    assert_eq!(
        world.value("Plain"),
        "Plain(\"1\") Override stackgate.yaml:12"
    );
    assert_eq!(world.value("Chosen"), "Plain(\"2\") Override");
    // In messages, too.
    world = world.set("Secret", "x").set("Chosne", "3");
    world.origins.insert("Secret".to_owned(), origin(13));
    world.origins.insert("Chosne".to_owned(), origin(14));
    let errors = world.errors();
    for place in ["stackgate.yaml:13: ", "stackgate.yaml:14: "] {
        assert!(errors.iter().any(|e| e.starts_with(place)), "{errors:?}");
    }
}

#[test]
fn only_what_wins_is_looked_up() {
    let world = World::new()
        .file(Layer::Stack, LOOKED_UP)
        .file(Layer::Region, r#"{"Plain": {"Export": "strong"}}"#)
        .set("Chosen", "given");
    let wanted = world.ask(|request| lookups(&request));
    assert_eq!(
        wanted.keys().cloned().collect::<Vec<_>>(),
        [export("strong")]
    );
    assert_eq!(wanted[&export("strong")].to_string(), "p/Region.json:1");
}

#[test]
fn a_value_that_was_looked_up_counts_as_given() {
    let world = World::new()
        .file(Layer::Stack, LOOKED_UP)
        .secret("Secret", "prompt");
    let known = BTreeMap::from([
        (export("weak"), "w".to_owned()),
        (export("other"), "o".to_owned()),
    ]);
    let resolved = world.ask(|request| {
        resolve(&Request {
            looked_up: Some(&known),
            ..request
        })
    });
    let parameters = resolved.unwrap().parameters;
    assert_eq!(parameters[0].value, ParameterValue::Plain("w".into()));
    assert_eq!(parameters[0].provenance.lookup, Some(export("weak")));
    assert_eq!(parameters[1].value, ParameterValue::Plain("o".into()));
}

#[test]
fn a_secret_is_not_looked_up() {
    let world = World::new().file(
        Layer::Stack,
        r#"{"Plain": "p", "Secret": {"SsmParameter": "/db"}}"#,
    );
    let errors = world.errors();
    assert!(errors[0].contains("`Secret` is `NoEcho`"), "{errors:?}");
    assert!(errors[0].contains("shown and stored"), "{errors:?}");
}

#[test]
fn weaker_layers_are_told_strongest_first() {
    let world = World::new()
        .file(Layer::Stack, r#"{"Plain": "p", "Chosen": "stack"}"#)
        .file(Layer::Account, r#"{"Chosen": {"Export": "x"}}"#)
        .file(Layer::AccountRegion, r#"{"Chosen": "winner"}"#)
        .secret("Secret", "prompt");
    let resolved = world.resolve().unwrap();
    let told: Vec<String> = world
        .ask(|request| overridden(&request, &resolved.parameters[1]))
        .iter()
        .map(|p| format!("{:?}", p.provenance.layer))
        .collect();
    assert_eq!(told, ["Account", "Stack", "TemplateDefault"]);
    assert!(
        world
            .ask(|request| overridden(&request, &resolved.parameters[0]))
            .is_empty()
    );
}

#[test]
fn a_value_that_is_given_has_to_meet_the_template() {
    let mut world = World::new()
        .file(Layer::Stack, "{\"Parameters\": {\n\"Plain\": \"prd\"}}")
        .set("Chosen", "A1")
        .secret("Secret", "env:S");
    let allow = |world: &mut World, name: &str, constraints| {
        world.declared[name].constraints = constraints;
    };
    let values = Constraints {
        allowed_values: Some(vec!["dev".to_owned(), "prod".to_owned()]),
        ..Constraints::default()
    };
    allow(&mut world, "Plain", values.clone());
    allow(&mut world, "Secret", values);
    let pattern = Constraints {
        allowed_pattern: Some("[a-z]+".to_owned()),
        ..Constraints::default()
    };
    allow(&mut world, "Chosen", pattern);
    assert_eq!(
        world.errors(),
        [
            "p/Stack.json:2: the value of parameter `Plain` is none of the allowed values; did you mean `prod`?",
            "`ParameterOverrides`: the value of parameter `Chosen` does not match the allowed pattern; the whole value has to match `[a-z]+`"
        ]
    );
    let world = world
        .set("Plain", "dev")
        .set("Chosen", "{{resolve:ssm:/a}}");
    assert!(world.resolve().is_ok());
}

#[test]
fn a_value_that_is_looked_up_is_judged_once_it_is_known() {
    let file = r#"{"Parameters": {"Plain": {"StackOutput": "network.VpcId"}}}"#;
    let mut world = World::new()
        .file(Layer::Stack, file)
        .secret("Secret", "env:S");
    world.declared["Plain"].constraints.min_length = Some("3".to_owned());
    let lookups = world.ask(|request| lookups(&request));
    let known = |text: &str| {
        lookups
            .keys()
            .map(|one| (one.clone(), text.to_owned()))
            .collect()
    };
    let is_taken = |looked_up: Option<&BTreeMap<Lookup, String>>| {
        world.ask(|request| {
            resolve(&Request {
                looked_up,
                ..request
            })
            .is_ok()
        })
    };
    assert!(is_taken(None));
    assert!(!is_taken(Some(&known("ab"))));
    assert!(is_taken(Some(&known("abc"))));
}

const ALL: &str = r#"{"Parameters": {"Plain": "p"}}"#;

#[test]
fn parameters_come_in_the_order_of_the_template() {
    let world = World::new()
        .file(Layer::Stack, ALL)
        .secret("Secret", "env:S");
    let names: Vec<_> = world.resolve().unwrap().parameters;
    let names: Vec<_> = names.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["Plain", "Chosen", "Secret"]);
    assert_eq!(world.value("Plain"), "Plain(\"p\") Stack p/Stack.json:1");
    assert_eq!(
        world.value("Chosen"),
        "Default(Some(\"default\")) TemplateDefault t.yaml:11"
    );
    assert_eq!(world.value("Secret"), "Secret(Env(\"S\")) Override");
}

#[test]
fn an_existing_stack_keeps_what_nothing_else_gives() {
    let world = World::new()
        .file(Layer::Stack, ALL)
        .previous(&["Plain", "Chosen", "Secret"]);
    assert!(world.value("Plain").starts_with("Plain("));
    assert_eq!(world.value("Chosen"), "Previous Previous");
    assert_eq!(world.value("Secret"), "Previous Previous");
}

#[test]
fn the_previous_value_can_be_asked_for_where_there_is_one() {
    let list = r#"[{"ParameterKey": "Plain", "UsePreviousValue": true}]"#;
    let world = World::new()
        .file(Layer::Stack, ALL)
        .file(Layer::Region, list)
        .secret("Secret", "prompt");
    assert_eq!(
        world.errors(),
        [
            "p/Region.json:1: parameter `Plain` asks for its previous value, but the stack has none; give a value"
        ]
    );
    let world = world.previous(&["Plain"]);
    assert_eq!(world.value("Plain"), "Previous Region p/Region.json:1");
}

#[test]
fn secrets_come_by_reference() {
    let literal = "{\"Parameters\": {\"Plain\": \"p\",\n\"Secret\": \"hunter2\"}}";
    let mut world = World::new().file(Layer::Stack, literal);
    assert_eq!(
        world.errors(),
        [
            "p/Stack.json:2: parameter `Secret` is `NoEcho`, expected a reference to its value and not the value; remove it there and give it with --secret Secret=env:VARIABLE, --secret Secret=file:PATH or --secret Secret=prompt, or allow it with --allow-literal-secrets"
        ]
    );
    world.allow = true;
    assert_eq!(
        world.value("Secret"),
        "Secret(Literal(ArtifactPath { artifact: ArtifactName(\"Source\"), path: \"p/Stack.json\" })) Stack p/Stack.json:2"
    );
    let world = world.secret("Secret", "file:s");
    assert_eq!(world.value("Secret"), "Secret(File(\"s\")) Override");
}

#[test]
fn a_secret_in_the_pipeline_definition_is_refused_even_if_literals_are_allowed() {
    let mut world = World::new()
        .file(Layer::Stack, ALL)
        .set("Secret", "hunter2");
    world.allow = true;
    let errors = world.errors();
    assert!(errors[0].starts_with("`ParameterOverrides`: parameter `Secret` is `NoEcho`"));
    assert!(!errors[0].contains("hunter2") && !errors[0].contains("--allow"));
    // A reference would win, but the definition is journalled as it is.
    assert_eq!(world.secret("Secret", "env:PW").errors().len(), 1);
}

#[test]
fn the_default_of_a_secret_is_not_told() {
    let mut world = World::new().file(Layer::Stack, ALL);
    world.declared["Secret"].default = Some("hunter2".to_owned());
    assert_eq!(
        world.value("Secret"),
        "Default(None) TemplateDefault t.yaml:12"
    );
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let world = World::new()
        .file(
            Layer::Account,
            "{\"Parameters\": {\n\"Plian\": \"p\",\n\"Vpc\": \"v\"}}",
        )
        .set("Chosne", "c")
        .set("Chosen", &"é".repeat(2049))
        .secret("Secrte", "env:S");
    let errors = world.errors().join("\n");
    insta::assert_snapshot!(errors);
}

#[test]
fn a_template_without_parameters_says_so() {
    let mut world = World::new().set("A", "1");
    world.declared.clear();
    assert_eq!(
        world.errors(),
        [
            "`ParameterOverrides`: parameter `A` is not declared in t.yaml; the template declares no parameters: remove it"
        ]
    );
}

#[test]
fn tags_are_merged_and_the_strongest_policy_counts_whole() {
    let mut world = World::new()
        .file(
            Layer::Account,
            r#"{"Tags": {"a": "account", "b": "account"}, "StackPolicy": {"Statement": ["b"]}}"#,
        )
        .file(
            Layer::Stack,
            r#"{"Parameters": {"Plain": "p"}, "Tags": {"a": "stack", "c": "stack"}, "StackPolicy": {"Statement": ["a"]}}"#,
        )
        .secret("Secret", "prompt");
    world.tags.insert("b".to_owned(), "flag".to_owned());
    let resolved = world.resolve().unwrap();
    let tags = resolved.tags.unwrap();
    let tags: Vec<_> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(tags, ["a=account", "b=flag", "c=stack"]);
    assert_eq!(
        resolved.stack_policy.as_deref(),
        Some(r#"{"Statement":["b"]}"#)
    );
}

proptest! {
    /// invariant: the strongest layer that gives a value wins, whatever the order of the files.
    #[test]
    fn the_strongest_layer_wins(
        given in proptest::collection::vec(any::<bool>(), 4),
        by_flag: bool,
        exists: bool,
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
    ) {
        let layers = [Layer::Stack, Layer::Region, Layer::Account, Layer::AccountRegion];
        let mut world = World::new().secret("Secret", "prompt").set("Plain", "p");
        for i in order {
            if given[i] {
                let json = format!(r#"{{"Parameters": {{"Chosen": "{:?}"}}}}"#, layers[i]);
                world = world.file(layers[i], &json);
            }
        }
        if by_flag {
            world = world.set("Chosen", "flag");
        }
        if exists {
            world = world.previous(&["Chosen"]);
        }
        let strongest = (0..4).rev().find(|i| given[*i]).map(|i| layers[i]);
        let expected = match (by_flag, strongest, exists) {
            (true, _, _) => "Plain(\"flag\") Override".to_owned(),
            (false, Some(layer), _) => {
                format!("Plain(\"{layer:?}\") {layer:?} p/{layer:?}.json:1")
            }
            (false, None, true) => "Previous Previous".to_owned(),
            (false, None, false) => {
                "Default(Some(\"default\")) TemplateDefault t.yaml:11".to_owned()
            }
        };
        prop_assert_eq!(world.value("Chosen"), expected);
    }
}
