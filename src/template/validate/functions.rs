//! Intrinsic functions: whether they exist, and have the arguments that they take.

use std::ops::RangeInclusive;

use super::super::node::{Node, NodeKind, substitutions};
use super::{Checker, Diagnostic, Rule};
use crate::model::nearest;

/// What a function takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A list of so many.
    List(usize, usize),
    /// A text.
    Text,
    /// Checked by hand.
    Own,
}

/// What functions take, as it is said, and an example.
#[rustfmt::skip] // A table.
const FUNCTIONS: [(&str, Takes, &str, &str); 18] = [
    ("Ref", Takes::Text, "the name of a parameter or resource", "!Ref Name"),
    ("Fn::And", Takes::List(2, 10), "2 to 10 conditions", "!And [!Condition A, !Condition B]"),
    ("Fn::Cidr", Takes::List(2, 3), "`[block, count, bits]`", "!Cidr [10.0.0.0/16, 4, 8]"),
    ("Fn::Contains", Takes::List(2, 2), "`[list, text]`", "Fn::Contains: [[a, b], a]"),
    ("Fn::EachMemberEquals", Takes::List(2, 2), "`[list, text]`", "Fn::EachMemberEquals: [[a, b], a]"),
    ("Fn::EachMemberIn", Takes::List(2, 2), "`[list, list]`", "Fn::EachMemberIn: [[a], [a, b]]"),
    ("Fn::Equals", Takes::List(2, 2), "`[one, other]`", "!Equals [!Ref Stage, production]"),
    ("Fn::FindInMap", Takes::Own, "`[map, key, key]`", "!FindInMap [Sizes, !Ref Stage, Memory]"),
    ("Fn::GetAtt", Takes::Own, "`Resource.Attribute`", "!GetAtt Queue.Arn"),
    ("Fn::If", Takes::List(3, 3), "`[condition, then, else]`", "!If [IsProduction, 3, 1]"),
    ("Fn::Join", Takes::List(2, 2), "`[separator, list]`", "!Join ['-', [a, b]]"),
    ("Fn::Not", Takes::List(1, 1), "`[condition]`", "!Not [!Condition IsProduction]"),
    ("Fn::Or", Takes::List(2, 10), "2 to 10 conditions", "!Or [!Condition A, !Condition B]"),
    ("Fn::RefAll", Takes::Text, "a type of parameter", "Fn::RefAll: AWS::EC2::VPC::Id"),
    ("Fn::Select", Takes::List(2, 2), "`[index, list]`", "!Select [0, [a, b]]"),
    ("Fn::Split", Takes::List(2, 2), "`[separator, text]`", "!Split [',', 'a,b']"),
    ("Fn::Sub", Takes::Own, "a text, or `[text, {Name: value}]`", "!Sub ['${Name}-queue', {Name: a}]"),
    ("Fn::ValueOf", Takes::List(2, 2), "`[parameter, attribute]`", "Fn::ValueOf: [Vpc, Tags.Name]"),
];

/// Known beside those above, without a check of their arguments.
const OTHERS: [&str; 9] = [
    "Condition",
    "Fn::Base64",
    "Fn::GetAZs",
    "Fn::GetStackOutput",
    "Fn::ImportValue",
    "Fn::Length",
    "Fn::ToJsonString",
    "Fn::Transform",
    "Fn::ValueOfAll",
];

impl<'t> Checker<'t> {
    pub(super) fn functions(&mut self) {
        for section in ["Rules", "Conditions", "Resources", "Outputs"] {
            if let Some(node) = self.root.value(section) {
                self.functions_in(node);
            }
        }
        if let Some(conditions) = self.names.section("Conditions") {
            for (name, entry) in conditions {
                self.condition(name, &entry.value);
            }
        }
    }

    fn condition(&mut self, name: &str, node: &'t Node) {
        let is_condition = node.intrinsic().is_some_and(|(function, _)| {
            matches!(
                function,
                "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::Equals" | "Condition" | "Fn::Transform"
            )
        });
        if is_condition || name.starts_with("Fn::") || node.is_null() {
            return;
        }
        let message = format!("condition `{name}` is {}, expected a function", what(node));
        let found = Diagnostic::error(Rule::Shape, self.source.of(node), message);
        self.say(found.help("use `!Equals`, `!And`, `!Or`, `!Not` or `!Condition`"));
    }

