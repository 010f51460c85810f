"""What a newcomer would write who follows docs/development.md: one example for each of its walks.

The names are made up; the texts are what that page asks for and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Edit:
    """One place that the page names: `text` (or what the file of that name here holds) for `old`.

    `old` stands there once; a file without it is new. `told` is False for what no test asks for.
    """

    file: str
    text: str
    old: str = ""
    told: bool = True

    def make(self, root: Path) -> None:
        """Write it into the sources below `root`."""
        place, text = root / self.file, self.text
        if text.endswith(".txt"):
            text = (HERE / text).read_text("utf-8")
        if not self.old:
            assert not place.exists(), place
            place.write_text(text, "utf-8")
            return
        before = place.read_text("utf-8")
        assert before.count(self.old) == 1, f"{self.file}: not once: {self.old}"
        place.write_text(before.replace(self.old, text), "utf-8")


def ahead(file: str, text: str, old: str, *, told: bool = True) -> Edit:
    """`text` put before `old`."""
    whole = (HERE / text).read_text("utf-8") if text.endswith(".txt") else text
    return Edit(file, whole + old, old, told)


def behind(file: str, text: str, old: str) -> Edit:
    """`text` put behind `old`."""
    whole = (HERE / text).read_text("utf-8") if text.endswith(".txt") else text
    return Edit(file, old + whole, old)


@dataclass(frozen=True)
class Walk:
    """A section of the page, by its heading, what it has one write, and whether it says `make docs`."""

    heading: str
    edits: Sequence[Edit]
    documents: bool = True


_FAMILY = "src/walconsole/domain/failures/archiving.py"
_MODES = "MODES: tuple[FailureMode, ...] = (\n"
MODE = Walk(
    "To add a failure mode",
    (
        Edit(
            _FAMILY,
            (HERE / "mode_look.txt").read_text("utf-8")
            + _MODES
            + (HERE / "mode_record.txt").read_text("utf-8"),
            _MODES,
        ),
        Edit("tests/integration/test_failures_hurried.py", "mode_test.txt"),
        behind(
            "docs/tested-failures.md",
            "| archive_timeout = 2 s | [`archive-hurried`](failures/archive-hurried.md) | 1.0 s | 1.0 s |\n",
            "| what was broken | found | after | mended |\n|---|---|---|---|\n",
        ),
    ),
)

_LAYOUT = "src/walconsole/ui/board/layout.py"
PANE = Walk(
    "To add a pane",
    (
        Edit("src/walconsole/ui/dashboard/identity.py", "pane.txt"),
        Edit(
            "src/walconsole/ui/board/catalogue.py",
            'PaneSpec(7, "identity", "Identity"),\n    PaneSpec(8, "log", "Log"),',
            'PaneSpec(7, "log", "Log"),',
        ),
        Edit(_LAYOUT, '"findings", "identity", "log"),),),', '"findings", "log"),),),'),
        Edit(
            _LAYOUT,
            '"wal_disk", "bucket", "identity"), ("findings", "configuration", "droplet")',
            '"wal_disk", "bucket"), ("findings", "configuration", "droplet")',
        ),
        Edit(
            _LAYOUT,
            '"wal_disk", "identity"), ("findings", "bucket"), ("configuration", "droplet")',
            '"wal_disk"), ("findings", "bucket"), ("configuration", "droplet")',
        ),
        Edit(
            _LAYOUT,
            '("findings", "identity"), ("configuration", "bucket")',
            '("findings",), ("configuration", "bucket")',
        ),
        Edit(_LAYOUT, '("configuration", "identity")),\n    ),', '("configuration",)),\n    ),'),
        Edit(_LAYOUT, '"wal_disk", "droplet", "identity", "log")\n', '"wal_disk", "droplet", "log")\n'),
        ahead(
            "src/walconsole/ui/board/screen_keys.py",
            '"identity": "Identity",\n        ',
            '"log": "Log",\n    },\n)\nARCHIVE',
        ),
        ahead("src/walconsole/ui/explanations.toml", "pane_explained.txt", "[findings.finding]\n"),
        ahead("tests/unit/test_ui_layout.py", '"identity": 3,\n    ', '"findings": 12,\n'),
    ),
)

_VENDORS, _ANSWERS = "src/walconsole/domain/store/vendors.py", "src/walconsole/domain/store/answers.py"
VENDOR = Walk(
    "To add an S3 vendor",
    (
        ahead(_VENDORS, "vendor.txt", "VENDORS = (AWS"),
        Edit(_VENDORS, "VENDORS = (EXAMPLE, AWS", "VENDORS = (AWS"),
        Edit(_ANSWERS, "    CEPH,\n    EXAMPLE,\n    GARAGE,", "    CEPH,\n    GARAGE,"),
        ahead(
            _ANSWERS,
            'Row("SiteAsleep", _M.UNAVAILABLE, (EXAMPLE,)),\n    ',
            'Row("AccessDenied", _M.KEY_UNKNOWN, (GARAGE,)',
        ),
        ahead(
            "tests/unit/test_store_answers.py",
            '("Example Object Storage", 503, "SiteAsleep", "The site is asleep.", M.UNAVAILABLE),\n    ',
            '("Garage", 403, "AccessDenied", "Forbidden: No such key',
        ),
        ahead(
            "tests/unit/test_store_answers.py",
            '("https://s3.ams.objects.example", "Example Object Storage"),\n        ',
            '("https://notamazonaws.com", None)',
            told=False,
        ),
        ahead("docs/stores.md", "vendor_recipe.txt", "**Wasabi**\n"),
    ),
)

_CATALOGUE = "src/walconsole/provision/steps/catalogue.py"
STEP = Walk(
    "To add a step",
    (
        Edit("src/walconsole/provision/steps/clock_look.py", "step.txt"),
        behind(
            _CATALOGUE,
            "from walconsole.provision.steps.clock_look import ClockLook\n",
            "from walconsole.provision.steps.buckets import Buckets\n",
        ),
        behind(_CATALOGUE, " ClockLook,", "\nARCHIVING = (\n    Preflight,"),
        ahead(
            "docs/provisioning.md",
            "| Clock | looks whether the droplet keeps its clock | read |\n",
            "| Preflight | looks at",
        ),
    ),
    documents=False,
)

WALKS = (STEP, MODE, VENDOR, PANE)
"""In the order of the page."""
