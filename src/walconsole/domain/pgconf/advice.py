"""Where to put a setting so that it wins, and what it would override there."""

from walconsole.domain.pgconf.reader import AUTO_CONF, Visit, directives, fold, is_included, statements
from walconsole.domain.pgconf.resolution import Chain, Origin, Place, Resolution, State
from walconsole.domain.pgconf.tree import ConfigTree, FileContent, canonical, join, parent
from walconsole.domain.pgconf.values import BadValueError, Context, same, stored
from walconsole.domain.records import record


@record
class Advice:
    """The answer to `set NAME=VALUE where?`.

    `path` is the file to write into (it need not exist yet), None where no file would win; then
    `instead` says what to do. `line` is the text to add, `why` why it wins there, `overrides` every
    place that it would beat, and `takes` what puts it in force: "reload", "restart" or "".
    """

    name: str
    path: str | None
    line: str
    why: str
    overrides: tuple[Place, ...] = ()
    takes: str = "reload"
    instead: str = ""


def quoted(value: str) -> str:
    """A value as any configuration file takes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def where_to_set(
    resolution: Resolution, tree: ConfigTree, name: str, value: str, *, file_name: str = "99_walconsole.conf"
) -> Advice:
    """Which file to put `name = value` in so that it wins.

    A file of its own in the last included folder is best, for package upgrades leave it alone; else
    the end of the main file. What stands on the command line or came from ALTER SYSTEM wins over
    every such file: then `path` is None and `instead` names what is in the way.
    """
    name = fold(name)
    chain = resolution.chain(name) or Chain(name, (), None)
    line = f"{name} = {quoted(value)}"
    by_restart = chain.meta is not None and chain.meta.context in (Context.POSTMASTER, Context.OTHER)
    takes = "restart" if by_restart else "reload"
    refused = _refused(resolution, chain, value)
    if refused:
        return Advice(name, None, line, "", takes="", instead=refused)
    if chain.winner is not None and same(chain.winner.value, value, chain.meta):
        return Advice(name, chain.winner.file, line, f"{chain.winner.where} says so already", takes="")
    path, why = _best_file(resolution, tree, file_name)
    beaten = tuple(place for place in chain.places if place.origin in (Origin.FILE, Origin.DEFAULT))
    return Advice(name, path, line, why, beaten, takes)


def _refused(resolution: Resolution, chain: Chain, value: str) -> str:
    """Why no configuration file can do it, and what to do instead; empty where one can."""
    if chain.meta is not None:
        if chain.meta.context is Context.INTERNAL:
            return f"{chain.name} cannot be changed: it was fixed when the cluster was made"
        try:
            stored(value, chain.meta)
        except BadValueError as bad:
            return f"the server would refuse {value!r}: {bad}"
    for place in reversed(chain.places):
        if place.origin is Origin.COMMAND_LINE:
            return f"the postmaster was started with {place.where}, which wins over every file: change that"
        if place.origin is Origin.AUTO_CONF and place.state is not State.ERROR:
            return (
                f"{place.where} wins over every other file: ALTER SYSTEM SET {chain.name} = {quoted(value)}"
            )
    if resolution.errors:
        first = resolution.errors[0]
        at = f"{first.entry.file}:{first.entry.line}"
        return f"correct {at} first: as it is, the server takes no change from its files"
    return ""


def _best_file(resolution: Resolution, tree: ConfigTree, file_name: str) -> tuple[str, str]:
    """The file whose last line is read last of all that a person should write into."""
    data = resolution.data_directory
    auto = join(data, AUTO_CONF, resolution.major) if data is not None else ""
    visits = [visit for visit in resolution.reading.visits if visit.path != auto and visit.by_file != auto]
    main = resolution.config_file
    last = _last_directive(tree, main)
    if last is not None and last[0] == "include_dir":
        folder = canonical(resolution.located(last[1], main), resolution.major)
        inside = [visit.path.rpartition("/")[2] for visit in visits if parent(visit.path) == folder]
        name = _after(file_name, inside)
        at = f"{main}:{last[2]} reads {folder} after everything else in {main}"
        if not _assigned_after(tree, main, last[2]):
            return f"{folder}/{name}", f"{at}, and {name} is the last file in it"
    return main, _why_main(visits, main)


def _why_main(visits: list[Visit], main: str) -> str:
    included = sum(visit.by_file is not None for visit in visits)
    return f"at its end, after all {included} included files" if included else f"{main} is the only file"


def _last_directive(tree: ConfigTree, path: str) -> tuple[str, str, int] | None:
    return max(directives(tree.file(path) or FileContent(path)), key=lambda one: one[2], default=None)


def _assigned_after(tree: ConfigTree, path: str, line: int) -> bool:
    """Whether the file goes on with settings after `line`: they would win over what is included there."""
    content = tree.file(path)
    return any(
        statement.line > line and statement.name is not None
        for statement in statements(content.raw or b"" if content is not None else b"")
    )


def _after(name: str, others: list[str]) -> str:
    """`name`, changed where need be so that include_dir reads it after `others`."""
    last = max((other for other in others if is_included(other)), key=str.encode, default="")
    if name.encode() > last.encode():
        return name
    if name == last:
        return name
    return f"{last.removesuffix('.conf')}z_{name}" if last[:1] >= "z" else f"zz_{name}"
