//! Resources of several types whose properties are expressions by chance, and what is read back of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stackgate::template::Node;

use super::expressions::Maker;
use crate::support::Cloud;

/// A type of resource.
struct Kind {
    resource_type: &'static str,
    /// The properties that are compared, beside the tags.
    properties: &'static [&'static str],
    /// Reads the properties and tags of the one with a physical id, by their names.
    read: fn(&Cloud, &str) -> BTreeMap<String, String>,
}

const KINDS: &[Kind] = &[
    Kind {
        resource_type: "AWS::SQS::Queue",
        properties: &[
            "QueueName",
            "VisibilityTimeout",
            "DelaySeconds",
            "MessageRetentionPeriod",
        ],
        read: queue,
    },
    Kind {
        resource_type: "AWS::SNS::Topic",
        properties: &["TopicName", "DisplayName"],
        read: topic,
    },
    Kind {
        resource_type: "AWS::SSM::Parameter",
        properties: &["Type", "Description"],
        read: parameter,
    },
    Kind {
        resource_type: "AWS::Logs::LogGroup",
        properties: &["LogGroupName", "RetentionInDays"],
        read: log_group,
    },
    Kind {
        resource_type: "AWS::SecretsManager::Secret",
        properties: &["Name", "Description"],
        read: secret,
    },
    Kind {
        resource_type: "AWS::Events::Rule",
        properties: &["Description", "ScheduleExpression", "State"],
        read: rule,
    },
    Kind {
        resource_type: "AWS::IAM::Role",
        properties: &["RoleName", "Description", "MaxSessionDuration"],
        read: role,
    },
];

fn kind(resource_type: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| kind.resource_type == resource_type)
}

