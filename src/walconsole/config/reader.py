"""config.toml, read strictly: an unknown key is an error with its line, not a silence."""

import difflib
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from walconsole.config.checks import UnfitError, shown, type_name
from walconsole.config.key import Key
from walconsole.config.schema import CONSOLE_KEYS, PROFILE_KEYS, RESERVED_PROFILE_NAMES, TABLES
from walconsole.config.toml_lines import KeyPath, line_of, locate
from walconsole.domain.patterns import pattern
from walconsole.domain.redaction import safe
from walconsole.errors import ConfigError

# -- What is wrong in a configuration file, where, and what to do about it.


class Fault(NamedTuple):
    """One thing that is wrong; `line` counts from 1, 0 stands for the whole file."""

    file: str
    line: int
    why: str
    remedy: str = ""
    column: int = 0

    def text(self) -> str:
        """`FILE:LINE: why; remedy`, safe to show: a file's content is as hostile as any input."""
        place = self.file
        if self.line:
            place += f":{self.line}"
        if self.column:
            place += f":{self.column}"
        return safe(f"{place}: {self.why}{f'; {self.remedy}' if self.remedy else ''}")


class FaultyConfigError(ConfigError):
    """All that is wrong in one file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("reading the configuration", "\n".join(fault.text() for fault in self.faults))

    def line(self) -> str:
        """A line for each fault: FILE:LINE comes first, so that an editor can jump there."""
        return self.why


LARGEST_FILE_BYTES = 8 << 20
"""Five hundred profiles, each with all that `config init` writes, are somewhat more than one MiB."""
_PROFILE_NAME = pattern(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_SECRETIVE = pattern(r"(?i)secret|passw|passphrase|token|credential|access_?key|api_?key|private_?key")
_SYNTAX = pattern(
    r"(?P<why>.*?) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)
_SYNTAX_IN_WORDS = {
    "Cannot overwrite a value": "this key was already set above",
    "Invalid value": "a value is missing or cannot be read (text needs quotes)",
    "Expected '=' after a key in a key/value pair": "'=' is missing after the key",
    "Invalid statement": "neither a key, a [table] nor a comment",
    "Unterminated string": "the text's closing quote is missing",
    "Expected newline or end of document after a statement": "only one key may stand on a line",
}


class Setting(NamedTuple):
    """A checked value and where it came from: `FILE:LINE`, `environment WAL_BUCKET`, `default`."""

    value: object
    origin: str


Settings = Mapping[str, Setting]
_NONE: Settings = MappingProxyType({})
_NO_PROFILES: Mapping[str, Settings] = MappingProxyType({})


class ConfigFile(NamedTuple):
    """What a file says: settings by dotted key, for each profile and for the console itself."""

    path: Path
    exists: bool = False
    console: Settings = _NONE
    profiles: Mapping[str, Settings] = _NO_PROFILES
    warnings: tuple[str, ...] = ()


def load(path: Path, *, required: bool = False) -> ConfigFile:
    """The file's content; a missing one is empty unless `required`. Raises FaultyConfigError."""
    try:
        raw, warnings = _contents(path)
    except FileNotFoundError:
        if required:
            raise FaultyConfigError(
                [Fault(str(path), 0, "no such file", "`walconsole config init` writes an example")]
            ) from None
        return ConfigFile(path)
    except OSError as error:
        raise FaultyConfigError([Fault(str(path), 0, f"cannot be read: {error.strerror}")]) from None
    return _Reader(path, _decoded(path, raw), warnings).read()


def _contents(path: Path) -> tuple[bytes, tuple[str, ...]]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for ever
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FaultyConfigError([Fault(str(path), 0, "is not a regular file")])
        if status.st_uid not in (0, os.geteuid()):
            why = f"belongs to another user (uid {status.st_uid}), who could choose where you connect"
            raise FaultyConfigError([Fault(str(path), 0, why, "copy it, and name the copy with --config")])
        if status.st_size > LARGEST_FILE_BYTES:
            raise FaultyConfigError([Fault(str(path), 0, f"is larger than {LARGEST_FILE_BYTES} bytes")])
        raw = file.read(LARGEST_FILE_BYTES + 1)
    if status.st_mode & 0o022:
        return raw, (f"{path}: others may write to it and so choose where you connect; chmod go-w {path}",)
    return raw, ()


