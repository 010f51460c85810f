"""Values as the server compares them: units, rounding, ranges, synonyms."""

import pytest

from walconsole.domain.pgconf.catalogue import shipped
from walconsole.domain.pgconf.values import BadValueError, Context, SettingMeta, VarType, same, stored

SECONDS, KB = (
    shipped()["archive_timeout"],
    SettingMeta("work_mem", VarType.INTEGER, Context.USER, "4096", "kB"),
)
BLOCKS, REAL = shipped()["shared_buffers"], shipped()["checkpoint_completion_target"]
MS = SettingMeta("vacuum_cost_delay", VarType.REAL, Context.USER, "0", "ms", 0, 100)
BOOL, MODE, LEVEL = shipped()["fsync"], shipped()["archive_mode"], shipped()["wal_level"]


@pytest.mark.parametrize(
    ("meta", "text", "value"),
    [
        (SECONDS, "60", "60"), (SECONDS, "1min", "60"), (SECONDS, "60s", "60"), (SECONDS, " 60 s ", "60"),
        (SECONDS, "0x3C", "60"), (SECONDS, "074", "60"), (SECONDS, "6e1", "60"), (SECONDS, "+60", "60"),
        (SECONDS, "1.5h", "5400"), (SECONDS, "500ms", "0"), (SECONDS, "1500ms", "2"), (SECONDS, "0.5", "0"),
        (SECONDS, "0.1d", "7200"), (SECONDS, "60000000us", "60"), (SECONDS, ".5min", "30"),
        (KB, "4MB", "4096"), (KB, "1GB", "1048576"), (KB, "1TB", "1073741824"), (KB, "2048B", "2"),
        (KB, "1.7MB", "1741"), (BLOCKS, "128MB", "16384"), (BLOCKS, "160kB", "20"), (BLOCKS, "132kB", "16"),
        (REAL, ".9", "0.9"), (REAL, "0x1p-1", "0.5"), (REAL, "5e-1", "0.5"), (REAL, "0.1234567", "0.123457"),
        (MS, "2000us", "2"), (MS, "0.05s", "50"), (MS, "1.5", "1.5"),
        (BOOL, "on", "on"), (BOOL, "TRUE", "on"), (BOOL, "y", "on"), (BOOL, "1", "on"), (BOOL, "tru", "on"),
        (BOOL, "of", "off"), (BOOL, "no", "off"), (BOOL, "f", "off"), (BOOL, "0", "off"),
        (MODE, "ON", "on"), (MODE, "Always", "always"), (MODE, "true", "on"), (MODE, "0", "off"),
        (LEVEL, "hot_standby", "replica"), (LEVEL, "Logical", "logical"),
        (shipped()["wal_compression"], "on", "pglz"), (shipped()["log_min_messages"], "debug", "debug2"),
        (shipped()["archive_command"], " as it is ", " as it is "),
    ],
)  # fmt: skip
def test_stored(meta: SettingMeta, text: str, value: str) -> None:
    assert stored(text, meta) == value


@pytest.mark.parametrize(
    ("meta", "text", "why"),
    [
        (SECONDS, "60S", "unit 'S'"), (SECONDS, "60kB", "unit 'kB'"), (SECONDS, "-1", "outside"),
        (SECONDS, "", "not a whole number"), (SECONDS, "x", "not a whole number"),
        (SECONDS, "08", "unit '8'"),
        (SECONDS, "1 min 5", "unit"), (SECONDS, "2000000000", "outside"), (SECONDS, "1e400", "double"),
        (SECONDS, "99999999999999999999", "integer range"), (SECONDS, "inf", "not a whole number"),
        (REAL, "nan", "not a number"), (REAL, "inf", "outside"), (REAL, "1.1", "outside"),
        (REAL, "0.5s", "takes no unit"), (REAL, "1e-400", "double"), (REAL, "", "not a number"),
        (KB, "4mb", "unit 'mb'"), (BOOL, "o", "Boolean"), (BOOL, "", "Boolean"), (BOOL, "2", "Boolean"),
        (BOOL, " on", "Boolean"), (MODE, "maybe", "always, on, off"), (MODE, "", "always, on, off"),
    ],
)  # fmt: skip
def test_refused(meta: SettingMeta, text: str, why: str) -> None:
    with pytest.raises(BadValueError, match=why):
        stored(text, meta)


def test_same() -> None:
    assert same("60", "1min", SECONDS)
    assert same("true", "on", MODE)
    assert not same("60", "61", SECONDS)
    assert not same("x", "x", SECONDS)
    assert same("x", "x", None)
