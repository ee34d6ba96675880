//! The protection from deletion that a resource has by itself is turned off.

use serde_json::Value;

use super::{Check, Rule, Subject};
use crate::diff::declared::is_true;
use crate::diff::judged::PROTECTION;
use crate::model::RiskLevel;

pub(super) const RULE: Rule = Rule {
    name: "deletion_protection",
    level: RiskLevel::Medium,
    explanation: "A resource refuses to be deleted or terminated, and does so no longer: `DeletionProtection`, \
                  `DeletionProtectionEnabled`, `DisableApiTermination` or the like is turned off.",
    check: Check::Resource(check),
};

/// The properties by which a service protects a resource.
pub(super) const PROPERTIES: [&str; 5] = [
    "DeletionProtection",
    "DeletionProtectionEnabled",
    "DeletionProtectionCheck",
    "DisableApiTermination",
    "TerminationProtection",
];

fn check(subject: &Subject<'_>) -> Option<String> {
    let sides = &subject.sides;
    sides.after.as_ref()?;
    let is_on = |value: Option<&Value>| is_true(value) || value.is_some_and(|v| v == "ACTIVE");
    let mut off: Vec<&str> = PROPERTIES
        .into_iter()
        .filter(|name| is_on(sides.was(name)) && !is_on(sides.is(name)))
        .collect();
    let attribute = PROTECTION;
    let attributes = "LoadBalancerAttributes";
    if is_true(attribute_of(sides.was(attributes), attribute))
        && !is_true(attribute_of(sides.is(attributes), attribute))
    {
        off.push(attribute);
    }
    (!off.is_empty()).then(|| {
        format!(
            "can be deleted from now on: {} is turned off",
            off.join(", ")
        )
    })
}

/// Returns a value of the attributes of a load balancer, which are a list of keys and values.
fn attribute_of<'a>(attributes: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    let mut attributes = attributes?.as_array()?.iter();
    let attribute = attributes.find(|one| one.get("Key").is_some_and(|k| k == key))?;
    attribute.get("Value")
}

#[cfg(test)]
mod tests {
    use super::super::tests::fired;
    use serde_json::json;

    #[test]
    fn only_what_is_turned_off_is_found() {
        let balancer = |value: &str| json!({"LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": value}]});
        for (of, old, new, wanted) in [
            (
                "AWS::RDS::DBInstance",
                json!({"DeletionProtection": true}),
                json!({}),
                Some("DeletionProtection"),
            ),
            (
                "AWS::Cognito::UserPool",
                json!({"DeletionProtection": "ACTIVE"}),
                json!({"DeletionProtection": "INACTIVE"}),
                Some("DeletionProtection"),
            ),
            (
                "AWS::RDS::DBInstance",
                json!({}),
                json!({"DeletionProtection": true}),
                None,
            ),
            (
                "AWS::RDS::DBInstance",
                json!({"DeletionProtection": true}),
                json!({"DeletionProtection": "true"}),
                None,
            ),
            (
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                balancer("true"),
                balancer("false"),
                Some("deletion_protection.enabled"),
            ),
            (
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                balancer("true"),
                balancer("true"),
                None,
            ),
        ] {
            let found = fired("deletion_protection", of, Some(old.clone()), Some(new));
            let wanted =
                wanted.map(|name| format!("can be deleted from now on: {name} is turned off"));
            assert_eq!(found, wanted, "{of} {old}");
        }
        // A removal has rules of its own.
        let old = json!({"DeletionProtection": true});
        assert_eq!(
            fired(
                "deletion_protection",
                "AWS::RDS::DBInstance",
                Some(old),
                None
            ),
            None
        );
    }
}
