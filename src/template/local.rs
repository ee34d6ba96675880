//! Local paths in a template: which values hold them, and the text with where the files are now in their place.
//!
//! What counts is the table of `aws cloudformation package`, with two differences: a property that is missing is never
//! taken for the template's own folder, and the text keeps its comments and its form, since only the values change.

use std::ops::Range;

use indexmap::IndexMap;

use super::Position;
use super::error::{TemplateError, TemplateProblem};
use super::node::{Entry, Node, NodeKind, Scalar};
use super::tree::Template;
use crate::model::clean;

/// What a local path must lead to, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// A template, whose own local paths are replaced first.
    Template,
    /// A folder or a file that becomes a zip, or a zip as it is.
    Zip,
    /// A folder that becomes a zip, or a file as it is.
    Bundle,
    /// A file as it is.
    File,
}

/// How a property says where an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `s3://BUCKET/KEY`, of which the service always reads the newest version.
    Uri,
    /// `s3://BUCKET/KEY`, with `?versionId=` behind it where the object has a version, as AWS SAM takes it.
    VersionedUri,
    /// `https://…/BUCKET/KEY`, with `?versionId=` behind it where the object has a version.
    Url,
    /// A mapping of bucket and key, by these names.
    Mapping {
        /// The property for the bucket.
        bucket: &'static str,
        /// The property for the key.
        key: &'static str,
        /// The property for the version; none where the service always reads the newest one.
        version: Option<&'static str>,
    },
}

/// A local path that a template names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath {
    /// The path, as it is written.
    pub path: String,
    /// Where it is written.
    pub position: Position,
    /// What it is the value of, such as `` `Code` of resource `Hello` ``, safe to show.
    pub place: String,
    /// What it must lead to.
    pub content: Content,
    /// What it is replaced by.
    pub form: Form,
    /// Whether the service reads objects of the stack's own region alone.
    pub is_regional: bool,
    bytes: Range<usize>,
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPlace {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version, where the bucket keeps versions.
    pub version: Option<String>,
    /// The URL, without a signature; of that version, where there is one.
    pub url: String,
}

