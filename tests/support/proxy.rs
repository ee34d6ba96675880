//! A loopback proxy between the binary and an emulator: it writes down every call, and disturbs those it is told to.
//!
//! Each call goes to the emulator on a connection of its own, so the proxy itself never sends anything twice.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::http::{self, Message};
use super::process::Victim;

/// One attempt of a call, as it was seen on the wire. A retry is another attempt.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, such as `CreateChangeSet`; empty where it is not in the request's form, as for S3.
    pub operation: String,
    /// The method of HTTP.
    pub method: String,
    /// The account whose credentials signed it; of an assumed role where the proxy saw the role assumed.
    pub account: String,
    /// The region it is signed for.
    pub region: String,
    /// The name of the stack; empty where the call names none.
    pub stack: String,
    /// The `ClientToken` or `ClientRequestToken`.
    pub token: Option<String>,
    /// Which connection of the client carried it, from 1.
    pub connection: usize,
    /// What became of it.
    pub fate: Fate,
    /// What was sent, as a form.
    body: String,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is under way.
    Pending,
    /// It reached the emulator, and its reply with this status was passed back.
    Passed(u16),
    /// It reached the emulator; the reply with this status was thrown away.
    Lost(u16),
    /// It reached the emulator; the process died before the reply with this status was passed back.
    Killed(u16),
    /// The connection was closed before the call reached the emulator.
    Refused,
    /// The proxy answered with this error code, and the call did not reach the emulator.
    Answered(String),
    /// The emulator did not answer.
    Unreachable(String),
}

impl Call {
    /// Returns the account and region, as `Target::place` does.
    pub fn place(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }

    /// Returns what was sent for a parameter of the query protocol, such as `Tags.member.1.Key`.
    pub fn field(&self, name: &str) -> Option<String> {
        let request = Message {
            body: self.body.clone().into_bytes(),
            ..Message::default()
        };
        request.form(name)
    }

    /// Returns whether the operation changes anything in the account.
    pub fn is_mutation(&self) -> bool {
        [
            "Create", "Execute", "Delete", "Update", "Set", "Cancel", "Continue", "Rollback",
            "Signal", "Put",
        ]
        .iter()
        .any(|verb| self.operation.starts_with(verb))
    }

    /// Returns whether the emulator has received the call.
    pub fn arrived(&self) -> bool {
        match self.fate {
            Fate::Passed(_) | Fate::Lost(_) | Fate::Killed(_) => true,
            Fate::Pending | Fate::Refused | Fate::Answered(_) | Fate::Unreachable(_) => false,
        }
    }
}

/// What to do to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Close the connection before the call reaches the emulator.
    Refuse,
    /// Let the call reach the emulator, then close the connection without its reply.
    LoseReply,
    /// Answer with an error in the XML of the query protocol; the emulator never sees the call.
    Answer(Error),
    /// Let the call reach the emulator, then kill the process given to [`Proxy::victim`] before it has the reply.
    Kill,
    /// Let the call reach the emulator only after a while.
    Delay(Duration),
    /// Let the call reach the emulator only after the gate was opened.
    Hold(Gate),
}

/// An error that a service answers with.
#[derive(Debug, Clone)]
pub struct Error {
    /// The status of HTTP.
    pub status: u16,
    /// The code, such as `Throttling`.
    pub code: &'static str,
    /// The text for people.
    pub message: &'static str,
}

impl Error {
    /// Too many calls.
    pub const THROTTLING: Error = Error {
        status: 400,
        code: "Throttling",
        message: "Rate exceeded",
    };
    /// The session of the caller ended.
    pub const EXPIRED_TOKEN: Error = Error {
        status: 403,
        code: "ExpiredToken",
        message: "The security token included in the request is expired",
    };
    /// The caller may not do this.
    pub const ACCESS_DENIED: Error = Error {
        status: 403,
        code: "AccessDenied",
        message: "User is not authorized to perform this operation",
    };
    /// The service is unwell.
    pub const UNAVAILABLE: Error = Error {
        status: 503,
        code: "ServiceUnavailable",
        message: "Service is unavailable",
    };

    fn reply(&self) -> Vec<u8> {
        let body = format!(
            "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>\
             <Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>",
            self.code, self.message
        );
        http::reply(self.status, "text/xml", &body)
    }
}

/// A gate that calls wait at until a test opens it, for ever.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everything pass that waits or comes later.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(closed, |open| !*open).unwrap());
    }
}

