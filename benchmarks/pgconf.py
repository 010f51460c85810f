"""200 files with 5,000 lines: to resolve them, and to tell the dead ones. Budget: 50 ms of a core."""

import statistics
import time

from walconsole.domain.pgconf.dead import classify
from walconsole.domain.pgconf.resolution import Resolution, ServerStart, resolve
from walconsole.domain.pgconf.start import Launch
from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Listing

FILES, LINES, ROUNDS = 200, 5_000, 21
BUDGET_S = 0.050
FOLDER = "/etc/postgresql/15/main"
SAMPLE = (
    "# archive_mode = off                    # enables archiving; off, on, or always",
    "archive_timeout = {n}s                  # force a WAL file switch",
    "work_mem = '{n}MB'",
    "log_line_prefix = '%m [%p] it''s %q%u@%d '",
    "",
)


def tree() -> ConfigTree:
    """A main file that includes a folder of FILES - 1 files, three settings in five lines."""
    names = [f"{number:03}.conf" for number in range(FILES - 1)]
    each = LINES // FILES
    body = ["\n".join(SAMPLE[n % len(SAMPLE)].format(n=n + 64) for n in range(each)) for _ in names]
    files = {f"{FOLDER}/conf.d/{name}": text.encode() for name, text in zip(names, body, strict=True)}
    main = (
        "\n".join(SAMPLE[n % len(SAMPLE)].format(n=n + 64) for n in range(each - 1))
        + "\ninclude_dir 'conf.d'\n"
    )
    files[f"{FOLDER}/postgresql.conf"] = main.encode()
    contents = {path: FileContent(path, raw) for path, raw in files.items()}
    listing = Listing(f"{FOLDER}/conf.d", dict.fromkeys(names, EntryKind.FILE))
    return ConfigTree(contents, {listing.path: listing})


def resolved(here: ConfigTree) -> Resolution:
    start = ServerStart((), f"{FOLDER}/postgresql.conf", "/var/lib/postgresql/15/main", major=15)
    resolution = resolve(here, start)
    assert resolution is not None
    return resolution


def main() -> None:
    here = tree()
    resolution = resolved(here)
    times, dead_times = [], []
    for _ in range(ROUNDS):
        began = time.process_time()
        resolution = resolved(here)
        middle = time.process_time()
        classify(here, resolution, Launch())
        times.append(middle - began)
        dead_times.append(time.process_time() - middle)
    lines = sum((content.raw or b"").count(b"\n") + 1 for content in here.files.values())
    print(f"{len(here.files)} files, {lines} lines, {len(resolution.reading.entries)} settings")
    print(f"resolve:  median {statistics.median(times) * 1e3:6.1f} ms, best {min(times) * 1e3:6.1f} ms")
    print(
        f"classify: median {statistics.median(dead_times) * 1e3:6.1f} ms,"
        f" best {min(dead_times) * 1e3:6.1f} ms"
    )
    print(f"budget:   {BUDGET_S * 1e3:.0f} ms to resolve, {'held' if min(times) <= BUDGET_S else 'BROKEN'}")


if __name__ == "__main__":
    main()
