"""The table of the suite's latest output, at the end of docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HEADING = "## Latest output of the suite\n"
_SPREAD = {"median", "least", "most"}
_APART = ("versions", "losses", "commit")


def with_table(page: str, kept: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a page whose last section is the table; text under its heading is replaced.

    Args:
        page: the page, or an empty text.
        kept: by benchmark: `printed` (lines), `seconds`, `commit`.
    """
    before = page.split(HEADING)[0].rstrip("\n")
    lines = ["| benchmark | figure | value |", "|---|---|---:|"]
    for name in sorted(kept):
        told = kept[name]
        lines.append(f"| **{name}** | {told['seconds']} seconds, commit {told['commit'][:10]} | |")
        lines += [f"| | {figure} | {value} |" for figure, value in figures(told["printed"])]
    intro = (
        "Median (least to most) where a figure was measured several times. The versions are in "
        "`benchmarks/benchmarks.json`.\n"
    )
    return "\n".join([*([before, ""] if before else []), HEADING, intro, *lines]) + "\n"


def figures(printed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the numbers in the JSON objects of a benchmark's output, each with the path of its keys."""
    text, end = "\n" + "\n".join(printed), 0
    while (before := text.find("\n{", end)) >= 0:
        found, end = json.JSONDecoder().raw_decode(text, before + 1)
        label = next((str(value) for value in found.values() if isinstance(value, str)), "")
        for path, value in _numbers(found):
            yield " / ".join([*([label] if label else []), *path]), value


def _numbers(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, inner in value.items():
        here = (*path, key.replace("|", "\\|"))
        if key in _APART:
            continue
        if isinstance(inner, Mapping):
            if set(inner) == _SPREAD:
                yield here, f"{inner['median']:.4g} ({inner['least']:.4g} to {inner['most']:.4g})"
            else:
                yield from _numbers(inner, here)
        elif isinstance(inner, (int, float)) and not isinstance(inner, bool):
            yield here, f"{inner:.4g}" if isinstance(inner, float) else str(inner)


def with_marked(page: str, mark: str, lines: Sequence[str]) -> str:
    """Return a page with other lines between the comments `<!-- MARK -->` and `<!-- end -->`.

    Raises:
        SystemExit: the page has no such comments.
    """
    before, begin, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not begin or not end:
        raise SystemExit(f"the page has no <!-- {mark} --> with an <!-- end --> behind it")
    return "\n".join([f"{before}{begin}", *lines, "", f"{end}{after}"])