    fn functions_in(&mut self, node: &'t Node) {
        match &node.kind {
            NodeKind::Scalar(_) => {}
            NodeKind::Sequence(items) => items.iter().for_each(|item| self.functions_in(item)),
            NodeKind::Mapping(entries) => {
                if let Some((function, argument)) = node.intrinsic() {
                    self.function(function, argument);
                    self.functions_in(argument);
                    return;
                }
                for (key, entry) in entries {
                    let is_loop = key.starts_with("Fn::ForEach");
                    if is_loop && !self.names.has_extensions && !self.names.has_macros {
                        self.needs_extensions("Fn::ForEach", self.key(entry));
                    } else if key.starts_with("Fn::") && !is_loop && key != "Fn::Transform" {
                        let message = format!("`{key}` stands beside other keys");
                        let found = Diagnostic::error(Rule::Arguments, self.key(entry), message);
                        self.say(found.help("a function is the only key of its mapping"));
                    }
                    if key != "Metadata" {
                        self.functions_in(&entry.value);
                    }
                }
            }
        }
    }

    fn needs_extensions(&mut self, function: &str, span: super::Span) {
        let message = format!("`{function}` needs a transform");
        let found = Diagnostic::error(Rule::NeedsTransform, span, message);
        self.say(found.help("add `Transform: AWS::LanguageExtensions`"));
    }

    fn function(&mut self, function: &str, argument: &'t Node) {
        let found = FUNCTIONS.iter().find(|(name, ..)| *name == function);
        if found.is_none() && !OTHERS.contains(&function) {
            if !self.names.has_macros {
                self.unknown(function, argument);
            }
            return;
        }
        if argument.is_null() {
            // It is told as a null.
            return;
        }
        if matches!(function, "Fn::Length" | "Fn::ToJsonString")
            && !self.names.has_extensions
            && !self.names.has_macros
        {
            self.needs_extensions(function, self.source.at(argument.position));
        }
        let Some((_, takes, usage, _)) = found else {
            return;
        };
        match takes {
            Takes::Text => {
                let is_computed = self.names.has_extensions && argument.intrinsic().is_some();
                if argument.text().is_none() && !is_computed {
                    self.takes(function, argument, usage, what(argument).to_owned());
                }
            }
            Takes::List(least, most) => {
                self.list(function, argument, usage, *least..=*most);
            }
            Takes::Own => match function {
                "Fn::FindInMap" => {
                    let most = if self.names.has_extensions { 4 } else { 3 };
                    self.list(function, argument, usage, 3..=most);
                }
                "Fn::Sub" => self.sub(argument, usage),
                _ => match argument.items() {
                    Some([resource, _]) if resource.text().is_some() => {}
                    Some([resource, _])
                        if self.names.has_extensions && resource.intrinsic().is_some() => {}
                    Some(_) | None => {
                        self.takes(function, argument, usage, what(argument).to_owned())
                    }
                },
            },
        }
        self.elements(function, argument);
        if function == "Fn::If"
            && let Some(condition) = argument.items().and_then(<[Node]>::first)
            && condition.text().is_none()
        {
            let message = format!(
                "the condition of `Fn::If` is {}, expected a name",
                what(condition)
            );
            let found = Diagnostic::error(Rule::Arguments, self.source.of(condition), message);
            self.say(found.help("declare the condition in `Conditions` and name it here"));
        }
    }

