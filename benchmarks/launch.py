"""Run one program and tell what it cost, as JSON on one line: `python -I -S launch.py PROGRAM ARGUMENT...`.

A small process between the benchmark and what it measures: on Linux the peak memory of a program that
was just started includes what its parent held when it started it (ru_maxrss in getrusage(2) survives
execve), and the benchmark itself is not small. Standard output is counted in lines, and not kept.
"""

import json
import os
import sys
import time

_CHUNK = 1 << 20


def launch(command: list[str]) -> dict[str, float]:
    """Seconds, processor seconds and peak MiB of `command`; how many lines it printed, its exit code."""
    ours, theirs = os.pipe()
    began = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, theirs, 1), (os.POSIX_SPAWN_CLOSE, ours)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    os.close(theirs)
    lines = 0
    while chunk := os.read(ours, _CHUNK):
        lines += chunk.count(b"\n")
    _, status, used = os.wait4(pid, 0)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "rss_mib": used.ru_maxrss / 1024,
        "lines": lines,
        "exit_code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(launch(sys.argv[1:])) + "\n")
