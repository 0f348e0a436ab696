"""A config is Python, and reading it runs it: one that comes with a model must be nothing but data.

A config that the user names by its file (`MODEL_PATH: my.py`), or one of an installed package, is the user's own
choice and is read as it is. A folder with a model is often from somebody else; the configs that mmengine (and so adapt)
writes next to a checkpoint are plain data, so refusing others loses nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from adapt_core.errors import InputError

_LOADS_CODE = ("_base_", "custom_imports")
"""Keys that make mmengine read other files or import modules."""

_TYPE = re.compile(r"((mmdet|mmpose|mmcv|mmengine|mmpretrain)\.)?[A-Za-z]\w*")
"""A registered class. A longer dotted name would be imported, whatever it is (`type='os.system'`)."""


def require_plain(config: Path, *, trusted: bool) -> None:
    """Check that reading a config runs no code.

    Args:
        config: a .py file, which is parsed here and not run.
        trusted: TRUST_REMOTE_CODE.

    Raises:
        InputError: it contains code (the message has the line) and is not trusted, or it is not Python.
    """
    if trusted:
        return
    try:
        source = config.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, ValueError, OSError) as error:
        raise InputError(f"{config} cannot be read as an OpenMMLab config: {error}. Correct the config.") from error
    found = [(node.lineno, what) for node, what in _code(tree)]
    # mmengine replaces {{...}} in the text before it runs it, by whatever the braces say.
    found += [(n, "{{ }} is replaced by other text") for n, line in enumerate(source.splitlines(), 1) if "{{" in line]
    if found:
        line, what = min(found)
        raise InputError(
            f"{config}:{line}: {what}. A config that comes with a model is read only if it is plain data: "
            "look at it, and if you trust where it comes from, --set TRUST_REMOTE_CODE=true"
        )


def _code(tree: ast.Module) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            yield statement, "this is code"
            continue
        for target in statement.targets:
            if not isinstance(target, ast.Name):
                yield target, "this is code"
            elif target.id in _LOADS_CODE:
                yield target, f"{target.id} loads more code"
        yield from _code_in_value(statement.value)


def _code_in_value(value: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match value:
        case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            for item in items:
                yield from _code_in_value(item)
        case ast.Dict(keys=keys, values=values):
            for key, item in zip(keys, values, strict=True):
                name = key.value if isinstance(key, ast.Constant) else None
                yield from _code_in_item(value if key is None else key, name, item)
        case ast.Call(func=ast.Name(id="dict"), args=[] | [ast.Dict()], keywords=keywords):
            for given in value.args:
                yield from _code_in_value(given)
            for keyword in keywords:
                yield from _code_in_item(keyword.value, keyword.arg, keyword.value)
        case _:
            yield value, "this is code"


def _code_in_item(node: ast.expr, name: object, item: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    if name is None:
        yield node, "this is code"
    elif name in _LOADS_CODE:
        yield node, f"{name} loads more code"
    elif name == "type" and isinstance(item, ast.Constant) and not _TYPE.fullmatch(str(item.value)):
        yield item, f"type {item.value!r} may name any code"
    else:
        yield from _code_in_value(item)