impl Maker<'_> {
    /// Returns resources of every type, by their logical ids.
    pub fn resources(&mut self) -> Map<String, Value> {
        let mut resources = Map::new();
        let mut add = |id: &str, resource_type: &str, properties: Value| {
            let resource = json!({ "Type": resource_type, "Properties": properties });
            resources.insert(id.to_owned(), resource);
        };
        let queue = self.queue(name("queue"));
        add("Queue", "AWS::SQS::Queue", queue);
        let topic =
            json!({ "TopicName": name("topic"), "DisplayName": self.maybe(), "Tags": self.tags() });
        add("Topic", "AWS::SNS::Topic", topic);
        let types = self.one_of(&[json!("String"), json!("StringList")]);
        let tags = json!({ "one": self.plain(), "other": self.plain() });
        let parameter =
            json!({ "Type": types, "Value": "x", "Description": self.maybe(), "Tags": tags });
        add("Parameter", "AWS::SSM::Parameter", parameter);
        let days = self.one_of(&[json!(7), json!("14"), json!(30)]);
        let group =
            json!({ "LogGroupName": name("group"), "RetentionInDays": days, "Tags": self.tags() });
        add("Group", "AWS::Logs::LogGroup", group);
        let secret = json!({ "Name": name("secret"), "SecretString": "x", "Description": self.maybe(), "Tags": self.tags() });
        add("Secret", "AWS::SecretsManager::Secret", secret);
        let state = self.one_of(&[json!("ENABLED"), json!("DISABLED")]);
        let hours = self.number(&[2, 12, 48]);
        let schedule = json!({ "Fn::Sub": ["rate(${H} hours)", { "H": hours }] });
        let rule =
            json!({ "Description": self.maybe(), "ScheduleExpression": schedule, "State": state });
        add("Rule", "AWS::Events::Rule", rule);
        let policy = json!({ "Version": "2012-10-17", "Statement": [] });
        let role = json!({
            "RoleName": name("role"), "AssumeRolePolicyDocument": policy, "Description": self.maybe(),
            "MaxSessionDuration": self.number(&[3600, 7200]), "Tags": self.tags(),
        });
        add("Role", "AWS::IAM::Role", role);
        let conditional = self.queue(name("conditional"));
        add("Conditional", "AWS::SQS::Queue", conditional);
        resources["Conditional"]["Condition"] = json!(self.condition_name());
        if self.has_extensions {
            let called = format!("looped-{}-${{Item}}", self.rng.u64(..));
            let mut looped = self.queue(json!({ "Fn::Sub": called }));
            let value = self.unspoilt(Self::text_of_item);
            looped["Tags"] = json!([{ "Key": { "Ref": "Item" }, "Value": value }]);
            let looped =
                json!({ "Looped${Item}": { "Type": "AWS::SQS::Queue", "Properties": looped } });
            let looped = json!(["Item", { "Ref": "L" }, looped]);
            resources.insert("Fn::ForEach::Queues".to_owned(), looped);
        }
        resources
    }

    fn queue(&mut self, name: Value) -> Value {
        json!({
            "QueueName": name,
            "VisibilityTimeout": self.number(&[0, 45, 43200]),
            "DelaySeconds": self.number(&[0, 7, 900]),
            "MessageRetentionPeriod": self.number(&[60, 1209600]),
            "Tags": self.tags(),
        })
    }

    /// Returns a text, or nothing, where a condition says so.
    fn maybe(&mut self) -> Value {
        let text = self.unspoilt(|this| this.text(2));
        let text = json!({ "Fn::Join": ["", ["=", text]] });
        let condition = self.condition_name();
        match self.rng.u8(..3) {
            0 => text,
            1 => json!({ "Fn::If": [condition, text, { "Ref": "AWS::NoValue" }] }),
            _ => json!({ "Fn::If": [condition, { "Ref": "AWS::NoValue" }, text] }),
        }
    }

    /// Returns tags, of which some are there only where a condition holds.
    fn tags(&mut self) -> Value {
        let tag = |key: &str, value| json!({ "Key": key, "Value": value });
        let always = tag("always", self.plain());
        let (one, other) = (tag("one", self.plain()), tag("other", self.plain()));
        let nothing = json!({ "Ref": "AWS::NoValue" });
        let (first, second) = (self.condition_name(), self.condition_name());
        match self.rng.u8(..3) {
            0 => {
                json!([always, { "Fn::If": [first, one, nothing] }, { "Fn::If": [second, nothing, other] }])
            }
            1 => json!({ "Fn::If": [first, [always, one], [other]] }),
            _ => json!([{ "Fn::If": [first, one, other] }, always]),
        }
    }

    /// Returns a text that may stand in a tag.
    fn plain(&mut self) -> Value {
        self.unspoilt(|this| match this.rng.u8(..6) {
            0 => json!({ "Ref": "AWS::Region" }),
            1 => json!({ "Fn::Sub": "${A}-${AWS::StackName}/${AWS::AccountId}" }),
            2 => this.mapped("v"),
            3 => json!({ "Fn::Select": [this.rng.u8(..3), { "Ref": "L" }] }),
            4 => json!({ "Fn::Select": ["1", { "Fn::Split": ["-", { "Ref": "B" }] }] }),
            _ => json!({ "Fn::If": [this.condition_name(), "1.10", { "Ref": "N" }] }),
        })
    }

    /// Returns one of some numbers, as a number or a text.
    fn number(&mut self, numbers: &[u32]) -> Value {
        let values: Vec<Value> = numbers
            .iter()
            .flat_map(|number| [json!(number), json!(number.to_string())])
            .collect();
        self.one_of(&values)
    }

    fn one_of(&mut self, values: &[Value]) -> Value {
        let one = values[self.rng.usize(..values.len())].clone();
        let other = values[self.rng.usize(..values.len())].clone();
        self.unspoilt(|this| match this.rng.u8(..4) {
            0 => one.clone(),
            1 => json!({ "Fn::If": [this.condition_name(), one, other] }),
            2 => json!({ "Fn::Select": [this.rng.u8(..2), [one, other]] }),
            _ => {
                json!({ "Fn::If": [this.condition_name(), { "Fn::Select": ["0", [other]] }, one] })
            }
        })
    }
}

/// Returns a name that no other stack has.
fn name(of: &str) -> Value {
    json!({ "Fn::Sub": format!("${{AWS::StackName}}-{of}") })
}

/// Returns what is claimed of the resources of a template, a text for each property and tag that is there.
pub fn claimed(root: &Node) -> BTreeMap<String, Option<String>> {
    let text = |node: Option<&Node>| node.and_then(Node::text).map(str::to_owned);
    let resources = root.value("Resources").and_then(Node::entries);
    let mut claims = BTreeMap::new();
    for (id, entry) in resources.into_iter().flatten() {
        let declared = text(entry.value.value("Type")).unwrap_or_default();
        let (Some(kind), Some(properties)) = (kind(&declared), entry.value.value("Properties"))
        else {
            continue;
        };
        for property in kind.properties {
            if let Some(node) = properties.value(property) {
                claims.insert(format!("{id}.{property}"), text(Some(node)));
            }
        }
        let tags = properties.value("Tags");
        for tag in tags.and_then(Node::items).into_iter().flatten() {
            let key = text(tag.value("Key")).unwrap_or_else(|| "not known".to_owned());
            claims.insert(format!("{id}.Tags.{key}"), text(tag.value("Value")));
        }
        for (key, entry) in tags.and_then(Node::entries).into_iter().flatten() {
            claims.insert(format!("{id}.Tags.{key}"), text(Some(&entry.value)));
        }
    }
    claims
}

