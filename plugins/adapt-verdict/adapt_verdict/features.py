"""What a classifier sees of examples: the words of a text, a word in its sentence, a box, an image."""

from __future__ import annotations

import io
import time
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy

from adapt_core.contracts.data_check import CheckSkipped, Examples, Subject
from adapt_core.evaluation import spread

MOST_EXAMPLES = 6_000
"""Labelled examples that are used of each split, evenly spaced: texts, images."""

MOST_PARTS = 30_000
"""Labelled words or boxes that are used of each split, those of evenly spaced rows."""

FEWEST = 200
"""Images that the base model must have time for; or all, where there are fewer."""

_PROBE = 32
_SIDE = 24


@attrs.frozen(eq=False)
class Labelled:
    """The labelled examples of some splits.

    Attributes:
        places: (split, position, part) of each; part is None where the label is of the whole example.
        labels: the class of each.
        groups: the group (GROUP_COLUMN) or row of each, which cross-validation keeps on one side; None where each is
            its own.
        matrix: the features, a row each: a dense or a sparse matrix.
        described: what the features are, for messages.
        left_out: labelled examples that are not used.
    """

    places: list[tuple[str, int, int | None]]
    labels: list[str]
    groups: list[Any] | None
    matrix: Any
    described: str
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.places)

    @property
    def extent(self) -> str:
        """A word on how many examples were looked at, to be put behind a statement; empty where all were."""
        if not self.left_out:
            return ""
        what = "examples" if self.places[0][2] is None else "words or boxes"
        return f" ({len(self):,} of {len(self) + self.left_out:,} {what} were looked at)"


def labelled(subject: Subject, splits: Sequence[str]) -> Labelled | None:
    """Return the labelled examples of splits with their features, None where there are none of one class each."""
    chosen = {split: subject.splits[split] for split in splits if split in subject.splits}
    if not chosen or not all(len(examples.labels) for examples in chosen.values()):
        return None
    if all(len(examples.parts) for examples in chosen.values()):
        return _parts(chosen)
    if not all(examples.has_one_label for examples in chosen.values()):
        return None
    places: list[tuple[str, int, int | None]] = [
        (split, row, None) for split, one in chosen.items() for row in spread(len(one), MOST_EXAMPLES)
    ]
    labels = [chosen[split].labels[row][0] for split, row, _ in places]
    grouped = any(len(examples.groups) for examples in chosen.values())
    groups = [_group(chosen[split], row) for split, row, _ in places] if grouped else None
    left_out = sum(one.total or len(one) for one in chosen.values()) - len(places)
    if all(len(examples.texts) for examples in chosen.values()):
        texts = [chosen[split].texts[row] for split, row, _ in places]
        return Labelled(places, labels, groups, tf_idf(texts), "TF-IDF", left_out)
    return _pictures(subject, chosen, Labelled(places, labels, groups, None, "", left_out))


