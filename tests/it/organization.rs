//! Targets that organizational units choose, on the emulator that has organizations.
//!
//! ```text
//! root ── 111111111111 (management), outside
//!   └─ workloads ── shop, old (suspended)
//!        ├─ production ── orders (Stage=production), billing
//!        └─ empty
//! ```

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Organization;
use crate::support::output::Output;

const APP: &str = r#"
Resources:
  Topic: {Type: AWS::SNS::Topic}
"#;

const ROLE: &str = "AWSCloudFormationStackSetExecutionRole";

const MANAGEMENT: &str = "111111111111";

const HERE: &str = "us-east-1";

struct World {
    organization: Organization,
    root: String,
    workloads: String,
    production: String,
    empty: String,
    outside: String,
    shop: String,
    old: String,
    orders: String,
    billing: String,
}

/// Returns the organization above, in which the user may do everything but read it.
fn world() -> World {
    let organization = Organization::of_user("ann");
    organization.env().write("templates/app.yaml", APP);
    let root = organization.found();
    let workloads = organization.unit(&root, "workloads");
    let production = organization.unit(&workloads, "production");
    let empty = organization.unit(&workloads, "empty");
    let account = |unit: &str, name: &str| {
        let id = organization.account(&root, unit, name);
        organization.role(&id, ROLE, "arn:aws:iam::111111111111:user/ann");
        organization.allow_role(&id, ROLE, &[allow("cloudformation:*")]);
        id
    };
    let outside = account(&root, "outside");
    let shop = account(&workloads, "shop");
    let old = account(&workloads, "old");
    let orders = account(&production, "orders");
    let billing = account(&production, "billing");
    organization.organizations("CloseAccount", &json!({ "AccountId": old }));
    let tags = json!([{"Key": "Stage", "Value": "production"}]);
    let tagged = json!({ "ResourceId": orders, "Tags": tags });
    organization.organizations("TagResource", &tagged);
    organization.allow_user(MANAGEMENT, "ann", &[allow("sts:AssumeRole")]);
    World {
        organization,
        root,
        workloads,
        production,
        empty,
        outside,
        shop,
        old,
        orders,
        billing,
    }
}

fn allow(action: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*"})
}

impl World {
    /// Allows the user to read the organization, as `doctor` says it.
    fn readable(self) -> World {
        let args = ["--policy", "--organizational-units", &self.root];
        let output = self.run(&[&["doctor"][..], &args].concat());
        output.code(1);
        let policies: Value = serde_json::from_str(&output.raw).unwrap();
        let mut statements = policies["caller"]["Statement"].as_array().unwrap().clone();
        statements.push(allow("sts:AssumeRole"));
        self.organization.allow_user(MANAGEMENT, "ann", &statements);
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        self.organization.env().run(args)
    }

    /// Plans a stack, and returns the accounts of its targets and those that were left out, with the reasons.
    fn plan(&self, stack: &str, choice: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
        let stack = format!("--stack-name={stack}");
        let args = [
            &[
                "plan",
                "app",
                &stack,
                "--regions=us-east-1",
                "--output=json",
            ],
            choice,
        ];
        let output = self.run(&args.concat());
        output.code(3);
        let document: Value = serde_json::from_str(&output.raw).unwrap();
        let review = &document["review"];
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let groups = review["groups"].as_array().unwrap().iter();
        let targets = groups.flat_map(|group| group["targets"].as_array().unwrap());
        let empty = Vec::new();
        let left_out = review["left_out"].as_array().unwrap_or(&empty).iter();
        (
            targets.map(|target| text(target, "account")).collect(),
            left_out
                .map(|out| format!("{} {}", text(out, "account"), text(out, "reason")))
                .collect(),
        )
    }
}

