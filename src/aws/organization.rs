//! Reads the accounts of an organization: the units below a unit, the accounts in them, their states and tags.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::call::Call;
use super::connection::Aws;
use super::json::{JSON_1_1, JsonFailure, JsonService, code};
use crate::model::{
    AccountId, AccountState, CallFailure, FailureKind, OrganizationalUnitId, Priority, TargetSpec,
};

const ORGANIZATIONS: JsonService = JsonService {
    name: "organizations",
    endpoint: "ORGANIZATIONS",
    prefix: "AWSOrganizationsV20161128",
    content_type: JSON_1_1,
};

/// Returns the region in which a partition answers for its organizations.
pub fn organizations_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-northwest-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    }
}

/// In all of these, `spec` says with which credentials and in which region the organization is asked.
impl Aws {
    /// Returns the management account.
    pub async fn management_account(&self, spec: &TargetSpec) -> Result<AccountId, CallFailure> {
        let call = Call::read("DescribeOrganization", Priority::Read);
        let reply: Described = self.ask_organization(call, spec, json!({})).await?;
        Ok(reply.organization.management_account)
    }

    /// Returns the accounts in `units` and in all units below them.
    pub async fn accounts_in(
        &self,
        spec: &TargetSpec,
        units: &[OrganizationalUnitId],
    ) -> Result<BTreeMap<AccountId, AccountState>, CallFailure> {
        let mut accounts = BTreeMap::new();
        let mut seen: BTreeSet<OrganizationalUnitId> = BTreeSet::new();
        let mut level: Vec<OrganizationalUnitId> = units.to_vec();
        while !level.is_empty() {
            // A unit may be named beside one that holds it.
            level.retain(|unit| seen.insert(unit.clone()));
            let found = try_join_all(level.iter().map(|unit| self.children(spec, unit))).await?;
            level = Vec::new();
            for (units, held) in found {
                level.extend(units);
                accounts.extend(held.into_iter().map(|account| {
                    let state = account.state();
                    (account.id, state)
                }));
            }
        }
        Ok(accounts)
    }

    /// Returns what the organization says of an account; none if it is not in it.
    pub async fn account_state(
        &self,
        spec: &TargetSpec,
        account: &AccountId,
    ) -> Result<Option<AccountState>, CallFailure> {
        let call = Call::read("DescribeAccount", Priority::Read);
        let body = json!({ "AccountId": account });
        self.check_organization(spec)?;
        let reply = self
            .call(call, spec, |_| async {
                let reply: Result<DescribedAccount, _> = self
                    .ask_json(ORGANIZATIONS, call.operation, spec, &body)
                    .await;
                match reply {
                    Ok(reply) => Ok(Some(reply.account.state())),
                    Err(failure) if code(&failure) == Some("AccountNotFoundException") => Ok(None),
                    Err(failure) => Err::<_, JsonFailure>(failure),
                }
            })
            .await?;
        Ok(reply)
    }

    /// Returns the tags that the organization has for an account.
    pub async fn account_tags(
        &self,
        spec: &TargetSpec,
        account: &AccountId,
    ) -> Result<BTreeMap<String, String>, CallFailure> {
        let call = Call::read("ListTagsForResource", Priority::Read);
        let body = json!({ "ResourceId": account });
        let tags = self.pages(call, spec, &body, |page: Tags| (page.tags, page.next));
        let tags = tags.await?.into_iter();
        Ok(tags.map(|tag| (tag.key, tag.value)).collect())
    }

    /// Returns the units and the accounts directly in a unit.
    async fn children(
        &self,
        spec: &TargetSpec,
        unit: &OrganizationalUnitId,
    ) -> Result<(Vec<OrganizationalUnitId>, Vec<Account>), CallFailure> {
        let body = json!({ "ParentId": unit });
        let call = Call::read("ListOrganizationalUnitsForParent", Priority::Read);
        let units = self.pages(call, spec, &body, |page: Units| (page.units, page.next));
        let units = units.await?.into_iter().map(|unit| unit.id).collect();
        let call = Call::read("ListAccountsForParent", Priority::Read);
        let accounts = self.pages(call, spec, &body, |page: Accounts| {
            (page.accounts, page.next)
        });
        Ok((units, accounts.await?))
    }

