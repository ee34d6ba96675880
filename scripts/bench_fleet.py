#!/usr/bin/env python3
"""Measures rollouts over thousands of targets in a simulated world.

    python3 scripts/bench_fleet.py FOLDER_OF_RELEASE_BINARIES

Time in the simulated world is compared with the shortest that the preferences allow; real time, memory and calls are what
the program needs for it, the simulated world included, which runs in the same process.
"""

import json
import pathlib
import subprocess
import sys


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


def main():
    binary = pathlib.Path(sys.argv[1]) / "examples" / "fleet"
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