/// Which calls a fault strikes: by default the first one of all.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    operation: Option<String>,
    mutations: bool,
    place: Option<String>,
    skip: usize,
    every: usize,
    times: usize,
}

impl Rule {
    /// Returns a rule that strikes the very next call.
    pub fn new(fault: Fault) -> Rule {
        Rule {
            fault,
            operation: None,
            mutations: false,
            place: None,
            skip: 0,
            every: 1,
            times: 1,
        }
    }

    /// Strikes only calls of an operation.
    pub fn operation(mut self, operation: &str) -> Rule {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Strikes only calls that change something.
    pub fn mutations(mut self) -> Rule {
        self.mutations = true;
        self
    }

    /// Strikes only calls to one `account/region`.
    pub fn place(mut self, place: &str) -> Rule {
        self.place = Some(place.to_owned());
        self
    }

    /// Leaves the first calls that fit alone.
    pub fn skip(mut self, calls: usize) -> Rule {
        self.skip = calls;
        self
    }

    /// Strikes the first call that fits and then each `calls`-th one, for ever.
    pub fn every(mut self, calls: usize) -> Rule {
        (self.every, self.times) = (calls, usize::MAX);
        self
    }

    /// Strikes this many calls.
    pub fn times(mut self, calls: usize) -> Rule {
        self.times = calls;
        self
    }

    /// Returns whether the rule strikes the call, and counts it.
    fn strikes(&mut self, call: &Call) -> bool {
        let fits = self
            .operation
            .as_ref()
            .is_none_or(|name| *name == call.operation)
            && (!self.mutations || call.is_mutation())
            && self
                .place
                .as_ref()
                .is_none_or(|place| *place == call.place());
        if !fits || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        self.skip = self.every - 1;
        true
    }
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// The account behind an access key of an assumed role.
    accounts: HashMap<String, String>,
    /// The stack of a change set, whose ARN does not name it.
    stacks: HashMap<String, String>,
    victim: Option<Victim>,
    connections: usize,
    is_stopped: bool,
}

struct Shared {
    upstream: String,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn change(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.state());
        self.changed.notify_all();
    }
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts a proxy on a free port in front of an endpoint such as `http://127.0.0.1:4566`.
    pub fn start(endpoint: &str) -> Proxy {
        let upstream = endpoint
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut state = accepting.state();
                if state.is_stopped {
                    return;
                }
                state.connections += 1;
                let (shared, number) = (Arc::clone(&accepting), state.connections);
                drop(state);
                // A client that goes away ends its connection with an error, which is its right.
                thread::spawn(move || client.and_then(|client| serve(&shared, client, number)));
            }
        });
        Proxy { address, shared }
    }

    /// Returns the endpoint to give to the binary.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Disturbs the calls that the rule strikes, from now on. Of several rules the first that strikes counts.
    pub fn disturb(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// Forgets all rules.
    pub fn leave_alone(&self) {
        self.shared.state().rules.clear();
    }

    /// Names the process that [`Fault::Kill`] kills; a call that is struck before waits for it.
    pub fn victim(&self, victim: Victim) {
        self.shared.change(|state| state.victim = Some(victim));
    }

    /// Returns all calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// Forgets the calls so far; none may be under way.
    pub fn forget(&self) {
        self.shared.state().calls.clear();
    }

    /// Returns how many calls of an operation came.
    pub fn count(&self, operation: &str) -> usize {
        let is_wanted = |call: &&Call| call.operation == operation;
        self.shared.state().calls.iter().filter(is_wanted).count()
    }

    /// Returns how many connections were opened.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Returns how often each change reached the emulator, by `account/region/stack operation`.
    pub fn mutations(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.shared.state().calls {
            if call.is_mutation() && call.arrived() {
                let key = format!("{}/{} {}", call.place(), call.stack, call.operation);
                *counts.entry(key).or_default() += 1;
            }
        }
        counts
    }

    /// Waits until the calls so far satisfy a condition; panics after a minute.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&[Call]) -> bool) {
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), Duration::from_secs(60), |state| {
                !condition(&state.calls)
            })
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "a minute passed without {what}; calls: {:#?}",
            state.calls
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().is_stopped = true;
        // Wakes the accepting thread, which then sees that it is stopped.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves the calls of one connection until either side ends it.