    fn unknown(&mut self, function: &str, argument: &'t Node) {
        let message = format!("`{function}` is no function");
        let span = self.source.at(argument.position);
        let found = Diagnostic::error(Rule::UnknownFunction, span, message);
        // A tag such as `!Reff` was read as `Fn::Reff`, and `Ref` has no `Fn::`.
        let short = |name: &'static str| name.strip_prefix("Fn::").unwrap_or(name);
        let known = || FUNCTIONS.iter().map(|(name, ..)| *name).chain(OTHERS);
        let wanted = function.strip_prefix("Fn::").unwrap_or(function);
        let meant = nearest(wanted, known().map(short))
            .and_then(|meant| known().find(|name| short(name) == meant));
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "correct its name, or name the transform that knows it".to_owned(),
        };
        self.say(found.help(help));
    }

    /// Checks what stands in the list of arguments: where a list has to be, and where a number.
    fn elements(&mut self, function: &str, argument: &'t Node) {
        let Some([first, second]) = argument.items() else {
            return;
        };
        if function == "Fn::Select" {
            self.beyond(first, second);
        }
        let wrong = match function {
            "Fn::Join" | "Fn::Select" if !second.is_null() => self.no_list(second).map(|is| {
                (
                    second,
                    format!("the list of `{function}` is {is}, expected a list"),
                )
            }),
            "Fn::Split" if second.items().is_some() => Some((
                second,
                "the text of `Fn::Split` is a list, expected a text".to_owned(),
            )),
            _ => None,
        };
        let is_index = |text: &str| text.parse::<u32>().is_ok();
        let wrong = wrong.or_else(|| match (function, first.text()) {
            ("Fn::Select", Some(text)) if !first.is_null() && !is_index(text) => Some((
                first,
                format!("the index of `Fn::Select` is `{text}`, expected a number from 0"),
            )),
            ("Fn::Join" | "Fn::Split", None) if first.intrinsic().is_none() => Some((
                first,
                format!(
                    "the separator of `{function}` is {}, expected a text",
                    what(first)
                ),
            )),
            (_, _) => None,
        });
        let example = FUNCTIONS.iter().find(|(name, ..)| *name == function);
        if let (Some((node, message)), Some((.., example))) = (wrong, example) {
            let found = Diagnostic::error(Rule::Arguments, self.source.of(node), message);
            self.say(found.help(format!("write it as in `{example}`")));
        }
    }

    /// Says of an index that is beyond a list which stands in the template.
    fn beyond(&mut self, first: &'t Node, second: &'t Node) {
        let index = first.text().and_then(|text| text.parse::<usize>().ok());
        if let (Some(index), Some(items)) = (index, second.items())
            && index >= items.len()
            && !self.names.has_macros
        {
            let message = format!(
                "the index of `Fn::Select` is {index}, and the list has {}",
                match items.len() {
                    1 => "1 item".to_owned(),
                    count => format!("{count} items"),
                }
            );
            let found = Diagnostic::error(Rule::Arguments, self.source.of(first), message);
            self.say(found.help("counted from 0, the last item is one less than their number"));
        }
    }

    /// Returns what a value is that is certainly no list; nothing where it is one, or may be.
    fn no_list(&self, node: &'t Node) -> Option<String> {
        let Some((function, argument)) = node.intrinsic() else {
            return node.items().is_none().then(|| what(node).to_owned());
        };
        let is_text = match (function, argument.text()) {
            ("Ref", Some(name)) => match self.names.get("Parameters", name) {
                Some(entry) => {
                    let declared = entry.value.value("Type").and_then(Node::text);
                    declared.is_some_and(|declared| !declared.contains("List"))
                }
                None => self.names.get("Resources", name).is_some(),
            },
            ("Fn::Sub" | "Fn::Join" | "Fn::Base64" | "Fn::ToJsonString", _) => true,
            (_, _) => false,
        };
        is_text.then(|| format!("the text that `{function}` returns"))
    }

    fn list(
        &mut self,
        function: &str,
        argument: &'t Node,
        usage: &str,
        takes: RangeInclusive<usize>,
    ) {
        match argument.items() {
            Some(items) if takes.contains(&items.len()) => {}
            Some(items) => {
                let has = match items.len() {
                    1 => "1 argument".to_owned(),
                    count => format!("{count} arguments"),
                };
                self.takes(function, argument, usage, has);
            }
            // What a function returns is not known here.
            None if argument.intrinsic().is_some() && self.names.has_extensions => {}
            None => self.takes(function, argument, usage, what(argument).to_owned()),
        }
    }

    fn sub(&mut self, argument: &'t Node, usage: &str) {
        let (node, variables) = match argument.items() {
            Some([text, variables]) if variables.entries().is_some() => (text, variables.entries()),
            Some(_) => return self.takes("Fn::Sub", argument, usage, what(argument).to_owned()),
            None => (argument, None),
        };
        let Some(text) = node.text() else {
            return self.takes("Fn::Sub", argument, usage, what(node).to_owned());
        };
        for rest in text.split("${").skip(1) {
            if !rest.contains('}') {
                let message = "`${` is not closed";
                let found =
                    Diagnostic::error(Rule::Arguments, self.source.part(node, "${"), message);
                self.say(found.help("write `${Name}`, or `${!Name}` to keep it as it stands"));
                break;
            }
        }
        for (name, entry) in variables.into_iter().flatten() {
            if !substitutions(text).any(|used| used == name) {
                let message = format!("the text does not use `{name}`");
                let found = Diagnostic::warning(Rule::UnusedVariable, self.key(entry), message);
                self.say(found.help(format!("remove it, or write `${{{name}}}` in the text")));
            }
        }
    }

    fn takes(&mut self, function: &str, argument: &Node, usage: &str, has: String) {
        let message = format!("`{function}` has {has}, expected {usage}");
        let found = Diagnostic::error(Rule::Arguments, self.source.at(argument.position), message);
        let example = FUNCTIONS.iter().find(|(name, ..)| *name == function);
        let example = example.map_or("", |(.., example)| example);
        self.say(found.help(match (function, argument.text()) {
            ("Fn::GetAtt", Some(name)) => {
                format!("name the attribute, as in `!GetAtt {name}.Arn`, or use `!Ref {name}`")
            }
            _ => format!("write it as in `{example}`"),
        }));
    }
}

fn what(node: &Node) -> &'static str {
    match node.intrinsic() {
        Some(_) => "a function",
        None => node.kind_name(),
    }
}
