#!/usr/bin/env python3
"""Measures stackgate beside the AWS CLI and a raw SDK client, all in one run on the same LocalStack.

    emulators.py run --only localstack -- python3 scripts/bench.py FOLDER_OF_RELEASE_BINARIES

Times mean something only beside each other: every table has the raw client's as its measure. Calls are counted in
runs of their own, through a proxy, so that counting costs the timed runs nothing.
"""

import collections
import datetime
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parent / "templates" / "messaging.yaml"
# The AWS CLI is among LocalStack's pins.
AWS_PYTHON = pathlib.Path(os.environ.get("STACKGATE_EMULATORS") or HERE.parent / ".emulators") / "localstack/bin/python"

OWN = "111111111111"
ACCOUNTS = [OWN, "222222222222", "333333333333", "444444444444"]
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2"]

ROUNDS = 11  # of the quick programs; the AWS CLI polls every 30 s, so once is telling enough
STARTS = 30

# Measures one child and nothing of its own: a big parent's memory would be counted as the child's, since Linux
# keeps the highest value over the exec. A bare interpreter has about 9 MB, which is the floor of what can be told.
LAUNCHER = """
import json, os, resource, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
took = time.monotonic() - began
os.write(out, json.dumps({"code": os.waitstatus_to_exitcode(status), "seconds": took, "ended": time.time(),
                          "memory": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)}).encode())
"""

Run = collections.namedtuple("Run", "seconds ended memory")


def fail(text):
    sys.exit("bench: error: %s" % text)


def launch(command, environment, folder):
    """Runs a command and returns what it took; its output is shown only if it fails."""
    with tempfile.NamedTemporaryFile() as measured, tempfile.TemporaryFile() as said:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, measured.name] + [str(word) for word in command],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=True,
        )
        result = json.loads(pathlib.Path(measured.name).read_text())
        if result["code"] != 0:
            said.seek(0)
            fail("%s ended with %d:\n%s" % (command, result["code"], said.read().decode(errors="replace")))
    return Run(result["seconds"], result["ended"], result["memory"])


# ---------------------------------------------------------------- the programs


class Program:
    """One way to deploy a stack into every account and region given."""

    def __init__(self, binaries, folder):
        self.binaries = binaries
        self.folder = folder
        self.template = folder / "templates" / TEMPLATE.name

    def environment(self, endpoint, account=OWN, region=REGIONS[0]):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STACKGATE_"))}
        kept.update(
            AWS_ACCESS_KEY_ID=account,
            AWS_SECRET_ACCESS_KEY="bench",
            AWS_REGION=region,
            AWS_DEFAULT_REGION=region,
            AWS_ENDPOINT_URL=endpoint,
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
            AWS_EC2_METADATA_DISABLED="true",
        )
        return kept


class Stackgate(Program):
    name = "stackgate deploy --yes"

    def version(self):
        return [self.binaries / "stackgate", "--version"]

    def deploy(self, endpoint, stack, accounts, regions):
        command = [self.binaries / "stackgate", "deploy", self.template.stem, "--stack-name", stack, "--yes"]
        command += ["--accounts", ",".join(accounts), "--regions", ",".join(regions)]
        # All at once, as the others do it.
        command += ["--max-concurrent", "100%", "--region-concurrency", "parallel"]
        return launch(command, self.environment(endpoint), self.folder)


class Raw(Program):
    name = "raw SDK client"

    def version(self):
        return None

    def deploy(self, endpoint, stack, accounts, regions):
        command = [self.binaries / "examples" / "raw_client", self.template, stack, OWN, ",".join(accounts), ",".join(regions)]
        return launch(command, self.environment(endpoint), self.folder)


