"""Each way tells a real receiver what it is told to, and no secret comes out anywhere."""

import asyncio
import email
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers.receiver import receiver
from tests.unit.test_notices import a_notice
from walconsole.adapters.notify import http
from walconsole.adapters.notify import program as program_module
from walconsole.adapters.notify.secrets import secret
from walconsole.adapters.notify.ways import pinger_of, ways_of
from walconsole.domain.notices.deciding import NoticeKind
from walconsole.domain.profile import NotifySettings, WebhookShape
from walconsole.domain.standing.model import Level
from walconsole.errors import BusyError, NoticeError
from walconsole.process.loopback_http import LoopbackPages, Page
from walconsole.process.service import notify, watchdog_s

NOTICE = a_notice()


def tell(settings: NotifySettings, environment: dict[str, str], *, repeat: bool = False) -> None:
    for way in ways_of(settings, environment):
        way.tell(NOTICE, repeat=repeat)


def test_a_webhook_with_a_token() -> None:
    settings = NotifySettings(webhook_env="HOOK", webhook_shape=WebhookShape.NTFY, webhook_token_env="TOKEN")
    with receiver() as taking:
        tell(settings, {"HOOK": f"{taking.url}/topic", "TOKEN": "tk_123"}, repeat=True)
    (came,) = taking.requests
    assert (came.path, came.headers["Authorization"]) == ("/topic", "Bearer tk_123")
    assert came.body.decode().endswith("was not seen.")


def test_pagerduty_is_triggered_and_resolved() -> None:
    with receiver() as taking:
        settings = NotifySettings(pagerduty_env="KEY", pagerduty_endpoint=taking.url)
        (way,) = ways_of(settings, {"KEY": "R0123"})
        for kind, level in ((NoticeKind.WORSE, Level.CRITICAL), (NoticeKind.WELL, Level.OK)):
            way.tell(a_notice(kind, level), repeat=False)
    events = [json.loads(one.body) for one in taking.requests]
    assert {one.path for one in taking.requests} == {"/v2/enqueue"}
    assert [event["event_action"] for event in events] == ["trigger", "resolve"]
    assert {(event["routing_key"], event["dedup_key"]) for event in events} == {
        ("R0123", "walconsole-db-1-x")
    }


def test_a_dead_mans_check() -> None:
    with receiver() as taking:
        pinger = pinger_of(NotifySettings(ping_env="PING"), {"PING": f"{taking.url}/uuid?rid=1"})
        assert pinger is not None
        for signal in ("start", "", "fail"):
            pinger.ping(signal, "db: ok")
    assert [one.path for one in taking.requests] == ["/uuid/start?rid=1", "/uuid?rid=1", "/uuid/fail?rid=1"]
    assert pinger_of(NotifySettings(), {}) is None


def test_mail_by_sendmail_has_the_same_message_id_each_time(tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/arguments"\ncat >> "{tmp_path}/mail"\n')
    program.chmod(0o700)
    settings = NotifySettings(mail_to=("a@example.org", "b@example.org"), sendmail=str(program))
    tell(settings, {})
    assert (tmp_path / "arguments").read_text().split() == [
        "-i", "-f", "a@example.org", "--", "a@example.org", "b@example.org",
    ]  # fmt: skip
    mail = email.message_from_bytes((tmp_path / "mail").read_bytes())
    assert mail["Message-ID"] == "<db-1-x-1@walconsole.example.org>"
    assert mail["Subject"] == "db: CRITICAL: <it> & fails"
    assert mail["To"] == "a@example.org, b@example.org"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'no such user' >&2; exit 67", "ended with 67: no such user"),
        ("exit 1", "it said nothing"),
        ("kill -9 $$", "was ended by signal 9"),
    ],
)
def test_a_program_that_fails_is_said(script: str, why: str, tmp_path: Path) -> None:
    program = tmp_path / "tell"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    program.chmod(0o700)
    with pytest.raises(NoticeError, match=why) as raised:
        tell(NotifySettings(command=(str(program),)), {})
    assert raised.value.unsure is ("kill" in script), "how far it had come nobody knows"
    with pytest.raises(NoticeError, match="No such file"):
        tell(NotifySettings(command=(str(tmp_path / "none"),)), {})