    /// Returns what all pages of a list hold. A page may be empty and still have one after it.
    async fn pages<P, T>(
        &self,
        call: Call,
        spec: &TargetSpec,
        body: &Value,
        take: fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, CallFailure>
    where
        P: DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        let mut all = Vec::new();
        let mut body = body.clone();
        loop {
            let page = self.ask_organization(call, spec, body.clone()).await?;
            let (items, next) = take(page);
            all.extend(items);
            let Some(next) = next else {
                return Ok(all);
            };
            let next = Value::String(next);
            if body.get("NextToken") == Some(&next) {
                // Half a list would leave accounts out without a word.
                return Err(CallFailure::new(
                    FailureKind::Refused,
                    format!("{}: the list does not end", call.operation),
                ));
            }
            body["NextToken"] = next;
        }
    }

    async fn ask_organization<T>(
        &self,
        call: Call,
        spec: &TargetSpec,
        body: Value,
    ) -> Result<T, CallFailure>
    where
        T: DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
    {
        self.check_organization(spec)?;
        let ask = |_| self.ask_json(ORGANIZATIONS, call.operation, spec, &body);
        self.call(call, spec, ask).await
    }

    /// Refuses what could reach another organization than the one of the targets, or has no session.
    fn check_organization(&self, spec: &TargetSpec) -> Result<(), CallFailure> {
        self.check_endpoint_for(ORGANIZATIONS.endpoint)?;
        self.credentials_at(spec).map(drop)
    }
}

#[derive(Debug, Deserialize)]
struct Described {
    #[serde(rename = "Organization")]
    organization: Organization,
}

#[derive(Debug, Deserialize)]
struct Organization {
    #[serde(rename = "MasterAccountId")]
    management_account: AccountId,
}

#[derive(Debug, Deserialize)]
struct Units {
    #[serde(rename = "OrganizationalUnits")]
    units: Vec<Unit>,
    #[serde(rename = "NextToken", default)]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Unit {
    #[serde(rename = "Id")]
    id: OrganizationalUnitId,
}

#[derive(Debug, Deserialize)]
struct Accounts {
    #[serde(rename = "Accounts")]
    accounts: Vec<Account>,
    #[serde(rename = "NextToken", default)]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DescribedAccount {
    #[serde(rename = "Account")]
    account: Account,
}

#[derive(Debug, Deserialize)]
struct Account {
    #[serde(rename = "Id")]
    id: AccountId,
    #[serde(rename = "State", default, deserialize_with = "state")]
    state: Option<AccountState>,
    /// What endpoints say that do not know `State` yet.
    #[serde(rename = "Status", default, deserialize_with = "state")]
    status: Option<AccountState>,
}

impl Account {
    fn state(&self) -> AccountState {
        self.state.or(self.status).unwrap_or(AccountState::Unknown)
    }
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AccountState>, D::Error> {
    Option::<AccountState>::deserialize(deserializer)
}

#[derive(Debug, Deserialize)]
struct Tags {
    #[serde(rename = "Tags")]
    tags: Vec<Tag>,
    #[serde(rename = "NextToken", default)]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value")]
    value: String,
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{aws, spec_in};
    use super::super::scripted::{Reply, Scripted};
    use super::*;

    fn spec() -> TargetSpec {
        spec_in("111111111111", organizations_region("aws"), None)
    }

    fn says(script: &Scripted, operation: &str, replies: &[Value]) {
        for reply in replies {
            script.on(operation, Reply::Http(200, reply.to_string()));
        }
    }

