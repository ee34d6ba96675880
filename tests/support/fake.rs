//! A service with as many stacks as a screen needs, which answers at once and always the same.
//!
//! Emulators are for what happens; this is for what is shown, which must not depend on an emulator's words or pace.
//! Every stack exists and has an update to be made; what it is depends on the place.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::http::{self, Message};

/// What a stack went through.
#[derive(Debug, Default)]
struct Stack {
    status: Option<&'static str>,
    /// Resource, status, reason, token; newest first.
    events: Vec<(&'static str, &'static str, &'static str, String)>,
}

#[derive(Debug, Default)]
struct State {
    stacks: BTreeMap<String, Stack>,
}

/// What is to be changed in a stack.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// The XML of the changes; empty: there is nothing to change.
    pub changes: &'static str,
    /// What else the change set says of itself, as XML.
    pub about: &'static str,
    /// The template that the stack has.
    pub template: &'static str,
}

/// The service. It ends with the test program.
pub struct Fake {
    endpoint: String,
}

impl Fake {
    /// Starts the service. `changes` gives the update of a region; none: there is nothing to change.
    pub fn start(
        changes: impl Fn(&str) -> Option<Update> + Send + Sync + 'static,
        fails: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let (changes, fails) = (Arc::new(changes), Arc::new(fails));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (state, changes, fails) = (state.clone(), changes.clone(), fails.clone());
                thread::spawn(move || serve(client, &state, &*changes, &*fails));
            }
        });
        Fake { endpoint }
    }

    /// Returns its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

fn serve(
    mut client: TcpStream,
    state: &Mutex<State>,
    changes: &dyn Fn(&str) -> Option<Update>,
    fails: &dyn Fn(&str) -> bool,
) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    while let Ok(Some(request)) = http::read(&mut reader) {
        let action = request.form("Action").unwrap_or_default();
        let (key, region) = signed_by(&request);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer(&mut state, &action, &request, &key, &region, changes, fails);
        let bytes = match answer {
            Ok(result) => http::reply(
                200,
                "text/xml",
                &format!(
                    "<{action}Response><{action}Result>{result}</{action}Result>\
                     <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>"
                ),
            ),
            Err(message) => http::reply(
                400,
                "text/xml",
                &format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
                     <Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
                ),
            ),
        };
        if client.write_all(&bytes).is_err() {
            return;
        }
    }
}

/// Returns the access key, which is the account, and the region of a request.
fn signed_by(request: &Message) -> (String, String) {
    let scope = request.header("authorization").unwrap_or_default();
    let scope = scope.split_once("Credential=").map_or("", |(_, rest)| rest);
    let mut parts = scope.split('/').map(str::to_owned);
    let key = parts.next().unwrap_or_default();
    (key, parts.nth(1).unwrap_or_default())
}

fn answer(
    state: &mut State,
    action: &str,
    request: &Message,
    account: &str,
    region: &str,
    changes: &dyn Fn(&str) -> Option<Update>,
    fails: &dyn Fn(&str) -> bool,
) -> Result<String, String> {
    let field = |name: &str| request.form(name).unwrap_or_default();
    let name = "messaging";
    let arn =
        |kind: &str, rest: &str| format!("arn:aws:cloudformation:{region}:{account}:{kind}/{rest}");
    let id = arn(
        "stack",
        &format!("{name}/5e1f0000-0000-4000-8000-000000000001"),
    );
    let set = arn("changeSet", "plan/5e1f0000-0000-4000-8000-000000000002");
    let stack = state
        .stacks
        .entry(format!("{account}/{region}"))
        .or_default();
    let status = stack.status.unwrap_or("CREATE_COMPLETE");
    match action {
        "GetCallerIdentity" => Ok(format!(
            "<Account>{account}</Account><Arn>arn:aws:iam::{account}:root</Arn><UserId>u</UserId>"
        )),
        "AssumeRole" => {
            let account = field("RoleArn")
                .split(':')
                .nth(4)
                .unwrap_or_default()
                .to_owned();
            Ok(format!(
                "<Credentials><AccessKeyId>{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
                 <AssumedRoleUser><AssumedRoleId>r</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/r/s</Arn></AssumedRoleUser>"
            ))
        }
        "DescribeStacks" => Ok(format!(
            "<Stacks><member><StackId>{id}</StackId><StackName>{name}</StackName><StackStatus>{status}</StackStatus>\
             <CreationTime>2026-11-22T22:00:00Z</CreationTime></member></Stacks>"
        )),
        "GetTemplate" => Ok(format!(
            "<TemplateBody>{}</TemplateBody>",
            changes(region).map_or("Resources: {Queue: {Type: AWS::SQS::Queue}}", |update| {
                update.template
            })
        )),
        "CreateChangeSet" => Ok(format!("<Id>{set}</Id><StackId>{id}</StackId>")),
        "DescribeChangeSet" => {
            let about = format!(
                "<ChangeSetName>plan</ChangeSetName><ChangeSetId>{set}</ChangeSetId><StackId>{id}</StackId><StackName>{name}</StackName>"
            );
            let update = changes(region);
            let more = update.map_or("", |update| update.about);
            Ok(match update.map_or("", |update| update.changes) {
                "" => format!(
                    "{about}{more}<Status>FAILED</Status><ExecutionStatus>UNAVAILABLE</ExecutionStatus>\
                     <StatusReason>The submitted information didn't contain changes. Submit different information to create a change set.</StatusReason>"
                ),
                changes => format!(
                    "{about}{more}<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes>{changes}</Changes>"
                ),
            })
        }
        "ExecuteChangeSet" => {
            let token = field("ClientRequestToken");
            let mut say = |what, status, reason| {
                stack
                    .events
                    .insert(0, (what, status, reason, token.clone()))
            };
            say(name, "UPDATE_IN_PROGRESS", "User Initiated");
            if fails(region) {
                say(
                    "Queue",
                    "UPDATE_FAILED",
                    "Resource handler returned message: The queue is in use",
                );
                say(name, "UPDATE_ROLLBACK_COMPLETE", "");
                stack.status = Some("UPDATE_ROLLBACK_COMPLETE");
            } else {
                say("Queue", "UPDATE_COMPLETE", "");
                say(name, "UPDATE_COMPLETE", "");
                stack.status = Some("UPDATE_COMPLETE");
            }
            Ok(String::new())
        }
        "DescribeStackEvents" => {
            let total = stack.events.len();
            let events = stack.events.iter().enumerate().map(|(at, (what, status, reason, token))| {
                let (physical, kind) = match *what == name {
                    true => (id.as_str(), "AWS::CloudFormation::Stack"),
                    false => ("physical", "AWS::SQS::Queue"),
                };
                format!(
                    "<member><StackId>{id}</StackId><StackName>{name}</StackName><EventId>e-{}</EventId><LogicalResourceId>{what}</LogicalResourceId>\
                     <PhysicalResourceId>{physical}</PhysicalResourceId><ResourceType>{kind}</ResourceType><Timestamp>2026-11-22T22:00:00Z</Timestamp>\
                     <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason>\
                     <ClientRequestToken>{token}</ClientRequestToken></member>",
                    total - at
                )
            });
            Ok(format!(
                "<StackEvents>{}</StackEvents>",
                events.collect::<String>()
            ))
        }
        "DeleteChangeSet" => Ok(String::new()),
        "ListChangeSets" => Ok("<Summaries/>".to_owned()),
        other => Err(format!("{other} is not answered here")),
    }
}
