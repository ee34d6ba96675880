//! Tests of what changes in permissions.

use std::borrow::Cow;

use super::*;

fn told(resource_type: &str, before: Value, after: Value) -> Vec<String> {
    let sides = Sides {
        before: Some(Cow::Owned(before)),
        after: Some(Cow::Owned(after)),
    };
    permissions(resource_type, &sides)
        .iter()
        .map(|one| {
            let more = if one.is_wider { " MORE" } else { "" };
            let public = match one.openness {
                Openness::Open => " PUBLIC",
                Openness::Unknown => " PERHAPS PUBLIC",
                Openness::Closed => "",
            };
            format!("{} {}{more}{public}", one.kind.as_str(), one.what)
        })
        .collect()
}

fn policy(before: Value, after: Value) -> Vec<String> {
    let document = |statements| json!({"PolicyDocument": {"Statement": statements}});
    told("AWS::IAM::Policy", document(before), document(after))
}

fn allow(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

#[test]
fn the_same_in_another_order_is_no_change() {
    let (a, b) = (
        allow(json!(["s3:Get", "s3:Put"]), json!("x")),
        allow(json!("sqs:Send"), json!("y")),
    );
    let a_again = allow(json!(["s3:Put", "s3:Get"]), json!(["x"]));
    assert!(policy(json!([a, b]), json!([b, a_again])).is_empty());
    assert!(policy(json!(a), json!([a])).is_empty());
}

#[test]
fn statements_that_grow_are_broadened() {
    assert_eq!(
        policy(
            json!(allow(json!("s3:Get"), json!("x"))),
            json!(allow(json!(["s3:Get", "s3:Put"]), json!("x")))
        ),
        ["broadened PolicyDocument: action + s3:Put MORE"]
    );
    assert_eq!(
        policy(
            json!(allow(json!("s3:Get"), json!("x"))),
            json!(allow(json!("s3:Get"), json!("*")))
        ),
        ["broadened PolicyDocument: resource + * MORE"]
    );
    assert_eq!(
        policy(
            json!(allow(json!("s3:*"), json!("x"))),
            json!(allow(json!("s3:Get"), json!("x")))
        ),
        ["narrowed PolicyDocument: action - s3:*"]
    );
    let both = policy(
        json!(allow(json!("s3:Get"), json!("x"))),
        json!(allow(json!("s3:Put"), json!("x"))),
    );
    assert_eq!(
        both,
        ["broadened PolicyDocument: action + s3:Put; action - s3:Get MORE"]
    );
}

#[test]
fn statements_are_paired_by_their_sid() {
    let statement = |sid: &str, action: &str| json!({"Sid": sid, "Effect": "Allow", "Action": action, "Resource": "x"});
    assert_eq!(
        policy(
            json!([statement("A", "a:x"), statement("B", "b:x")]),
            json!([
                statement("B", "b:*"),
                statement("C", "c:x"),
                statement("A", "a:x")
            ])
        ),
        [
            "broadened PolicyDocument B: action + b:* MORE",
            "added PolicyDocument C: Allow c:x on x MORE"
        ]
    );
    assert_eq!(
        policy(
            json!([statement("A", "a:x"), statement("B", "b:x")]),
            json!([statement("A", "a:x")])
        ),
        ["removed PolicyDocument B: Allow b:x on x"]
    );
}

#[test]
fn a_deny_works_the_other_way_round() {
    let deny =
        |actions: Value| json!({"Sid": "D", "Effect": "Deny", "Action": actions, "Resource": "*"});
    assert_eq!(
        policy(
            json!([deny(json!(["a:x", "a:y"]))]),
            json!([deny(json!("a:x"))])
        ),
        ["broadened PolicyDocument D: Deny: action - a:y MORE"]
    );
    assert_eq!(
        policy(json!([deny(json!("a:x"))]), json!([deny(json!("a:*"))])),
        ["narrowed PolicyDocument D: Deny: action + a:*"]
    );
    assert_eq!(
        policy(json!([deny(json!("a:x"))]), json!([])),
        ["removed PolicyDocument D: Deny a:x on * MORE"]
    );
    let mut allowed = deny(json!("a:x"));
    allowed["Effect"] = json!("Allow");
    assert_eq!(
        policy(json!([deny(json!("a:x"))]), json!([allowed])),
        ["broadened PolicyDocument D: Deny became Allow MORE"]
    );
}

#[test]
fn a_condition_that_goes_broadens() {
    let on = |condition: Value| json!({"Sid": "A", "Effect": "Allow", "Action": "a:x", "Resource": "x", "Condition": condition});
    let (mfa, none) = (
        json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        json!({}),
    );
    assert_eq!(
        policy(json!([on(mfa.clone())]), json!([on(none.clone())])),
        ["broadened PolicyDocument A: condition removed: Bool aws:MultiFactorAuthPresent MORE"]
    );
    assert_eq!(
        policy(json!([on(none)]), json!([on(mfa.clone())])),
        ["narrowed PolicyDocument A: condition added: Bool aws:MultiFactorAuthPresent"]
    );
    let other = json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}});
    assert_eq!(
        policy(json!([on(mfa)]), json!([on(other)])),
        ["broadened PolicyDocument A: condition changed MORE"]
    );
}

