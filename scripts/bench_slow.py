#!/usr/bin/env python3
"""Measures how stackgate waits: for stacks that take their time, and for a service that asks for fewer calls.

    emulators.py run -- python3 scripts/bench_slow.py FOLDER_OF_RELEASE_BINARIES

A stack is held by a wait condition until it is signalled, as ministack does it. The throttling proxy lets five calls
a second through to LocalStack and refuses the others with AWS's own error.
"""

import collections
import http.client
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

import bench

HOLDS = [(3, 3), (10, 3), (40, 1)]  # seconds, rounds
CALLS_A_SECOND = 5

HELD = """
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "120"}
"""

REFUSAL = b"""<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>\
<Code>Throttling</Code><Message>Rate exceeded</Message></Error><RequestId>bench</RequestId></ErrorResponse>"""


# ---------------------------------------------------------------- held stacks


def send(method, url, body=b"", headers=()):
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        path = address.path + ("?" + address.query if address.query else "")
        connection.request(method, path or "/", body=body, headers=dict(headers))
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def field(text, tag):
    found = text.split("<%s>" % tag, 1)
    return found[1].split("</%s>" % tag, 1)[0] if len(found) == 2 else ""


def signal_after(endpoint, stack, hold, failures):
    """Waits until the stack is held, and lets it go `hold` seconds later."""
    deadline = time.monotonic() + 30
    while True:
        fields = {"Action": "DescribeStackResource", "StackName": stack, "LogicalResourceId": "Handle"}
        handle = field(bench.call(endpoint, bench.OWN, bench.REGIONS[0], fields), "PhysicalResourceId")
        if handle.startswith("http"):
            break
        if time.monotonic() > deadline:
            failures.append("stack %s never showed its handle" % stack)
            return
        time.sleep(0.02)
    time.sleep(hold)
    # The handle names a host of AWS's; its path and query are what counts.
    address = urllib.parse.urlsplit(handle)
    url = endpoint + address.path + ("?" + address.query if address.query else "")
    body = json.dumps({"Status": "SUCCESS", "Reason": "bench", "UniqueId": "1", "Data": "-"}).encode()
    status, said = send("PUT", url, body)
    if status != 200:
        failures.append("the signal was refused with %d: %s" % (status, said[:500]))


class Timed(bench.Counting):
    """A counting proxy that notes when each call came."""

    def __init__(self, upstream):
        self.times = collections.defaultdict(list)
        super().__init__(upstream)

    def admit(self, operation):
        with self.lock:
            self.times[operation].append(time.time())
        return None


def held(program, endpoint, stack, hold):
    """Returns how late the program ended, and how many calls it made in its busiest second after the fifth."""
    failures = []
    proxy = Timed(endpoint)
    letting_go = threading.Thread(target=signal_after, args=(endpoint, stack, hold, failures))
    letting_go.start()
    run = program.deploy(proxy.endpoint, stack, [bench.OWN], bench.REGIONS[:1])
    letting_go.join()
    proxy.shutdown()
    proxy.server_close()
    if failures:
        bench.fail(failures[0])
    ended = bench.last_terminal_event(endpoint, stack, [bench.OWN], bench.REGIONS[:1])
    executed = max(proxy.times["ExecuteChangeSet"])
    # Those that look: up to the end of the stack, after which each program reads what it wants to show.
    looks = [t for name, times in proxy.times.items() if name.startswith("Describe") for t in times]
    late = sorted(t for t in looks if executed + 5 < t < ended)
    span = ended - executed - 5
    return run.ended - ended, len(late) / span if span > 1 else None


def measure_held(programs, endpoint, names):
    rows = []
    for hold, rounds in HOLDS:
        for program in programs:
            rounds = 1 if isinstance(program, bench.AwsCli) else rounds
            results = [held(program, endpoint, next(names), hold) for _ in range(rounds)]
            rates = [rate for _, rate in results if rate is not None]
            lates = [late for late, _ in results]
            rows.append(
                [
                    "%d s, %s" % (hold, program.name),
                    rounds,
                    bench.seconds(max(0.0, statistics.median(lates))),
                    bench.seconds(max(0.0, max(lates))),
                    "%.1f" % statistics.median(rates) if rates else "-",
                ]
            )
    bench.table("one stack, held", ["", "runs", "event to exit", "worst", "calls a second from the 6th on"], rows)


# ---------------------------------------------------------------- throttling


class Throttling(bench.Counting):
    """A proxy that lets a number of calls to CloudFormation through each second."""

    def __init__(self, upstream):
        self.tokens = float(CALLS_A_SECOND)
        self.at = time.monotonic()
        self.refused = 0
        super().__init__(upstream)

    def admit(self, operation):
        # Calls to STS have limits of their own, far above these.
        if operation in ("AssumeRole", "GetCallerIdentity"):
            return None
        with self.lock:
            now = time.monotonic()
            self.tokens = min(float(CALLS_A_SECOND), self.tokens + (now - self.at) * CALLS_A_SECOND)
            self.at = now
            if self.tokens >= 1:
                self.tokens -= 1
                return None
            self.refused += 1
        return 400, REFUSAL


def measure_throttled(programs, endpoint, names):
    rows = []
    for program in programs:
        stack = next(names)
        proxy = Throttling(endpoint)
        began = time.monotonic()
        try:
            program.deploy(proxy.endpoint, stack, bench.ACCOUNTS, bench.REGIONS)
        except SystemExit:
            pass  # What it reached is counted below.
        took = time.monotonic() - began
        proxy.shutdown()
        proxy.server_close()
        fields = {"Action": "DescribeStacks", "StackName": stack}
        done = sum(
            "<StackStatus>CREATE_COMPLETE</StackStatus>" in bench.call(endpoint, account, region, fields)
            for account in bench.ACCOUNTS
            for region in bench.REGIONS
        )
        calls = sum(proxy.calls.values())
        rows.append([program.name, "%d of 20" % done, bench.seconds(took), calls - proxy.refused, proxy.refused])
    bench.table(
        "20 targets at %d calls a second" % CALLS_A_SECOND,
        ["", "succeeded", "took", "calls answered", "refused"],
        rows,
    )


def main():
    localstack = os.environ.get("STACKGATE_TEST_LOCALSTACK")
    ministack = os.environ.get("STACKGATE_TEST_MINISTACK")
    if not (localstack and ministack):
        bench.fail("no emulators; run `make bench`")
    if len(sys.argv) != 2:
        bench.fail("usage: bench_slow.py FOLDER_OF_RELEASE_BINARIES")
    binaries = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stackgate-bench-"))
    try:
        (folder / "templates").mkdir()
        (folder / "templates" / "held.yaml").write_text(HELD)
        shutil.copy(bench.TEMPLATE, folder / "templates")
        names = bench.stack_names()
        programs = [bench.Stackgate(binaries, folder), bench.Raw(binaries, folder), bench.AwsCli(binaries, folder)]
        throttled = [bench.Stackgate(binaries, folder), bench.Raw(binaries, folder), bench.AwsCli(binaries, folder)]
        for program in programs:
            program.template = folder / "templates" / "held.yaml"
        measure_held(programs, ministack, names)
        # The first use of each region makes the emulator load things.
        throttled[1].deploy(localstack, next(names), bench.ACCOUNTS, bench.REGIONS)
        measure_throttled(throttled, localstack, names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
