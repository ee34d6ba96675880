//! What a scalar means. Nothing is resolved before somebody needs it, and what readers of YAML disagree about is said.

use std::borrow::Cow;

use super::node::Scalar;

/// What a scalar means to CloudFormation, which reads YAML 1.1 without dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScalarValue<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, with its digits as they are written; as JSON has it.
    Number(Cow<'a, str>),
    /// A text.
    Text(&'a str),
}

/// Why a scalar without quotes may mean something else than what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ambiguity {
    /// `0755`: digits behind a zero are an octal number to YAML 1.1.
    Octal,
    /// `0o7`, `0b11`: a number to some versions of YAML.
    Base,
    /// `yes`, `off`: booleans to YAML 1.1.
    Boolean,
    /// `22:22`: a number to the base of 60 to YAML 1.1.
    Sexagesimal,
    /// `1_000`: a number with separators to YAML 1.1.
    Separators,
    /// `1e3`, `6e7890`: a number to most readers.
    Exponent,
    /// `1.10`: as a number it is `1.1`.
    TrailingZero,
    /// `.5`, `1.`, `.inf`: numbers to YAML alone.
    Float,
}

impl Ambiguity {
    /// Returns what a reader may take the text for.
    pub fn reading(self) -> &'static str {
        match self {
            Self::Octal => "an octal number",
            Self::Base => "a number to another base",
            Self::Boolean => "true or false",
            Self::Sexagesimal => "a number to the base of 60",
            Self::Separators => "a number without its underscores",
            Self::Exponent => "a number with an exponent",
            Self::TrailingZero => "a number without its last zero",
            Self::Float => "a number",
        }
    }
}

impl Scalar {
    /// Returns what it means. Where readers disagree, the text as it is written counts; [`Scalar::ambiguity`] says so.
    pub fn value(&self) -> ScalarValue<'_> {
        let text = self.text.as_str();
        if !self.plain {
            return ScalarValue::Text(text);
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return ScalarValue::Null,
            "true" | "True" | "TRUE" => return ScalarValue::Bool(true),
            "false" | "False" | "FALSE" => return ScalarValue::Bool(false),
            _ => {}
        }
        if !may_be_number(text) {
            return ScalarValue::Text(text);
        }
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        if is_json_number(unsigned) {
            return ScalarValue::Number(Cow::Borrowed(unsigned));
        }
        let hexadecimal = text.strip_prefix("0x");
        match hexadecimal.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            Some(number) => ScalarValue::Number(Cow::Owned(number.to_string())),
            None => ScalarValue::Text(text),
        }
    }

    /// Returns why it may not mean what is written, if that is so.
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        let text = self.text.as_str();
        if !self.plain {
            return None;
        }
        if (2..=3).contains(&text.len())
            && ["yes", "no", "on", "off"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word))
        {
            return Some(Ambiguity::Boolean);
        }
        if !may_be_number(text) {
            return None;
        }
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let bytes = unsigned.as_bytes();
        let is_digit = |byte: &u8| byte.is_ascii_digit();
        if bytes.len() > 1 && bytes[0] == b'0' && bytes.iter().all(|b| (b'0'..=b'7').contains(b)) {
            return Some(Ambiguity::Octal);
        }
        if unsigned.starts_with("0o") || unsigned.starts_with("0b") {
            let digits = &bytes[2..];
            return (!digits.is_empty() && digits.iter().all(is_digit)).then_some(Ambiguity::Base);
        }
        if unsigned.contains(':') {
            let mut parts = unsigned.split(':');
            let first = parts.next().unwrap_or_default();
            let is_first = first
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_digit() && b != b'0')
                && first.bytes().all(|b| b.is_ascii_digit());
            let is_rest = parts.all(|part| {
                (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok_and(|value| value < 60)
            });
            return (is_first && is_rest).then_some(Ambiguity::Sexagesimal);
        }
        if unsigned.contains('_') {
            let all = bytes
                .iter()
                .all(|b| b.is_ascii_digit() || *b == b'_' || *b == b'.');
            return (all && is_digit(&bytes[0])).then_some(Ambiguity::Separators);
        }
        if is_json_number(unsigned) {
            if unsigned.contains(['e', 'E']) {
                return Some(Ambiguity::Exponent);
            }
            let (_, fraction) = unsigned.split_once('.')?;
            return (fraction.len() > 1 && fraction.ends_with('0'))
                .then_some(Ambiguity::TrailingZero);
        }
        let is_float = match unsigned.split_once('.') {
            Some(("", "inf" | "Inf" | "INF" | "nan" | "NaN" | "NAN")) => true,
            Some((whole, fraction)) => {
                whole.len() + fraction.len() > 0
                    && (whole.is_empty() || fraction.is_empty())
                    && whole
                        .bytes()
                        .chain(fraction.bytes())
                        .all(|b| b.is_ascii_digit())
            }
            None => false,
        };
        is_float.then_some(Ambiguity::Float)
    }
}

/// Returns whether a look at the first byte leaves the possibility of a number, to be done with most texts quickly.
fn may_be_number(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Returns whether `text` is a number as JSON writes them.
pub(super) fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
