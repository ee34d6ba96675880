//! Accounts with users, roles and policies that count, on moto.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::{Emulator, TestEnv, http};

/// Moto enforces policies for everybody or for nobody, so the tests that want it take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A user's access key, or another pair of id and secret.
pub struct AccessKey {
    pub id: String,
    pub secret: String,
}

/// The accounts of a test, in which IAM is enforced as long as this lives.
pub struct Organization {
    env: TestEnv,
    _turn: MutexGuard<'static, ()>,
}

impl Organization {
    /// Waits for its turn, and enforces IAM for the user `name` of `111111111111`, who may do nothing yet and whose
    /// credentials the binary gets.
    pub fn of_user(name: &str) -> Organization {
        // A test that failed leaves nothing that the next one minds.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut organization = Organization {
            env: TestEnv::on(Emulator::Moto),
            _turn: turn,
        };
        organization.enforce(false);
        organization.iam(
            "111111111111",
            &[("Action", "CreateUser"), ("UserName", name)],
        );
        let reply = organization.iam(
            "111111111111",
            &[("Action", "CreateAccessKey"), ("UserName", name)],
        );
        let key = AccessKey {
            id: between(&reply, "AccessKeyId"),
            secret: between(&reply, "SecretAccessKey"),
        };
        organization.env = organization
            .env
            .variable("AWS_ACCESS_KEY_ID", &key.id)
            .variable("AWS_SECRET_ACCESS_KEY", &key.secret);
        organization.enforce(true);
        organization
    }

    /// Returns where the binary runs.
    pub fn env(&self) -> &TestEnv {
        &self.env
    }

    /// Makes a role that a principal may assume, and that may do nothing yet.
    pub fn role(&self, account: &str, name: &str, principal: &str) {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.env.private(principal)}, "Action": "sts:AssumeRole"}
        ]});
        let trust = trust.to_string();
        self.unenforced(
            account,
            &[
                ("Action", "CreateRole"),
                ("RoleName", name),
                ("AssumeRolePolicyDocument", &trust),
            ],
        );
    }

    /// Gives a user exactly these statements.
    pub fn allow_user(&self, account: &str, name: &str, statements: &[Value]) {
        self.allow(account, ("PutUserPolicy", "UserName", name), statements);
    }

    /// Gives a role exactly these statements.
    pub fn allow_role(&self, account: &str, name: &str, statements: &[Value]) {
        self.allow(account, ("PutRolePolicy", "RoleName", name), statements);
    }

    fn allow(&self, account: &str, (action, kind, name): (&str, &str, &str), statements: &[Value]) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let policy = self.env.private(&policy.to_string());
        self.unenforced(
            account,
            &[
                ("Action", action),
                (kind, name),
                ("PolicyName", "allowed"),
                ("PolicyDocument", &policy),
            ],
        );
    }

    /// Returns the names of the stacks of an account and region that were deployed.
    pub fn stacks(&self, account: &str, region: &str) -> Vec<String> {
        self.enforce(false);
        let reply = self.call(
            "cloudformation",
            account,
            region,
            &[
                ("Action", "ListStacks"),
                ("Version", "2010-05-15"),
                ("StackStatusFilter.member.1", "CREATE_COMPLETE"),
            ],
        );
        self.enforce(true);
        let names = reply.split("<StackName>").skip(1);
        names
            .map(|rest| rest.split('<').next().unwrap().to_owned())
            .collect()
    }

    /// Makes `111111111111` the management account of an organization, and returns the root.
    pub fn found(&self) -> String {
        self.organizations("CreateOrganization", &json!({"FeatureSet": "ALL"}));
        let roots = self.organizations("ListRoots", &json!({}));
        roots["Roots"][0]["Id"].as_str().unwrap().to_owned()
    }

    /// Makes an organizational unit in another or the root, and returns its id.
    pub fn unit(&self, parent: &str, name: &str) -> String {
        let unit = json!({"ParentId": parent, "Name": name});
        let reply = self.organizations("CreateOrganizationalUnit", &unit);
        let id = &reply["OrganizationalUnit"]["Id"];
        id.as_str().unwrap().to_owned()
    }

    /// Makes an account of the organization in a unit, and returns its id.
    pub fn account(&self, root: &str, unit: &str, name: &str) -> String {
        let account = json!({"AccountName": name, "Email": format!("{name}@example.com")});
        let reply = self.organizations("CreateAccount", &account);
        let id = reply["CreateAccountStatus"]["AccountId"].as_str().unwrap();
        if unit != root {
            let moved =
                json!({"AccountId": id, "SourceParentId": root, "DestinationParentId": unit});
            self.organizations("MoveAccount", &moved);
        }
        id.to_owned()
    }

    /// Calls Organizations as the management account.
    pub fn organizations(&self, operation: &str, body: &Value) -> Value {
        self.enforce(false);
        let authorization = authorization("organizations", "us-east-1");
        let account = self.env.private("111111111111");
        let target = format!("AWSOrganizationsV20161128.{operation}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
            ("x-moto-account-id", &account),
        ];
        let reply = http::send("POST", &self.env.endpoint(), &headers, &body.to_string()).unwrap();
        self.enforce(true);
        assert_eq!(reply.status(), 200, "{operation} {body}\n{}", reply.text());
        serde_json::from_str(&reply.text()).unwrap_or_default()
    }

    fn unenforced(&self, account: &str, form: &[(&str, &str)]) {
        self.enforce(false);
        self.iam(account, form);
        self.enforce(true);
    }

    fn iam(&self, account: &str, form: &[(&str, &str)]) -> String {
        let form = [&[("Version", "2010-05-08")], form].concat();
        self.call("iam", account, "us-east-1", &form)
    }

    fn call(&self, service: &str, account: &str, region: &str, form: &[(&str, &str)]) -> String {
        // While nothing is enforced, moto takes the service and the region from the signature, and the account from
        // a header of its own.
        let authorization = authorization(service, region);
        let account = self.env.private(account);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-moto-account-id", &account),
        ];
        let body: Vec<String> = form
            .iter()
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        let reply = http::send("POST", &self.env.endpoint(), &headers, &body.join("&")).unwrap();
        assert_eq!(reply.status(), 200, "{form:?}\n{}", reply.text());
        reply.text()
    }

    fn enforce(&self, is_enforced: bool) {
        // The number of calls that are let through unchecked.
        let calls = if is_enforced { "0" } else { "inf" };
        let url = format!("{}/moto-api/reset-auth", self.env.endpoint());
        let headers = [("content-type", "text/plain")];
        let reply = http::send("POST", &url, &headers, calls).unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}

fn authorization(service: &str, region: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAAAAAAAAAAAAAAAAA/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn between(xml: &str, tag: &str) -> String {
    let rest = xml.split_once(&format!("<{tag}>")).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('<').next())
        .unwrap_or_else(|| panic!("no `{tag}` in {xml}"))
        .to_owned()
}
