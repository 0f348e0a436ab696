"""From a YAML 1.2 file, a Python mapping or `--set` strings to entries that remember their line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.errors import ConfigError, Problem, Where

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import Node

_MAX_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 32
_MAX_VALUES = 50_000
"""Values of a config, each counted as often as an alias repeats it: few aliases can stand for very many values."""
_PLAIN_KINDS = ("null", "bool", "int", "float", "str", "timestamp", "map", "seq")
_MARKS = ("[", "{", '"', "'", "|", ">", "!", "&", "*")
"""What values of `--set` begin with that are no plain text."""
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in _PLAIN_KINDS)


@attrs.frozen
class Entry:
    """One key of a config with its value and its place.

    Attributes:
        key: as written.
        value: None, bool, int, float, str, list, or a tuple of entries for a mapping.
        where: file and line (1-based), or the command line.
    """

    key: str
    value: Any
    where: Where


def plain(value: object) -> Any:
    """Return a value with its entries turned back into dicts."""
    if isinstance(value, tuple):
        return {entry.key: plain(entry.value) for entry in value}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def read_file(path: str | Path) -> list[Entry]:
    """Read a config file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, is not a mapping, or uses a tag that is not plain data.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(
                [
                    Problem(
                        f"{path} is larger than {_MAX_BYTES >> 20} MiB: that is not a config file."
                        " Give the config's own path."
                    )
                ]
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "Correct its path" + ("." if path.exists() else ", or write one: adapt init TASK -o FILE.")
        raise ConfigError([Problem(f"cannot read the config file {path}: {reason}. {remedy}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.")]) from None
    return read_text(text, str(path))


def read_text(text: str, source: str) -> list[Entry]:
    """Read YAML 1.2 text; see `read_file`. `source` names it in messages."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.nodes import MappingNode

    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            raise ConfigError([Problem(f"{source} is empty. A config needs at least TASK and MODEL_PATH.")])
        if not isinstance(node, MappingNode):
            raise ConfigError(
                [
                    Problem(
                        "a config is a mapping of keys to values (KEY: value). Write it as one.",
                        where=_place(node, source),
                    )
                ]
            )
        return list(_Reader(yaml, source).entries(node, depth=0))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(source, mark.line + 1 if mark else None)
        message = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError([Problem(f"not valid YAML: {message}. Correct that line.", where=where)]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(f"not valid YAML: {error}. Correct the file.", where=Where(source))]) from None


def _place(node: Node, source: str) -> Where:
    return Where(source, node.start_mark.line + 1)


class _Reader:
    """Turns composed YAML nodes into entries."""

    def __init__(self, yaml: YAML, source: str) -> None:
        self._yaml = yaml
        self._source = source
        self._values = 0

    def entries(self, node: Node, depth: int) -> Iterator[Entry]:
        written = {self._key(key) for key, _ in node.value}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            where = _place(key_node, self._source)
            value = self._value(value_node, depth + 1)
            if key != "<<":
                yield Entry(key, value, where)
                continue
            for merged in _merged(value, where):
                if merged.key not in written:
                    yield merged

    def _key(self, node: Node) -> str:
        if not isinstance(node.value, str):
            raise ConfigError([Problem("a key must be plain text.", where=_place(node, self._source))])
        return node.value

    def _value(self, node: Node, depth: int) -> Any:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        if depth > _MAX_DEPTH:
            message = f"nested more than {_MAX_DEPTH} levels deep (or an alias that contains itself). Write it flatter."
            raise ConfigError([Problem(message, where=_place(node, self._source))])
        self._values += 1
        if self._values > _MAX_VALUES:
            message = f"more than {_MAX_VALUES:,} values, with those that aliases repeat. Write fewer of them."
            raise ConfigError([Problem(message, where=_place(node, self._source))])
        tag = str(node.tag)
        if tag not in _PLAIN_TAGS:
            message = (
                f"the tag {tag} is not plain data; a config contains text, numbers, true/false, lists and mappings. "
                "Remove it."
            )
            raise ConfigError([Problem(message, where=_place(node, self._source))])
        if isinstance(node, MappingNode):
            return tuple(self.entries(node, depth))
        if isinstance(node, SequenceNode):
            return [plain(self._value(item, depth + 1)) for item in node.value]
        assert isinstance(node, ScalarNode)
        if tag.endswith(":timestamp"):
            return node.value
        return self._yaml.constructor.construct_object(node)


def _merged(value: object, where: Where) -> list[Entry]:
    if isinstance(value, tuple):
        return list(value)
    raise ConfigError([Problem("'<<' merges a mapping. Give it one.", where=where)])


def read_mapping(config: Mapping[str, Any], source: str = "config") -> list[Entry]:
    """Return entries of a Python mapping (the `adapt_core.run({...})` form)."""
    where = Where(source)

    def entry(key: object, value: object) -> Entry:
        if not isinstance(key, str):
            raise ConfigError([Problem(f"a key must be text, not {key!r}.", where=where)])
        if isinstance(value, Mapping):
            value = tuple(entry(k, v) for k, v in value.items())
        elif isinstance(value, (list, tuple, set, frozenset)):
            value = [_without_paths(item) for item in value]
        elif isinstance(value, Path):
            value = str(value)
        return Entry(key, value, where)

    return [entry(key, value) for key, value in config.items()]


def _without_paths(item: object) -> object:
    """Return an item of a list with texts in place of its paths: of places of data, which may be mappings."""
    if isinstance(item, Path):
        return str(item)
    if isinstance(item, Mapping):
        return {key: _without_paths(value) for key, value in item.items()}
    return item


def read_overrides(pairs: Iterable[str]) -> list[Entry]:
    """Return entries of `--set KEY=VALUE` strings; VALUE is read as YAML, so lists and numbers work.

    Text is taken as it stands, with its colons, hashes and lines, unless YAML marks it: a quoted text, a block (|),
    [a list] or {a mapping}.

    Raises:
        ConfigError: a string has no '=' or its value is not YAML.
    """
    entries = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError([Problem(f"--set takes KEY=VALUE, not {pair!r}.")])
        held = _value(value, f"--set {key.strip()}")
        entries.append(Entry(key.strip(), held, Where("--set")))
    return entries


def _value(value: str, source: str) -> Any:
    """Return what a value holds. YAML would join lines of plain text, and end it at a colon or a hash."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import CollectionNode, MappingNode, ScalarNode

    several = "\n" in value
    try:
        node = YAML(typ="safe", pure=True).compose(value)
    except (YAMLError, ValueError, RecursionError):
        if several or not value.lstrip().startswith(_MARKS):
            return value
    else:
        plain_text = isinstance(node, ScalarNode) and not node.style and str(node.tag).endswith(":str")
        if plain_text or (node is None and value):  # None: a comment
            return value if several else value.strip() or None
        if isinstance(node, CollectionNode) and not node.flow_style and (several or isinstance(node, MappingNode)):
            return value
    return read_text(f"value: {textwrap.indent(value, '  ').lstrip()}", source)[0].value