def test_what_a_program_leaves_running_is_not_waited_for_and_it_has_taken_it(tmp_path: Path) -> None:
    """It holds the standard error that it was given: the notice was told again, each time a minute later."""
    program, went = tmp_path / "tell", tmp_path / "went"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n(sleep 20; :) &\necho $! > {went}\n")
    program.chmod(0o700)
    began = time.monotonic()
    try:
        tell(NotifySettings(command=(str(program),)), {})
        assert time.monotonic() - began < 10
    finally:
        os.kill(int(went.read_text()), signal.SIGKILL)


def test_a_program_that_does_not_end_is_ended_with_all_that_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a shell waits for would go on telling, and one more with each try."""
    monkeypatch.setattr(program_module, "_LONGEST_RUN_S", 0.5)
    program, went = tmp_path / "tell", tmp_path / "went"
    program.write_text(f"#!/bin/sh\nsleep 30 &\necho $! > {went}\nwait\n")
    program.chmod(0o700)
    with pytest.raises(NoticeError, match=r"did not end within 0\.5 s") as raised:
        tell(NotifySettings(command=(str(program),)), {})
    assert raised.value.unsure
    status = Path(f"/proc/{went.read_text().strip()}/status")
    for _ in range(100):
        if not status.exists() or "State:\tZ" in status.read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("what it began goes on")


def test_a_program_that_says_much_and_reads_nothing_is_neither_held_up_nor_kept(tmp_path: Path) -> None:
    program = tmp_path / "tell"
    program.write_text("#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x >&2\necho ' the end' >&2\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(NoticeError, match=r"ended with 3: x+ the end$") as raised:
        tell(NotifySettings(command=(str(program),)), {})
    assert len(raised.value.why) < 500


@contextmanager
def smtp_server(answers: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """As much of SMTP as taking one mail needs; `answers` by a command's first word, in place of 250."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(b"220 here\r\n")
                stream.flush()
                body = False
                for raw in stream:
                    line = raw.decode().rstrip("\r\n")
                    heard.append(line)
                    word = "." if body and line == "." else line.split(" ")[0].upper()
                    if body and line != ".":
                        continue
                    body = word == "DATA"
                    usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 ok")
                    stream.write(answers.get(word, usual).encode() + b"\r\n")
                    stream.flush()
                    if word == "QUIT":
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], heard
        thread.join(5)


def test_mail_by_smtp() -> None:
    with smtp_server({}) as (port, heard):
        tell(
            NotifySettings(mail_to=("a@example.org",), mail_from="w@example.org", smtp=f"127.0.0.1:{port}"),
            {},
        )
    assert any(line.lower().startswith("mail from:<w@example.org>") for line in heard)
    assert "Message-ID: <db-1-x-1@walconsole.example.org>" in heard


def test_a_server_that_refuses_the_mail_is_said() -> None:
    with (
        smtp_server({".": "552 too much"}) as (port, _),
        pytest.raises(NoticeError, match="it answered with 552"),
    ):
        tell(NotifySettings(mail_to=("a@example.org",), smtp=f"127.0.0.1:{port}"), {})


def test_a_server_that_takes_the_mail_and_says_an_odd_farewell_has_taken_it() -> None:
    with smtp_server({"QUIT": "451 later"}) as (port, heard):
        tell(NotifySettings(mail_to=("a@example.org",), smtp=f"127.0.0.1:{port}"), {})
    words = [line.upper() for line in heard]
    assert words.count("DATA") == words.count("QUIT") == 1


@pytest.mark.parametrize(
    ("statuses", "unsure"), [((400, 404, 429, 503), False), ((408, 500, 502, 504), True)]
)
def test_what_refuses_has_told_nobody_and_what_gave_up_waiting_may_have(
    statuses: tuple[int, ...], unsure: bool
) -> None:
    with receiver() as taking:
        for status in statuses:
            taking.status = status
            with pytest.raises(NoticeError, match=f"status {status}") as raised:
                http.post("the webhook", taking.url, b"x", {})
            assert raised.value.unsure is unsure, status