    fn refuses(script: &Scripted, operation: &str, code: &str) {
        let body = json!({"__type": code, "Message": "no"}).to_string();
        script.on(operation, Reply::Http(400, body));
    }

    fn account(digit: char, state: &str) -> Value {
        json!({"Id": digit.to_string().repeat(12), "Name": "x", state.split(' ').next().unwrap(): state.split(' ').nth(1).unwrap()})
    }

    fn id(digit: char) -> AccountId {
        digit.to_string().repeat(12).parse().unwrap()
    }

    fn unit(text: &str) -> OrganizationalUnitId {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn units_below_units_are_walked_through_empty_pages_and_throttling() {
        let script = Scripted::new();
        refuses(
            &script,
            "ListOrganizationalUnitsForParent",
            "TooManyRequestsException",
        );
        says(
            &script,
            "ListOrganizationalUnitsForParent",
            &[
                json!({"OrganizationalUnits": [], "NextToken": "a"}),
                json!({"OrganizationalUnits": [{"Id": "ou-ab12-22222222"}]}),
                // The one below holds itself, as no organization does: the walk ends all the same.
                json!({"OrganizationalUnits": [{"Id": "ou-ab12-22222222"}]}),
            ],
        );
        says(
            &script,
            "ListAccountsForParent",
            &[
                json!({"Accounts": [account('1', "State ACTIVE")], "NextToken": "b"}),
                json!({"Accounts": [], "NextToken": "c"}),
                json!({"Accounts": [account('2', "Status SUSPENDED")], "NextToken": null}),
                json!({"Accounts": [account('3', "State PENDING_CLOSURE"), account('4', "State SHINY")]}),
            ],
        );
        let aws = aws(&script).await;
        let top = [unit("ou-ab12-11111111")];
        let found = aws.accounts_in(&spec(), &top).await.unwrap();
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(
            found,
            [
                (id('1'), AccountState::Active),
                (id('2'), AccountState::Suspended),
                (id('3'), AccountState::PendingClosure),
                (id('4'), AccountState::Unknown),
            ]
        );
        let asked = script.requests_of("ListAccountsForParent");
        let asked: Vec<_> = asked
            .iter()
            .map(|r| (r.field("ParentId"), r.field("NextToken")))
            .collect();
        assert_eq!(
            asked,
            [
                ("ou-ab12-11111111", ""),
                ("ou-ab12-11111111", "b"),
                ("ou-ab12-11111111", "c"),
                ("ou-ab12-22222222", ""),
            ]
        );
        assert_eq!(script.requests()[0].region, "us-east-1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_does_not_end_is_a_failure() {
        let script = Scripted::new();
        let page = json!({"Tags": [{"Key": "Stage", "Value": "prod"}], "NextToken": "again"});
        says(&script, "ListTagsForResource", &[page]);
        let aws = aws(&script).await;
        let failure = aws.account_tags(&spec(), &id('2')).await.unwrap_err();
        assert!(failure.message.contains("does not end"), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_ask_is_denied_and_a_stranger_is_no_failure() {
        let script = Scripted::new();
        refuses(&script, "DescribeOrganization", "AccessDeniedException");
        refuses(
            &script,
            "DescribeOrganization",
            "AWSOrganizationsNotInUseException",
        );
        refuses(&script, "DescribeAccount", "AccountNotFoundException");
        let reply = json!({"Account": account('3', "State ACTIVE")});
        says(&script, "DescribeAccount", &[reply]);
        let aws = aws(&script).await;
        let spec = spec();
        let failure = aws.management_account(&spec).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::AccessDenied, "{failure}");
        let failure = aws.management_account(&spec).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
        assert!(
            failure
                .message
                .contains("AWSOrganizationsNotInUseException"),
            "{failure}"
        );
        assert_eq!(aws.account_state(&spec, &id('2')).await, Ok(None));
        assert_eq!(
            aws.account_state(&spec, &id('3')).await,
            Ok(Some(AccountState::Active))
        );
    }
}