/// Returns a screen without its line breaks.
fn words(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn units_and_filters_choose_accounts_as_stack_sets_does() {
    let world = world().readable();
    let World {
        workloads,
        production,
        root,
        outside,
        shop,
        old,
        orders,
        billing,
        ..
    } = &world;
    let suspended = format!("{old} not_active");
    let management = world.organization.env().private(MANAGEMENT);
    let units = |unit: &str| format!("--organizational-units={unit}");
    let both = units(&format!("{production},{workloads}"));
    let workloads = units(workloads);
    let listed = format!("--accounts={outside},{orders}");

    let (targets, left_out) = world.plan("all", &[&units(root)]);
    assert_eq!(targets, set(&[outside, shop, orders, billing]));
    let manager = format!("{management} management_account");
    assert_eq!(left_out, set(&[&suspended, &manager]));
    let (targets, left_out) = world.plan("both", &[&both]);
    assert_eq!(targets, set(&[shop, orders, billing]));
    assert_eq!(left_out, set(&[&suspended]));

    for (filter, targets, left_out) in [
        ("none", set(&[shop, orders, billing]), set(&[&suspended])),
        (
            "intersection",
            set(&[orders]),
            set(&[&format!("{outside} outside_units")]),
        ),
        (
            "difference",
            set(&[shop, billing]),
            set(&[&suspended, &format!("{orders} excluded")]),
        ),
        (
            "union",
            set(&[outside, shop, orders, billing]),
            set(&[&suspended]),
        ),
    ] {
        let how = format!("--account-filter={filter}");
        let found = world.plan(filter, &[&workloads, &listed, &how]);
        assert_eq!(found, (targets, left_out), "{filter}");
    }

    let output = world.run(&["plan", "app", &workloads, &listed]);
    output.code(2);
    assert!(output.stderr.contains("--account-filter"), "{output}");
    let output = world.run(&["plan", "app", &units(&world.empty)]);
    output.code(2);
    assert!(output.stderr.contains("hold no account"), "{output}");
    let output = world.run(&["plan", "app", &units("ou-zz99-12345678")]);
    output.code(1);
    assert!(output.stderr.contains("no such unit"), "{output}");
}

#[test]
fn a_target_set_of_an_organization_is_deployed_by_tags_and_without_what_is_excluded() {
    let world = world().readable();
    let World {
        organization,
        root,
        orders,
        billing,
        shop,
        ..
    } = &world;
    let (regions, exclude) = ("[us-east-1, eu-west-1]", format!("[{orders}/eu-west-1]"));
    organization.env().write(
        "stackgate.yaml",
        &format!(
            "targetSets:\n  all:\n    organizational-units: [{root}]\n    regions: {regions}\n    \
             account-tags: {{Stage: production}}\n    exclude: {exclude}\n"
        ),
    );
    let args = ["deploy", "app", "--target-set=all", "--detach"];
    let output = world.run(&args);
    output.code(3);
    // Which reason comes first follows from the accounts, whose ids are random.
    for said in [
        "Left out · 5 accounts: ",
        "1 management account",
        "1 suspended",
        "3 without tag Stage=production",
        "1 target: 1 excluded",
    ] {
        assert!(words(&output.stdout).contains(said), "{said}\n{output}");
    }

    // What was resolved is what runs: another account with the tag changes nothing.
    let tags = json!([{"Key": "Stage", "Value": "production"}]);
    let tagged = json!({ "ResourceId": billing, "Tags": tags });
    organization.organizations("TagResource", &tagged);
    let status = world.run(&["status", "latest", "--output=json"]);
    let status: Value = serde_json::from_str(&status.raw).unwrap();
    let plan = status["review"]["plan"].as_str().unwrap();
    world.run(&["approve", "latest", "--plan", plan]).success();
    assert_eq!(organization.stacks(orders, HERE), ["app"]);
    assert!(organization.stacks(orders, "eu-west-1").is_empty());
    for other in [billing, shop] {
        assert!(organization.stacks(other, HERE).is_empty(), "{other}");
    }
}

#[test]
fn who_may_not_read_the_organization_is_told_what_it_takes() {
    let world = world();
    let unit = format!("--organizational-units={}", world.production);
    let output = world.run(&["plan", "app", &unit]);
    output.code(1);
    for said in [
        "AccessDenied",
        "organizations:DescribeOrganization",
        "delegated administrator",
        "--organization-role",
        "organizations:ListAccountsForParent",
    ] {
        assert!(output.stderr.contains(said), "{said}\n{output}");
    }

    // A role that may.
    let organization = &world.organization;
    let reader = "arn:aws:iam::111111111111:role/Reader";
    organization.role(MANAGEMENT, "Reader", "arn:aws:iam::111111111111:user/ann");
    organization.allow_role(MANAGEMENT, "Reader", &[allow("organizations:*")]);
    let role = format!("--organization-role={reader}");
    let (targets, _) = world.plan("role", &[&unit, &role]);
    assert_eq!(targets, set(&[&world.orders, &world.billing]));
}