@contextmanager
def answering(answer: bytes, after: bytes) -> Iterator[int]:
    """The port of a server that answers one connection so, once it has heard that; then it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heard = b""
                while after not in heard:
                    heard += connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def test_what_answers_that_it_took_it_has_taken_it_though_its_answer_is_cut() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"a notice") as port:
        http.post("the webhook", f"http://127.0.0.1:{port}/", b"a notice", {})


SAID = {
    "Slack's": (b"ok", False),
    "Mattermost's": (b"ok\n", False),
    "nothing": (b"", False),
    "PagerDuty's": (b'{"status":"success","message":"Event processed","dedup_key":"x"}', False),
    "ntfy's": (b'{"id":"x","time":1,"event":"message","topic":"t","message":"no error, ok"}', False),
    "one that is cut": (b'{"ok": fal', False),
    "an error word": (b"invalid_payload", True),
    "Slack's Web API": (b'{"ok":false,"error":"channel_not_found"}', True),
    "Rocket.Chat's": (b'{"success":false,"error":"x"}', True),
    "PagerDuty's no": (b'{"status":"invalid event","message":"Event object is invalid"}', True),
    "a login page": (b"\r\n<!DOCTYPE html><title>Sign in</title>", True),
}


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("status", [200, 202])
def test_a_yes_that_says_no_is_none_and_nobody_was_told(name: str, status: int) -> None:
    said, denied = SAID[name]
    head = f"HTTP/1.1 {status} Yes\r\nContent-Length: {len(said)}\r\n\r\n".encode()
    settings = NotifySettings(webhook_env="HOOK", webhook_shape=WebhookShape.SLACK)
    with answering(head + said, b"}") as port:
        if not denied:
            tell(settings, {"HOOK": f"http://127.0.0.1:{port}/T0SECRET"})
            return
        with pytest.raises(NoticeError, match=f"status {status}") as raised:
            tell(settings, {"HOOK": f"http://127.0.0.1:{port}/T0SECRET"})
    assert not raised.value.unsure
    assert "T0SECRET" not in raised.value.line()


def test_a_receiver_of_ones_own_says_yes_by_its_status() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", b"}") as port:
        tell(NotifySettings(webhook_env="HOOK"), {"HOOK": f"http://127.0.0.1:{port}/"})


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_what_to_do_is_said(status: int) -> None:
    with receiver() as other:
        head = f"HTTP/1.1 {status} There\r\nLocation: {other.url}/T0SECRET\r\nContent-Length: 0\r\n\r\n"
        with answering(head.encode(), b"a notice") as port, pytest.raises(NoticeError) as raised:
            http.post("the webhook", f"http://127.0.0.1:{port}/", b"a notice", {})
        assert other.requests == []
    assert "see whether the URL" in raised.value.line()
    assert "T0SECRET" not in raised.value.line()
    assert not raised.value.unsure


@pytest.mark.parametrize("begin", [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_one_that_answers_a_byte_at_a_time_holds_nobody_up_for_ever(
    begin: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte begins the patience anew; what said yes by then has taken it."""
    monkeypatch.setattr(http, "_WHOLE_S", 1.0)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.recv(4096)
                connection.sendall(begin)
                while not ended.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        url, since = f"http://127.0.0.1:{listening.getsockname()[1]}/", time.monotonic()
        if begin.endswith(b"\r\n\r\n"):
            http.post("the webhook", url, b"x", {})
        else:
            with pytest.raises(NoticeError, match="ended before an answer") as raised:
                http.post("the webhook", url, b"x", {})
            assert raised.value.unsure
        assert time.monotonic() - since < 10
        ended.set()
        thread.join(5)


@pytest.mark.parametrize(
    ("scheme", "answer", "after", "unsure"),
    [
        ("http", b"", b"a notice", True),
        ("http", b"HTTP/1.1 2", b"a notice", True),
        ("https", b"220 a mail server\r\n", b"\x01", False),
        ("https", b"", b"\x01", False),
    ],
)
def test_before_it_is_sent_nobody_is_told(scheme: str, answer: bytes, after: bytes, unsure: bool) -> None:
    """A connection that ends in the middle of TLS has handed nothing over."""
    with answering(answer, after) as port, pytest.raises(NoticeError) as raised:
        http.post("the webhook", f"{scheme}://127.0.0.1:{port}/", b"a notice", {})
    assert raised.value.unsure is unsure


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/T0SECRET", "the secret is no URL"),
        ("T0SECRET", "the secret is no URL"),
        ("http://example.org/T0SECRET", "would send it in the clear"),
        ("https://[::1/T0SECRET", "the secret is no URL"),
        ("http://127.0.0.1:1/T0SECRET", "it cannot be reached"),
        ("https://127.0.0.1:1/T0SECRET", "it cannot be reached"),
    ],
)
def test_no_url_is_told(url: str, why: str) -> None:
    with pytest.raises(NoticeError, match=why) as raised:
        http.post("the webhook", url, b"", {})
    assert "SECRET" not in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_an_answer_that_repeats_the_url_is_told_without_it() -> None:
    assert (
        http._shown(b"no route /services/T0SECRET/x", "https://h/services/T0SECRET/x")
        == "no route [redacted]"
    )


