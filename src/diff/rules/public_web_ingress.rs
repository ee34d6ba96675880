//! A security group lets the whole internet in on a port of the web.

use super::public_ingress::opened;
use super::{Check, Rule};
use crate::model::RiskLevel;

// Its cases are among those of `public_ingress`.
pub(super) const RULE: Rule = Rule {
    name: "public_web_ingress",
    level: RiskLevel::Medium,
    explanation: "A security group opens port 80 or 443 to the whole internet, which it did not before. A public website wants \
                  that; anything else does not.",
    check: Check::Resource(|subject| {
        opened(subject, |one| one.is_opened_to_world() && one.is_web())
    }),
};
