//! Inputs: what is in the repository, damaged; and what somebody might write to do harm.

use std::fs;
use std::path::Path;

use fastrand::Rng;
use stackgate::template::{Forms, Template};

use super::harm::harm;

/// Values that parameters may have.
pub const VALUES: &[&str] = &[
    "",
    "x",
    "a,b",
    ",",
    "12",
    "0755",
    "-1.5",
    "true",
    "no",
    "${A}",
    "${",
    "{{resolve:ssm:x}}",
    "10.0.0.0/16",
    "2001:db8::/56",
    "\u{202e}ü\u{1b}[0m",
    "a\nb",
    "arn:aws:sns:eu-west-1:111111111111:t",
    "test",
];

/// Pieces of YAML, JSON and CloudFormation.
const TOKENS: &[&str] = &[
    ": ",
    "- ",
    "? ",
    "| ",
    "|-\n",
    ">+2\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: ",
    "!",
    "!!str ",
    "!!binary ",
    "!!map ",
    "!<tag:yaml.org,2002:str> ",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "---\n",
    "...\n",
    "# c\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{0}",
    "\u{7f}",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\x",
    "~",
    "null",
    "true",
    "yes",
    "1e999",
    "0x",
    "-",
    ".",
    "Fn::",
    "!Ref ",
    "!Sub ",
    "!Sub '${A}${B.C}${!D}${'",
    "!GetAtt A.B",
    "!GetAtt [A, B]",
    "!If [C, ",
    "!Join ['', [",
    "!Select [0, ",
    "!Split [',', ",
    "!FindInMap [M, a, b]",
    "!Base64 ",
    "!Cidr [10.0.0.0/8, 256, 8]",
    "!ToJsonString ",
    "!Length ",
    "!Equals [a, b]",
    "!And [",
    "!Not [",
    "!Condition C",
    "!ImportValue ",
    "!GetAZs ''",
    "!Transform {Name: X}",
    "Fn::ForEach::L: [N, [a, b], {'K${N}': !Ref N}]",
    "Fn::Transform",
    "AWS::NoValue",
    "AWS::Region",
    "AWS::LanguageExtensions",
    "AWS::SSM::Parameter::Value<String>",
    "CommaDelimitedList",
    "{{resolve:secretsmanager:x}}",
    "Resources",
    "Parameters",
    "Conditions",
    "Mappings",
    "Outputs",
    "Transform",
    "Type",
    "Properties",
    "DependsOn",
    "Default",
    "NoEcho",
    "AllowedPattern",
    "'^(a+)+$'",
    "'(((((a{99}){99}){99}){99}'",
    "AllowedValues",
    "Tags",
    "StackPolicy",
    "ParameterKey",
    "ParameterValue",
    "UsePreviousValue",
    "Fn::GetParam",
    "targetSets",
    "environments",
    "defaults",
];

