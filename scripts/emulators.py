#!/usr/bin/env python3
"""Installs, starts and stops the AWS emulators that the demo, the tests and the benchmark talk to.

    emulators.py check                            is everything here that an installation needs?
    emulators.py install [NAME...]                install what is missing, then end
    emulators.py run [--only NAME] -- COMMAND...  run COMMAND beside running emulators

`run` gives COMMAND the endpoints in STACKGATE_TEST_LOCALSTACK, STACKGATE_TEST_MINISTACK and STACKGATE_TEST_MOTO,
and passes its exit code on. Nothing in COMMAND's environment leads to a real account: every AWS_* variable is taken out and
the configuration files are /dev/null. Whatever was started is stopped, however the run ends.

Installations live in the git-ignored `.emulators/` beside this folder; STACKGATE_EMULATORS names another
folder, which several work trees may share. No Docker is involved.

This file must parse on old Pythons, so that it can say which one it needs.
"""

import argparse
import collections
import contextlib
import ctypes
import fcntl
import hashlib
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.abspath(os.environ.get("STACKGATE_EMULATORS") or os.path.join(os.path.dirname(HERE), ".emulators"))

# LocalStack 4.13.1 needs 3.11 at least; its pinned dependencies have no builds for 3.14 yet.
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)

# Raise this when the way of installing changes, so that existing installations are made again.
RECIPE = 1

START_SECONDS = 180  # ten times what a busy two-core machine needs
STOP_SECONDS = 3  # state is in memory, so nothing is lost by a SIGKILL; LocalStack often ignores SIGTERM

SERVICES = "cloudformation,s3,sqs,sns,ssm,iam,sts,kms,secretsmanager,events,logs"

# Moto checks policies only together with signatures, and takes those of the Rust SDK for wrong on CreateChangeSet. The
# tests are about policies.
MOTO = """
import moto.iam.access_control, moto.server
moto.iam.access_control.IAMRequestBase.check_signature = lambda self: None
moto.server.main()
"""

Emulator = collections.namedtuple("Emulator", "name variable health environment command")

