//! Plans to test with; every field of the model is filled in somewhere.

use std::collections::BTreeMap;

use serde_json::json;

use super::PlanInput;
use crate::model::{ExecutionDefinition, PlannedTarget, Target};

/// A plan that owns its parts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) definition: ExecutionDefinition,
    pub(super) planned: Vec<PlannedTarget>,
    pub(super) unchanged: Vec<Target>,
    pub(super) failed: Vec<Target>,
    pub(super) not_enabled: Vec<Target>,
    pub(super) former_tags: Vec<(Target, BTreeMap<String, String>)>,
}

impl Plan {
    pub(super) fn input(&self) -> PlanInput<'_> {
        PlanInput {
            definition: &self.definition,
            planned: self.planned.iter().collect(),
            unchanged: self.unchanged.iter().collect(),
            failed: self.failed.iter().collect(),
            not_enabled: self.not_enabled.iter().collect(),
            former_tags: self
                .former_tags
                .iter()
                .map(|(at, tags)| (at, tags))
                .collect(),
        }
    }
}

pub(super) fn plan() -> Plan {
    Plan {
        definition: definition(),
        planned: vec![
            planned("111111111111", "us-east-1", "network"),
            planned("111111111111", "eu-west-1", "network"),
            planned("222222222222", "us-east-1", "network"),
        ],
        unchanged: vec![
            target("333333333333", "us-east-1", "network"),
            target("333333333333", "eu-west-1", "network"),
        ],
        not_enabled: vec![target("333333333333", "eu-south-1", "network")],
        former_tags: vec![(
            target("111111111111", "us-east-1", "network"),
            [("team".to_owned(), "old".to_owned())].into(),
        )],
        failed: vec![
            target("444444444444", "us-east-1", "network"),
            target("444444444444", "eu-west-1", "network"),
        ],
    }
}

pub(super) fn target(account: &str, region: &str, stack: &str) -> Target {
    serde_json::from_value(json!({"account": account, "region": region, "stack": stack})).unwrap()
}

/// Returns a target with its own ARNs and physical ids, and the changes that all targets share.
pub(crate) fn planned(account: &str, region: &str, stack: &str) -> PlannedTarget {
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:{account}:{rest}");
    let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let suffix = format!("{:X}", account.len() * region.len() * 7919);
    let dead_letters = arn("sqs", &format!("{stack}-DeadLetters-{suffix}"));
    let queue = format!("https://sqs.{region}.amazonaws.com/{account}/{stack}-Queue-{suffix}");
    let object = |ending: &str| {
        let digest = crate::model::Digest::of(ending.as_bytes());
        json!({
            "bucket": "code", "owner": "333333333333", "region": region, "key": format!("stackgate/{digest}.{ending}"),
            "digest": digest, "version": "v1", "etag": "e1",
        })
    };
    serde_json::from_value(json!({
        "target": target(account, region, stack),
        "caller": {"account": account, "arn": role("Deployer")},
        "kind": "UPDATE",
        "name": "stackgate-0198c1d2",
        "change_set": arn("cloudformation", &format!("changeSet/stackgate-0198c1d2/{suffix}")),
        "inputs": {
            "template": {"artifact": "Source", "path": "templates/network.yaml"},
            "template_digest": crate::model::Digest::of(b"template"),
            "uploads": {
                "template": object("template"),
                "packaged": [{"path": "functions/greet", "object": object("zip"), "is_pinned": false, "private": [".env"]}],
            },
            "parameters": [
                {"name": "Timeout", "value": {"plain": "60"},
                 "provenance": {"layer": "stack", "file": "parameter-overrides/network.json", "line": 3}},
                {"name": "Retention", "value": {"default": "14"}, "provenance": {"layer": "template_default"}},
                {"name": "Password", "value": {"secret": "env:DATABASE_PASSWORD"}, "provenance": {"layer": "override"}},
                {"name": "Zone", "value": "previous", "provenance": {"layer": "previous"}},
            ],
            "tags": {"team": "net", "stage": "prod"},
            "capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            "role_arn": role("CloudFormation"),
            "stack_policy": "{\"Statement\":[]}",
            "options": {
                "notification_arns": [arn("sns", "stacks")],
                "on_stack_failure": "ROLLBACK",
                "disable_rollback": true,
                "rollback_triggers": [format!("composite:{}", arn("cloudwatch", "alarm:errors"))],
                "monitoring_minutes": 10,
                "import_existing_resources": true,
                "resources_to_import": {"Queue": {"resource_type": "AWS::SQS::Queue", "identifier": {"QueueUrl": "u"}}},
                "include_nested_stacks": true,
                "revert_drift": true,
                "termination_protection": true,
            },
        },
        "changes": [
            {
                "logical_id": "Alerts", "resource_type": "AWS::SNS::Topic",
                "action": "Add", "replacement": "No",
                "after": {"Properties": {
                    "TopicName": format!("{stack}-alerts"),
                    "DisplayName": "alerts",
                    "Tags": [{"Key": "team", "Value": "net"}, {"Key": "cost", "Value": 7}],
                }},
            },
            {
                "logical_id": "Inner", "resource_type": "AWS::CloudFormation::Stack",
                "physical_id": arn("cloudformation", &format!("stack/{stack}-Inner/{suffix}")),
                "action": "Dynamic", "replacement": "Unknown",
                "nested": arn("cloudformation", &format!("changeSet/inner/{suffix}")),
                "module": ["My::Module::MODULE", "Outer/Inner"],
            },
            {
                "logical_id": "Queue", "resource_type": "AWS::SQS::Queue", "physical_id": queue,
                "action": "Modify", "replacement": "May", "policy_action": "ReplaceAndDelete",
                "scope": ["Properties", "Tags"],
                "drift": {"status": "MODIFIED", "ignored": [{"path": "/Properties/Url", "reason": "MANAGED_BY_AWS"}]},
                "details": [
                    {"attribute": "Properties", "name": "VisibilityTimeout", "path": "/Properties/VisibilityTimeout",
                     "recreation": "Never", "before": "30", "after": "60", "evaluation": "Static",
                     "source": "ParameterReference", "causing_entity": "Timeout",
                     "drift": {"previous": "31", "actual": "90", "detected": "2026-11-22T10:00:00Z",
                               "before_from": "ACTUAL_STATE", "only_recorded": true}},
                    {"attribute": "Properties", "name": "KmsMasterKeyId", "path": "/Properties/KmsMasterKeyId",
                     "recreation": "Conditionally", "before": "old", "after": arn("kms", "alias/queue"),
                     "evaluation": "Dynamic", "source": "ResourceAttribute", "causing_entity": "Key.Arn"},
                ],
                "before": {"Properties": {"VisibilityTimeout": 30, "DeadLetters": dead_letters, "Url": queue}},
                "after": {"Properties": {"VisibilityTimeout": 60, "DeadLetters": dead_letters, "Url": queue}},
            },
        ],
        "base": {
            "stack": arn("cloudformation", &format!("stack/{stack}/{suffix}")),
            "status": "CREATE_COMPLETE",
            "newest_event": format!("Queue-CREATE_COMPLETE-{suffix}"),
        },
        "settings_only": true,
        "gone_exports": [{"output": "QueueName", "name": format!("{stack}-queue"), "imported_by": ["api", "web"]}],
        "drift": {"is_confirmed": true, "stack": "DRIFTED"},
        "previous_template": crate::model::Digest::of(b"previous template"),
        "previous_parameters": {"Retention": "7"},
    }))
    .unwrap()
}

