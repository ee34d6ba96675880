#!/usr/bin/env python3
"""Measures how long it takes to see what changed in a large template, beside bare parses and other programs.

    python3 scripts/bench_diff.py FOLDER_OF_RELEASE_BINARIES

The templates are made by `template_diff`, which also fails if it finds anything but the changes that were made. In each
round every program has its turn, and ratios are those of a round, so that a busy moment of the machine meets all.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench

ROUNDS = 7
RESOURCES = 400  # 500 KB

# The yardstick of Python: the C loader, functions as mappings, and a comparison of what it gives.
PYYAML = """
import sys, time, yaml
class Loader(yaml.CSafeLoader): pass
def function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode): value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode): value = loader.construct_sequence(node, deep=True)
    else: value = loader.construct_mapping(node, deep=True)
    return {suffix: value}
Loader.add_multi_constructor("!", function)
began = time.perf_counter()
old, new = (yaml.load(open(name, "rb"), Loader) for name in sys.argv[1:])
a, b = old["Resources"], new["Resources"]
changed = [name for name in a if name in b and a[name] != b[name]]
took = time.perf_counter() - began
assert (len(changed), len(a.keys() - b.keys()), len(b.keys() - a.keys())) == (20, 5, 5)
print(took)
"""

# A template as JSON, which is all that the CDK reads of an assembly.
AS_JSON = """
import json, sys, yaml
class Loader(yaml.CSafeLoader): pass
def function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode): value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode): value = loader.construct_sequence(node, deep=True)
    else: value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str): value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix: value}
Loader.add_multi_constructor("!", function)
json.dump(yaml.load(open(sys.argv[1], "rb"), Loader), sys.stdout, default=str)
"""

# Its reader alone: it compares nothing.
CFN_LINT = """
import sys, time
from cfnlint.decode import cfn_yaml
began = time.perf_counter()
for name in sys.argv[1:]: cfn_yaml.load(name)
print(time.perf_counter() - began)
"""


def said(command):
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if run.returncode != 0:
        bench.fail("%s ended with %d:\n%s" % (command[0], run.returncode, run.stderr[-2000:]))
    return run.stdout


def python_with(module):
    """Returns a Python that has the module, if there is one."""
    for python in (sys.executable, bench.AWS_PYTHON):
        if subprocess.run([str(python), "-c", "import " + module], capture_output=True).returncode == 0:
            return python
    return None


def cdk(python, folder, before, after):
    """Returns the command that compares the files as `cdk diff` does: an assembly with one stack, and a template.

    It gives no measure of reading YAML: the CDK takes one of the two files as JSON.
    """
    assembly = folder / "cdk.out"
    assembly.mkdir()
    (assembly / "bench.template.json").write_text(said([python, "-c", AS_JSON, after]))
    artifact = {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region"}
    artifact["properties"] = {"templateFile": "bench.template.json"}
    manifest = {"version": "36.0.0", "artifacts": {"bench": artifact}}
    (assembly / "manifest.json").write_text(json.dumps(manifest))
    return ["cdk", "diff", "--no-notices", "--app", assembly, "--template", before, "bench"]


def main():
    if len(sys.argv) != 2:
        bench.fail("usage: bench_diff.py FOLDER_OF_RELEASE_BINARIES")
    ours = pathlib.Path(sys.argv[1]).resolve() / "examples" / "template_diff"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stackgate-bench-"))
    try:
        files = {}
        for resources in (RESOURCES, 2 * RESOURCES):
            (folder / str(resources)).mkdir()
            said([ours, "generate", folder / str(resources), resources])
            files[resources] = [folder / str(resources) / name for name in ("before.yaml", "after.yaml")]
        small, large = files[RESOURCES], files[2 * RESOURCES]

        others = {}
        for name, module, program in (
            ("PyYAML's C loader and a comparison", "yaml.cyaml", PYYAML),
            ("cfn-lint, reading alone", "cfnlint.decode.cfn_yaml", CFN_LINT),
        ):
            python = python_with(module)
            others[name] = python and (lambda python=python, program=program: float(said([python, "-c", program] + small)))
        others["cdk diff"] = None
        python = python_with("yaml.cyaml")
        if shutil.which("cdk") and python:
            command = cdk(python, folder, *small)
            # It ends well whether it finds something or not, and tells it on standard error.
            told = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True).stderr
            if "Number of stacks with differences: 1" not in told:
                bench.fail("cdk diff does not find what changed:\n" + told[-2000:])
            others["cdk diff"] = lambda: bench.launch(command, dict(os.environ), folder).seconds

        rounds, taken = [], {name: [] for name in others}
        for _ in range(ROUNDS):
            rounds.append([json.loads(said([ours, "measure"] + pair + [5])) for pair in (small, large)])
            for name, run in others.items():
                if run is not None and (name != "cdk diff" or not taken[name]):
                    taken[name].append(run() / rounds[-1][0]["full"])

        median = lambda of: statistics.median(of(*round) for round in rounds)
        full = median(lambda small, _: small["full"])
        row = lambda name, key: [
            name,
            bench.seconds(median(lambda small, _: small[key])),
            "%.2f x" % median(lambda small, _: small["full"] / small[key]),
        ]
        rows = [
            ["stackgate: read, evaluate and compare", bench.seconds(full), "1.00 x"],
            row("its parser alone, both files", "events"),
            row("its trees alone, both files", "trees"),
        ]
        for name, ratios in taken.items():
            if ratios:
                ratio = statistics.median(ratios)
                rows.append([name, bench.seconds(full * ratio), "%.2f x" % (1 / ratio)])
            else:
                rows.append([name, "not installed", "-"])
        print("%s, %d cores, load %.1f" % (sys.platform, os.cpu_count(), os.getloadavg()[0]))
        title = "%d KB, %d resources: 20 properties changed, 5 resources added, 5 removed, all keys turned round"
        bench.table(title % (small[0].stat().st_size // 1000, RESOURCES), ["", "median", "stackgate to it"], rows)
        growth = median(lambda small, large: large["full"] / small["full"])
        memory = [bench.launch([ours, "compare"] + pair, dict(os.environ), folder).memory / 1e6 for pair in (small, large)]
        print("\n  twice the size takes %.2f x the time; peak memory %.0f MB, then %.0f MB" % (growth, *memory))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
