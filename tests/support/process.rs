//! A started program that several threads may stop, wait for and read.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Longer than any run on a busy machine; a test that hits it fails instead of hanging.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(180);

/// What a pipe has said so far, and a bell for those who wait for more.
#[derive(Default)]
struct Heard {
    text: Mutex<(Vec<u8>, bool)>,
    more: Condvar,
}

/// A running program. Dropped, it is killed: no test leaves a process behind.
pub struct Process {
    child: Arc<Mutex<Child>>,
    stdout: Arc<Heard>,
    stderr: Arc<Heard>,
}

/// What is needed to kill a process from another thread.
#[derive(Clone)]
pub struct Victim(Arc<Mutex<Child>>);

impl Victim {
    /// Ends the process at once, as `kill -9` does; it is gone when this returns.
    pub fn kill(&self) {
        let mut child = self.0.lock().unwrap();
        // Fails only where the process is gone already.
        let _ = child.kill();
        child.wait().unwrap();
    }
}

impl Process {
    /// Starts a command with nothing to read and both outputs kept.
    pub fn start(mut command: Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (stdout, stderr) = (Arc::default(), Arc::default());
        listen(child.stdout.take().unwrap(), &stdout);
        listen(child.stderr.take().unwrap(), &stderr);
        Process {
            child: Arc::new(Mutex::new(child)),
            stdout,
            stderr,
        }
    }

    /// Returns what another thread needs to kill this process.
    pub fn victim(&self) -> Victim {
        Victim(Arc::clone(&self.child))
    }

    /// Sends a signal by its name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id();
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(status.unwrap().success(), "no signal {name} to {id}");
    }

    /// Ends the process as `kill -9` does and leaves it unreaped, as a container without an init does.
    pub fn kill_unreaped(&self) {
        self.signal("KILL");
        let id = self.child.lock().unwrap().id();
        let has_ended = || {
            let threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            threads.count() == 1 && stat.contains(") Z ")
        };
        // The kernel ends its threads one by one, and tells nobody but who would reap it.
        while !has_ended() {
            thread::yield_now();
        }
    }

    /// Waits until standard error contains a text; panics when the process ends or a minute passes without it.
    pub fn await_stderr(&self, text: &str) {
        wait_for(&self.stderr, text, "standard error");
    }

    /// Waits until standard output contains a text; panics when the process ends or a minute passes without it.
    pub fn await_stdout(&self, text: &str) {
        wait_for(&self.stdout, text, "standard output");
    }

    /// Waits for the end, and returns how it ended with both outputs; panics when it takes too long.
    pub fn wait(self) -> (ExitStatus, String, String) {
        // Both pipes end with the process, so the lock is not held while it runs.
        for heard in [&self.stdout, &self.stderr] {
            let so_far = heard.text.lock().unwrap();
            let (so_far, timeout) = heard
                .more
                .wait_timeout_while(so_far, RUN_TIMEOUT, |(_, ended)| !*ended)
                .unwrap();
            drop(so_far);
            assert!(
                !timeout.timed_out(),
                "the process still runs after {RUN_TIMEOUT:?}\n--- stdout\n{}\n--- stderr\n{}",
                said(&self.stdout),
                said(&self.stderr)
            );
        }
        let status = self.child.lock().unwrap().wait().unwrap();
        (status, said(&self.stdout), said(&self.stderr))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.victim().kill();
    }
}

fn listen(mut pipe: impl Read + Send + 'static, heard: &Arc<Heard>) {
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let length = pipe.read(&mut buffer).unwrap_or(0);
            let mut text = heard.text.lock().unwrap();
            text.0.extend_from_slice(&buffer[..length]);
            text.1 = length == 0;
            heard.more.notify_all();
            if length == 0 {
                return;
            }
        }
    });
}

fn said(heard: &Heard) -> String {
    String::from_utf8_lossy(&heard.text.lock().unwrap().0).into_owned()
}

fn wait_for(heard: &Heard, text: &str, what: &str) {
    let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
    let (so_far, timeout) = heard
        .more
        .wait_timeout_while(
            heard.text.lock().unwrap(),
            Duration::from_secs(60),
            |(bytes, ended)| !*ended && !found(bytes),
        )
        .unwrap();
    let is_found = found(&so_far.0);
    let so_far = String::from_utf8_lossy(&so_far.0).into_owned();
    let why = if timeout.timed_out() {
        "a minute passed"
    } else {
        "the process ended"
    };
    assert!(is_found, "{why} without `{text}` on {what}:\n{so_far}");
}