/// Returns what the resources of a deployed stack have.
pub fn deployed(cloud: &Cloud, stack: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (id, (resource_type, physical)) in cloud.resources(stack) {
        let Some(kind) = kind(&resource_type) else {
            continue;
        };
        for (name, value) in (kind.read)(cloud, &physical) {
            let is_ours = !name.starts_with("Tags.aws:") && !value.is_empty();
            if is_ours && (name.starts_with("Tags.") || kind.properties.contains(&name.as_str())) {
                found.insert(format!("{id}.{name}"), value);
            }
        }
    }
    found
}

/// Returns the texts and numbers of an object.
fn texts(of: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let entries = of.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
        .collect()
}

/// Returns tags, given as a mapping or as a list of keys and values.
fn tags(of: &Value) -> BTreeMap<String, String> {
    let listed = of.as_array().into_iter().flatten();
    let listed = listed.filter_map(|tag| {
        let text = |key| Some(tag.get(key)?.as_str()?.to_owned());
        Some((text("Key")?, text("Value")?))
    });
    let all = texts(of).into_iter().chain(listed);
    all.map(|(key, value)| (format!("Tags.{key}"), value))
        .collect()
}

fn last(text: &str) -> String {
    text.rsplit(':').next().unwrap_or_default().to_owned()
}

fn queue(cloud: &Cloud, url: &str) -> BTreeMap<String, String> {
    let about = |more: Value| {
        let mut body = json!({ "QueueUrl": url });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let asked = about(json!({ "AttributeNames": ["All"] }));
    let attributes = cloud.json("sqs", "AmazonSQS.GetQueueAttributes", &asked);
    let mut found = texts(&attributes["Attributes"]);
    let arn = found.get("QueueArn").cloned().unwrap_or_default();
    found.insert("QueueName".to_owned(), last(&arn));
    let all = cloud.json("sqs", "AmazonSQS.ListQueueTags", &about(json!({})));
    found.extend(tags(&all["Tags"]));
    found
}

fn topic(cloud: &Cloud, arn: &str) -> BTreeMap<String, String> {
    let attributes = cloud.query("sns", "2010-03-31", "GetTopicAttributes", ("TopicArn", arn));
    let mut found = attributes.pairs("key", "value");
    found.insert("TopicName".to_owned(), last(arn));
    let all = cloud.query(
        "sns",
        "2010-03-31",
        "ListTagsForResource",
        ("ResourceArn", arn),
    );
    found.extend(all.tags());
    found
}

fn parameter(cloud: &Cloud, name: &str) -> BTreeMap<String, String> {
    let asked = json!({ "ParameterFilters": [{ "Key": "Name", "Values": [name] }] });
    let all = cloud.json("ssm", "AmazonSSM.DescribeParameters", &asked);
    let mut found = texts(&all["Parameters"][0]);
    let asked = json!({ "ResourceType": "Parameter", "ResourceId": name });
    let all = cloud.json("ssm", "AmazonSSM.ListTagsForResource", &asked);
    found.extend(tags(&all["TagList"]));
    found
}

fn log_group(cloud: &Cloud, name: &str) -> BTreeMap<String, String> {
    let asked = json!({ "logGroupNamePrefix": name });
    let all = cloud.json("logs", "Logs_20140328.DescribeLogGroups", &asked);
    let read = texts(&all["logGroups"][0]);
    let renamed = [
        ("logGroupName", "LogGroupName"),
        ("retentionInDays", "RetentionInDays"),
    ];
    let mut found: BTreeMap<_, _> = renamed
        .into_iter()
        .filter_map(|(read_as, name)| Some((name.to_owned(), read.get(read_as)?.clone())))
        .collect();
    let asked = json!({ "logGroupName": name });
    let all = cloud.json("logs", "Logs_20140328.ListTagsLogGroup", &asked);
    found.extend(tags(&all["tags"]));
    found
}

fn secret(cloud: &Cloud, id: &str) -> BTreeMap<String, String> {
    let asked = json!({ "SecretId": id });
    let read = cloud.json("secretsmanager", "secretsmanager.DescribeSecret", &asked);
    let mut found = texts(&read);
    found.extend(tags(&read["Tags"]));
    found
}

fn rule(cloud: &Cloud, name: &str) -> BTreeMap<String, String> {
    texts(&cloud.json("events", "AWSEvents.DescribeRule", &json!({ "Name": name })))
}

fn role(cloud: &Cloud, name: &str) -> BTreeMap<String, String> {
    let read = cloud.query("iam", "2010-05-08", "GetRole", ("RoleName", name));
    let mut found = read.tags();
    for property in ["RoleName", "Description", "MaxSessionDuration"] {
        found.extend(read.text(property).map(|text| (property.to_owned(), text)));
    }
    found
}
