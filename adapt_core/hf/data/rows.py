"""From raw splits to model inputs: the steps that all text tasks share.

    raw = load_splits(plan, columns)                       # source.py, splits.py
    data = prepare_rows(plan, tokenizer, raw, faults, encoding)

Bad rows are dropped or reported, a validation split is held out where the data has none, the splits are sampled, and
each is encoded once and cached.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.data_places import data_places
from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.evaluation import further_split
from adapt_core.hf.data.cache import Batch, Encode, cached_map, tokenizer_key
from adapt_core.hf.data.examples import examples_of
from adapt_core.hf.data.further import further_rows
from adapt_core.hf.data.lost_characters import ROWS, Losses, lost_findings
from adapt_core.hf.data.places import PLACE, mixed, named, place_figures, require_deciding_rows, take_apart
from adapt_core.hf.data.splits import Faults, numbered_splits

if TYPE_CHECKING:
    from datasets import Dataset
    from datasets.features.features import FeatureType
    from transformers import PreTrainedTokenizerBase

Finish = Callable[["Dataset", str], tuple["Dataset", Mapping[str, int]]]
"""(encoded rows, split) -> (rows to keep, counts for `result.json`; the split's name is put before theirs)."""

Parts = Callable[[Mapping[str, Any]], Sequence[Any]]
"""A good row -> the names of its classes, or its words."""

Texts = Callable[[Mapping[str, Any]], Sequence[str]]
"""A good row -> its texts, as the tokenizer gets them."""


@attrs.frozen(kw_only=True)
class Encoding:
    """The conversion of one split's rows to model inputs.

    Attributes:
        encode: see `Encode`.
        key: everything but rows and tokenizer that `encode` depends on, JSON-ready. Raise its "version" when the code
            of `encode` changes its results.
        finish: see `Finish`; None keeps all rows and counts nothing.
        texts: see `Texts`; None, and nothing is said of characters that the tokenizer loses.
        targets: the same for texts that are tokenized as targets.
        context: a good row -> what other rows may share with it, for checks of the data: its text is then the first.
        labels: see `Parts`; the classes of a row, or of each of its words, for checks of the data.
        words: see `Parts`; what the labels of a row name, where they are of its words.
    """

    encode: Encode
    key: Mapping[str, object]
    finish: Finish | None = None
    texts: Texts | None = None
    targets: Texts | None = None
    context: Callable[[Mapping[str, Any]], str] | None = None
    labels: Parts | None = None
    words: Parts | None = None


def prepare_rows(
    plan: Plan,
    tokenizer: PreTrainedTokenizerBase,
    raw: Mapping[str, Dataset],
    faults: Faults,
    encoding: Encoding | Callable[[Dataset, str], Encoding],
    *,
    strata: Callable[[Dataset], Sequence[Hashable]] | None = None,
) -> TaskData:
    """Return the splits of a run as model inputs, with their statistics and raw rows.

    Args:
        plan: the plan.
        tokenizer: not called before, so that its cache key is the same in every run.
        raw: the return value of `load_splits`.
        faults: (rows, split) -> for each row what is wrong with it, or None.
        encoding: how good rows become model inputs, or (good rows, split) -> that of the split.
        strata: training rows -> the class of each, to hold out a validation split with the same shares of classes.

    Raises:
        DataError: naming the split, row and column at fault.
    """
    key = tokenizer_key(tokenizer)
    splits, stats, numbers = numbered_splits(plan, raw, faults, strata)
    apart = {split: take_apart(rows) for split, rows in splits.items()}
    data = TaskData(stats=stats, rows={split: rows for split, (rows, _) in apart.items()}, row_numbers=numbers)
    used: dict[str, Encoding] = {}
    data.examples = lambda: {split: examples_of(data.rows[split], how, plan, raw, split) for split, how in used.items()}
    epoch: dict[int, int] = {}
    for split, (rows, parts) in apart.items():
        how = used[split] = encoding if isinstance(encoding, Encoding) else encoding(rows, split)
        encoded = _encoded(rows, parts, how, {"tokenizer": key, **how.key}, split)
        if how.finish is not None:
            encoded, counts = how.finish(encoded, split)
            stats.update({f"{split}_{name}": count for name, count in counts.items()})
        encoded, examples = take_apart(encoded)
        if split == "train" and examples:
            chosen, epoch = mixed(examples, data_places(plan.data), plan.training.seed)
            encoded = encoded if chosen is None else encoded.select(chosen)
        elif examples:
            data.parts = {**data.parts, split: named(examples, data_places(plan.data))}
        setattr(data, split, encoded)
        if split == next(iter(splits)):
            data.findings += _findings(tokenizer, raw.get(split, rows), split, how, faults)
    if plan.data.also_evaluate:
        own = raw.get("train", next(iter(raw.values())))
        _add_further(data, plan, faults, encoding, key, own.features)
    if plan.training.do_train and "validation" in data.parts:
        require_deciding_rows(plan, data.parts["validation"])
    if data_places(plan.data):
        counted = {split: parts for split, (_, parts) in apart.items()}
        stats["places"] = place_figures(data_places(plan.data), counted, epoch)
    return data


def _add_further(
    data: TaskData,
    plan: Plan,
    faults: Faults,
    encoding: Encoding | Callable[[Dataset, str], Encoding],
    key: object,
    features: Mapping[str, FeatureType],
) -> None:
    """Add the data sets of ALSO_EVALUATE as model inputs: `further`, their `rows`, `subsets` and counts."""
    found, counts = further_rows(plan, faults, features)
    data.stats["also"] = counts
    for name, rows in found.items():
        split = further_split(name)
        how = encoding if isinstance(encoding, Encoding) else encoding(rows, split)
        encoded = _encoded(rows, {}, how, {"tokenizer": key, **how.key}, split)
        if how.finish is not None:
            encoded, _ = how.finish(encoded, split)
        data.further = {**data.further, name: encoded}
        data.rows = {**data.rows, split: rows}
        data.subsets.append((encoded, split))


def _encoded(
    rows: Dataset, parts: Mapping[int, range], how: Encoding, key: Mapping[str, object], split: str
) -> Dataset:
    """Return the model inputs of a split's rows; of several data sets with the column PLACE, whatever rows become."""
    if not parts:
        return cached_map(rows, how.encode, key, f"{split} split tokenized")
    import numpy
    from datasets import concatenate_datasets

    encoded = []
    for place, of_place in parts.items():
        start = of_place.start

        def encode(batch: Batch, numbers: Sequence[int], start: int = start) -> Mapping[str, Sequence[Any]]:
            return how.encode(batch, [number + start for number in numbers])

        of = {**key, "from row": start} if start else key
        own = cached_map(rows.select(of_place), encode, of, f"{split} split tokenized, data set {place + 1}")
        numbers = numpy.full(len(own), place, dtype=numpy.int16)
        encoded.append(own.add_column(PLACE, numbers, new_fingerprint=f"{own._fingerprint}-{place}"))
    return concatenate_datasets(encoded)


def _findings(
    tokenizer: PreTrainedTokenizerBase, rows: Dataset, split: str, encoding: Encoding, faults: Faults
) -> list[str]:
    """Return what the tokenizer loses of a split's texts; its rows are the data's own, so that their numbers are."""
    step = max(len(rows) // ROWS, 1)
    sample = rows.select(range(0, len(rows), step))
    bad = {number * step for number, fault in enumerate(faults(sample, split)) if fault}
    found = []
    for read, target in ((encoding.texts, False), (encoding.targets, True)):
        if read is not None:
            good = (number for number in range(0, len(rows), step) if number not in bad)
            texts = ((number, read(rows[number])) for number in good)
            what = f"the targets of the {split} split" if target else f"the {split} split"
            found += lost_findings(Losses(tokenizer, target=target), texts, what)
    return found


def count_windows(encoded: Dataset, _split: str) -> tuple[Dataset, dict[str, int]]:
    """Keep all rows and count them as "windows": the `finish` of an encoding that makes several rows of a long one."""
    return encoded, {"windows": len(encoded)}