/// A property that may hold a local path.
struct Property(&'static str, &'static [&'static str], Content, Form);

const LAMBDA: Form = Form::Mapping {
    bucket: "S3Bucket",
    key: "S3Key",
    version: Some("S3ObjectVersion"),
};
const BUNDLE: Form = Form::Mapping {
    bucket: "S3Bucket",
    key: "S3Key",
    version: None,
};
const PLAIN: Form = Form::Mapping {
    bucket: "Bucket",
    key: "Key",
    version: Some("Version"),
};
const REPOSITORY: Form = Form::Mapping {
    bucket: "Bucket",
    key: "Key",
    version: Some("ObjectVersion"),
};

/// The properties, by resource type.
#[rustfmt::skip] // A table.
const PROPERTIES: &[Property] = &[
    Property("AWS::ApiGateway::RestApi", &["BodyS3Location"], Content::File, PLAIN),
    Property("AWS::AppSync::FunctionConfiguration", &["CodeS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::FunctionConfiguration", &["RequestMappingTemplateS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::FunctionConfiguration", &["ResponseMappingTemplateS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::GraphQLSchema", &["DefinitionS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::Resolver", &["CodeS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::Resolver", &["RequestMappingTemplateS3Location"], Content::File, Form::Uri),
    Property("AWS::AppSync::Resolver", &["ResponseMappingTemplateS3Location"], Content::File, Form::Uri),
    Property("AWS::CloudFormation::ModuleVersion", &["ModulePackage"], Content::Bundle, Form::Uri),
    Property("AWS::CloudFormation::ResourceVersion", &["SchemaHandlerPackage"], Content::Bundle, Form::Uri),
    Property("AWS::CloudFormation::Stack", &["TemplateURL"], Content::Template, Form::Url),
    Property("AWS::CloudFormation::StackSet", &["TemplateURL"], Content::Template, Form::Url),
    Property("AWS::CodeCommit::Repository", &["Code", "S3"], Content::Zip, REPOSITORY),
    Property("AWS::ElasticBeanstalk::ApplicationVersion", &["SourceBundle"], Content::Bundle, BUNDLE),
    Property("AWS::Glue::Job", &["Command", "ScriptLocation"], Content::File, Form::Uri),
    Property("AWS::Lambda::Function", &["Code"], Content::Zip, LAMBDA),
    Property("AWS::Lambda::LayerVersion", &["Content"], Content::Zip, LAMBDA),
    Property("AWS::Serverless::Api", &["DefinitionUri"], Content::File, Form::VersionedUri),
    Property("AWS::Serverless::Application", &["Location"], Content::Template, Form::Url),
    Property("AWS::Serverless::Function", &["CodeUri"], Content::Zip, Form::VersionedUri),
    Property("AWS::Serverless::GraphQLApi", &["SchemaUri"], Content::File, Form::Uri),
    Property("AWS::Serverless::HttpApi", &["DefinitionUri"], Content::File, Form::VersionedUri),
    Property("AWS::Serverless::LayerVersion", &["ContentUri"], Content::Zip, Form::VersionedUri),
    Property("AWS::Serverless::StateMachine", &["DefinitionUri"], Content::File, Form::VersionedUri),
    Property("AWS::StepFunctions::StateMachine", &["DefinitionS3Location"], Content::File, PLAIN),
];

impl Form {
    /// Returns whether it tells which version of an object is meant, where there is one.
    pub fn names_version(self) -> bool {
        match self {
            Self::Uri => false,
            Self::VersionedUri | Self::Url => true,
            Self::Mapping { version, .. } => version.is_some(),
        }
    }

    /// Returns what stands in the place of a local path, in JSON on one line, which is YAML too, wherever a text may
    /// stand.
    pub fn value(self, place: &ObjectPlace) -> String {
        let ObjectPlace {
            bucket,
            key,
            version,
            url,
        } = place;
        let quoted = |text: &str| serde_json::json!(text).to_string();
        match (self, version) {
            (Self::Uri, _) | (Self::VersionedUri, None) => quoted(&format!("s3://{bucket}/{key}")),
            // S3 gives versions that can stand in a URL as they are.
            (Self::VersionedUri, Some(version)) => {
                quoted(&format!("s3://{bucket}/{key}?versionId={version}"))
            }
            (Self::Url, _) => quoted(url),
            (
                Self::Mapping {
                    bucket: b,
                    key: k,
                    version: v,
                },
                version,
            ) => {
                let mut members = vec![(b, bucket), (k, key)];
                members.extend(v.zip(version.as_ref()));
                // Written by hand for the space behind colons, without which a key is none in a YAML of before 1.2.
                let members = members
                    .into_iter()
                    .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl LocalPath {
    /// Returns where it is in the file's text, in bytes.
    pub fn bytes(&self) -> &Range<usize> {
        &self.bytes
    }

    /// Returns the path from the folder that `template` is counted from, with forward slashes and `.` for that folder
    /// itself; `None` where it leads out of it.
    pub fn from_root(&self, template: &str) -> Option<String> {
        if self.path.starts_with('/') {
            return None;
        }
        let folder = template.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts = Vec::new();
        for part in folder.split('/').chain(self.path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        Some(match parts.is_empty() {
            true => ".".to_owned(),
            false => parts.join("/"),
        })
    }
}

impl Template {
    /// Returns the local paths that the template names, in the order of the file.
    pub fn local_paths(&self) -> Result<Vec<LocalPath>, TemplateError> {
        let mut found = Vec::new();
        if let Some(resources) = self.section("Resources") {
            self.of_resources(resources, &mut found)?;
        }
        if let Some(transform) = self.root().value("Transform") {
            self.of_transform(transform, &mut found)?;
        }
        self.of_includes(self.root(), &mut found)?;
        found.sort_by_key(|local| local.bytes.start);
        Ok(found)
    }

    /// Returns the text of the file with `values` in the place of its local paths. All else stays as it is.
    pub fn with_values(&self, values: &[(LocalPath, String)]) -> String {
        let mut values: Vec<_> = values.iter().collect();
        values.sort_by_key(|(local, _)| local.bytes.start);
        let mut text = String::with_capacity(self.text().len());
        let mut done = 0;
        for (local, value) in values {
            text.push_str(self.text().get(done..local.bytes.start).unwrap_or_default());
            text.push_str(value);
            done = local.bytes.end;
        }
        text.push_str(self.text().get(done..).unwrap_or_default());
        text
    }

    fn of_resources(
        &self,
        resources: &IndexMap<String, Entry>,
        found: &mut Vec<LocalPath>,
    ) -> Result<(), TemplateError> {
        for (id, entry) in resources {
            if id.starts_with("Fn::ForEach") {
                // Its name, its values, and the resources that it makes of them.
                let body = entry.value.items().and_then(|items| items.get(2));
                if let Some(body) = body.and_then(Node::entries) {
                    self.of_resources(body, found)?;
                }
                continue;
            }
            let declared = entry.value.value("Type").and_then(Node::text);
            let Some(properties) = entry.value.value("Properties") else {
                continue;
            };
            for Property(resource_type, path, content, form) in PROPERTIES {
                if declared != Some(*resource_type) {
                    continue;
                }
                let value = path
                    .iter()
                    .try_fold(properties, |node, name| node.value(name));
                if let Some(value) = value {
                    let place = format!("`{}` of resource `{}`", path.join("."), clean(id));
                    let is_regional = resource_type.starts_with("AWS::Lambda::")
                        || (resource_type.starts_with("AWS::Serverless::")
                            && *content == Content::Zip);
                    let local = self.local(value, place, *content, *form)?;
                    found.extend(local.map(|local| LocalPath {
                        is_regional,
                        ..local
                    }));
                }
            }
        }
        Ok(())
    }

    /// Finds `Fn::Transform` with `AWS::Include`, which may stand anywhere.
    fn of_includes(&self, node: &Node, found: &mut Vec<LocalPath>) -> Result<(), TemplateError> {
        // No deeper than a template that was read is nested.
        match &node.kind {
            NodeKind::Scalar(_) => {}
            NodeKind::Sequence(items) => {
                for item in items {
                    self.of_includes(item, found)?;
                }
            }
            NodeKind::Mapping(entries) => {
                for (key, entry) in entries {
                    if key == "Fn::Transform" {
                        self.of_transform(&entry.value, found)?;
                    }
                    self.of_includes(&entry.value, found)?;
                }
            }
        }
        Ok(())
    }

    fn of_transform(&self, node: &Node, found: &mut Vec<LocalPath>) -> Result<(), TemplateError> {
        for transform in node.items().unwrap_or(std::slice::from_ref(node)) {
            if transform.value("Name").and_then(Node::text) != Some("AWS::Include") {
                continue;
            }
            let location = transform
                .value("Parameters")
                .and_then(|parameters| parameters.value("Location"));
            if let Some(location) = location {
                let place = "`Location` of `AWS::Include`".to_owned();
                found.extend(self.local(location, place, Content::File, Form::Uri)?);
            }
        }
        Ok(())
    }

    fn local(
        &self,
        node: &Node,
        place: String,
        content: Content,
        form: Form,
    ) -> Result<Option<LocalPath>, TemplateError> {
        let NodeKind::Scalar(scalar) = &node.kind else {
            return Ok(None);
        };
        if node.is_null() || !is_local(&scalar.text) {
            return Ok(None);
        }
        if !is_replaceable(self.text(), scalar) {
            let problem = TemplateProblem::LocalPath { place };
            return Err(problem.at(self.file(), node.position));
        }
        Ok(Some(LocalPath {
            path: scalar.text.clone(),
            position: node.position,
            place,
            content,
            form,
            is_regional: false,
            bytes: scalar.bytes.clone(),
        }))
    }
}

/// Returns whether a text is a path and not a URL, nor something that CloudFormation resolves.
fn is_local(text: &str) -> bool {
    let has_scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    });
    !text.trim().is_empty() && !has_scheme && !text.contains("{{resolve:")
}

/// Returns whether another value can stand where a text is written, without a trace of the text beside it.
fn is_replaceable(text: &str, scalar: &Scalar) -> bool {
    let (Some(before), Some(written)) = (
        text.get(..scalar.bytes.start),
        text.get(scalar.bytes.clone()),
    ) else {
        return false;
    };
    let is_quoted =
        |quote: char| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote);
    let is_whole = written == scalar.text || is_quoted('"') || is_quoted('\'');
    // A tag or an anchor before it would be one of the new value.
    let last = before
        .trim_end()
        .rsplit(|c: char| c.is_whitespace() || "[{,".contains(c))
        .next();
    let is_bare = last.is_none_or(|last| !last.starts_with(['!', '&']));
    is_whole && is_bare && !written.contains(['\n', '\r'])
}

#[cfg(test)]
mod tests;
