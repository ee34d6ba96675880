//! Tests of what changes in permissions.

use std::borrow::Cow;

use super::super::value::MARKER;
use super::*;

fn told(resource_type: &str, before: Value, after: Value) -> Vec<String> {
    let sides = Sides {
        before: Some(Cow::Owned(before)),
        after: Some(Cow::Owned(after)),
        ..Sides::default()
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
            ..Sides::default()
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

fn given(of: &str, before: Value, after: Value) -> Vec<String> {
    let sides = Sides {
        before: Some(Cow::Owned(before)),
        after: Some(Cow::Owned(after)),
        ..Sides::default()
    };
    let powers = powers(of, &sides);
    let text = |power: Power| format!("{:?} {}", power.reach, power.what);
    powers.into_iter().map(text).collect()
}

#[test]
fn the_statement_that_reaches_farthest_counts() {
    let document = |statements| json!({"PolicyDocument": {"Statement": statements}});
    let given = |old, new| given("AWS::IAM::Policy", document(old), document(new));
    let get = allow(json!("s3:Get*"), json!("*"));
    let all = allow(json!("s3:*"), json!("*"));
    let mut decoy = all.clone();
    decoy["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
    let but = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
    let mut but_decoy = but.clone();
    but_decoy["Condition"] = decoy["Condition"].clone();
    for (limited, unlimited, wanted) in [
        (&decoy, &all, "Data s3:* on *"),
        (&but_decoy, &but, "Data all but iam:* on *"),
    ] {
        assert_eq!(given(json!([get]), json!([limited, unlimited])), [wanted]);
        assert_eq!(given(json!([get]), json!([unlimited, limited])), [wanted]);
        assert_eq!(given(json!([limited]), json!([unlimited])), [wanted]);
        assert!(given(json!([unlimited]), json!([limited])).is_empty());
        assert!(given(json!([limited, unlimited]), json!([unlimited])).is_empty());
    }
}

#[test]
fn what_is_given_by_a_secret_is_not_known() {
    let statement = |action: &str, resource: &str| {
        let statement = allow(json!(action), json!(resource));
        json!({"PolicyDocument": {"Statement": statement}})
    };
    for (policy, wanted) in [
        (statement("****", "*"), Some("Unknown **** on *")),
        (
            statement("s3:*", "**** (changed)"),
            Some("Unknown s3:* on **** (changed)"),
        ),
        (statement("s3:Get", "****"), None),
        (statement("****", "arn:aws:s3:::bucket"), None),
    ] {
        let found = given("AWS::IAM::Policy", json!({}), policy.clone());
        assert_eq!(found.first().map(String::as_str), wanted, "{policy}");
    }
    // It is no pattern that covers what comes after it.
    let told = told(
        "AWS::IAM::Policy",
        statement("****", "x"),
        statement("s3:*", "x"),
    );
    assert_eq!(
        told,
        ["broadened PolicyDocument: action + s3:*; action - **** MORE"]
    );
}

#[test]
fn permissions_of_layers_and_buses_are_statements() {
    let layer = |more: Value| {
        let mut properties =
            json!({"Principal": "*", "Action": "lambda:GetLayerVersion", "LayerVersionArn": "l"});
        for (name, value) in more.as_object().into_iter().flatten() {
            properties[name] = value.clone();
        }
        properties
    };
    let condition = json!({"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"});
    let statement =
        json!({"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": "b"});
    let (of_layer, of_bus) = (
        "AWS::Lambda::LayerVersionPermission",
        "AWS::Events::EventBusPolicy",
    );
    for (of, properties, wanted) in [
        (of_layer, layer(json!({})), " PUBLIC"),
        (
            of_layer,
            layer(json!({"OrganizationId": "o-1"})),
            ", on a condition MORE",
        ),
        (
            of_layer,
            layer(json!({"Principal": "111111111111"})),
            "to 111111111111 MORE",
        ),
        (of_bus, layer(json!({})), " PUBLIC"),
        (
            of_bus,
            layer(json!({"Condition": condition})),
            ", on a condition MORE",
        ),
        (
            of_bus,
            layer(json!({"Condition": MARKER})),
            " PERHAPS PUBLIC",
        ),
        (
            of_bus,
            json!({"StatementId": "s", "Statement": statement}),
            " PUBLIC",
        ),
    ] {
        let told = told(of, json!({}), properties.clone());
        assert!(told[0].ends_with(wanted), "{properties}: {told:?}");
    }
}

#[test]
fn what_may_be_a_policy_or_a_statement_counts_as_one() {
    let open = allow(json!("s3:*"), json!("*"));
    let mut open_to_all = open;
    open_to_all["Principal"] = json!("*");
    let nothing = json!({"Ref": "AWS::NoValue"});
    let statement = |statement: &Value| json!({"PolicyDocument": {"Statement": statement}});
    let either = |one: &Value| json!({"Fn::If": ["C", one, nothing]});
    for (properties, wanted) in [
        (json!({"PolicyDocument": MARKER}), true),
        (json!({"PolicyDocument": "****"}), true),
        (
            json!({"PolicyDocument": {"Fn::GetAtt": ["C", "Policy"]}}),
            true,
        ),
        (
            json!({"PolicyDocument": either(&json!({"Ref": "Policy"}))}),
            true,
        ),
        (json!({"PolicyDocument": "{\"Statement\": oops"}), true),
        (json!({"PolicyDocument": "plain"}), false),
        (statement(&json!(MARKER)), true),
        (statement(&json!([{"Ref": "Statement"}])), true),
        (statement(&json!([either(&open_to_all)])), true),
        (statement(&either(&json!([open_to_all]))), true),
        (statement(&json!([either(&nothing)])), false),
    ] {
        let told = told("AWS::S3::BucketPolicy", json!({}), properties.clone());
        let found = told.iter().any(|one| one.ends_with(" PERHAPS PUBLIC"));
        assert_eq!(found, wanted, "{properties}: {told:?}");
    }
}

#[test]
fn what_an_old_statement_covers_in_every_way_is_narrower() {
    let old = allow(json!("sqs:*"), json!("*"));
    let queue = allow(
        json!("sqs:ReceiveMessage"),
        json!("arn:aws:sqs:eu-west-1:111111111111:q"),
    );
    let told = policy(json!([old]), json!([queue]));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|one| !one.contains("MORE")), "{told:?}");
    let grows = |old: Value, new: Value| policy(old, new).iter().any(|one| one.contains("MORE"));
    let other = allow(
        json!("sns:Publish"),
        json!("arn:aws:sns:eu-west-1:111111111111:t"),
    );
    assert!(grows(json!([old]), json!([other])));
    // A Deny that goes with it, or a condition that it does not have.
    let mut denied = queue.clone();
    denied["Effect"] = json!("Deny");
    assert!(grows(json!([old, denied]), json!([old, queue])));
    let mut on = old.clone();
    on["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}});
    assert!(grows(json!([on]), json!([queue])));
    let mut one_sid = queue;
    one_sid["Sid"] = json!("A");
    let mut denied_sid = denied;
    denied_sid["Sid"] = json!("A");
    assert!(grows(json!([old, denied_sid]), json!([old, one_sid])));
}