pub(crate) fn definition() -> ExecutionDefinition {
    let spec = |account: &str, region: &str| {
        json!({
            "target": target(account, region, "network"),
            "role_arn": format!("arn:aws:iam::{account}:role/AWSCloudFormationStackSetExecutionRole"),
            "execute_role_arn": format!("arn:aws:iam::{account}:role/Execute"),
        })
    };
    let kind = |category: &str, owner: &str, provider: &str| json!({"category": category, "owner": owner, "provider": provider, "version": "1"});
    serde_json::from_value(json!({
        "pipeline": {"name": "network", "stages": [
            {"name": "Source", "actions": [{
                "name": "Files", "actionTypeId": kind("Source", "Custom", "Local"),
                "configuration": {"Folder": "."},
                "outputArtifacts": [{"name": "Source"}],
            }]},
            {"name": "Approve", "actions": [{
                "name": "Review", "actionTypeId": kind("Approval", "AWS", "Manual"),
                "configuration": {"CustomData": "look twice"}, "timeoutInMinutes": 10_080,
            }]},
            {"name": "Execute", "actions": [{
                "name": "Execute", "actionTypeId": kind("Deploy", "AWS", "CloudFormation"), "runOrder": 2,
                "configuration": {
                    "ActionMode": "CHANGE_SET_EXECUTE", "StackName": "network",
                    "ParameterOverrides": "{\"Password\":\"hunter2hunter2\"}",
                    "ParameterOrigins": "{\"Password\":{\"file\":\"stackgate.yaml\",\"line\":4}}",
                },
                "inputArtifacts": [{"name": "Source"}],
                "fanOut": {
                    "targets": [spec("111111111111", "us-east-1"), spec("222222222222", "us-east-1")],
                    "preferences": {
                        "region_order": ["us-east-1", "eu-west-1"], "region_concurrency": "sequential",
                        "max_concurrent": "10", "failure_tolerance": "5%", "concurrency_mode": "strict",
                    },
                },
            }]},
        ]},
        "invocation": {
            "version": "0.1.0", "root": "/home/ana/network", "profile": "prod",
            "endpoint_url": "http://127.0.0.1:4566", "region": "eu-west-1",
        },
        "secrets": {"Password": "env:DATABASE_PASSWORD"},
        "allow_literal_secrets": false,
        "left_out": [
            {"account": "333333333333", "reason": "not_active", "state": "SUSPENDED"},
            {"account": "444444444444", "region": "us-east-1", "reason": "without_tag", "tag": "Stage=prod"},
        ],
    }))
    .unwrap()
}