class AwsCli(Program):
    name = "aws cloudformation deploy"

    def version(self):
        return [AWS_PYTHON, "-m", "awscli", "--version"]

    def deploy(self, endpoint, stack, accounts, regions):
        # One process for each target, all at once: it knows one target only, and no other accounts.
        words = [AWS_PYTHON, "-m", "awscli", "cloudformation", "deploy", "--no-fail-on-empty-changeset"]
        words += ["--stack-name", stack, "--template-file", self.template]
        results = []

        def one(account, region):
            try:
                results.append(launch(words, self.environment(endpoint, account, region), self.folder))
            except SystemExit as error:
                results.append(error)

        threads = [threading.Thread(target=one, args=(a, r)) for a in accounts for r in regions]
        began = datetime.datetime.now().timestamp()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, SystemExit):
                raise result
        ended = max(result.ended for result in results)
        seconds = results[0].seconds if len(results) == 1 else ended - began
        return Run(seconds, ended, max(result.memory for result in results))


# ---------------------------------------------------------------- looking at LocalStack


def call(endpoint, account, region, fields):
    """Sends one unsigned call, which emulators accept, and returns the reply's text."""
    address = urllib.parse.urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        scope = "%s/20200101/%s/cloudformation/aws4_request" % (account, region)
        connection.request(
            "POST",
            "/",
            body=urllib.parse.urlencode(dict(fields, Version="2010-05-15")),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=host, Signature=0" % scope,
            },
        )
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def last_terminal_event(endpoint, stack, accounts, regions):
    """Returns when the last of the stacks was done, in seconds since the epoch."""
    times = []
    for account in accounts:
        for region in regions:
            reply = call(endpoint, account, region, {"Action": "DescribeStackEvents", "StackName": stack})
            events = re.findall(r"<member>.*?</member>", reply, re.DOTALL)
            done = []
            for event in events:
                field = lambda tag: (re.search("<%s>(.*?)</%s>" % (tag, tag), event) or [None, ""])[1]
                is_stack = field("LogicalResourceId") == stack
                if is_stack and field("ResourceStatus") in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                    done.append(datetime.datetime.fromisoformat(field("Timestamp").replace("Z", "+00:00")).timestamp())
            if not done:
                fail("stack %s in %s/%s has no event of completion:\n%s" % (stack, account, region, reply[:2000]))
            times.append(max(done))
    return max(times)


