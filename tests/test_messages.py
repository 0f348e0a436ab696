"""Every error in user input names a place and a remedy.

The sources of all packages are read, and each message that is raised is put together in all its variants: `{}` stands
for what only a run knows. A message must hold a place (a key, an option, a command, or a value: a file, a row) and a
remedy: a clause that begins with an imperative, or that says what must be there or what there is to choose from.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for package in (
        "adapt_core",
        *(
            f"plugins/{name}/{name.replace('-', '_')}"
            for name in (
                *("adapt-nlp", "adapt-peft-ssf", "adapt-vision-mm", "adapt-fsdp"),
                *("adapt-verdict", "adapt-gguf", "adapt-onnx", "adapt-ray", "adapt-tune"),
            )
        ),
    )
    for path in (ROOT / package).rglob("*.py")
)
VARIANTS = 64

PLACE = re.compile(
    r"\{\}|^(?:[a-z_]+|-): "
    r"|\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b|\b[A-Z]{3,}\b|(?:^| )--?[a-z]|\b[a-z]+_\w+\b|\badapt [a-z]+\b"
)
VERBS = """
    accept add allow ask change check choose close continue convert copy correct cut declare delete download draw end
    export fill fix free give go import install join keep leave list log load look lower make mark mend mount move name
    omit pip pick put raise read remove rename repair replace resize restore resume retry run save see select set
    shorten show split start stop store switch take train try turn unset update upgrade upload use wait write
"""
REMEDY = re.compile(
    rf"(?:^|[.:;,!?] |\(|\bor |\band |\bthen |\binstead |\bit: )(?:{'|'.join(VERBS.split())})\b"
    rf"|[)}}] (?-i:{'|'.join(word.capitalize() for word in VERBS.split())})\b"
    r"|\bmust\b|\bneeds?\b|\btakes\b|\bDid you mean\b|\bHere it is\b|--set [A-Z]"
    r"|\b(?:there are|it has|options|expected|these are|modules it can be|a local path looks like|installed): (?=\{\})",
    re.IGNORECASE,
)


class Module:
    """A source file, whose strings are put together where it raises."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        self.errors = {"InputError", "DataError"} | {
            node.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ClassDef)
            and any(getattr(b, "id", "") in ("InputError", "DataError") for b in node.bases)
        }

    def messages(self) -> Iterator[tuple[int, str]]:
        """Lines and variants of each message."""
        for scope in [self.tree, *self.functions.values()]:
            for node in _own(scope):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                if node.func.id in self.errors and node.args:
                    for text in islice(dict.fromkeys(self.texts(node.args[0], scope)), VARIANTS):
                        yield node.lineno, text
                elif node.func.id == "Problem" and node.args:
                    yield from self._problem(node, scope)

    def _problem(self, node: ast.Call, scope: ast.AST) -> Iterator[tuple[int, str]]:
        """A Problem says its key and its hint apart from its message."""
        named = {word.arg for word in node.keywords}
        hints = [word.value for word in node.keywords if word.arg == "hint"]
        place = "{}: " if named & {"key", "where", None} else ""
        for text in dict.fromkeys(self.texts(node.args[0], scope)):
            for hint in dict.fromkeys(self.texts(hints[0], scope)) if hints else [""]:
                yield node.lineno, f"{place}{text} {hint}".strip()

    def texts(self, node: ast.AST | None, scope: ast.AST, depth: int = 0) -> list[str]:
        if isinstance(node, ast.Constant):
            return ["" if node.value is None else str(node.value)]
        if isinstance(node, ast.JoinedStr):
            parts = [self.texts(part, scope, depth) for part in node.values]
            return ["".join(chosen) for chosen in islice(product(*parts), VARIANTS)]
        if isinstance(node, ast.FormattedValue):
            inner = node.value
            keeps = isinstance(inner, (ast.Name, ast.Call, ast.IfExp)) and node.format_spec is None
            return self.texts(inner, scope, depth) if keeps and node.conversion == -1 else ["{}"]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            both = product(self.texts(node.left, scope, depth), self.texts(node.right, scope, depth))
            return ["".join(chosen) for chosen in islice(both, VARIANTS)]
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body, scope, depth), *self.texts(node.orelse, scope, depth)]
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            return self.texts(node.values[-1], scope, depth)
        if depth < 4 and isinstance(node, ast.Name):
            values = [
                item.value
                for place in (scope, self.tree)
                for item in _own(place)
                if isinstance(item, (ast.Assign, ast.AnnAssign))
                and any(getattr(target, "id", "") == node.id for target in _targets(item))
            ]
            return [text for value in values for text in self.texts(value, scope, depth + 1)] or ["{}"]
        if (
            depth < 4
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self.functions
        ):
            function = self.functions[node.func.id]
            returned = [
                item.value for item in _own(function) if isinstance(item, ast.Return) and item.value is not None
            ]
            if getattr(function.returns, "id", "") == "str":
                return [text for value in returned for text in self.texts(value, function, depth + 1)]
        return ["{}"]


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function or module, without those of functions in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


PASSED_ON = re.compile(r"(?:rank )?[^A-Za-z]*")
"""A message that was made elsewhere, and is judged there."""


def lacking(message: str) -> list[str]:
    if PASSED_ON.fullmatch(message):
        return []
    return [what for what, pattern in (("place", PLACE), ("remedy", REMEDY)) if not pattern.search(message)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_message_names_a_place_and_a_remedy(path: Path) -> None:
    found = [(line, text, lacking(text)) for line, text in Module(path).messages()]
    assert [f"{path}:{line}: no {' and no '.join(missing)}: {text}" for line, text, missing in found if missing] == []