def _decoded(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FaultyConfigError(
            [Fault(str(path), line, f"not UTF-8 (byte 0x{raw[error.start]:02x})", "save the file as UTF-8")]
        ) from None


def _parsed(path: Path, text: str) -> dict[str, object]:
    import tomllib  # where there is no file, it is not needed, and the first frame waits for it

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise FaultyConfigError([Fault(str(path), 0, "is nested too deeply")]) from None
    except tomllib.TOMLDecodeError as error:
        matched = _SYNTAX.match(str(error))
        why = matched["why"] if matched else str(error)
        line = int(matched["line"] or text.count("\n") + 1) if matched else 0
        column = int(matched["column"] or 0) if matched else 0
        raise FaultyConfigError(
            [Fault(str(path), line, f"not TOML: {_SYNTAX_IN_WORDS.get(why, why)}", column=column)]
        ) from None


class _Reader:
    """One pass over a document; collects every fault instead of stopping at the first."""

    def __init__(self, path: Path, text: str, warnings: tuple[str, ...]) -> None:
        self._path = path
        self._document = _parsed(path, text)
        self._lines = locate(text)
        self._warnings = warnings
        self._faults: list[Fault] = []

    def read(self) -> ConfigFile:
        self._refuse_others((), self._document, ["console", "profiles"])
        console = self._table(("console",), self._document, "console") or {}
        profiles = self._table(("profiles",), self._document, "profiles") or {}
        file = ConfigFile(
            self._path,
            True,
            self._settings(("console",), console, CONSOLE_KEYS),
            {name: self._profile(name, profiles) for name in profiles},
            self._warnings,
        )
        self._check_default(file)
        if self._faults:
            raise FaultyConfigError(sorted(self._faults, key=lambda fault: fault.line))
        return file

    def _profile(self, name: str, profiles: Mapping[str, object]) -> Settings:
        path = ("profiles", name)
        if not _PROFILE_NAME.fullmatch(name):
            self._fault(path, f"{shown(name)} cannot be a profile's name", "use letters, digits, - and _")
        elif name in RESERVED_PROFILE_NAMES:
            self._fault(path, f"'{name}' is a command and cannot be a profile's name")
        values = self._table(path, profiles, name)
        if values is None:
            return {}
        settings = self._settings(path, values, PROFILE_KEYS)
        self._check_keep((*path, "keep"), settings)
        return settings

    def _check_keep(self, path: KeyPath, settings: Settings) -> None:
        """What says more of retention, and no rule, would silently delete nothing."""
        said = {name for name in settings if name.startswith("keep.")}
        if said and not said & {"keep.full", "keep.days"} and not self._faults:
            why = f"{_bracketed(path)} has no rule: neither 'full' nor 'days'"
            self._fault(path, why, "add one, or leave the table out: then nothing is ever deleted")

    def _settings(
        self, path: KeyPath, values: Mapping[str, object], keys: Sequence[Key], table: str = ""
    ) -> dict[str, Setting]:
        """The checked values of `table` and, below a profile, of its own tables."""
        here = [key for key in keys if key.table == table]
        below = list(TABLES) if path[0] == "profiles" and not table else []
        tables = [name for name in below if isinstance(values.get(name, {}), dict)]
        self._refuse_others(path, values, list(dict.fromkeys([*(key.name for key in here), *below])))
        found: dict[str, Setting] = {}
        for key in here:
            if key.name in tables:
                continue  # `dr` is a table, or a word in its place
            if key.name in values:
                self._checked(found, (*path, key.name), key, values[key.name])
            elif key.required:
                self._fault(
                    path, f"{_bracketed(path)} has no '{key.name}'", f"add {key.name} = {key.example}"
                )
        words = {key.name for key in here}
        for name in below:
            if name in words and name not in tables:
                continue
            nested = self._table((*path, name), values, name)
            found |= self._settings((*path, name), nested or {}, keys, name)
        return found

    def _checked(self, found: dict[str, Setting], path: KeyPath, key: Key, value: object) -> None:
        try:
            found[key.path] = Setting(key.check(value), f"{self._path}:{line_of(self._lines, path)}")
        except UnfitError as unfit:
            self._fault(path, f"'{key.name}' in {_bracketed(path[:-1])} {unfit}")

    def _table(self, path: KeyPath, parent: Mapping[str, object], name: str) -> Mapping[str, object] | None:
        value = parent.get(name, {})
        if isinstance(value, dict):
            return value
        self._fault(path, f"'{name}' must be a table ({_bracketed(path)}), not {type_name(value)}")
        return None

    def _refuse_others(self, path: KeyPath, values: Mapping[str, object], known: Sequence[str]) -> None:
        for name, value in values.items():
            if name in known:
                continue
            kind = "table" if isinstance(value, dict) else "key"
            where = f" in {_bracketed(path)}" if path else ""
            self._fault(
                (*path, name), f"unknown {kind} {shown(name)}{where}", self._advice(name, value, known, path)
            )

    def _advice(self, name: str, value: object, known: Sequence[str], path: KeyPath) -> str:
        near = difflib.get_close_matches(name, known, n=1)
        if near:
            return f"did you mean '{near[0]}'?"
        if _SECRETIVE.search(name) and not isinstance(value, dict):
            return "secrets do not belong in this file: name an environment variable or use the keyring"
        elsewhere = [key.path for key in PROFILE_KEYS if key.name == name] if path else []
        if elsewhere:
            return f"it belongs in {_bracketed((*path[:2], elsewhere[0].rpartition('.')[0]))}"
        if not path and not isinstance(value, dict) and name in {key.name for key in PROFILE_KEYS}:
            return "it belongs in [profiles.NAME]"
        if (
            not path
            and isinstance(value, dict)
            and any(key.path.startswith(f"{name}.") for key in PROFILE_KEYS)
        ):
            return f"it belongs to a profile: [profiles.NAME.{name}]"
        return f"known here: {', '.join(known)}"

    def _check_default(self, file: ConfigFile) -> None:
        chosen = file.console.get("default_profile")
        if chosen is not None and chosen.value not in file.profiles:
            self._fault(
                ("console", "default_profile"),
                f"'default_profile' names no profile: {shown(chosen.value)}",
                suggestion(str(chosen.value), file.profiles),
            )

    def _fault(self, path: KeyPath, why: str, remedy: str = "") -> None:
        self._faults.append(Fault(str(self._path), line_of(self._lines, path), why, remedy))


def suggestion(name: str, known: Iterable[str], others: Iterable[str] = ()) -> str:
    """`did you mean 'shithub'?`, else what there is to choose from; `others` may be meant, too."""
    names = list(known)
    near = difflib.get_close_matches(name, [*names, *others], n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"the profiles are: {', '.join(names)}" if names else "the file has no profile"


def _bracketed(path: Sequence[str]) -> str:
    return f"[{'.'.join(part for part in path if part)}]"