/// A template in which everything refers to everything, for expressions by chance.
pub const HEAD: &str = "Transform: AWS::LanguageExtensions
Parameters: {A: {Type: String}, B: {Type: Number, Default: 1}, L: {Type: CommaDelimitedList, Default: 'a,b'}, S: {Type: String, NoEcho: true}}
Mappings: {M: {x: {v: 1}, test: {v: [p, q]}}}
Conditions: {C: !Equals [!Ref A, test], D: !Not [!Condition C]}
Resources:
  R: {Type: A::B, Condition: C}
  S: {Type: A::B, DependsOn: R, Properties: {V: ";

/// What inputs are made from.
pub struct Inputs {
    files: Vec<Vec<u8>>,
    words: Vec<String>,
}

impl Inputs {
    /// Returns the samples, what the tests compare with, and the words of the tables.
    pub fn of_the_repository() -> Inputs {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        for folder in [
            "templates",
            "parameter-overrides",
            "src/template/snapshots",
            "src/template/evaluate/snapshots",
            "docs",
        ] {
            let entries = fs::read_dir(root.join(folder)).unwrap();
            let mut paths: Vec<_> = entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file())
                .collect();
            // Not as the file system has them, or a seed would be another input elsewhere.
            paths.sort();
            for path in paths {
                let text = fs::read_to_string(path).unwrap();
                if folder == "docs" {
                    files.extend(blocks(&text));
                } else {
                    let body = text.rsplit("\n---\n").next().unwrap_or(&text);
                    files.push(body.as_bytes().to_vec());
                }
            }
        }
        assert!(
            files.len() > 15,
            "{} files are there to begin with",
            files.len()
        );
        let json = files
            .iter()
            .filter_map(|file| Template::parse("f.yaml", file).ok());
        let json: Vec<_> = json
            .flat_map(|file| [file.root().to_json(), file.root().to_yaml(Forms::Long)])
            .collect();
        files.extend(json.into_iter().map(String::into_bytes));
        let table = fs::read_to_string(root.join("src/template/table.rs")).unwrap();
        let written = |line: &str| {
            Some(
                line.trim()
                    .strip_prefix("(\"")?
                    .split_once("\", ")?
                    .0
                    .replace("\\n", "\n")
                    .replace("\\\"", "\""),
            )
        };
        let words: Vec<String> = table.lines().filter_map(written).collect();
        assert!(words.len() > 80, "the tables have {} words", words.len());
        let words = words
            .into_iter()
            .chain(TOKENS.iter().chain(VALUES).map(|word| (*word).to_owned()));
        Inputs {
            files,
            words: words.collect(),
        }
    }

    /// Returns the input of a number, always the same.
    pub fn make(&self, number: u64) -> Vec<u8> {
        let mut rng = Rng::with_seed(number);
        let mut input = match rng.u8(..20) {
            0..10 => self.file(&mut rng).to_vec(),
            10..12 => self.splice(&mut rng),
            12..14 => self.tokens(&mut rng),
            14..18 => self.expression(&mut rng),
            _ => harm(&mut rng),
        };
        if rng.u8(..8) > 2 {
            for _ in 0..1_usize << rng.u8(..4) {
                self.damage(&mut rng, &mut input);
            }
        }
        input
    }

    fn file(&self, rng: &mut Rng) -> &[u8] {
        &self.files[rng.usize(..self.files.len())]
    }

    fn word(&self, rng: &mut Rng) -> &str {
        &self.words[rng.usize(..self.words.len())]
    }

    fn splice(&self, rng: &mut Rng) -> Vec<u8> {
        let mut lines = Vec::new();
        for _ in 0..rng.usize(2..5) {
            let file = self.file(rng);
            let of: Vec<_> = file.split_inclusive(|byte| *byte == b'\n').collect();
            let from = rng.usize(..of.len().max(1));
            lines.extend(of.into_iter().skip(from).take(rng.usize(1..20)));
        }
        lines.concat()
    }

    fn tokens(&self, rng: &mut Rng) -> Vec<u8> {
        let mut text = String::new();
        for _ in 0..rng.usize(1..120) {
            text.push_str(self.word(rng));
            text.push_str(["", " ", "\n", "\n  ", ": ", ", "][rng.usize(..6)]);
        }
        text.into_bytes()
    }

    /// A template around an expression; the damage comes later.
    fn expression(&self, rng: &mut Rng) -> Vec<u8> {
        let expression = self.nested(rng, 6);
        format!(
            "{HEAD}{expression}}}}}\nOutputs: {{O: {{Value: {}}}}}\n",
            self.nested(rng, 3)
        )
        .into_bytes()
    }

    fn nested(&self, rng: &mut Rng, depth: u32) -> String {
        let name = [
            "A",
            "B",
            "L",
            "S",
            "R",
            "N",
            "AWS::Region",
            "AWS::NoValue",
            "AWS::StackId",
        ][rng.usize(..9)];
        if depth == 0 || rng.u8(..5) == 0 {
            return match rng.u8(..5) {
                0 => format!("{{Ref: '{name}'}}"),
                1 => format!("{{Fn::GetAtt: [{name}, Arn]}}"),
                2 => format!("{{Fn::Sub: 'a${{{name}}}${{R.Arn}}${{!{name}}}'}}"),
                3 => format!(
                    "'{}'",
                    self.word(rng).replace('\'', "''").replace('\n', " ")
                ),
                _ => [
                    "x",
                    "12",
                    "0755",
                    "true",
                    "''",
                    "10.0.0.0/16",
                    "~",
                    "[]",
                    "{}",
                ][rng.usize(..9)]
                .to_owned(),
            };
        }
        let function = rng.u8(..17);
        let one = self.nested(rng, depth - 1);
        let other = self.nested(rng, depth - 1);
        match function {
            0 => format!("{{Fn::If: [C, {one}, {other}]}}"),
            1 => format!("{{Fn::If: [D, {one}, {other}]}}"),
            2 => format!("{{Fn::Join: [{one}, [{other}, b]]}}"),
            3 => format!("{{Fn::Join: ['-', {one}]}}"),
            4 => format!("{{Fn::Select: [{}, [{one}, {other}]]}}", rng.u8(..4)),
            5 => format!("{{Fn::Select: [{one}, {other}]}}"),
            6 => format!("{{Fn::Split: [',', {one}]}}"),
            7 => format!("{{Fn::Sub: ['${{V}}${{V}}-${{A}}', {{V: {one}, W: {other}}}]}}"),
            8 => format!("{{Fn::FindInMap: [M, {one}, v, {{DefaultValue: {other}}}]}}"),
            9 => format!("{{Fn::Cidr: [10.0.0.0/16, {one}, 4]}}"),
            10 => format!("{{Fn::Base64: {one}}}"),
            11 => format!("{{Fn::ToJsonString: {{k: {one}, l: [{other}]}}}}"),
            12 => format!("{{Fn::Length: {one}}}"),
            13 => format!("{{Fn::ForEach::F{depth}: [N, [{one}, a, b], {{'K${{N}}': {other}}}]}}"),
            14 => format!("{{Fn::Transform: {{Name: X, Parameters: {{P: {one}}}}}, k: {other}}}"),
            15 => format!("[{one}, {other}]"),
            _ => format!("{{k: {one}, m: {other}}}"),
        }
    }

    fn damage(&self, rng: &mut Rng, input: &mut Vec<u8>) {
        let at = rng.usize(..=input.len());
        let end = (at + rng.usize(..64)).min(input.len());
        match rng.u8(..14) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
            1 if at < input.len() => input[at] = rng.u8(..),
            2 => drop(input.drain(at..end)),
            3 => {
                let copy = input[at..end].to_vec();
                let to = rng.usize(..=input.len());
                input.splice(to..to, copy);
            }
            4..8 => {
                let word = self.word(rng).as_bytes().to_vec();
                input.splice(at..at, word);
            }
            8 => input.truncate(at),
            9 => {
                let lines: Vec<_> = input.split(|byte| *byte == b'\n').collect();
                let break_as: &[u8] = if rng.bool() { b"\r\n" } else { b"\r" };
                *input = lines.join(break_as);
            }
            10 => drop(input.splice(..0, "\u{feff}".bytes())),
            11 => drop(input.splice(at..at, *b"\xff\xc3\xed\xa0\x80")),
            12 => {
                // One line is indented, or no longer.
                let begin = input[..at]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |at| at + 1);
                if rng.bool() {
                    input.splice(begin..begin, *b"  ");
                } else if input[begin..].starts_with(b"  ") {
                    input.drain(begin..begin + 2);
                }
            }
            _ => {
                let other = self.file(rng).to_vec();
                input.extend(b"\n---\n");
                input.extend(other);
            }
        }
    }
}

/// Returns the examples in a page: what stands between fences.
fn blocks(page: &str) -> Vec<Vec<u8>> {
    let parts = page.split("```").skip(1).step_by(2);
    parts
        .filter_map(|part| Some(part.split_once('\n')?.1.as_bytes().to_vec()))
        .collect()
}