#[test]
fn all_but_some_is_understood() {
    let but = |actions: Value| json!({"Sid": "A", "Effect": "Allow", "NotAction": actions, "Resource": "*"});
    assert_eq!(
        policy(
            json!([but(json!(["iam:*", "kms:*"]))]),
            json!([but(json!("iam:*"))])
        ),
        ["broadened PolicyDocument A: action + kms:* MORE"]
    );
    assert_eq!(
        policy(
            json!([but(json!("iam:*"))]),
            json!([but(json!(["iam:*", "kms:*"]))])
        ),
        ["narrowed PolicyDocument A: action - kms:*"]
    );
    let only = json!({"Sid": "A", "Effect": "Allow", "Action": "s3:Get", "Resource": "*"});
    assert_eq!(
        policy(json!([only]), json!([but(json!("iam:*"))])),
        ["broadened PolicyDocument A: action + all but iam:* MORE"]
    );
}

#[test]
fn whoever_is_let_in_is_told() {
    let trust = |principal: Value| {
        json!({"AssumeRolePolicyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
        ]}})
    };
    let role = "AWS::IAM::Role";
    assert_eq!(
        told(
            role,
            trust(json!({"Service": "lambda.amazonaws.com"})),
            trust(json!({"AWS": "*"}))
        ),
        ["broadened AssumeRolePolicyDocument: principal + * MORE PUBLIC"]
    );
    assert!(told(role, trust(json!("*")), trust(json!({"AWS": "*"}))).is_empty());
}

#[test]
fn attachments_and_boundaries_count() {
    let role = "AWS::IAM::Role";
    assert_eq!(
        told(
            role,
            json!({"ManagedPolicyArns": ["a", "b"], "PermissionsBoundary": "p"}),
            json!({"ManagedPolicyArns": ["b", "c"]})
        ),
        [
            "added managed policy c MORE",
            "removed managed policy a",
            "removed permissions boundary p MORE"
        ]
    );
}

#[test]
fn policies_are_found_by_their_names_and_in_texts() {
    let inline = |names: &[&str]| {
        let policies: Vec<Value> = names
            .iter()
            .map(|name| json!({"PolicyName": name, "PolicyDocument": {"Statement": [allow(json!("s3:Get"), json!(name))]}}))
            .collect();
        json!({"Policies": policies})
    };
    assert_eq!(
        told("AWS::IAM::Role", inline(&["a", "b"]), inline(&["b", "c"])),
        [
            "added Policies.c: Allow s3:Get on c MORE",
            "removed Policies.a: Allow s3:Get on a"
        ]
    );
    let text = |action: &str| json!({"PolicyDocument": json!({"Statement": allow(json!(action), json!("*"))}).to_string()});
    assert_eq!(
        told(
            "AWS::Logs::ResourcePolicy",
            text("logs:Put"),
            text("logs:*")
        ),
        ["broadened PolicyDocument: action + logs:* MORE"]
    );
}

#[test]
fn what_is_no_policy_is_left_alone() {
    let rule =
        |name: &str| json!({"Rules": [{"Name": name, "Statement": {"GeoMatchStatement": {}}}]});
    assert!(told("AWS::WAFv2::WebACL", rule("a"), rule("b")).is_empty());
    let function = json!({"PolicyDocument": {"Statement": {"Fn::If": ["A", "B", "C"]}}});
    assert!(told("AWS::IAM::Policy", function.clone(), function).is_empty());
}

