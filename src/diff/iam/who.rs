//! Whether a condition limits who may do something.
//!
//! It goes by what AWS itself calls not public in its access blocks: a condition on accounts, organizations, principals,
//! ARNs, networks or addresses with values that are fixed. Others, such as `aws:SecureTransport` or `s3:x-amz-acl`, limit
//! how something is done, which anybody can comply with.

use serde_json::Value;

use crate::diff::addresses::{Block, Breadth, breadth};
use crate::diff::value::MARKER;

/// How a condition limits who may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// Anybody can meet it.
    Nobody,
    /// What is known only at execution decides.
    Unknown,
    /// Only some can meet it.
    Some,
}

/// What the values of a key have to be so that they limit who.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fixed {
    /// No wildcard at all.
    Whole,
    /// An ARN with a fixed account, or one without any and a fixed name, such as that of a bucket.
    Account,
    /// The organization at the beginning of a path.
    Organization,
    /// Blocks of addresses that are not much of the internet.
    Addresses,
    /// The flag has to be set.
    True,
}

/// Keys that say who it is, or from where, in small letters.
const KEYS: [(&str, Fixed); 26] = [
    ("aws:principalaccount", Fixed::Whole),
    ("aws:principalarn", Fixed::Account),
    ("aws:principalorgid", Fixed::Whole),
    ("aws:principalorgpaths", Fixed::Organization),
    ("aws:sourceaccount", Fixed::Whole),
    ("aws:sourcearn", Fixed::Account),
    ("aws:sourceip", Fixed::Addresses),
    ("aws:sourceorgid", Fixed::Whole),
    ("aws:sourceorgpaths", Fixed::Organization),
    ("aws:sourceowner", Fixed::Whole),
    ("aws:sourcevpc", Fixed::Whole),
    ("aws:sourcevpcarn", Fixed::Account),
    ("aws:sourcevpce", Fixed::Whole),
    ("aws:userid", Fixed::Whole),
    ("aws:vpceaccount", Fixed::Whole),
    ("aws:vpceorgid", Fixed::Whole),
    ("aws:vpceorgpaths", Fixed::Organization),
    ("ec2:sourceinstancearn", Fixed::Account),
    ("elasticfilesystem:accessedviamounttarget", Fixed::True),
    ("elasticfilesystem:accesspointarn", Fixed::Account),
    ("kms:calleraccount", Fixed::Whole),
    ("lambda:sourcefunctionarn", Fixed::Account),
    ("s3:dataaccesspointaccount", Fixed::Whole),
    ("s3:dataaccesspointarn", Fixed::Account),
    (
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        Fixed::Account,
    ),
    ("sns:sourceowner", Fixed::Whole),
];

/// Returns how a condition limits who; each of its parts has to be met, so that one of them is enough.
pub(super) fn limit(condition: Option<&Value>) -> Limit {
    match condition {
        None => Limit::Nobody,
        Some(Value::Object(operators)) => {
            let parts = operators.iter().map(|(operator, keys)| match keys {
                Value::Object(keys) if !operator.starts_with("Fn::") && operator != "Ref" => {
                    let keys = keys
                        .iter()
                        .map(|(key, values)| of_key(operator, key, values));
                    keys.max().unwrap_or(Limit::Nobody)
                }
                // A function makes the condition.
                _ => Limit::Unknown,
            });
            parts.max().unwrap_or(Limit::Nobody)
        }
        Some(Value::Null) => Limit::Nobody,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Limit::Unknown
        }
    }
}

/// Returns whether a key of a condition says who it is, or from where.
pub(in crate::diff) fn is_about_who(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    KEYS.iter().any(|(known, _)| *known == key)
}