def test_a_secret_is_a_credential_before_it_is_a_variable(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOOK": "of-the-environment"}
    assert secret("HOOK", environment, "walconsole-db") == "of-the-environment"
    (tmp_path / "HOOK").write_text("of-the-service\n")
    assert secret("HOOK", environment, "walconsole-db") == "of-the-service"
    (tmp_path / "HOOK").write_text("two words")
    with pytest.raises(NoticeError, match="blanks or control characters") as raised:
        secret("HOOK", environment, "walconsole-db")
    assert "two words" not in str(raised.value)
    with pytest.raises(NoticeError, match="neither a credential of the service, nor in the environment"):
        secret("NOWHERE", environment, "walconsole-db")


# -- What is served, and what systemd hears.


async def answer(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    text = (await asyncio.wait_for(reader.read(), 5)).decode()
    writer.close()
    return text


async def test_pages_are_served_on_this_machine() -> None:
    from http import HTTPStatus

    page: Page = lambda: (HTTPStatus.OK, "text/plain", "é\n")  # noqa: E731
    async with LoopbackPages("127.0.0.1", 0, {"/metrics": page}) as pages:
        ok = await answer(pages.port, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ok.startswith("HTTP/1.1 200 OK\r\n")
        assert ok.endswith("Content-Length: 3\r\n" + ok.partition("Content-Length: 3\r\n")[2])
        assert ok.endswith("\r\n\r\né\n")
        head = await answer(pages.port, b"HEAD /metrics HTTP/1.1\r\n\r\n")
        assert head.endswith("\r\n\r\n")
        assert "404 Not Found" in await answer(pages.port, b"GET / HTTP/1.1\r\n\r\n")
        assert "405 Method Not Allowed" in await answer(pages.port, b"POST /metrics HTTP/1.1\r\n\r\n")
        assert await answer(pages.port, b"x" * 20_000 + b"\r\n\r\n") == ""
        with pytest.raises(BusyError, match=r"(?i)address already in use"):
            async with LoopbackPages("127.0.0.1", pages.port, {}):
                pass


async def test_ten_scrapers_at_once_beside_some_that_say_nothing_have_all_of_it() -> None:
    from http import HTTPStatus

    text = "".join(f'walconsole_x{{profile="a\\\\\\"b",n="{n}"}} 1\n' for n in range(2000))
    async with LoopbackPages(
        "127.0.0.1", 0, {"/metrics": lambda: (HTTPStatus.OK, "text/plain", text)}
    ) as pages:
        silent = [await asyncio.open_connection("127.0.0.1", pages.port) for _ in range(6)]
        asked = b"GET /metrics HTTP/1.1\r\n\r\n"
        answers = await asyncio.gather(*(answer(pages.port, asked) for _ in range(10)))
        assert {each.partition("\r\n\r\n")[2] for each in answers} == {text}
        for _, writer in silent:
            writer.close()


def test_systemd_hears_what_it_is_told(tmp_path: Path) -> None:
    place = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(place)
        assert notify({"NOTIFY_SOCKET": place}, "READY=1", "STATUS=db ok")
        assert listening.recv(1000) == b"READY=1\nSTATUS=db ok"
    assert not notify({"NOTIFY_SOCKET": place + "-none"}, "READY=1")
    assert not notify({}, "READY=1")
    assert watchdog_s({"WATCHDOG_USEC": "180000000"}) == 90.0
    assert watchdog_s({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "1"}) is None
    assert watchdog_s({}) is None
