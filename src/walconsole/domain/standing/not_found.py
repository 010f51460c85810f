"""What a shell says that it did not find: in the words of many shells, and in the languages of bash."""

import re

from walconsole.domain.facts import log_languages as languages

_SAID_MISSING = (
    r"(?:command |applet |inaccessible or )?not found|orden no encontrada|commande introuvable"
    r"|comando non trovato|コマンドが見つかりません|команда не найдена|未找到命令|找不到指令"
    r"|comando n.{1,3}o encontrado|nie znaleziono polecenia|명령어를 찾을 수 없음|Kommando nicht gefunden"
    rf"|kommandot? (?:finns|hittades) inte|příkaz nenalezen|{languages.ABSENT}"
)
_NAMED_MISSING = (
    re.compile(r"(?:command not found|unknown command): ([^\s:'\"]+)", re.IGNORECASE),  # zsh, fish
    re.compile(
        r"(?:failed to run command|can.t execute) ['‘]?([^\s'’]+)['’]?: (?!.*permission)", re.IGNORECASE
    ),
    re.compile(r"error while loading shared libraries: ([^\s:]+):|([^\s:]+): bad interpreter"),
    re.compile(
        rf"(?:^|[:：]\s?)['\"‘«]?([^\s:：'\"’»]+)['\"’»]?\s?[:：] ?(?:{_SAID_MISSING})", re.IGNORECASE
    ),
)
"""How what was not found is named: by zsh and fish; coreutils and busybox; the loader, and bash of what a
script's first line names; dash, bash in its languages and ksh."""


def missed(text: str) -> str:
    """What the shell says that it did not find, empty where it says none."""
    searched = (each.search(text) for each in _NAMED_MISSING)
    found = next((match for match in searched if match is not None), None)
    return "" if found is None else str(next(filter(None, found.groups())))