fn of_key(operator: &str, key: &str, values: &Value) -> Limit {
    let key = key.to_ascii_lowercase();
    let Some((_, fixed)) = KEYS.iter().find(|(known, _)| *known == key) else {
        return Limit::Nobody;
    };
    // `ForAllValues:` and `IfExists` are met where there is no such key; a negation is met by all others.
    let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
    let is_asked = match operator {
        "StringEquals" | "StringEqualsIgnoreCase" | "StringLike" | "ArnEquals" | "ArnLike" => {
            !matches!(fixed, Fixed::Addresses | Fixed::True)
        }
        "IpAddress" => *fixed == Fixed::Addresses,
        "Bool" => *fixed == Fixed::True,
        _ => false,
    };
    if !is_asked {
        return Limit::Nobody;
    }
    if *fixed == Fixed::Addresses {
        return of_addresses(values);
    }
    let items = match values {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    // One of the values has to be met: the weakest counts.
    let items = items.into_iter().map(|value| of_value(*fixed, value));
    items.min().unwrap_or(Limit::Nobody)
}

fn of_value(fixed: Fixed, value: &Value) -> Limit {
    let text = match value {
        Value::String(text) => text.replace(MARKER, "x"),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Object(function) => return of_function(fixed, function),
        Value::Null | Value::Array(_) => return Limit::Nobody,
    };
    let is_wild = |text: &str| text.contains(['*', '?']);
    let is_fixed = |text: &str| !text.is_empty() && !is_wild(text);
    let limits = match fixed {
        Fixed::Whole => is_fixed(&text),
        Fixed::Organization => is_fixed(text.split('/').next().unwrap_or_default()),
        Fixed::True => text.eq_ignore_ascii_case("true"),
        Fixed::Addresses => false,
        Fixed::Account => {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            match parts[..] {
                [_, _, _, _, "", name] => is_fixed(name.split('/').next().unwrap_or_default()),
                [_, _, _, _, account, _] => is_fixed(account),
                // A reference that stands for the whole ARN, or no ARN.
                _ => is_fixed(&text),
            }
        }
    };
    match limits {
        true => Limit::Some,
        false => Limit::Nobody,
    }
}

/// A reference stands for something of its own; a text that is put together is looked at as far as it is written.
fn of_function(fixed: Fixed, function: &serde_json::Map<String, Value>) -> Limit {
    let Some((name, argument)) = function.iter().next() else {
        return Limit::Nobody;
    };
    match (name.as_str(), argument) {
        ("Ref", name) if name == "AWS::NoValue" => Limit::Nobody,
        ("Ref" | "Fn::GetAtt" | "Fn::ImportValue", _) => Limit::Some,
        ("Fn::Sub", Value::String(text)) => of_value(fixed, &Value::from(filled(text))),
        ("Fn::Sub", Value::Array(parts)) => match parts.first().and_then(Value::as_str) {
            Some(text) => of_value(fixed, &Value::from(filled(text))),
            None => Limit::Unknown,
        },
        ("Fn::Join", Value::Array(parts)) => match &parts[..] {
            [Value::String(between), Value::Array(items)] => {
                let texts = items.iter().map(|item| item.as_str().unwrap_or("x"));
                let text = texts.collect::<Vec<_>>().join(between);
                of_value(fixed, &Value::from(text))
            }
            _ => Limit::Unknown,
        },
        ("Fn::If", Value::Array(parts)) => {
            let branches = parts.iter().skip(1).map(|branch| of_value(fixed, branch));
            branches.min().unwrap_or(Limit::Unknown)
        }
        (_, _) => Limit::Unknown,
    }
}

/// Returns a text with something in the place of its variables.
fn filled(text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((_, after)) = after.split_once('}') else {
            break;
        };
        filled.push_str(before);
        filled.push('x');
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn of_addresses(values: &Value) -> Limit {
    let items = match values {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let mut blocks = Vec::new();
    let mut is_known = !items.is_empty();
    for item in items {
        match item.as_str().and_then(Block::of) {
            Some(block) => blocks.push(block),
            None => is_known = false,
        }
    }
    match (breadth(&blocks), is_known) {
        (Breadth::Wide | Breadth::World, _) => Limit::Nobody,
        (Breadth::Narrow, true) => Limit::Some,
        (Breadth::Narrow, false) => Limit::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_say_who_are_told_from_those_that_say_how() {
        use Limit::{Nobody, Some as Limited, Unknown};
        for (condition, wanted) in [
            (
                json!({"StringEquals": {"aws:SourceAccount": "111111111111"}}),
                Limited,
            ),
            (
                json!({"StringEquals": {"AWS:SourceOwner": 111_111_111_111_u64}}),
                Limited,
            ),
            (
                json!({"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}),
                Limited,
            ),
            (
                json!({"StringEquals": {"aws:PrincipalOrgID": {"Ref": "Org"}}}),
                Limited,
            ),
            (
                json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111111111111:*"}}),
                Limited,
            ),
            (
                json!({"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}}),
                Limited,
            ),
            (
                json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:s3:::{MARKER}")}}),
                Limited,
            ),
            (json!({"ArnLike": {"aws:SourceArn": MARKER}}), Limited),
            (
                json!({"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:aws:s3:::${Bucket}/*"}}}),
                Limited,
            ),
            (
                json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
                Limited,
            ),
            (
                json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/r-1/*"}}),
                Limited,
            ),
            (
                json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}}),
                Limited,
            ),
            (
                json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}),
                Limited,
            ),
            (
                json!({"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"kms:CallerAccount": "1"}}),
                Limited,
            ),
            // How, and not who.
            (json!({}), Nobody),
            (json!({"Bool": {"aws:SecureTransport": "true"}}), Nobody),
            (
                json!({"StringEquals": {"s3:x-amz-acl": "public-read"}}),
                Nobody,
            ),
            (
                json!({"StringEquals": {"aws:PrincipalTag/team": "a"}}),
                Nobody,
            ),
            (
                json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
                Nobody,
            ),
            (
                json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
                Nobody,
            ),
            (
                json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}),
                Nobody,
            ),
            // Operators that others meet.
            (
                json!({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}),
                Nobody,
            ),
            (
                json!({"StringNotEquals": {"aws:SourceAccount": "1"}}),
                Nobody,
            ),
            (
                json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-1/r-1/"}}),
                Nobody,
            ),
            (
                json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
                Nobody,
            ),
            (json!({"Null": {"aws:SourceVpce": "false"}}), Nobody),
            // Values that anybody has.
            (json!({"StringLike": {"aws:PrincipalOrgID": "*"}}), Nobody),
            (json!({"StringLike": {"aws:SourceVpce": "vpce-*"}}), Nobody),
            (
                json!({"StringEquals": {"aws:SourceAccount": ["1", "*"]}}),
                Nobody,
            ),
            (json!({"StringEquals": {"aws:SourceAccount": []}}), Nobody),
            (json!({"StringEquals": {"aws:SourceAccount": ""}}), Nobody),
            (
                json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}),
                Nobody,
            ),
            (
                json!({"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:aws:sns:*:*:${Name}"}}}),
                Nobody,
            ),
            (
                json!({"ArnLike": {"aws:SourceArn": {"Fn::Join": ["", ["arn:aws:s3:::", "*"]]}}}),
                Nobody,
            ),
            (
                json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Deploy"}}),
                Nobody,
            ),
            (
                json!({"StringEquals": {"aws:SourceAccount": {"Fn::If": ["A", "1", {"Ref": "AWS::NoValue"}]}}}),
                Nobody,
            ),
            (
                json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-1/*"}}),
                Nobody,
            ),
            (json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), Nobody),
            (
                json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}),
                Nobody,
            ),
            (
                json!({"IpAddress": {"aws:SourceIp": ["52.0.0.0/7", {"Ref": "Ip"}]}}),
                Nobody,
            ),
            (
                json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}}),
                Nobody,
            ),
            // Known only at execution.
            (
                json!({"IpAddress": {"aws:SourceIp": {"Ref": "Ip"}}}),
                Unknown,
            ),
            (
                json!({"Fn::If": ["A", {"StringEquals": {"aws:SourceAccount": "1"}}, {}]}),
                Unknown,
            ),
            (
                json!({"StringEquals": {"aws:SourceAccount": {"Fn::FindInMap": ["A", "B", "C"]}}}),
                Unknown,
            ),
            (json!("{{resolve:ssm:condition}}"), Unknown),
        ] {
            assert_eq!(limit(Some(&condition)), wanted, "{condition}");
        }
        assert_eq!(limit(None), Nobody);
    }

    #[test]
    fn variables_are_filled_in() {
        for (text, wanted) in [
            ("a${B}c${D.E}", "axcx"),
            ("${", "${"),
            ("a${b", "a${b"),
            ("", ""),
        ] {
            assert_eq!(filled(text), wanted);
        }
    }
}
