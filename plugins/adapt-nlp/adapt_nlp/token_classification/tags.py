"""Tags: their names and ids, whatever their form in the data, and what is wrong with the tags of a row."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.errors import DataError
from adapt_core.hf.data.columns import column_values
from adapt_core.run_folder.known_classes import require_known
from adapt_core.run_folder.model_data import of_start

from adapt_nlp.params import TextClassificationParams
from adapt_nlp.token_classification.schemes import as_entity_tags

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

COLUMNS = {"ner": "ner_tags", "pos": "pos_tags", "chunk": "chunk_tags"}
"""Subtask -> the default target_column."""


@attrs.frozen
class Tags:
    """The tags of a data set.

    Attributes:
        names: by id: first those of the training split (with START_FROM those of its model), which the model learns,
            then those of other splits alone.
        ids: raw tag -> id.
        learned: the number of tags that the model learns.
    """

    names: tuple[str, ...]
    ids: Mapping[str | int, int]
    learned: int

    @property
    def entity_tags(self) -> tuple[str, ...]:
        """The tags by id, in B-, I-, E-, S- and O. Those of training are read alike, whatever other splits have."""
        learned = as_entity_tags(self.names[: self.learned])
        every = {**as_entity_tags(self.names), **learned}
        return tuple(every[name] for name in self.names)


def input_column(plan: Plan[TextClassificationParams]) -> str:
    """Return the column of words."""
    return str(plan.data.input_column or "tokens")


def target_column(plan: Plan[TextClassificationParams]) -> str:
    """Return the column of tags: target_column, or the subtask's where it is not given."""
    return str(plan.data.target_column or COLUMNS[str(plan.task.params.subtask)])


def read_tags(splits: Mapping[str, Dataset], plan: Plan[TextClassificationParams]) -> Tags:
    """Return the tags of the training split in order of name or number, then those of other splits alone.

    With START_FROM those that its model knows come first, in its order.

    Raises:
        DataError: the training split has no tag, or another split shares none with it.
        InputError: the model of START_FROM does not know a tag of the training split.
    """
    column = target_column(plan)
    first = splits.get("train", splits.get("validation"))
    assert first is not None
    before = of_start(plan.model.start_from)
    known = () if before is None else before.labels or ()
    declared = plan.task.params.tag_names or getattr(getattr(first.features[column], "feature", None), "names", None)
    if declared:
        tags = Tags(tuple(declared), {number: number for number in range(len(declared))}, len(declared))
        return _as_known(tags, _found(first, column), known) if known else tags
    learned = _found(first, column)
    for name, other in splits.items():
        found = _found(other, column)
        if learned and found and not set(found) & set(learned):
            shown = ", ".join(repr(tag) for tag in found[:5])
            raise DataError(
                f"{name} split: none of its tags in column {column!r} ({shown}) occurs in the training split. "
                f"Do input_column ({input_column(plan)}) and target_column ({column}) name the right columns there?"
                " Set them to the columns of words and tags."
            )
    unseen = sorted({tag for other in splits.values() for tag in _found(other, column)} - set(learned), key=_order)
    if not learned:
        for number, row in enumerate(column_values(first, column), start=1):
            if _shape_fault(row, column):
                raise DataError(f"training row {number}: {_shape_fault(row, column)}. Fix the data.")
        raise DataError(f"column {column!r} has no tag in the training split. Check the column's name and its rows.")
    ordered = [*learned, *unseen]
    if plan.task.params.subtask != "pos" and isinstance(ordered[0], int):
        log.warning(
            "column %r has numbers without names: each run of one number other than 0 is scored as an "
            "entity. Name them with TAG_NAMES.",
            column,
        )
        names = tuple("O" if tag == 0 else f"I-{tag}" for tag in ordered)
    else:
        names = tuple(str(tag) for tag in ordered)
    tags = Tags(names, {tag: number for number, tag in enumerate(ordered)}, len(learned))
    if known:
        tags = _as_known(tags, learned, known)
    strange = [tag for tag in unseen if tags.ids[tag] >= tags.learned]
    if strange:
        shown = ", ".join(repr(tag) for tag in strange[:5])
        log.warning("tags that never occur in the training split count as wrong in other splits: %s", shown)
    return tags


def _as_known(tags: Tags, trained: Iterable[str | int], known: tuple[str, ...]) -> Tags:
    """Return tags with the ids of the model that goes on; those that it does not know come behind.

    Args:
        tags: of the data.
        trained: the raw tags of the training split.
        known: the tags of the model by id.

    Raises:
        InputError: one of the trained tags is not known.
    """
    require_known({tags.names[tags.ids[tag]] for tag in trained if tag in tags.ids}, known)
    names = (*known, *(name for name in tags.names if name not in known))
    number_of = {name: number for number, name in enumerate(names)}
    return Tags(names, {tag: number_of[tags.names[number]] for tag, number in tags.ids.items()}, len(known))


def _order(tag: str | int) -> tuple[bool, str | int]:
    return (isinstance(tag, str), tag)


def _found(dataset: Dataset, column: str) -> list[str | int]:
    rows = (row for row in column_values(dataset, column) if isinstance(row, list))
    return sorted({tag for row in rows for tag in row if isinstance(tag, (str, int))}, key=_order)


def row_faults(dataset: Dataset, plan: Plan[TextClassificationParams], tags: Tags) -> Iterator[str | None]:
    """Yield for each row what is wrong with its words or tags, or None."""
    words_column, tags_column = input_column(plan), target_column(plan)
    words, rows = column_values(dataset, words_column), column_values(dataset, tags_column)
    for tokens, labels in zip(words, rows, strict=True):
        yield (
            _shape_fault(labels, tags_column)
            or _words_fault(tokens, labels, words_column, tags_column)
            or _tags_fault(labels, tags_column, tags)
        )


def _shape_fault(labels: object, column: str) -> str | None:
    """Return what is wrong with tags that are no list of single values, such as spans (start, end, label)."""
    wanted = "a list with one tag for each word: ['B-PER', 'O']"
    if isinstance(labels, str):
        return f"column {column!r} has text ({labels[:80]!r}), and a row is a whole sentence; give it {wanted}"
    for tag in labels if isinstance(labels, list) else [labels]:
        if isinstance(tag, (list, dict)):
            spans = isinstance(tag, list) or {"start", "end"} <= {*tag}
            held = "spans of text, which are not read" if spans else "mappings"
            return f"column {column!r} has {held} ({str(tag)[:80]}); give it {wanted}"
    return None


def _words_fault(tokens: object, labels: object, words_column: str, tags_column: str) -> str | None:
    if not isinstance(tokens, list):
        return f"column {words_column!r} must be a list of words, not {type(tokens).__name__}"
    if not isinstance(labels, list):
        return f"column {tags_column!r} must be a list of tags, not {type(labels).__name__}"
    if not tokens:
        return f"column {words_column!r} is empty"
    if len(tokens) != len(labels):
        return f"{len(tokens)} words in {words_column!r} but {len(labels)} tags in {tags_column!r}"
    for number, word in enumerate(tokens, start=1):
        if not isinstance(word, str) or not word.strip():
            return f"word {number} of column {words_column!r} is {word!r}, not text"
    return None


def _tags_fault(labels: Sequence[Any], column: str, tags: Tags) -> str | None:
    for number, tag in enumerate(labels, start=1):
        if tag is None:
            return f"tag {number} of column {column!r} is missing (null)"
        if tag not in tags.ids:
            return f"tag {number} of column {column!r} is {tag!r}, outside the {len(tags.names)} known tags"
    return None