class Counting(http.server.ThreadingHTTPServer):
    """A proxy that counts calls by operation, and connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.calls = collections.Counter()
        self.connections = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Forwarding)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def admit(self, operation):
        """Returns the reply to refuse a call with, a status and a body; none to let it through."""
        return None


class Forwarding(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
        with self.server.lock:
            self.server.calls[operation] += 1
        refusal = self.server.admit(operation)
        if refusal is not None:
            status, text = refusal
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        upstream = http.client.HTTPConnection(self.server.upstream.hostname, self.server.upstream.port, timeout=120)
        try:
            upstream.request("POST", self.path, body=body, headers=dict(self.headers))
            reply = upstream.getresponse()
            text = reply.read()
        finally:
            upstream.close()
        self.send_response(reply.status)
        # LocalStack closes each connection and AWS does not; here they stay, to be counted.
        for name, value in reply.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


# ---------------------------------------------------------------- measuring


def stack_names():
    number = 0
    while True:
        number += 1
        yield "bench-%d" % number


def seconds(value):
    return "%.0f ms" % (value * 1000) if value < 1 else "%.1f s" % value


def table(title, header, rows):
    print("\n%s" % title)
    widths = [max(len(str(row[column])) for row in [header] + rows) for column in range(len(header))]
    for row in [header] + rows:
        cells = [str(cell).ljust(width) if index == 0 else str(cell).rjust(width) for index, (cell, width) in enumerate(zip(row, widths))]
        print(("  " + "   ".join(cells)).rstrip())
    sys.stdout.flush()


def measure_start(programs, endpoint):
    rows = []
    for program in programs:
        if program.version() is None:
            continue
        starts = STARTS if isinstance(program, Stackgate) else 3
        times = [launch(program.version(), program.environment(endpoint), program.folder).seconds for _ in range(starts)]
        rows.append([program.version()[0].name if starts == STARTS else "aws", seconds(statistics.median(times)), seconds(min(times))])
    table("start-up of `--version`", ["", "median", "best"], rows)


def measure_deploy(title, programs, endpoint, names, accounts, regions):
    taken = {program.name: [] for program in programs}
    after = {program.name: [] for program in programs}
    for round_number in range(ROUNDS):
        # In turns, so that a busy moment of the machine meets all of them, and none is always the first.
        for program in programs if round_number % 2 else reversed(programs):
            if isinstance(program, AwsCli) and round_number > 0:
                continue
            stack = next(names)
            run = program.deploy(endpoint, stack, accounts, regions)
            taken[program.name].append(run)
            after[program.name].append(run.ended - last_terminal_event(endpoint, stack, accounts, regions))
    measures = [run.seconds for run in taken[Raw.name]]
    rows = []
    for program in programs:
        runs = taken[program.name]
        wall = statistics.median(run.seconds for run in runs)
        rows.append(
            [
                program.name,
                len(runs),
                seconds(wall),
                seconds(min(run.seconds for run in runs)),
                # Each run beside the raw client's of the same round.
                "%.2f x" % statistics.median(run.seconds / measure for run, measure in zip(runs, measures)),
                seconds(max(0.0, statistics.median(after[program.name]))),
                "%.0f MB" % (max(run.memory for run in runs) / 1e6),
            ]
        )
    table(title, ["", "runs", "median", "best", "to raw", "event to exit", "peak memory"], rows)


def measure_calls(title, programs, endpoint, names, accounts, regions, prepared=False):
    counts = {}
    connections = {}
    for program in programs:
        stack = next(names)
        if prepared:
            program.deploy(endpoint, stack, accounts, regions)
        proxy = Counting(endpoint)
        program.deploy(proxy.endpoint, stack, accounts, regions)
        proxy.shutdown()
        proxy.server_close()
        counts[program.name], connections[program.name] = proxy.calls, proxy.connections
    operations = sorted(set().union(*counts.values()))
    rows = [[operation] + [counts[program.name][operation] or "-" for program in programs] for operation in operations]
    rows.append(["all calls"] + [sum(counts[program.name].values()) for program in programs])
    rows.append(["connections"] + [connections[program.name] for program in programs])
    table(title, [""] + [program.name for program in programs], rows)


def main():
    endpoint = os.environ.get("STACKGATE_TEST_LOCALSTACK") or fail("no emulator; run `make bench`")
    if len(sys.argv) != 2:
        fail("usage: bench.py FOLDER_OF_RELEASE_BINARIES")
    binaries = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stackgate-bench-"))
    try:
        # Without override files, so that all programs deploy the template's defaults.
        (folder / "templates").mkdir()
        shutil.copy(TEMPLATE, folder / "templates")
        programs = [Stackgate(binaries, folder), Raw(binaries, folder), AwsCli(binaries, folder)]
        raw = programs[1]
        names = stack_names()
        one = (OWN,), REGIONS[:1]
        fleet = ACCOUNTS, REGIONS

        print("%s, %d cores, load %.1f" % (sys.platform, os.cpu_count(), os.getloadavg()[0]))
        # The first use of each region makes the emulator load things.
        raw.deploy(endpoint, next(names), *fleet)
        measure_start(programs, endpoint)
        measure_deploy("one stack, created", programs, endpoint, names, *one)
        measure_deploy("20 targets (4 accounts x 5 regions), created", programs, endpoint, names, *fleet)
        measure_calls("calls of one stack, created", programs, endpoint, names, *one)
        measure_calls("calls of one stack, no change", programs, endpoint, names, *one, prepared=True)
        measure_calls("calls of 20 targets, created", programs[:2], endpoint, names, *fleet)
        print("\nmemory of programs below about 9 MB cannot be told; of `aws` it is that of the largest process")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