#[expect(clippy::disallowed_methods, reason = "a slow network takes real time")]
fn serve(shared: &Shared, client: TcpStream, connection: usize) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    while let Some(request) = http::read(&mut reader)? {
        let (index, fault) = arrive(shared, &request, connection);
        let end = |fate: Fate| shared.change(|state| state.calls[index].fate = fate);
        match &fault {
            Some(Fault::Refuse) => {
                end(Fate::Refused);
                return Ok(());
            }
            Some(Fault::Answer(error)) => {
                end(Fate::Answered(error.code.to_owned()));
                client.write_all(&error.reply())?;
                continue;
            }
            Some(Fault::Delay(duration)) => thread::sleep(*duration),
            Some(Fault::Hold(gate)) => gate.pass(),
            Some(Fault::LoseReply | Fault::Kill) | None => {}
        }
        let reply = match forward(shared, &request) {
            Ok(reply) => reply,
            Err(error) => {
                end(Fate::Unreachable(error.to_string()));
                return Err(error);
            }
        };
        learn(shared, &request, &reply, index);
        match &fault {
            Some(Fault::LoseReply) => {
                end(Fate::Lost(reply.status()));
                return Ok(());
            }
            Some(Fault::Kill) => {
                kill(shared);
                end(Fate::Killed(reply.status()));
                return Ok(());
            }
            Some(Fault::Refuse | Fault::Answer(_) | Fault::Delay(_) | Fault::Hold(_)) | None => {}
        }
        // First, so that whoever acts on the reply finds the call recorded.
        end(Fate::Passed(reply.status()));
        // LocalStack closes each connection and AWS does not; the proxy does as AWS, so that tests can count them.
        match reply.kept_alive() {
            Some(raw) => client.write_all(&raw)?,
            None => return client.write_all(&reply.raw),
        }
    }
    Ok(())
}

/// Writes a call down, and decides what to do to it.
fn arrive(shared: &Shared, request: &Message, connection: usize) -> (usize, Option<Fault>) {
    let mut state = shared.state();
    let call = describe(&state, request, connection);
    let rule = state.rules.iter_mut().find_map(|rule| {
        let is_struck = rule.strikes(&call);
        is_struck.then(|| rule.fault.clone())
    });
    state.calls.push(call);
    shared.changed.notify_all();
    (state.calls.len() - 1, rule)
}

fn describe(state: &State, request: &Message, connection: usize) -> Call {
    // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …
    let scope: Vec<&str> = request
        .header("authorization")
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, scope)| scope.split(['/', ',']).collect())
        .unwrap_or_default();
    let part = |index: usize| scope.get(index).copied().unwrap_or_default();
    let key = part(0);
    let target = |value: &str| value.rsplit('.').next().unwrap_or_default().to_owned();
    let stack = match request.form("StackName") {
        // arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
        Some(arn) if arn.starts_with("arn:") => arn.split('/').nth(1).unwrap_or(&arn).to_owned(),
        Some(name) => name,
        None => request
            .form("ChangeSetName")
            .and_then(|arn| state.stacks.get(&arn).cloned())
            .unwrap_or_default(),
    };
    Call {
        method: request
            .start
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        operation: request
            .form("Action")
            .or_else(|| request.header("x-amz-target").map(target))
            .unwrap_or_default(),
        account: state
            .accounts
            .get(key)
            .map_or(key, String::as_str)
            .to_owned(),
        region: part(2).to_owned(),
        stack,
        token: request
            .form("ClientRequestToken")
            .or_else(|| request.form("ClientToken")),
        connection,
        fate: Fate::Pending,
        body: request.text(),
    }
}

