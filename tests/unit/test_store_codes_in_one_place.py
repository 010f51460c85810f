"""Only the table of answers knows a code of S3's: anywhere else it would be a second interpretation.

Sentences may name one (a page that explains what an operator sees); so may the embedded droplet's store,
which does not read such answers but gives them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import walconsole
from walconsole.domain.store.answers import NO_SUCH_HOST, NOT_S3, ROWS, UNREACHABLE

SOURCE = Path(walconsole.__file__).parent
TABLE = SOURCE / "domain" / "store" / "answers.py"
A_STORE_ITSELF = SOURCE / "sandbox" / "spaces"
OF_TWO_WORDS = re.compile(r"[a-z0-9][A-Z]")
CODES = {row.code for row in ROWS if OF_TWO_WORDS.search(row.code)} | {NOT_S3, UNREACHABLE, NO_SUCH_HOST}
IN_A_PATTERN = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(sorted(CODES))})(?![A-Za-z])")


def patterns_of(tree: ast.AST) -> set[ast.AST]:
    """What is given to `re`, or to anything that is called a pattern."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    of_re = (call for call in calls if "re." in ast.unparse(call.func) or "pattern" in ast.unparse(call.func))
    return {node for call in of_re for argument in call.args for node in ast.walk(argument)}


def codes_in(source: str) -> Iterator[tuple[int, str]]:
    """The lines that hold a code as a value of its own, or look for one."""
    tree = ast.parse(source)
    named = [(node, text) for node, text in texts_of(tree) if IN_A_PATTERN.search(text)]
    searched = patterns_of(tree) if named else set()  # which takes long, and most modules name none
    for node, text in named:
        if text in CODES or node in searched or "|" in text:
            yield node.lineno, text


def texts_of(tree: ast.AST) -> Iterator[tuple[ast.Constant, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node, node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace")


def test_no_code_outside_the_table() -> None:
    modules = [
        path for path in SOURCE.rglob("*.py") if path != TABLE and not path.is_relative_to(A_STORE_ITSELF)
    ]
    assert len(modules) > 300
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in modules
        for line, text in codes_in(path.read_text("utf-8"))
    ]
    assert found == []


def test_the_search_finds_what_it_is_for() -> None:
    shapes = (
        'if error.code == "NoSuchBucket": pass',
        '_PASSING = frozenset({"SlowDown"})',
        'x = {"AccessDenied": 1}',
        'if b"NoSuchLifecycleConfiguration" in body: pass',
        'x = re.compile(r"status 503, ServiceUnavailable")',
        'x = r"PermanentRedirect|status ?code: 301"',
        'code = "Unreachable"',
    )
    assert [shape for shape in shapes if not list(codes_in(shape))] == []
    assert list(codes_in('"""The store answers NoSuchBucket, or 404."""')) == []
