"""Several data sets in one run: the list under CUSTOM_DATASET_PATH."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.core_params.data import DataParams
from adapt_core.config.values import ValueProblem, convert, is_not_given
from adapt_core.errors import InputError
from adapt_core.plugin.params import param, parameters_of

_KEYS = ("path", "name", "weight", "format", "columns")
_NAME = re.compile(r"[\w.-]+")
_SPLITS = ("train", "training", "validation", "valid", "val", "dev", "test", "data")


@attrs.frozen(kw_only=True)
class DataPlace:
    """One of several data sets.

    Attributes:
        path: as CUSTOM_DATASET_PATH takes it.
        name: in metrics, tables and messages; different for each place.
        weight: its share of an epoch's rows, in proportion to the others'; None where no place has one.
        format: in place of DATA_FORMAT.
        columns: names of its columns -> what the run calls them.
    """

    path: str
    name: str
    weight: float | None = None
    format: str | None = None
    columns: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def __str__(self) -> str:
        return self.path if self.name in self.path else f"{self.path} ({self.name})"

    def of(self, data: DataParams) -> DataParams:
        """Return the keys of the data of a run as they are for this place alone."""
        return attrs.evolve(data, custom_dataset_path=self.path, data_format=self.format or data.data_format)


@attrs.frozen
class _Numbers:
    """The keys of a place that are numbers, converted as every key of a config."""

    weight: float | None = param(None, "See `DataPlace.weight`.", key="weight", gt=0)


_WEIGHT = parameters_of(_Numbers)["weight"]


def data_places(data: DataParams) -> tuple[DataPlace, ...]:
    """Return the places of a run's data, without faults; empty where CUSTOM_DATASET_PATH is no list."""
    listed = data.custom_dataset_path
    if not isinstance(listed, tuple):
        return ()
    entries = [_entry(item) for item in listed]
    weighted = any(not is_not_given(entry.get("weight")) for entry in entries)
    return tuple(
        DataPlace(
            path=str(entry["path"]),
            name=_name(entry),
            weight=_weight(entry) if weighted else None,
            format=entry.get("format") or None,
            columns=entry.get("columns") or {},
        )
        for entry in entries
    )


def further_places(data: DataParams) -> tuple[DataPlace, ...]:
    """Return the data sets of ALSO_EVALUATE, without faults; empty where it is not given."""
    return data_places(_of_further(data))


def further_faults(data: DataParams) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with ALSO_EVALUATE, as `place_faults` does of CUSTOM_DATASET_PATH."""
    for number, item in enumerate(data.also_evaluate or (), start=1):
        if _entry(item).get("weight") is not None:
            yield f"place {number} has a weight.", "It is evaluated, not trained on: leave weight out."
    yield from place_faults(_of_further(data))


def _of_further(data: DataParams) -> DataParams:
    return attrs.evolve(data, custom_dataset_path=data.also_evaluate, train_dir=None, val_dir=None, test_dir=None)


def require_one_place(data: DataParams) -> None:
    """Check that CUSTOM_DATASET_PATH is no list, for a task that reads one place.

    Raises:
        InputError: it is one.
    """
    if data_places(data):
        raise InputError(
            "CUSTOM_DATASET_PATH: tasks of annotated images read one place, and this is a list. Merge the data sets "
            "into one folder or file, and name it."
        )


def path_of_data(data: DataParams) -> str | None:
    """Return CUSTOM_DATASET_PATH in one line: its path, or those of its places; None where it is not given."""
    places = data_places(data)
    return " + ".join(place.path for place in places) if places else _only(data.custom_dataset_path)


def one_path(data: DataParams) -> str | None:
    """Return CUSTOM_DATASET_PATH where it is one path; None where it is not given, or is a list of places."""
    return _only(data.custom_dataset_path)


def _only(value: object) -> str | None:
    return value if isinstance(value, str) else None


def place_faults(data: DataParams) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the list of places: (the fault, what to do)."""
    listed = data.custom_dataset_path
    if not isinstance(listed, tuple):
        return
    entries = [_entry(item) for item in listed]
    faults = [fault for number, entry in enumerate(entries, start=1) for fault in _entry_faults(number, entry)]
    yield from faults
    if not faults:
        for name, count in Counter(map(_name, entries)).items():
            if count > 1:
                yield f"{count} places have the name {name!r}.", "Give each a name of its own (name: ...)."
    for key, value in (("TRAIN_DIR", data.train_dir), ("VAL_DIR", data.val_dir), ("TEST_DIR", data.test_dir)):
        if value:
            yield (
                f"is a list of places, and {key} names a split of one.",
                f"Leave {key} out: the files of a place are split by their names.",
            )


def _entry(item: object) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {"path": item}
    return {str(key).strip().casefold(): None if is_not_given(value) else value for key, value in item.items()}


def _weight(entry: Mapping[str, Any]) -> float:
    """Return the weight of a place, 1 where it has none.

    Raises:
        ValueProblem: it is no number above 0.
    """
    given = entry.get("weight")
    return 1.0 if given is None else float(convert(given, _WEIGHT))


def _is_weight(entry: Mapping[str, Any]) -> bool:
    try:
        _weight(entry)
    except ValueProblem:
        return False
    return True


def _entry_faults(number: int, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in entry:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"A place has {', '.join(_KEYS)}."
            yield f"place {number} has an unknown key {key!r}.", hint
    path, weight, name, columns = (entry.get(key) for key in ("path", "weight", "name", "columns"))
    if not isinstance(path, str) or not path.strip():
        yield f"place {number} has no path.", "Write it as - path: FILE_OR_FOLDER."
    if not _is_weight(entry):
        yield f"place {number}: weight must be a number above 0; not {weight!r}.", "Leave the place out for none of it."
    if not is_not_given(name) and not _NAME.fullmatch(str(name)):
        yield f"place {number}: name {str(name)!r} must be letters, digits, '-', '_' or '.'.", "It ends metrics' names."
    if not is_not_given(entry.get("format")) and not isinstance(entry["format"], str):
        yield f"place {number}: format must be a format's name; not {entry['format']!r}.", "adapt plugins lists them."
    texts = isinstance(columns, Mapping) and all(isinstance(one, str) for pair in columns.items() for one in pair)
    if not is_not_given(columns) and not texts:
        yield f"place {number}: columns must be a mapping of its columns to the run's.", "As in {review: text}."


def _name(entry: Mapping[str, Any]) -> str:
    if not is_not_given(entry.get("name")):
        return str(entry["name"])
    path = Path(str(entry["path"])).expanduser().absolute()
    stem = path.stem if path.suffix else path.name
    named = path.parent.name if stem.casefold() in _SPLITS and path.parent.name else stem
    return re.sub(r"[^\w.-]+", "-", named) or "data"