fn forward(shared: &Shared, request: &Message) -> io::Result<Message> {
    let mut stream = http::connect(&shared.upstream)?;
    stream.write_all(&request.raw)?;
    let mut reader = BufReader::new(stream);
    let reply = if request.start.starts_with("HEAD ") {
        http::read_head(&mut reader)
    } else {
        http::read(&mut reader)
    };
    reply?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Remembers what later calls do not say themselves.
fn learn(shared: &Shared, request: &Message, reply: &Message, index: usize) {
    let (mut state, text) = (shared.state(), reply.text());
    let operation = state.calls[index].operation.clone();
    if operation == "AssumeRole"
        && let Some(key) = http::xml(&text, "AccessKeyId")
        && let Some(role) = request.form("RoleArn")
    {
        let account = role.split(':').nth(4).unwrap_or_default().to_owned();
        state.accounts.insert(key.to_owned(), account);
    }
    if operation == "CreateChangeSet"
        && let Some(id) = http::xml(&text, "Id")
    {
        let stack = state.calls[index].stack.clone();
        state.stacks.insert(id.to_owned(), stack);
    }
}

fn kill(shared: &Shared) {
    let state = shared.state();
    let state = shared
        .changed
        .wait_while(state, |state| state.victim.is_none())
        .unwrap();
    let victim = state.victim.clone();
    drop(state);
    if let Some(victim) = victim {
        victim.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::process::Process;
    use super::*;

    /// A server that counts what reaches it, and answers like an emulator.
    fn server() -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut reader = BufReader::new(client.try_clone().unwrap());
                while let Ok(Some(request)) = http::read(&mut reader) {
                    let operation = request.form("Action").unwrap_or_default();
                    let body = match operation.as_str() {
                        "AssumeRole" => "<AccessKeyId>ASIA1</AccessKeyId>",
                        "CreateChangeSet" => {
                            "<Id>arn:aws:cloudformation:eu-west-1:2:changeSet/c/1</Id>"
                        }
                        _ => "<ok/>",
                    };
                    log.lock().unwrap().push(operation);
                    // In pieces, as real servers send what they have not measured.
                    let (left, right) = body.split_at(2);
                    let reply = format!(
                        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                         2\r\n{left}\r\n{:x}\r\n{right}\r\n0\r\n\r\n",
                        right.len()
                    );
                    if client.write_all(reply.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        (endpoint, seen)
    }

    fn call(proxy: &Proxy, key: &str, body: &str) -> io::Result<Message> {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/cloudformation/aws4_request, S=x"
        );
        http::send(
            "POST",
            &proxy.endpoint(),
            &[("authorization", &scope)],
            body,
        )
    }

    #[test]
    fn calls_are_written_down_with_account_region_and_stack() {
        let (endpoint, _) = server();
        let proxy = Proxy::start(&endpoint);
        let role = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fr";
        call(&proxy, "111111111111", role).unwrap();
        let create = "Action=CreateChangeSet&StackName=messaging&ClientToken=t1";
        let reply = call(&proxy, "ASIA1", create).unwrap();
        assert_eq!(reply.status(), 200);
        assert!(reply.text().starts_with("<Id>arn:"), "{}", reply.text());
        let id = "arn%3Aaws%3Acloudformation%3Aeu-west-1%3A2%3AchangeSet%2Fc%2F1";
        call(
            &proxy,
            "ASIA1",
            &format!("Action=ExecuteChangeSet&ChangeSetName={id}"),
        )
        .unwrap();
        let arn = "arn:aws:cloudformation:eu-west-1:2:stack/other/uuid";
        call(
            &proxy,
            "333333333333",
            &format!("Action=DescribeStacks&StackName={arn}"),
        )
        .unwrap();

        let seen: Vec<String> = proxy
            .calls()
            .iter()
            .map(|call| format!("{} {} {}", call.place(), call.stack, call.operation))
            .collect();
        assert_eq!(
            seen,
            [
                "111111111111/eu-west-1  AssumeRole",
                "222222222222/eu-west-1 messaging CreateChangeSet",
                "222222222222/eu-west-1 messaging ExecuteChangeSet",
                "333333333333/eu-west-1 other DescribeStacks",
            ]
        );
        assert_eq!(proxy.calls()[1].token.as_deref(), Some("t1"));
        assert_eq!(proxy.connections(), 4);
        assert_eq!(proxy.calls()[3].connection, 4);
        assert_eq!(
            proxy.mutations().into_iter().collect::<Vec<_>>(),
            [
                (
                    "222222222222/eu-west-1/messaging CreateChangeSet".to_owned(),
                    1
                ),
                (
                    "222222222222/eu-west-1/messaging ExecuteChangeSet".to_owned(),
                    1
                ),
            ]
        );
    }

    #[test]
    fn a_lost_reply_and_a_refusal_look_alike_to_the_client_only() {
        let (endpoint, seen) = server();
        let proxy = Proxy::start(&endpoint);
        proxy.disturb(
            Rule::new(Fault::LoseReply)
                .operation("ExecuteChangeSet")
                .skip(1),
        );
        proxy.disturb(Rule::new(Fault::Refuse).operation("DeleteStack"));
        for is_answered in [true, false, true] {
            let answer = call(&proxy, "1", "Action=ExecuteChangeSet");
            assert_eq!(answer.is_ok(), is_answered);
        }
        assert!(call(&proxy, "1", "Action=DeleteStack").is_err());
        assert_eq!(*seen.lock().unwrap(), ["ExecuteChangeSet"; 3]);
        let fates: Vec<Fate> = proxy.calls().into_iter().map(|call| call.fate).collect();
        assert_eq!(
            fates,
            [
                Fate::Passed(200),
                Fate::Lost(200),
                Fate::Passed(200),
                Fate::Refused
            ]
        );
        assert_eq!(proxy.count("ExecuteChangeSet"), 3);
        assert_eq!(proxy.mutations()["1/eu-west-1/ ExecuteChangeSet"], 3);
        assert!(!proxy.mutations().contains_key("1/eu-west-1/ DeleteStack"));
    }

    #[test]
    fn an_error_is_answered_where_and_as_often_as_asked() {
        let (endpoint, seen) = server();
        let proxy = Proxy::start(&endpoint);
        proxy.disturb(
            Rule::new(Fault::Answer(Error::THROTTLING))
                .place("1/eu-west-1")
                .times(2),
        );
        let statuses: Vec<(u16, Option<String>)> = ["2", "1", "1", "1"]
            .iter()
            .map(|key| call(&proxy, key, "Action=DescribeStacks").unwrap())
            .map(|reply| {
                (
                    reply.status(),
                    http::xml(&reply.text(), "Code").map(str::to_owned),
                )
            })
            .collect();
        let throttled = (400, Some("Throttling".to_owned()));
        assert_eq!(
            statuses,
            [(200, None), throttled.clone(), throttled, (200, None)]
        );
        assert_eq!(seen.lock().unwrap().len(), 2);

        for error in [
            Error::EXPIRED_TOKEN,
            Error::ACCESS_DENIED,
            Error::UNAVAILABLE,
        ] {
            proxy.disturb(Rule::new(Fault::Answer(error.clone())).times(9));
            let reply = call(&proxy, "1", "Action=CreateChangeSet").unwrap();
            assert_eq!(http::xml(&reply.text(), "Code"), Some(error.code));
            assert_eq!(reply.status(), error.status);
            proxy.leave_alone();
        }
        assert!(proxy.mutations().is_empty());
    }

    #[test]
    fn a_process_dies_after_its_change_and_before_the_reply() {
        let (endpoint, seen) = server();
        let proxy = Arc::new(Proxy::start(&endpoint));
        proxy.disturb(Rule::new(Fault::Kill).mutations().skip(1));
        let mut command = Command::new("sh");
        command.args(["-c", "echo up >&2; exec sleep 600"]);
        call(&proxy, "1", "Action=DescribeStacks").unwrap();
        call(&proxy, "1", "Action=CreateChangeSet").unwrap();
        let caller = Arc::clone(&proxy);
        let struck = thread::spawn(move || call(&caller, "1", "Action=ExecuteChangeSet").is_err());
        // Named only now: the call waits for its victim.
        let process = Process::start(command);
        process.await_stderr("up");
        proxy.victim(process.victim());
        assert!(struck.join().unwrap(), "the reply was passed on");
        let (status, _, _) = process.wait();
        assert_eq!(status.code(), None);
        assert_eq!(seen.lock().unwrap().len(), 3);
        assert_eq!(proxy.calls()[2].fate, Fate::Killed(200));
    }

    #[test]
    fn a_held_call_waits_for_its_gate() {
        let (endpoint, seen) = server();
        let proxy = Arc::new(Proxy::start(&endpoint));
        let gate = Gate::default();
        proxy.disturb(Rule::new(Fault::Hold(gate.clone())));
        proxy.disturb(Rule::new(Fault::Delay(Duration::from_millis(1))));
        let caller = Arc::clone(&proxy);
        let held = thread::spawn(move || {
            call(&caller, "1", "Action=ExecuteChangeSet")
                .unwrap()
                .status()
        });
        proxy.wait_until("the call", |calls| calls.len() == 1);
        call(&proxy, "1", "Action=DescribeStacks").unwrap();
        assert_eq!(*seen.lock().unwrap(), ["DescribeStacks"]);
        assert!(!proxy.calls()[0].arrived());
        gate.open();
        assert_eq!(held.join().unwrap(), 200);
        assert_eq!(seen.lock().unwrap().len(), 2);
    }

    #[test]
    fn an_emulator_that_is_gone_is_said_to_be() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", closed.local_addr().unwrap());
        drop(closed);
        let proxy = Proxy::start(&endpoint);
        assert!(call(&proxy, "1", "Action=DescribeStacks").is_err());
        assert!(matches!(proxy.calls()[0].fate, Fate::Unreachable(_)));
    }
}
