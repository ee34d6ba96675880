//! Templates whose values are expressions by chance, from a seed.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// The values of the parameters.
pub const PARAMETERS: [(&str, &str); 4] = [
    ("A", "test"),
    ("B", "a-b-c"),
    ("N", "12"),
    ("L", "one,two,three"),
];

/// How many conditions there are.
const CONDITIONS: usize = 4;

/// What an emulator gets wrong in such a template.
pub type IsSpoilt<'a> = dyn Fn(&Value) -> bool + 'a;

/// Makes templates. `is_spoilt` are expressions that are not used.
pub struct Maker<'a> {
    pub rng: Rng,
    /// Whether the template has `AWS::LanguageExtensions`.
    pub has_extensions: bool,
    pub is_spoilt: &'a IsSpoilt<'a>,
}

impl Maker<'_> {
    /// Returns a template of so many values, each of them in an output and in a resource.
    pub fn template(&mut self, values: usize) -> Value {
        let mut conditions = Map::new();
        for number in 0..CONDITIONS {
            let condition = self.unspoilt(|this| this.condition(number, 2));
            conditions.insert(format!("C{number}"), condition);
        }
        let (mut resources, mut outputs) = (Map::new(), Map::new());
        resources.insert("Always".to_owned(), setting("always", json!("x")));
        for number in 0..values {
            let expression = self.unspoilt(|this| this.text(3));
            let mut output = json!({ "Value": expression });
            // A parameter may not be empty.
            let mut resource = setting(
                &number.to_string(),
                json!({ "Fn::Join": ["", ["=", expression]] }),
            );
            if number % 4 == 3 {
                let condition = self.condition_name();
                output["Condition"] = json!(condition);
                resource["Condition"] = json!(condition);
            }
            outputs.insert(format!("O{number}"), output);
            resources.insert(format!("R{number}"), resource);
        }
        let mut template = frame();
        template["Conditions"] = Value::Object(conditions);
        if self.has_extensions {
            template["Transform"] = json!("AWS::LanguageExtensions");
            let value = self.unspoilt(Self::text_of_item);
            let name = format!("loop-{}", self.rng.u64(..));
            resources.insert("Fn::ForEach::Settings".to_owned(), looped(&name, &value));
        }
        resources.append(&mut self.resources());
        template["Resources"] = Value::Object(resources);
        template["Outputs"] = Value::Object(outputs);
        template
    }

    pub(super) fn unspoilt(&mut self, make: impl Fn(&mut Self) -> Value) -> Value {
        loop {
            let expression = make(self);
            if !(self.is_spoilt)(&expression) {
                return expression;
            }
        }
    }

    pub(super) fn text_of_item(&mut self) -> Value {
        match self.rng.u8(..3) {
            0 => json!({ "Ref": "Item" }),
            1 => json!({ "Fn::Sub": "the ${Item}" }),
            _ => json!({ "Fn::Sub": "${Item}-${A}-${AWS::Region}" }),
        }
    }

    /// Returns an expression that is a text.
    pub(super) fn text(&mut self, depth: u32) -> Value {
        if depth == 0 {
            return self.leaf();
        }
        let extended = if self.has_extensions { 13 } else { 10 };
        match self.rng.u8(..extended) {
            0 => self.leaf(),
            1 | 2 => {
                let separator = ["", "-", ", "][self.rng.usize(..3)];
                json!({ "Fn::Join": [separator, self.list(depth - 1)] })
            }
            3 => json!({ "Fn::Select": [self.rng.u8(..1), self.list(depth - 1)] }),
            4 => json!({ "Fn::Select": [self.rng.u8(..3).to_string(), { "Ref": "L" }] }),
            5 => {
                let text = "${V}/${A}.${!B}${AWS::StackName}";
                json!({ "Fn::Sub": [text, { "V": self.text(depth - 1) }] })
            }
            6 => {
                let condition = self.condition_name();
                json!({ "Fn::If": [condition, self.text(depth - 1), self.text(depth - 1)] })
            }
            7 => self.mapped("v"),
            8 => json!({ "Fn::Base64": self.text(depth - 1) }),
            9 => {
                let blocks = self.blocks();
                json!({ "Fn::Select": [self.rng.u8(..2), blocks] })
            }
            10 => {
                let (text, list) = (self.text(depth - 1), self.list(depth - 1));
                json!({ "Fn::ToJsonString": { "z": text, "a": list } })
            }
            11 => json!({ "Fn::Length": self.counted() }),
            _ => {
                let default = self.text(depth - 1);
                json!({ "Fn::FindInMap": ["M", "absent", "v", { "DefaultValue": default }] })
            }
        }
    }

    fn leaf(&mut self) -> Value {
        match self.rng.u8(..4) {
            0 => json!(["x", "a-b", "ü€", "1.10", "0755", "yes"][self.rng.usize(..6)]),
            1 => json!({ "Fn::Sub": "${A}-${B}-${!A}-${AWS::Partition}" }),
            _ => {
                let names = [
                    "A",
                    "B",
                    "N",
                    "AWS::Region",
                    "AWS::AccountId",
                    "AWS::StackName",
                    "AWS::Partition",
                ];
                json!({ "Ref": names[self.rng.usize(..names.len())] })
            }
        }
    }

    /// Returns an expression that is a list of one item at least.
    fn list(&mut self, depth: u32) -> Value {
        match self.rng.u8(..6) {
            0 => json!({ "Ref": "L" }),
            1 => {
                let text = if depth == 0 {
                    self.leaf()
                } else {
                    self.text(depth - 1)
                };
                json!({ "Fn::Split": ["-", text] })
            }
            2 => self.mapped("l"),
            3 => self.blocks(),
            _ => {
                let depth = depth.saturating_sub(1);
                json!([self.text(depth), self.text(depth)])
            }
        }
    }

    /// Returns a list that is known when the template is transformed.
    fn counted(&mut self) -> Value {
        match self.rng.u8(..4) {
            0 => json!({ "Ref": "L" }),
            1 => json!({ "Fn::Split": ["-", { "Ref": "B" }] }),
            2 => json!({ "Fn::FindInMap": ["M", { "Ref": "A" }, "l"] }),
            _ => json!(["x", { "Ref": "N" }]),
        }
    }

    pub(super) fn mapped(&mut self, key: &str) -> Value {
        let name = ["A", "AWS::Region"][self.rng.usize(..2)];
        json!({ "Fn::FindInMap": ["M", { "Ref": name }, key] })
    }

    fn blocks(&mut self) -> Value {
        let (block, bits) = [
            ("10.0.0.0/16", 8),
            ("192.168.4.0/22", 4),
            ("2001:db8:12:3400::/56", 64),
        ][self.rng.usize(..3)];
        json!({ "Fn::Cidr": [block, self.rng.u8(2..5), bits] })
    }

    pub(super) fn condition_name(&mut self) -> String {
        format!("C{}", self.rng.usize(..CONDITIONS))
    }

    /// Returns a condition that names others only before it.
    fn condition(&mut self, number: usize, depth: u32) -> Value {
        let choice = if depth == 0 { 0 } else { self.rng.u8(..5) };
        match choice {
            1 => json!({ "Fn::Not": [self.condition(number, depth - 1)] }),
            2 | 3 => {
                let function = if choice == 2 { "Fn::And" } else { "Fn::Or" };
                let (one, other) = (
                    self.condition(number, depth - 1),
                    self.condition(number, depth - 1),
                );
                json!({ function: [one, other] })
            }
            4 if number > 0 => json!({ "Condition": format!("C{}", self.rng.usize(..number)) }),
            _ => {
                let names = ["A", "B", "N", "AWS::Region"];
                let values = ["test", "a-b-c", "12", "us-east-1"];
                json!({ "Fn::Equals": [{ "Ref": names[self.rng.usize(..4)] }, values[self.rng.usize(..4)]] })
            }
        }
    }
}