def tf_idf(texts: Sequence[str]) -> Any:
    """Return the TF-IDF of words and pairs of words, a sparse row each; words of all splits count, labels do not.

    Raises:
        CheckSkipped: the texts have no words in common.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    few = 2 if len(texts) > 1_000 else 1
    # Any run of letters and digits is a word: the default leaves out single ones, which are words in Chinese.
    options = {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2), "min_df": few, "max_features": 200_000}
    vectors = TfidfVectorizer(sublinear_tf=True, **options)
    try:
        return vectors.fit_transform(texts).tocsr()
    except ValueError as error:  # what scikit-learn raises of an empty vocabulary
        where = "no word stands in two of the texts" if any(text.strip() for text in texts) else "the texts are empty"
        raise CheckSkipped(f"{where}: there is nothing to tell classes by") from error


def _pictures(subject: Subject, chosen: dict[str, Examples], listed: Labelled) -> Labelled:
    """Return labelled images with the features of the base model, of as many as there is time for.

    Where there is time for fewer than `FEWEST` images, all have statistics of their colours in place of them.
    """
    places, room = listed.places, len(listed.places)
    features, start = subject.features, time.monotonic()
    # The order is that of every check, so that one finds the features that another has asked for.
    order = numpy.random.default_rng(0).permutation(len(places))
    if features is not None:
        if features.seconds_each is None:
            split, row, _ = places[order[0]]
            rows = [r for s, r, _ in (places[number] for number in order[:_PROBE]) if s == split]
            features(split, rows or [row])
        left = subject.seconds - (time.monotonic() - start)
        room = int(left / 2 / max(features.seconds_each or 0, 1e-6))
    if features is None or room < min(FEWEST, len(places)):
        matrix = numpy.stack([picture_statistics(chosen[split].images[row]) for split, row, _ in places])
        return attrs.evolve(listed, matrix=matrix, described="statistics of colours")
    kept = sorted(int(number) for number in order[:room])
    used = [places[number] for number in kept]
    rows_of = {split: [row for one, row, _ in used if one == split] for split in chosen}
    parts = [features(split, rows) for split, rows in rows_of.items() if rows]
    return Labelled(
        used,
        [listed.labels[number] for number in kept],
        None if listed.groups is None else [listed.groups[number] for number in kept],
        numpy.concatenate(parts),
        "features of the base model",
        listed.left_out + len(places) - len(used),
    )


def _group(examples: Examples, row: int) -> Hashable:
    """Return the group of a row, None where it has none."""
    return examples.groups[row] if len(examples.groups) else None


def _parts(chosen: dict[str, Examples]) -> Labelled | None:
    places: list[tuple[str, int, int | None]] = []
    labels: list[str] = []
    left_out = 0
    for split, examples in chosen.items():
        total = sum(map(len, examples.labels))
        room = MOST_PARTS
        for row in spread(len(examples), max(1, int(len(examples) * min(1.0, MOST_PARTS / max(total, 1))))):
            names = examples.labels[row]
            if len(names) > room:
                continue
            room -= len(names)
            places += [(split, row, part) for part in range(len(names))]
            labels += names
        left_out += total - (MOST_PARTS - room)
    if not places:
        return None
    rows = list(dict.fromkeys((split, row) for split, row, _ in places))
    # The words or boxes of a row without a group are together a group of their own.
    own = [_group(chosen[split], row) for split, row, _ in places]
    groups = [
        ("row", split, row) if group is None else ("group", group)
        for group, (split, row, _) in zip(own, places, strict=True)
    ]
    if any(len(examples.images) for examples in chosen.values()):
        boxes = [
            statistics
            for split, row in rows
            for statistics in box_statistics(chosen[split].images[row], chosen[split].parts[row])
        ]
        return Labelled(places, labels, groups, numpy.stack(boxes), "sizes and colours of boxes", left_out)
    from sklearn.feature_extraction import FeatureHasher

    described = (one for split, row in rows for one in words_in_context(chosen[split].parts[row]))
    matrix = FeatureHasher(n_features=2**17, input_type="string").transform(described)
    return Labelled(places, labels, groups, matrix, "words in context", left_out)


def words_in_context(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield the features of each word of a sentence: the word, its ends and form, and the words around it."""
    lower = ["<", *(word.casefold() for word in words), ">"]
    for number, word in enumerate(words, start=1):
        plain = lower[number]
        yield [
            "bias",
            f"word={plain}",
            f"end2={plain[-2:]}",
            f"end3={plain[-3:]}",
            f"begin3={plain[:3]}",
            f"form={_form(word)}",
            f"first={number == 1} {_form(word)}",
            f"before={lower[number - 1]}",
            f"after={lower[number + 1]}",
            f"pair={lower[number - 1]} {plain}",
            f"next={plain} {lower[number + 1]}",
            f"end before={lower[number - 1][-2:]}",
            f"end after={lower[number + 1][-2:]}",
        ]


def _form(word: str) -> str:
    """Return which kinds of signs follow one another in a word: "Ab-1" -> "Xx-0"."""
    kinds = "".join("X" if s.isupper() else "x" if s.islower() else "0" if s.isdigit() else s for s in word)
    return "".join(kind for number, kind in enumerate(kinds) if kind != kinds[number - 1 : number])


def _read(source: Path | bytes) -> numpy.ndarray:
    from PIL import Image, ImageOps

    with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
        return numpy.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _colours(pixels: numpy.ndarray) -> numpy.ndarray:
    """Return means, spreads and quantiles of the colours of pixels (height, width, 3): 23 numbers from 0 to 1."""
    pixels = pixels[:: max(1, pixels.shape[0] // _SIDE), :: max(1, pixels.shape[1] // _SIDE)]
    flat = pixels.reshape(-1, 3) / 255
    quarters = numpy.quantile(flat, (0.1, 0.25, 0.5, 0.75, 0.9), axis=0).ravel()
    steps = [numpy.diff(pixels.astype(numpy.float32), axis=axis) for axis in (0, 1)]
    edges = [numpy.abs(step).mean() / 255 if step.size else 0.0 for step in steps]
    return numpy.concatenate([flat.mean(axis=0), flat.std(axis=0), quarters, edges])


def picture_statistics(source: Path | bytes) -> numpy.ndarray:
    """Return the colours of an image as a whole and of its quarters: 115 numbers from 0 to 1."""
    pixels = _read(source)
    height, width = pixels.shape[0] // 2 or 1, pixels.shape[1] // 2 or 1
    cuts = (pixels[:height, :width], pixels[:height, width:], pixels[height:, :width], pixels[height:, width:])
    return numpy.concatenate([_colours(part if part.size else pixels) for part in (pixels, *cuts)])


def box_statistics(source: Path | bytes, boxes: Sequence[Sequence[float]]) -> Iterator[numpy.ndarray]:
    """Yield for each box [x, y, width, height] its size, place and form, and the colours in it and in its middle."""
    pixels = _read(source)
    height, width = pixels.shape[:2]
    for x, y, across, down in boxes:
        left, top = (int(min(max(value, 0), most - 1)) for value, most in ((x, width), (y, height)))
        cut = pixels[top : max(top + 2, round(y + down)), left : max(left + 2, round(x + across))]
        inner = cut[cut.shape[0] // 4 : -(cut.shape[0] // 4) or None, cut.shape[1] // 4 : -(cut.shape[1] // 4) or None]
        sizes = [across / width, down / height, across * down / (width * height), across / max(across + down, 1e-6)]
        sizes += [x / width, y / height, numpy.log1p(across), numpy.log1p(down)]
        yield numpy.concatenate([sizes, _colours(cut), _colours(inner), _colours(inner) - _colours(cut)])
