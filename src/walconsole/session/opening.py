"""The app of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.errors import UsageError
from walconsole.session.droplet_session import droplet_session
from walconsole.ui.app import WalconsoleApp

if TYPE_CHECKING:
    from walconsole.process.cleanup import Cleanups
    from walconsole.session.wish import Session


def make_console(wish: Session, cleanups: Cleanups) -> WalconsoleApp:
    """The app; `cleanups` take away whatever it opens. Raises UsageError for an unknown theme."""
    app = WalconsoleApp(droplet_session(wish, cleanups), theme=wish.theme)
    if wish.theme not in (None, app.theme):
        raise _no_theme(str(wish.theme), app)
    return app


def _no_theme(name: str, app: WalconsoleApp) -> UsageError:
    themes, problems = app.shelf.load()
    faults = [problem for problem in problems if f"{name}.toml" in problem]
    names = ", ".join(sorted(theme.name for theme in themes))
    why = faults[0] if faults else "there is none of that name"
    return UsageError(f"choosing the theme {name}", why, f"the themes are: {names}")