#[test]
fn other_values_of_a_condition_broaden_or_narrow() {
    let on = |effect: &str, org: Value| {
        json!([{"Sid": "A", "Effect": effect, "Action": "a:x", "Resource": "x",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": org}}}])
    };
    let (one, two) = (json!("o-1"), json!(["o-1", "o-2"]));
    for (effect, old, new, wanted) in [
        (
            "Allow",
            &one,
            &two,
            "broadened PolicyDocument A: condition changed MORE",
        ),
        (
            "Allow",
            &two,
            &one,
            "narrowed PolicyDocument A: condition changed",
        ),
        (
            "Deny",
            &one,
            &two,
            "narrowed PolicyDocument A: condition changed",
        ),
        (
            "Deny",
            &two,
            &one,
            "broadened PolicyDocument A: condition changed MORE",
        ),
    ] {
        let (old, new) = (on(effect, old.clone()), on(effect, new.clone()));
        assert_eq!(policy(old, new), [wanted], "{effect}");
    }
    // Another condition beside it hides nothing.
    let mut both = on("Allow", two);
    both[0]["Condition"]["Bool"] = json!({"aws:SecureTransport": "true"});
    assert_eq!(
        policy(on("Allow", one), both),
        [
            "broadened PolicyDocument A: condition added: Bool aws:SecureTransport; condition changed MORE"
        ]
    );
}

#[test]
fn resources_have_their_case_and_actions_have_none() {
    let of = |action: &str, resource: &str| json!([allow(json!(action), json!(resource))]);
    assert!(policy(of("s3:get*", "x"), of("S3:Get*", "x")).is_empty());
    assert_eq!(
        policy(of("s3:Get", "arn:b/Secret*"), of("s3:Get", "arn:b/secret*"))[0],
        "broadened PolicyDocument: resource + arn:b/secret*; resource - arn:b/Secret* MORE"
    );
}

#[test]
fn what_a_function_decides_may_be_wider() {
    let one = |effect: Value| json!([{"Effect": effect, "Action": "a:x", "Resource": "x"}]);
    let on = json!({"Fn::If": ["Prod", "Deny", "Allow"]});
    let told = policy(one(json!("Deny")), one(on.clone()));
    assert!(told.iter().any(|one| one.ends_with(" MORE")), "{told:?}");
    assert!(policy(one(on.clone()), one(on)).is_empty());
    let either = |action: &str| {
        let deny = json!({"Effect": "Deny", "Action": action, "Resource": "x"});
        json!([{"Fn::If": ["Prod", deny, {"Ref": "AWS::NoValue"}]}])
    };
    let told = policy(either("a:*"), either("a:x"));
    assert!(told.iter().any(|one| one.ends_with(" MORE")), "{told:?}");
    assert!(policy(either("a:*"), either("a:*")).is_empty());
}

#[test]
fn a_policy_for_anybody_that_grows_is_more_public() {
    let bucket = |actions: Value, condition: Value| {
        json!({"PolicyDocument": {"Statement": {"Sid": "A", "Effect": "Allow", "Principal": "*",
            "Action": actions, "Resource": "x", "Condition": condition}}})
    };
    let of = |old: Value, new: Value| told("AWS::S3::BucketPolicy", old, new);
    let (get, both) = (json!("s3:Get"), json!(["s3:Get", "s3:Put"]));
    assert_eq!(
        of(
            bucket(get.clone(), json!({})),
            bucket(both.clone(), json!({}))
        ),
        ["broadened PolicyDocument A: action + s3:Put MORE PUBLIC"]
    );
    assert_eq!(
        of(bucket(both, json!({})), bucket(get.clone(), json!({}))),
        ["narrowed PolicyDocument A: action - s3:Put"]
    );
    // A condition that says how limits nobody, and takes the place of one that says who.
    let how = json!({"Bool": {"aws:SecureTransport": "true"}});
    let who = json!({"StringEquals": {"aws:SourceAccount": "111111111111"}});
    assert_eq!(
        of(bucket(get.clone(), who.clone()), bucket(get.clone(), how)),
        [
            "broadened PolicyDocument A: condition removed: StringEquals aws:SourceAccount; \
             condition added: Bool aws:SecureTransport MORE PUBLIC"
        ]
    );
    let address = json!({"IpAddress": {"aws:SourceIp": {"Ref": "Ip"}}});
    let found = of(bucket(get.clone(), who), bucket(get.clone(), address));
    assert!(found[0].ends_with(" PERHAPS PUBLIC"), "{found:?}");
    // The policy of an endpoint is met by those in the network alone.
    let endpoint = told("AWS::EC2::VPCEndpoint", json!({}), bucket(get, json!({})));
    assert!(endpoint[0].ends_with(" MORE"), "{endpoint:?}");
}

#[test]
fn what_is_given_on_everything_is_told_once_and_where_it_is_new() {
    let given = |of: &str, before: Value, after: Value| -> Vec<String> {
        let sides = Sides {
            before: Some(Cow::Owned(before)),
            after: Some(Cow::Owned(after)),
        };
        let powers = powers(of, &sides);
        powers.into_iter().map(|power| power.what).collect()
    };
    let role = |policies: &[&str], managed: &[&str]| {
        let statement = |action: &&str| json!({"PolicyName": action, "PolicyDocument": {"Statement": allow(json!(action), json!("*"))}});
        let policies: Vec<Value> = policies.iter().map(statement).collect();
        let arn = |name: &&str| json!(format!("arn:aws:iam::aws:policy/{name}"));
        let managed: Vec<Value> = managed.iter().map(arn).collect();
        json!({"Policies": policies, "ManagedPolicyArns": managed})
    };
    let of = "AWS::IAM::Role";
    assert_eq!(
        given(
            of,
            role(&["s3:*"], &[]),
            role(
                &["s3:*", "iam:*", "iam:*"],
                &["ReadOnlyAccess", "AdministratorAccess"]
            )
        ),
        ["iam:* on *", "managed policy AdministratorAccess"]
    );
    assert!(given(of, role(&["iam:*"], &[]), role(&[], &[])).is_empty());
    let ceiling = json!({"Content": {"Statement": allow(json!("*"), json!("*"))}});
    assert!(given("AWS::Organizations::Policy", json!({}), ceiling.clone()).is_empty());
    assert_eq!(
        given("AWS::SSO::PermissionSet", json!({}), ceiling),
        ["* on *"]
    );
}