/// Returns a template with one value, whose conditions are `Here`, which holds, and `Gone`, which does not. A value that
/// names `Item` is in a loop.
pub fn around(expression: &Value) -> Value {
    let mut template = frame();
    let is = |region| json!({ "Fn::Equals": [{ "Ref": "AWS::Region" }, region] });
    template["Conditions"] = json!({ "Here": is("us-east-1"), "Gone": is("there") });
    template["Transform"] = json!("AWS::LanguageExtensions");
    if expression.to_string().contains("Item") {
        template["Resources"] = json!({ "Fn::ForEach::Settings": looped("seen", expression) });
        return template;
    }
    let value = json!({ "Fn::Join": ["", ["=", expression]] });
    template["Resources"] = json!({ "R0": setting("0", value) });
    template["Outputs"] = json!({ "O0": { "Value": expression } });
    template
}

/// Returns a loop of settings over `L`.
fn looped(name: &str, value: &Value) -> Value {
    let name = json!({ "Fn::Sub": format!("/{name}/${{Item}}") });
    let properties = json!({ "Name": name, "Type": "String", "Value": value });
    json!(["Item", { "Ref": "L" }, { "Loop${Item}": { "Type": "AWS::SSM::Parameter", "Properties": properties } }])
}

fn frame() -> Value {
    json!({
        "Parameters": {
            "A": { "Type": "String" },
            "B": { "Type": "String" },
            "N": { "Type": "Number" },
            "L": { "Type": "CommaDelimitedList" },
        },
        "Mappings": { "M": {
            "test": { "v": "mapped", "l": ["p", "q"] },
            "us-east-1": { "v": "here", "l": ["r"] },
        } },
    })
}

fn setting(name: &str, value: Value) -> Value {
    let name = json!({ "Fn::Sub": format!("/${{AWS::StackName}}/{name}") });
    json!({ "Type": "AWS::SSM::Parameter", "Properties": { "Name": name, "Type": "String", "Value": value } })
}
