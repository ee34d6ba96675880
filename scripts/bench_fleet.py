#!/usr/bin/env python3
"""Measures rollouts over thousands of targets in a simulated world.

    python3 scripts/bench_fleet.py FOLDER_OF_RELEASE_BINARIES [--instructions]

Time in the simulated world is compared with the shortest that the preferences allow; real time, memory and calls are what
the program needs for it, the simulated world included, which runs in the same process.

With `--instructions`, counts what the engine executes to decide about 10,000 and 100,000 targets instead, which no cache and no
other load changes. It takes some ten minutes, valgrind, and names in the binary (`CARGO_PROFILE_RELEASE_STRIP=false`).
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile


def run(binary, way, accounts, regions):
    out = subprocess.run([binary, way, str(accounts), str(regions)], check=True, capture_output=True, text=True)
    found = json.loads(out.stdout)
    polls = found["calls"].get("DescribeStackEvents", 0)
    print(
        f"{way:6} {found['targets']:7} targets: {found['makespan_s']:6.0f} s simulated, {found['ratio']:.3f} × the shortest; "
        f"{found['real_s']:6.1f} s real, {found['resident_mb']:5} MB; a target: "
        f"{found['calls_per_target_besides_event_polling']:.2f} calls and {polls / found['targets']:.1f} polls of events; "
        f"{found['throttled']} throttled, {found['ended']}",
        flush=True,
    )
    return found


def instructions(binary, accounts, regions):
    """Returns the instructions that the engine executes to decide about all targets, without the simulated world."""
    with tempfile.TemporaryDirectory() as folder:
        tool = ["valgrind", "--tool=callgrind", "--toggle-collect=*Machine::handle*", f"--callgrind-out-file={folder}/out"]
        out = subprocess.run(
            [*tool, binary, "engine", str(accounts), str(regions)], check=True, capture_output=True, text=True
        )
    count = int(re.search(r"Collected : (\d+)", out.stderr)[1])
    if count == 0:
        sys.exit(f"{binary} has no names: build it with CARGO_PROFILE_RELEASE_STRIP=false")
    print(f"{accounts * regions:7} targets: {count / 1e9:.2f} thousand million instructions", flush=True)
    return count


def main():
    binary = pathlib.Path(sys.argv[1]) / "examples" / "fleet"
    if "--instructions" in sys.argv:
        small, large = (instructions(binary, accounts, 20) for accounts in (500, 5000))
        print(f"10 × 10000 targets: {large / small:.2f} × the instructions of the engine")
        return
    run(binary, "sdk", 50, 20)
    run(binary, "sdk", 500, 20)
    run(binary, "again", 500, 20)
    # What the smallest looks at fits into the caches of most machines; what the others do does not.
    sizes = [run(binary, "engine", accounts, 20) for accounts in (500, 5000, 10000)]
    for small, large in zip(sizes, sizes[1:]):
        engine, whole, memory = (large[of] / small[of] for of in ("engine_s", "real_s", "resident_mb"))
        print(
            f"{large['targets'] / small['targets']:g} × {small['targets']} targets: {engine:.2f} × the time of the engine "
            f"({small['engine_s']:.2f} s, {large['engine_s']:.2f} s), {whole:.2f} × with the simulated world around it, "
            f"{memory:.2f} × the memory of both"
        )


if __name__ == "__main__":
    main()
