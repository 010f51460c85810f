"""Each way by which a notice is told. All of them block: they are called in a thread."""

import json
import smtplib
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from typing import Protocol

from walconsole.adapters.notify.http import post
from walconsole.adapters.notify.program import run
from walconsole.adapters.notify.secrets import secret
from walconsole.adapters.trust import trusting
from walconsole.domain.notices import words
from walconsole.domain.notices.deciding import Notice
from walconsole.domain.profile import NotifySettings, WebhookShape
from walconsole.errors import NoticeError

_SMTP_S = 30.0
_SMTPS = 465
"""Where TLS comes first (RFC 8314); elsewhere STARTTLS is asked for."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Secret = Callable[[str], str]


class Way(Protocol):
    """Tells one notice. `name` is short, and its own in a profile."""

    @property
    def name(self) -> str: ...

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        """Blocks. Raises NoticeError."""
        ...


class CommandWay:
    """A program of the operator's, without a shell."""

    name = "command"

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        """Its standard input is the notice's JSON; it takes it by ending with 0."""
        given = json.dumps(words.document(notice, repeat=repeat), ensure_ascii=True) + "\n"
        run("telling the command", self._command, given.encode())


class WebhookWay:
    """A URL that takes a POST."""

    name = "webhook"

    def __init__(self, settings: NotifySettings, secret_of: Secret) -> None:
        self._settings, self._secret = settings, secret_of

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        """See Way."""
        settings = self._settings
        body, headers = words.webhook(settings.webhook_shape, notice, repeat=repeat)
        if settings.webhook_token_env:
            headers = {**headers, "Authorization": f"Bearer {self._secret(settings.webhook_token_env)}"}
        own = settings.webhook_shape is WebhookShape.JSON  # whose answers are nobody else's affair
        denies = (lambda _: False) if own else words.is_denial
        post("the webhook", self._secret(settings.webhook_env), body, headers, denies=denies)


class PagerDutyWay:
    """PagerDuty's Events API v2: one alert an incident, resolved at its end. Its key tells a repeat."""

    name = "pagerduty"

    def __init__(self, settings: NotifySettings, secret_of: Secret) -> None:
        self._settings, self._secret = settings, secret_of

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        """See Way."""
        del repeat
        body = words.pagerduty(notice, self._secret(self._settings.pagerduty_env))
        url = f"{self._settings.pagerduty_endpoint}/v2/enqueue"
        post("PagerDuty", url, body, {"Content-Type": "application/json"}, denies=words.is_denial)


class MailWay:
    """Mail, by the local sendmail or by SMTP. A notice's Message-ID is always the same."""

    name = "mail"

    def __init__(self, settings: NotifySettings, secret_of: Secret) -> None:
        self._settings, self._secret = settings, secret_of

    def tell(self, notice: Notice, *, repeat: bool) -> None:
        """See Way."""
        settings = self._settings
        message = self._message(notice, repeat=repeat)
        if settings.smtp:
            self._by_smtp(message)
            return
        sender = settings.mail_from or settings.mail_to[0]
        command = (settings.sendmail, "-i", "-f", sender, "--", *settings.mail_to)
        run("handing mail to sendmail", command, message.as_bytes())

    def _message(self, notice: Notice, *, repeat: bool) -> EmailMessage:
        settings = self._settings
        sender = settings.mail_from or settings.mail_to[0]
        made = EmailMessage()
        made["From"], made["To"] = sender, ", ".join(settings.mail_to)
        made["Subject"] = words.subject(notice)[:200]
        made["Message-ID"] = f"<{notice.id}@walconsole.{sender.rpartition('@')[2]}>"
        made["Date"] = words.mail_date(notice)
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
        if notice.incident:
            made["References"] = f"<{notice.incident}@walconsole.{sender.rpartition('@')[2]}>"
        made.set_content(words.text(notice, repeat=repeat))
        return made

    def _by_smtp(self, message: EmailMessage) -> None:
        settings = self._settings
        host, port = _host_and_port(settings.smtp)
        tried = f"handing mail to {host}"
        sent = taken = False
        try:
            with self._connected(host, port) as smtp:
                if settings.smtp_user:
                    smtp.login(settings.smtp_user, self._secret(settings.smtp_password_env))
                sent = True
                smtp.send_message(message)
                taken = True
        except smtplib.SMTPAuthenticationError:
            raise NoticeError(tried, "it refuses the user or the password") from None
        except smtplib.SMTPResponseException as error:
            if taken:
                return  # it is the farewell that it answered oddly
            raise NoticeError(tried, f"it answered with {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused:
            raise NoticeError(tried, "it refuses everybody who should get it") from None
        except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
            if taken:
                return
            why = error.strerror or type(error).__name__
            raise NoticeError(tried, why, unsure=sent) from None

    def _connected(self, host: str, port: int) -> smtplib.SMTP:
        context = trusting()
        if port == _SMTPS:
            return smtplib.SMTP_SSL(host, port, timeout=_SMTP_S, context=context)
        smtp = smtplib.SMTP(host, port, timeout=_SMTP_S)
        try:
            if host not in _LOOPBACK:
                smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
        return smtp


class Pinger:
    """A dead man's check, by healthchecks.io's Pinging API: its URL, with /start or /fail after it."""

    def __init__(self, settings: NotifySettings, secret_of: Secret) -> None:
        self._name, self._secret = settings.ping_env, secret_of

    def ping(self, signal: str, said: str) -> None:
        """`signal` is start, fail, or empty for success; `said` is kept there. Blocks. Raises NoticeError."""
        url, question, query = self._secret(self._name).partition("?")
        whole = f"{url.rstrip('/')}{f'/{signal}' if signal else ''}{question}{query}"
        post("the dead man's check", whole, said.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def ways_of(settings: NotifySettings, environment: Mapping[str, str]) -> tuple[Way, ...]:
    """Those that a profile names."""
    of = _secrets(settings, environment)
    made: list[Way] = []
    if settings.command:
        made.append(CommandWay(settings.command))
    if settings.webhook_env:
        made.append(WebhookWay(settings, of))
    if settings.pagerduty_env:
        made.append(PagerDutyWay(settings, of))
    if settings.mail_to:
        made.append(MailWay(settings, of))
    return tuple(made)


def pinger_of(settings: NotifySettings, environment: Mapping[str, str]) -> Pinger | None:
    """Where the profile names a dead man's check."""
    return Pinger(settings, _secrets(settings, environment)) if settings.ping_env else None


def _secrets(settings: NotifySettings, environment: Mapping[str, str]) -> Secret:
    return lambda name: secret(name, environment, settings.keyring_service)


def _host_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return server.strip("[]"), 587
    return host.strip("[]"), int(port)
