"""The two tables of docs/benchmarks.md that the suite writes: the targets at its top, the latest output at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.outputs import LEFT_OUT, Figure, label, numbers, objects
from benchmarks.targets import Target, targets

AHEAD = "what is ahead"
HEADING = "## Latest output of the suite\n"
_ALWAYS = ("torch", "transformers")
_OWN_VERSIONS = 10
_RESULTS = {
    "pairs",
    "agree",
    "share",
    "share_of_the_run",
    "greatest_difference",
    "greatest_difference_of_losses",
    "greatest_difference_of_a_byte",
    "merged differs by",
}
"""Numbers that are results and no ratios."""

Record = Mapping[str, Mapping[str, Any]]


def with_tables(page: str, kept: Record) -> str:
    """Return a page with both tables written anew.

    Args:
        page: the page, or an empty text; the first table is written where it has its mark.
        kept: by benchmark: `printed` (lines), `seconds` (None: not known), `commit`, `versions`.
    """
    if f"<!-- {AHEAD} -->" in page:
        page = with_marked(page, AHEAD, ahead(kept))
    before = page.split(HEADING)[0].rstrip("\n")
    lines = [line for name in sorted(kept) for line in rows(name, kept[name])]
    intro = (
        "Ratios, targets and named results: median (least to most) where a figure was measured several times.\n"
        "The whole output is in `benchmarks/benchmarks.json`.\n"
    )
    head = ["| benchmark | figure | value | target |", "|---|---|---:|---|"]
    return "\n".join([*([before, ""] if before else []), HEADING, intro, *head, *lines]) + "\n"


def ahead(kept: Record) -> list[str]:
    """Return the lines of the table of targets, and before them how many are met."""
    lines = ["| job | over | target | measured | pairs | verdict | `--only` |", "|---|---|---:|---:|---:|---|---|"]
    wanted = [(target, *measured(target, kept)) for target in targets() if target.ahead]
    met = sum(found is not None and target.met(found) for target, _, found in wanted)
    known = sum(found is not None for _, _, found in wanted)
    count = f"**Of {len(wanted)} targets {met} are met, {known - met} missed, {len(wanted) - known} not measured.**"
    for target, told, found in wanted:
        over = " ".join(part for part in (target.over, _versions(target, told, kept)) if part)
        shown, pairs = (str(found), _times(told)) if found else ("", "")
        cells = (target.row, over, target.limit(), shown, pairs, _verdict(target, told, found), target.benchmark)
        lines.append(f"| {' | '.join(cells)} |")
    return [count, "", *lines]


def measured(target: Target, kept: Record) -> tuple[Mapping[str, Any], Figure | None]:
    """Return the object of the record that has a target's figure, or one that says why it was left out; the figure."""
    left: Mapping[str, Any] = {}
    for told in objects(kept.get(target.benchmark, {}).get("printed", ())):
        if (found := target.within(told)) is not None:
            return told, found
        left = told if LEFT_OUT in told else left
    return left, None


def rows(name: str, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a benchmark in the last table: its ratios, targets and named results."""
    all_told = list(objects(record["printed"]))
    its = [target for target in targets() if target.benchmark == name]
    versions = {**record.get("versions", {}), **{k: v for told in all_told for k, v in _own_versions(told).items()}}
    wanted = dict.fromkeys([*_ALWAYS, *(peer for target in its for peer in target.peers)])
    wanted |= dict.fromkeys(package for told in all_told for package in _own_versions(told))
    seconds = [f"{record['seconds']} seconds"] if record.get("seconds") is not None else []
    shown = [f"{package} {versions[package]}" for package in wanted if package in versions]
    circumstances = ", ".join([*seconds, f"commit {record['commit'][:10]}", *shown])
    yield f"| **{_cell(name)}** | {circumstances} | | |"
    for told in all_told:
        own = label(told) if len(all_told) > 1 else ""
        if LEFT_OUT in told:
            yield f"| | {_cell(label(told))} | | left out: {_cell(told[LEFT_OUT])} |"
        limits = [target for target in its if target.within(told) is not None]
        for path, value in numbers(told):
            target = next((one for one in limits if one.names(path)), None)
            if target or path[-1] in _RESULTS or _is_ratio(path, value):
                place = _cell(" / ".join([*([own] if own else []), *path]))
                yield f"| | {place} | {value} | {_compared(target, value)} |"


def _is_ratio(path: tuple[str, ...], value: Figure) -> bool:
    """Return whether a figure is a ratio; but not of a side over itself."""
    if value.least == value.most == 1:
        return False
    return value.compared or " over " in path[-1].replace("_", " ")


def _compared(target: Target | None, value: Figure) -> str:
    """Return a target and whether it is met; the first table has the reason where it has the target."""
    if target is None:
        return ""
    verdict = "missed" if target.ahead and not target.met(value) else _verdict(target, {}, value)
    return f"{target.limit()}: {verdict}"


def _verdict(target: Target, told: Mapping[str, Any], found: Figure | None) -> str:
    if found is None:
        return f"not measured: {_cell(told.get(LEFT_OUT) or target.unmeasured)}"
    return "**met**" if target.met(found) else f"missed: {_cell(target.missed)}"


def _own_versions(told: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the versions of a peer that lives in an environment of its own; those of adapt's are the record's."""
    versions: Mapping[str, Any] = told.get("versions", {})
    versions = versions.get("peer", versions)
    return versions if len(versions) < _OWN_VERSIONS else {}


def _versions(target: Target, told: Mapping[str, Any], kept: Record) -> str:
    """Return the peers of a target with the versions that were measured; their names alone where nothing was."""
    known: dict[str, str] = {**kept.get(target.benchmark, {}).get("versions", {})}
    known |= told.get("versions", {}).get("peer", told.get("versions", {}))
    return ", ".join(f"{peer} {known.get(peer, '')}".strip() for peer in target.peers)


def _times(told: Mapping[str, Any]) -> str:
    """Return how often it was measured; where 0 pairs were asked for, one was run."""
    return next((str(told[key] or 1) for key in ("pairs", "rounds") if key in told), "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


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
