"""A postmaster's arguments as settings: PostmasterMain()'s getopt, postgres(1)."""

from collections.abc import Iterator, Sequence

from walconsole.domain.records import record

_TAKES_VALUE = frozenset("BCcDdfhkNprStvW")
_SIMPLE = {
    "B": "shared_buffers", "h": "listen_addresses", "k": "unix_socket_directories",
    "N": "max_connections", "p": "port", "S": "work_mem", "W": "post_auth_delay",
}  # fmt: skip
_FLAGS = {
    "e": ("datestyle", "euro"), "F": ("fsync", "false"), "i": ("listen_addresses", "*"),
    "l": ("ssl", "true"), "O": ("allow_system_table_mods", "true"),
    "P": ("ignore_system_indexes", "true"), "s": ("log_statement_stats", "true"),
}  # fmt: skip
_PLANS = {
    "s": "enable_seqscan", "i": "enable_indexscan", "o": "enable_indexonlyscan",
    "b": "enable_bitmapscan", "t": "enable_tidscan", "n": "enable_nestloop",
    "m": "enable_mergejoin", "h": "enable_hashjoin",
}  # fmt: skip
_STATS = {"pa": "log_parser_stats", "pl": "log_planner_stats", "e": "log_executor_stats"}


@record
class Argument:
    """A setting on the command line. `text` is the argument as it was written."""

    name: str
    value: str
    text: str


@record
class CommandLine:
    """What a postmaster was told. `directory` is -D's value, `problems` what would keep it from starting."""

    settings: tuple[Argument, ...] = ()
    directory: str | None = None
    problems: tuple[str, ...] = ()

    def value(self, name: str) -> str | None:
        """What the last argument for `name` says."""
        return next((a.value for a in reversed(self.settings) if a.name == name), None)


def parse(argv: Sequence[str], major: int | None = None) -> CommandLine:
    """The settings in `argv` (the program itself first), in order; the last one for a name wins.

    `major` is the server's version, as far as it is known.
    """
    settings: list[Argument] = []
    problems: list[str] = []
    directory: str | None = None
    for option, value, text in _options(argv[1:], problems):
        if option == "D":
            directory = value
        else:
            settings.extend(
                Argument(name, said, text) for name, said in _meaning(option, value, major or 0, problems)
            )
    return CommandLine(tuple(settings), directory, tuple(problems))


def _options(words: Sequence[str], problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """getopt(): each option with its value and its text."""
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            return
        if word.startswith("--"):
            yield "-", word[2:], word
            continue
        if not word.startswith("-") or word == "-":
            problems.append(f"invalid argument: {word!r}")
            return
        yield from _bundle(word, waiting, problems)


def _bundle(word: str, waiting: Iterator[str], problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """The letters of one word; the first one that takes a value has the rest, or the next word."""
    for at, letter in enumerate(word[1:], 1):
        if letter not in _TAKES_VALUE:
            yield letter, "", f"-{letter}"
            continue
        attached = word[at + 1 :]
        value = attached or next(waiting, None)
        if value is None:
            problems.append(f"option -{letter} requires an argument")
            return
        yield letter, value, f"-{letter}{attached}" if attached else f"-{letter} {value}"
        return


def _meaning(option: str, value: str, major: int, problems: list[str]) -> list[tuple[str, str]]:
    if option in "-c":
        name, equals, said = value.partition("=")
        if not equals:
            problems.append(f"{'--' if option == '-' else '-c '}{value} requires a value")
            return []
        return [(name.replace("-", "_"), said)]
    if option in _SIMPLE:
        return [(_SIMPLE[option], value)]
    if option in _FLAGS:
        return [_FLAGS[option]]
    if option == "f" and value in _PLANS:
        return [(_PLANS[value], "false")]
    if option == "t":
        return [(name, "true") for start, name in _STATS.items() if value.startswith(start)]
    if option == "d":
        return _debug(value, major)
    return []


def _debug(value: str, major: int) -> list[tuple[str, str]]:
    """set_debug_options()."""
    level = int(value) if value.isascii() and value.isdigit() else 0
    found = [("log_min_messages", f"debug{level}" if level > 0 else "notice")]
    if level >= 1:
        found += [("log_connections", "all" if major >= 18 else "true"), ("log_disconnections", "true")]
    if level >= 2:
        found.append(("log_statement", "all"))
    extra = {3: "debug_print_parse", 4: "debug_print_plan", 5: "debug_print_rewritten"}
    return found + [(name, "true") for from_level, name in extra.items() if level >= from_level]