EMULATORS = {
    "localstack": Emulator(
        name="localstack",
        variable="STACKGATE_TEST_LOCALSTACK",
        health="/_localstack/health",
        command=lambda python, port: [python, "-m", "localstack.runtime.main"],
        environment=lambda port, folder: {
            "GATEWAY_LISTEN": "127.0.0.1:%d" % port,
            "LOCALSTACK_HOST": "127.0.0.1:%d" % port,
            # The default server listens on every interface, whatever it is told.
            "GATEWAY_SERVER": "hypercorn",
            "DNS_ADDRESS": "0",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DISABLE_EVENTS": "1",
            # Otherwise the first stack waits seconds for the services it needs.
            "EAGER_SERVICE_LOADING": "1",
            "SERVICES": SERVICES,
            "FILESYSTEM_ROOT": os.path.join(folder, "filesystem"),
            "CONFIG_DIR": os.path.join(folder, "config"),
        },
    ),
    "ministack": Emulator(
        name="ministack",
        variable="STACKGATE_TEST_MINISTACK",
        health="/_ministack/health",
        command=lambda python, port: [python, "-m", "ministack"],
        environment=lambda port, folder: {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "STATE_DIR": os.path.join(folder, "state"),
            "S3_DATA_DIR": os.path.join(folder, "s3"),
            # Listeners on fixed ports, which two runs at once would fight over.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        },
    ),
    "moto": Emulator(
        name="moto",
        variable="STACKGATE_TEST_MOTO",
        health="/moto-api/data.json",
        command=lambda python, port: [python, "-c", MOTO, "--host", "127.0.0.1", "--port", str(port)],
        # Enforcing IAM is left to the tests: somebody has to make the users first.
        environment=lambda port, folder: {},
    ),
}


class Trouble(Exception):
    """Something that a person has to put right; the text says how."""


class Stopped(Exception):
    """A signal asks this program to end."""

    def __init__(self, number):
        Exception.__init__(self, "stopped by signal %d" % number)
        self.number = number


def say(text):
    sys.stderr.write("emulators: %s\n" % text)
    sys.stderr.flush()


def tail(path, lines=40):
    """Returns the last lines of a log, indented, or a note that there is none."""
    try:
        with open(path, "r", errors="replace") as log:
            last = collections.deque(log, maxlen=lines)
    except OSError as error:
        return "    (no log: %s)" % error
    return "".join("    | " + line.rstrip("\n") + "\n" for line in last) or "    (the log is empty)\n"


# ---------------------------------------------------------------- what has to be there


def check():
    """Raises Trouble, with the remedy, if an installation could not succeed here."""
    version = sys.version_info[:2]
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        raise Trouble(
            "this is Python %d.%d, but LocalStack needs %d.%d to %d.%d\n"
            "remedy: install one of these and run `make PYTHON=python%d.%d …`"
            % (version + OLDEST_PYTHON + NEWEST_PYTHON + NEWEST_PYTHON)
        )
    try:
        import ensurepip  # noqa: F401, only looked for
        import venv  # noqa: F401, only looked for
    except ImportError as error:
        raise Trouble(
            "this Python cannot make virtual environments (%s)\n"
            "remedy: install its venv package (Debian and Ubuntu: `apt install python%d.%d-venv`)"
            % ((error,) + version)
        )
    if not (shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")):
        raise Trouble(
            "no C compiler (`cc`, `gcc` or `clang`) was found; SQLite and some Python packages are compiled here\n"
            "remedy: install one (Debian and Ubuntu: `apt install build-essential`, macOS: `xcode-select --install`)"
        )


# ---------------------------------------------------------------- installing


def requirements(emulator):
    return os.path.join(HERE, "%s-requirements.txt" % emulator.name)


def home(emulator):
    return os.path.join(FOLDER, emulator.name)


def python_of(emulator):
    # Always `python -m …`: the scripts beside it hold the path of the folder and break when it moves.
    return os.path.join(home(emulator), "bin", "python")


def fingerprint(emulator):
    """Returns what an installation was made from: the pins, the recipe and the Python."""
    digest = hashlib.sha256()
    with open(requirements(emulator), "rb") as pins:
        digest.update(pins.read())
    digest.update(("\n%d\n%s\n%s" % (RECIPE, sys.version, sys.base_prefix)).encode())
    return digest.hexdigest()


def is_installed(emulator):
    try:
        with open(os.path.join(home(emulator), "installed"), "r") as stamp:
            return stamp.read().strip() == fingerprint(emulator) and os.path.exists(python_of(emulator))
    except OSError:
        return False


@contextlib.contextmanager
def locked(path):
    """Holds a lock file; a second process waits, and the system frees it however its holder ends."""
    with open(path, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another installation to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(emulator):
    """Makes sure that an emulator is installed from the present pins."""
    if is_installed(emulator):
        return
    check()
    os.makedirs(FOLDER, exist_ok=True)
    with locked(os.path.join(FOLDER, "install.lock")):
        # Another process may have done it while this one waited.
        if is_installed(emulator):
            return
        log = os.path.join(FOLDER, "install-%s.log" % emulator.name)
        say("installing %s, once; this takes about a minute" % emulator.name)
        # A folder without a valid stamp is an old or an interrupted installation.
        if os.path.isdir(home(emulator)):
            shutil.rmtree(home(emulator))
        pip = [python_of(emulator), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        steps = [
            [sys.executable, "-m", "venv", home(emulator)],
            pip + ["install", "--quiet", "--requirement", requirements(emulator)],
            pip + ["check"],
        ]
        with open(log, "wb") as output:
            for step in steps:
                try:
                    code = subprocess.call(
                        step, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=outer_environment()
                    )
                except OSError as error:
                    code = error
                if code != 0:
                    output.flush()
                    raise Trouble(
                        "installing %s failed: `%s` ended with %s\n%s"
                        "remedy: see what is missing above (often the network, or pip's index configuration), then run this"
                        " again; it starts afresh. The whole log is %s"
                        % (emulator.name, " ".join(shlex.quote(word) for word in step), code, tail(log), log)
                    )
        # The stamp comes last, so an interrupted installation is never taken for a whole one.
        with open(os.path.join(home(emulator), "installed"), "w") as stamp:
            stamp.write(fingerprint(emulator) + "\n")


# ---------------------------------------------------------------- environments


def outer_environment():
    """Returns this process's environment without anything that could lead to a real account."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "STACKGATE_", "PYTHON", "LOCALSTACK_"))
    }
    kept["AWS_CONFIG_FILE"] = "/dev/null"
    kept["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null"
    kept["AWS_EC2_METADATA_DISABLED"] = "true"
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1,localhost"
    return kept


def emulator_environment(emulator, port, folder):
    """Returns a small environment of its own, so that nothing of the caller's changes how an emulator behaves."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "PYTHONUNBUFFERED": "1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Emulators look after containers of their own wherever they find Docker; here there are none.
        "DOCKER_HOST": "unix://" + os.path.join(folder, "no-docker.sock"),
    }
    environment.update(emulator.environment(port, folder))
    return environment


# ---------------------------------------------------------------- running


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    """Lets the kernel end the child should this process be killed without a chance to clean up (Linux only)."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except (OSError, AttributeError):
        pass


class Running:
    """One emulator that was started."""

    def __init__(self, emulator, folder):
        self.emulator = emulator
        self.port = free_port()
        self.endpoint = "http://127.0.0.1:%d" % self.port
        self.log = os.path.join(FOLDER, "%s.log" % emulator.name)
        folder = os.path.join(folder, emulator.name)
        os.makedirs(folder)
        # Unlinked first: a run that is still going keeps writing to its own file.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                emulator.command(python_of(emulator), self.port),
                cwd=folder,
                env=emulator_environment(emulator, self.port, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C reaches the command first, which may still need its emulator.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        last = "nothing listens yet"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self.trouble("ended with %s while starting" % self.process.returncode)
            try:
                status, body = self.request("GET", self.emulator.health)
                last = "health check: %d %s" % (status, body[:200])
                if status == 200:
                    # A health check answers `available` even where CloudFormation cannot be loaded.
                    status, body = self.request("POST", "/", "Action=ListStacks&Version=2010-05-15")
                    last = "ListStacks: %d %s" % (status, body[:400])
                    if status == 200 and "<ListStacksResponse" in body:
                        return
                    raise self.trouble("runs, but CloudFormation does not work: " + last)
            except (OSError, http.client.HTTPException) as error:
                last = str(error)
            time.sleep(0.05)
        raise self.trouble("did not come up in %d seconds; last: %s" % (START_SECONDS, last))

    def request(self, method, path, form=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {}
            if form is not None:
                # Emulators route by the scope of the signature and never check it.
                headers = {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Authorization": "AWS4-HMAC-SHA256 "
                    "Credential=000000000000/20200101/us-east-1/cloudformation/aws4_request, "
                    "SignedHeaders=host, Signature=0",
                }
            connection.request(method, path, body=form, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def trouble(self, what):
        return Trouble(
            "%s %s\n%sremedy: the log is %s; if the installation looks broken, remove %s and run this again"
            % (self.emulator.name, what, tail(self.log), self.log, home(self.emulator))
        )

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def stop(running):
    """Stops emulators, politely first; returns when they are gone."""
    for one in running:
        one.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for one in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(max(0.0, deadline - time.monotonic()))
    for one in running:
        # Also after a polite end: it may have left children in its group.
        one.signal(signal.SIGKILL)
        one.process.wait()


class Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into an exception, but never between starting a process and knowing it."""

    def __init__(self):
        self.is_held = False
        self.pending = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.arrived)

    def arrived(self, number, _frame):
        if not self.is_held:
            raise Stopped(number)
        self.pending = self.pending or number

    @contextlib.contextmanager
    def held(self):
        self.is_held = True
        try:
            yield
        finally:
            self.is_held = False
        if self.pending:
            raise Stopped(self.pending)


def run_command(command, environment, signals):
    """Runs the command beside the emulators and returns its exit code."""
    # On a terminal the command stays in the foreground group, where it may read the keyboard and where Ctrl-C
    # reaches it. Without one it gets a group, so that its children can be ended too.
    on_terminal = any(os.isatty(fd) for fd in (0, 1, 2))
    process = None
    stopped = None

    def send(number):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if on_terminal:
                process.send_signal(number)
            else:
                os.killpg(process.pid, number)

    while True:
        try:
            if process is None:
                with signals.held():
                    process = subprocess.Popen(
                        command, env=environment, start_new_session=not on_terminal, preexec_fn=die_with_parent
                    )
            code = process.wait()
            break
        except OSError as error:
            raise Trouble("cannot run `%s`: %s" % (command[0], error))
        except Stopped as request:
            if process is None:
                raise
            if stopped is not None:
                send(signal.SIGKILL)
            elif not (on_terminal and request.number == signal.SIGINT):
                # The terminal itself has sent Ctrl-C to the command.
                send(request.number)
            signals.pending = None
            stopped = request
    if not on_terminal:
        # What the command left running would otherwise keep using emulators that are gone.
        send(signal.SIGKILL)
    if stopped is not None:
        raise stopped
    return code if code >= 0 else 128 - code


def run(names, command):
    signals = Signals()
    running = []
    folder = tempfile.mkdtemp(prefix="stackgate-emulators-")
    try:
        for name in names:
            install(EMULATORS[name])
        for name in names:
            with signals.held():
                running.append(Running(EMULATORS[name], folder))
        environment = outer_environment()
        environment["STACKGATE_EMULATORS"] = FOLDER
        for one in running:
            one.wait_until_ready()
            environment[one.emulator.variable] = one.endpoint
            say("%s is ready at %s" % (one.emulator.name, one.endpoint))
        return run_command(command, environment, signals)
    finally:
        # From here on signals are only remembered: stopping takes seconds at most.
        signals.is_held = True
        stop(running)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="Installs, starts and stops the AWS emulators of demo, tests and benchmark.")
    commands = parser.add_subparsers(dest="what", metavar="COMMAND")
    commands.required = True
    commands.add_parser("check", help="say what is missing for an installation")
    installing = commands.add_parser("install", help="install what is missing")
    installing.add_argument("names", nargs="*", metavar="NAME", help=" or ".join(EMULATORS) + "; all by default")
    running = commands.add_parser("run", help="run a command beside running emulators")
    running.add_argument("--only", action="append", choices=list(EMULATORS), help="start only this one (repeatable)")
    running.add_argument("command", nargs=argparse.REMAINDER, help="after `--`: what to run")
    arguments = parser.parse_args()

    try:
        if arguments.what == "check":
            check()
            return 0
        if arguments.what == "install":
            for name in arguments.names or EMULATORS:
                if name not in EMULATORS:
                    parser.error("no emulator is called `%s`; there are %s" % (name, " and ".join(EMULATORS)))
                install(EMULATORS[name])
            return 0
        command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
        if not command:
            parser.error("which command? Give it after `--`")
        return run(arguments.only or list(EMULATORS), command)
    except Trouble as trouble:
        say("error: %s" % trouble)
        return 1
    except Stopped as stopped:
        return 128 + stopped.number
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
