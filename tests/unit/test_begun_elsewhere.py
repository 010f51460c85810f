"""Where a recovery goes on that is on another host: noted, found again, forgotten."""

from pathlib import Path

import pytest

from walconsole.errors import RegisterError
from walconsole.operator_files.begun_elsewhere import BegunElsewhere


def test_it_is_found_again_by_the_profile_alone(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    begun = BegunElsewhere("shop", environment)
    assert begun.host() == ""
    begun.note("root@spare:2222")
    assert BegunElsewhere("shop", environment).host() == "root@spare:2222"
    assert BegunElsewhere("other", environment).host() == ""
    begun.forget()
    begun.forget()
    assert begun.host() == ""


def test_what_cannot_be_noted_is_said_before_anything_is_begun(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file")
    with pytest.raises(RegisterError, match="noting in"):
        BegunElsewhere("shop", {"HOME": str(tmp_path)}).note("root@spare")
