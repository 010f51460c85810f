"""Nothing is run beside the register: the few places that start a command, here or there, are these."""

import re
from pathlib import Path

import walconsole

SOURCE = Path(walconsole.__file__).parent
RUNS = re.compile(
    r"subprocess\.(?:run|Popen|call|check_\w+)\(|create_subprocess_\w+\(|os\.(?:system|popen|exec\w+|spawn\w+)\("
    r"|\.create_process\(|\.create_session\("
)
TOLD = {
    "adapters/ssh/local.py": "tells the register of each",
    "adapters/ssh/shell.py": "tells the register of each",
    "adapters/postgres/bridge.py": "the pipe to PostgreSQL's socket, told of by the database",
    "adapters/notify/program.py": "the operator's own program, and sendmail, each named in the watcher's log",
    "session/demo_process.py": "the embedded droplet of `walconsole demo` itself",
}


def test_whatever_starts_a_command_is_known() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if RUNS.search(path.read_text("utf-8")) and "sandbox" not in path.relative_to(SOURCE).parts
    }
    assert found == set(TOLD)


ASKS = re.compile(
    r"\b(?:HttpClient|HTTPAdapter|HTTPSConnection|HTTPConnection|urlopen|RequestsTransport)\(|http_session\b"
    r"|\bsession\.client\(|PoolManager\("
)
ASKED = {
    "adapters/s3/store.py": "tells the register of each request",
    "adapters/s3/bounded.py": "tells the register of each request that boto3 sends",
    "adapters/s3/admin.py": "boto3's client, whose requests go through bounded.py",
    "adapters/keys_api/transport.py": "tells the register of each request",
    "adapters/notify/http.py": "the watcher's notices, each named in its log",
}


def test_whatever_asks_over_http_is_known() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if ASKS.search(path.read_text("utf-8")) and "sandbox" not in path.relative_to(SOURCE).parts
    }
    assert found == set(ASKED)
