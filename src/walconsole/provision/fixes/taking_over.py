"""The drop-in where something sets archiving after it: those lines are taken out, and kept as comments."""

from collections.abc import Iterable, Sequence

from walconsole.errors import ProvisionError
from walconsole.provision.droplet.file_settings import FileSetting, file_settings
from walconsole.provision.droplet.files import look_at
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import FileChange
from walconsole.provision.steps.dropin import AUTO_CONF, MINIMAL, OURS, DropIn, Wanted

TAKEN_OUT = "# taken out by walconsole, for it wins over {dropin}: "
"""What stands before such a line from then on."""


class DropInOverAll(DropIn):
    """model.Step. As DropIn, which stops at a line that wins over its own: this one takes it out.

    Provisioning stops there, for nobody has said yet that the line is wrong. A finding has: it says what is
    wrong with the command in force.
    """

    explanation = (
        f"{DropIn.explanation} Where a line of a later file wins over the drop-in, it becomes a comment "
        "there: the plan shows each, the file is kept, and undo puts it back. What writes that file (a "
        "template, a deployment) may write the line again: mend it there, too. An argument of the server is "
        "not a file's line: that stays, and is named."
    )

    async def _wanted(self, survey: Survey) -> Wanted:
        """With the files whose lines are taken out; the drop-in first."""
        wanted = await super()._wanted(survey)
        names = set(OURS)
        level = survey.configured.get("wal_level")
        if level is not None and level.value.lower() == MINIMAL:
            names.add("wal_level")
        later = later_lines(await file_settings(self._site), wanted.path, names)
        written = {change.path for change in wanted.changes}
        out = [
            await self._without(file, [row for row in later if row.file == file], wanted.path)
            for file in dict.fromkeys(row.file for row in later)
            if file not in written
        ]
        return Wanted((*wanted.changes, *out), wanted.resets, wanted.path)

    async def _without(self, file: str, rows: Sequence[FileSetting], dropin: str) -> FileChange:
        place = await look_at(self._site, file)
        if place.now is None:
            raise ProvisionError(f"reading {file}", "it is not there any more", "run this again")
        text = taken_out(place.now.text, rows, dropin.rpartition("/")[2])
        return FileChange(
            file, place.now.text, text, place.now.mode, place.now.owner, place.now.group, user=place.user
        )

    def _said(self, change: FileChange, path: str) -> str:
        if change.path == path:
            return super()._said(change, path)
        return f"{change.path} wins over it: its lines about archiving are to be taken out"

    def _notes(self, wanted: Wanted) -> tuple[str, ...]:
        others = [change.path for change in wanted.changes if change.path != wanted.path]
        return tuple(f"what writes {path} may write it so again: mend it there, too" for path in others)


def later_lines(rows: Iterable[FileSetting], dropin: str, names: Iterable[str]) -> tuple[FileSetting, ...]:
    """The lines that set one of `names` after the drop-in, in the order in which the server reads them.

    Where the drop-in is not there yet its place is that of its name in its folder, which is read in the order
    of the names' bytes (guc-file.c). auto.conf's are not among them: those ALTER SYSTEM takes out.
    """
    folder, _, own = dropin.rpartition("/")
    wanted, begun = frozenset(names), False
    found: list[FileSetting] = []
    for row in rows:
        where, _, name = row.file.rpartition("/")
        if row.file == dropin or (where == folder and name.encode() < own.encode()):
            begun, found = True, []
        elif where == folder or begun:
            begun = True
            if row.name.lower() in wanted and name != AUTO_CONF:
                found.append(row)
    return tuple(found)


def taken_out(text: str, rows: Iterable[FileSetting], dropin: str) -> str:
    """The file with those lines as comments. Raises ProvisionError where a line is another by now."""
    lines = text.split("\n")
    for row in rows:
        line = lines[row.line - 1] if 0 < row.line <= len(lines) else ""
        if not line.strip().lower().startswith(row.name.lower()):
            raise ProvisionError(
                f"reading {row.file}", f"line {row.line} is another by now", "run this again"
            )
        lines[row.line - 1] = f"{TAKEN_OUT.format(dropin=dropin)}{line}"
    return "\n".join(lines)
