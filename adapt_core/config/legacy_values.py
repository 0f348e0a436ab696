"""Values of the previous tool's files, as the values that adapt reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from adapt_core.config.sections import Given
from adapt_core.config.values import ValueProblem, as_bool
from adapt_core.errors import Problem

OPTIMIZERS = {"adamw": "adamw_torch"}
"""Folded class names of mmengine that are not adapt's own names in another case."""


def settle(given: Mapping[str, Given]) -> tuple[dict[str, Given], list[str], list[Problem]]:
    """Return the given keys with the previous tool's values replaced, remarks for the log, and problems.

    Args:
        given: what `join` returned.
    """
    settled, remarks, problems = dict(given), list[str](), list[Problem]()
    _optimizer(settled)
    _launcher(settled)
    _one_data_set(settled, remarks)
    _text_column(settled, problems)
    _line_breaks(settled)
    _dora(settled, remarks)
    _class_count(settled, problems)
    return settled, remarks, problems


def _text(item: Given | None) -> str:
    return str(item.value).strip() if item is not None else ""


def _optimizer(given: dict[str, Given]) -> None:
    name = OPTIMIZERS.get(_text(given.get("optimizer")).casefold())
    if name is not None:
        given["optimizer"] = attrs.evolve(given["optimizer"], value=name)


def _launcher(given: dict[str, Given]) -> None:
    # mmengine's word for one process; the switches DDP and FSDP decide.
    if _text(given.get("launcher")).casefold() == "none":
        del given["launcher"]


def _one_data_set(given: dict[str, Given], remarks: list[str]) -> None:
    hub, path = _text(given.get("dataset")), _text(given.get("custom_dataset_path"))
    if not hub or not path:
        return
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if path == hub or last.casefold() == hub.rpartition("/")[2].casefold():
        del given["dataset"]
        remarks.append(f"DATASET {hub} and CUSTOM_DATASET_PATH {path} name the same data: it is read from the path")


def _text_column(given: dict[str, Given], problems: list[Problem]) -> None:
    item = given.pop("text_column", None)
    if item is None:
        return
    names = item.value if isinstance(item.value, list) else str(item.value).split(",")
    columns = [str(name).strip() for name in names if str(name).strip()]
    values: dict[str, Any] = {"input_column": columns[0]}
    if len(columns) > 1:
        values = {"format_names": columns}
        if "format_string" not in given:
            values["format_string"] = "\n".join("{}" for _ in columns)
    for key, value in values.items():
        rival = given.setdefault(key, Given(key, item.written, value, item.where))
        if rival.value != value:
            message = f"contradicts {rival.written}: {rival.value!r} ({rival.where})."
            problems.append(Problem(message, key=item.written, where=item.where, hint="Keep one of them."))


def _line_breaks(given: dict[str, Given]) -> None:
    item = given.get("format_string")
    if item is not None and isinstance(item.value, str) and "\n" not in item.value:
        given["format_string"] = attrs.evolve(item, value=item.value.replace("\\n", "\n"))


def _dora(given: dict[str, Given], remarks: list[str]) -> None:
    if "use_dora" not in given or _text(given.get("method")).casefold() != "lora":
        return
    try:
        wanted = as_bool(given["use_dora"].value)
    except ValueProblem:
        return
    if wanted:
        given["method"] = attrs.evolve(given["method"], value="DoRA")
        del given["use_dora"]
        remarks.append("use_dora: true makes LoRA the method DoRA, with DoRA's defaults")


def _class_count(given: Mapping[str, Given], problems: list[Problem]) -> None:
    count, names = given.get("num_classes"), given.get("class_list")
    if count is None or names is None:
        return
    listed = names.value if isinstance(names.value, list) else [n for n in str(names.value).split(",") if n.strip()]
    if _text(count).isdigit() and int(_text(count)) != len(listed):
        message = f"is {_text(count)}, and class_list ({names.where}) has {len(listed)} classes."
        problems.append(Problem(message, key=count.written, where=count.where, hint="Correct one, or leave it out."))
