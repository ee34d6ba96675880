//! A hermetic place to run the binary in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rexpect::session::PtySession;
use tempfile::TempDir;

use super::output::{self, Output};
use super::process::{Process, RUN_TIMEOUT};
use super::proxy::Proxy;
use super::{Cloud, Emulator};

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_stackgate");

/// The columns of every screen that is compared.
const COLUMNS: usize = 100;

/// An empty project folder, an emulator, nine accounts and nothing of the developer's own environment.
///
/// Tests write `111111111111`, `222222222222` … `999999999999`. Since all tests share the emulators, these stand for
/// accounts that are the test's own: they are replaced in files and arguments, and put back in outputs. Replacements
/// have the same order and length. The base credentials belong to `111111111111`.
pub struct TestEnv {
    folder: TempDir,
    emulator: Option<Emulator>,
    accounts: [String; 9],
    variables: BTreeMap<String, String>,
}

impl TestEnv {
    /// Returns a place without any endpoint: a call that goes out is refused at once.
    pub fn offline() -> TestEnv {
        TestEnv::new(None)
    }

    /// Returns a place that reaches an emulator.
    pub fn on(emulator: Emulator) -> TestEnv {
        TestEnv::new(Some(emulator))
    }

    fn new(emulator: Option<Emulator>) -> TestEnv {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        // The process id keeps apart what two test binaries do on the same emulator.
        let prefix = format!("{:07}{number:04}", std::process::id() % 10_000_000);
        let folder = tempfile::Builder::new()
            .prefix("stackgate-test-")
            .tempdir()
            .unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let env = TestEnv {
            emulator,
            accounts: [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|digit| format!("{prefix}{digit}")),
            variables: BTreeMap::new(),
            folder,
        };
        // Port 9 discards, and nothing listens there.
        let endpoint = emulator.map_or_else(|| "http://127.0.0.1:9".to_owned(), Emulator::endpoint);
        let home = env.folder.path().join("home").display().to_string();
        let account = env.accounts[0].clone();
        [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", home),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("COLUMNS", COLUMNS.to_string()),
            ("NO_COLOR", "1".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("AWS_ACCESS_KEY_ID", account),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
        .into_iter()
        .fold(env, |env, (name, value)| env.variable(name, &value))
    }

    /// Adds the sample templates and override files of this repository.
    pub fn samples(self) -> TestEnv {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["templates", "parameter-overrides"] {
            self.copy(&root.join(folder), Path::new(folder));
        }
        self
    }

    fn copy(&self, from: &Path, to: &Path) {
        let entries =
            fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        for entry in entries {
            let (from, name) = entry
                .map(|entry| (entry.path(), entry.file_name()))
                .unwrap();
            let to = to.join(name);
            if from.is_dir() {
                self.copy(&from, &to);
            } else {
                self.write(to.to_str().unwrap(), &fs::read_to_string(&from).unwrap());
            }
        }
    }

    /// Sets an environment variable of the binary.
    pub fn variable(mut self, name: &str, value: &str) -> TestEnv {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes an environment variable away from the binary.
    pub fn without(mut self, name: &str) -> TestEnv {
        self.variables.remove(name);
        self
    }

    /// Sends the calls of the binary through a proxy.
    pub fn through(self, proxy: &Proxy) -> TestEnv {
        let endpoint = proxy.endpoint();
        self.variable("AWS_ENDPOINT_URL", &endpoint)
    }

    /// Returns the emulator's endpoint, past any proxy.
    pub fn endpoint(&self) -> String {
        self.emulator
            .expect("this test chose no emulator")
            .endpoint()
    }

    /// Returns a client that looks at the emulator, past any proxy.
    pub fn cloud(&self, account: &str, region: &str) -> Cloud {
        Cloud::new(&self.endpoint(), &self.private(account), region)
    }

    /// Returns the project folder, in which the binary runs.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project, with its folders. Accounts are replaced in its path and text.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(self.private(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.private(text)).unwrap();
    }

    /// Returns text of the test with its own accounts in place of `111111111111` and so on.
    pub fn private(&self, text: &str) -> String {
        self.replaced(text, |shown, own| (shown, own))
    }

    /// Returns text of the binary with `111111111111` and so on, and without the path of the project.
    pub fn public(&self, text: &str) -> String {
        let text = self.replaced(text, |shown, own| (own, shown));
        let folder = self.folder.path();
        // The binary may say the path with its symbolic links resolved.
        let whole = folder.canonicalize().unwrap();
        [whole.as_path(), folder]
            .into_iter()
            .fold(text, |text, path| {
                text.replace(path.join("project").to_str().unwrap(), "[ROOT]")
                    .replace(path.join("home").to_str().unwrap(), "[HOME]")
            })
    }

    fn replaced(
        &self,
        text: &str,
        pair: impl for<'a> Fn(&'a str, &'a str) -> (&'a str, &'a str),
    ) -> String {
        let mut text = text.to_owned();
        for (digit, own) in ('1'..='9').zip(&self.accounts) {
            let shown = digit.to_string().repeat(12);
            let (from, to) = pair(&shown, own);
            text = text.replace(from, to);
        }
        text
    }

    /// Returns a command that runs the binary here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        self.prepare(&mut command);
        command.args(arguments.iter().map(|argument| self.private(argument)));
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .current_dir(self.root())
            .env_clear()
            .envs(&self.variables);
    }

    /// Runs the binary without a terminal and returns what it said.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = assert_cmd::Command::from_std(self.command(arguments))
            .timeout(RUN_TIMEOUT)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("outputs are UTF-8");
        output::collect(
            output.status,
            text(output.stdout),
            &text(output.stderr),
            |text| self.public(text),
        )
    }

    /// Starts the binary without a terminal, to be stopped, killed or waited for.
    pub fn start(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(arguments))
    }

    /// Waits for a started binary and returns what it said.
    pub fn finish(&self, process: Process) -> Output {
        let (status, stdout, stderr) = process.wait();
        output::collect(status, stdout, &stderr, |text| self.public(text))
    }

    /// Runs the binary in a pseudo-terminal of the usual width.
    pub fn terminal(&self, arguments: &[&str]) -> PtySession {
        self.terminal_of(COLUMNS, arguments)
    }

    /// Runs the binary in a pseudo-terminal of another width.
    pub fn terminal_of(&self, columns: usize, arguments: &[&str]) -> PtySession {
        let arguments: Vec<String> = arguments.iter().map(|a| self.private(a)).collect();
        // The shell is replaced by the binary.
        self.on_terminal(columns, "exec \"$0\" \"$@\"", &arguments)
    }

    /// Runs a shell script in such a terminal, in which `stackgate` is the binary.
    pub fn terminal_shell(&self, script: &str) -> PtySession {
        let folder = Path::new(BINARY).parent().unwrap().display();
        let script = format!("PATH=\"{folder}:$PATH\"\n{}", self.private(script));
        self.on_terminal(COLUMNS, &script, &[])
    }

    fn on_terminal(&self, columns: usize, script: &str, arguments: &[String]) -> PtySession {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        // A new pseudo-terminal has no size; the shell gives it one, and echo.
        let script = format!("stty echo cols {columns} rows 50; {script}");
        command.env("TERM", "xterm").args(["-c", &script, BINARY]);
        command.args(arguments);
        let timeout = u64::try_from(RUN_TIMEOUT.as_millis()).unwrap();
        rexpect::session::spawn_command(command, Some(timeout)).unwrap()
    }
}
