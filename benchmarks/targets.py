"""The targets of benchmarks/targets.toml: carried by the printed objects, and compared on the page.

An object of a benchmark's output carries `targets`: by the path of a figure in it, joined by " / ", `at_most` or
`at_least` and whether the figure meets it (`met`). A figure is compared as the target is written: to two decimals.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from benchmarks.outputs import EACH, Figure, figure

FILE = Path(__file__).parent / "targets.toml"
DECIMALS = 2


@attrs.frozen(kw_only=True)
class Target:
    """A figure that was set beforehand.

    Attributes:
        row: what is measured.
        over: what it is measured over.
        benchmark: name in the suite.
        figure: path of keys in an object of the output; `*` for the greatest of all.
        only: keys and values of that object, where the output has several.
        at_most, at_least: the target; one of them.
        peers: packages whose versions belong to the row.
        missed: why it is missed, where it is.
        unmeasured: why there is no figure, where there is none.
        ahead: whether the first table of the page has it; else the last table alone.
    """

    row: str
    over: str = ""
    benchmark: str
    figure: tuple[str, ...]
    only: Mapping[str, Any] = attrs.field(factory=dict)
    at_most: float | None = None
    at_least: float | None = None
    peers: tuple[str, ...] = ()
    missed: str = ""
    unmeasured: str = ""
    ahead: bool = True

    def __attrs_post_init__(self) -> None:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.row}: one of at_most and at_least")

    def met(self, found: Figure) -> bool:
        """Return whether a figure's median, to two decimals, meets the target."""
        value = round(found.median, DECIMALS)
        return value <= self.at_most if self.at_most is not None else value >= (self.at_least or 0)

    def within(self, told: Mapping[str, Any]) -> Figure | None:
        """Return the target's figure in an object of the output, if it has it."""
        if any(told.get(key) != value for key, value in self.only.items()):
            return None
        return figure(told, self.figure)

    def names(self, path: Sequence[str]) -> bool:
        """Return whether a path of keys is the figure's, or one of those that `*` stands for."""
        return len(path) == len(self.figure) and all(
            mine in (key, EACH) for mine, key in zip(self.figure, path, strict=True)
        )

    def limit(self) -> str:
        """Return the target as the page has it."""
        return f"at most {self.at_most:.2f}" if self.at_most is not None else f"at least {self.at_least:.2f}"


@cache
def targets() -> tuple[Target, ...]:
    """Read the file of targets, in its order."""
    lists = ("figure", "peers")
    told = tomllib.loads(FILE.read_text(encoding="utf-8"))["target"]
    return tuple(Target(**{**one, **{key: tuple(one.get(key, ())) for key in lists}}) for one in told)


def with_targets(benchmark: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of a benchmark's output with the targets of its figures, if there are any."""
    carried = {}
    for target in targets():
        found = target.within(told) if target.benchmark == benchmark else None
        if found is not None:
            limit = {"at_most": target.at_most} if target.at_most is not None else {"at_least": target.at_least}
            carried[" / ".join(target.figure)] = {**limit, "met": target.met(found)}
    return {**told, **({"targets": carried} if carried else {})}
