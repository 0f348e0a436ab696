"""Decisions on rows that neither training nor calibration saw: calibration error, precision of answers, macro-F1.

    python -m benchmarks.calibration --data ../shared/data
    python -m benchmarks.calibration --data ../shared/data --only sst5 --seed 1

Each set is pooled, shuffled by a seed and parted: rows to train on, to calibrate on (the run's validation split) and to
test on. Six sets of one class for each row: ag_news, sst5, the example's inbox, hymenoptera (images), `entities` (which
kind of entity a wnut17 sentence names first, or none) and `past` (whether a conll2000 sentence has a verb in the past
tense). Two of several labels: `kinds` (all kinds of entities of a wnut17 sentence, each rare) and `phrases` (all kinds
of chunks of a conll2000 sentence but the two most frequent). Texts by MiniLM, images by the last layer of
EfficientNet-Lite0.

Printed for each: ECE before and after the temperature; the coverage and precision of answers with ABSTAIN_PRECISION,
and the precision's 95 % interval; macro-F1 with a threshold of 0.5 for each label and with those tuned.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks.image_classification import PACKAGE, WEIGHTS
from benchmarks.packaged_models import minilm

Row = dict[str, Any]
EXAMPLES = Path(__file__).parent.parent / "examples"
TEXTS: dict[str, Any] = {
    "TASK": "text_classification",
    "MODEL_PATH": minilm(),
    "LR": 3e-4,
    "BATCH_SIZE": 16,
    "EPOCHS": 6,
    "max_seq_length": 64,
}
IMAGES: dict[str, Any] = {
    "TASK": "image_classification",
    "MODEL_PATH": "tf_efficientnet_lite0",
    "LOCAL_MODEL_PATH": f"package:{PACKAGE}/{WEIGHTS}",
    "load_by_order": True,
    "method": "last_layer",
    "augmentation": False,
    "LR": 3e-2,
    "BATCH_SIZE": 16,
    "EPOCHS": 40,
}
COMMON = {"NUM_WORKERS": 0, "VERDICT": "none", "INTERVAL": "no", "SAVE_METHOD": "safetensors", "EVAL_BATCH_SIZE": 64}


@attrs.frozen(kw_only=True)
class Set:
    """A data set of the benchmark.

    Attributes:
        rows: folder of the data -> all its rows.
        sizes: rows to train on and to calibrate on; the others, up to `test`, are tested on.
        test: most rows to test on.
        precision: ABSTAIN_PRECISION; None for several labels.
        keys: of the config.
    """

    rows: Callable[[Path], Iterable[Row]]
    sizes: tuple[int, int]
    test: int = 600
    precision: float | None = None
    keys: Mapping[str, Any] = attrs.field(factory=lambda: TEXTS)


def jsonl(*paths: Path) -> list[Row]:
    """Return the rows of files of JSON lines."""
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]


def of_split(folder: Path) -> list[Row]:
    """Return the training and validation rows of a folder."""
    return jsonl(folder / "train.jsonl", folder / "validation.jsonl")


def ag_news(data: Path) -> list[Row]:
    """Return news texts of four classes."""
    files = (data / "ag_news" / f"{split}.csv" for split in ("train", "validation"))
    return [row for file in files for row in csv.DictReader(file.read_text("utf-8").splitlines())]


def hymenoptera(data: Path) -> list[Row]:
    """Return pictures of ants and bees."""
    files = sorted((data / "hymenoptera").glob("*/*/*.jpg"))
    return [{"image": str(file.absolute()), "label": file.parent.name} for file in files]


def kinds_in(tags: Sequence[str]) -> list[str]:
    """Return the kinds that begin in a row of BIO tags, in their order, each once."""
    return list(dict.fromkeys(tag[2:] for tag in tags if tag.startswith("B-")))


def first_entity(data: Path) -> list[Row]:
    """Return sentences with the kind of their first entity, or "none"; kinds but person and location are "other"."""
    rows = []
    for row in of_split(data / "wnut17"):
        kind = next(iter(kinds_in(row["ner_tags"])), "none")
        rows.append({"text": " ".join(row["tokens"]), "label": kind if kind in ("none", "person") else "other"})
    return rows


def past_tense(data: Path) -> list[Row]:
    """Return sentences with whether a verb is in the past tense."""
    return [
        {"text": " ".join(row["tokens"]), "label": "past" if "VBD" in row["pos_tags"] else "no past"}
        for row in of_split(data / "conll2000")
    ]


def entity_kinds(data: Path) -> list[Row]:
    """Return sentences with the kinds of their entities: from 1 to 12 % of the sentences have each."""
    return [{"text": " ".join(row["tokens"]), "label": kinds_in(row["ner_tags"])} for row in of_split(data / "wnut17")]


def chunk_kinds(data: Path) -> list[Row]:
    """Return sentences with the kinds of their chunks but noun and verb phrases, which nearly all have."""
    wanted = ("PP", "ADVP", "SBAR", "ADJP", "PRT")
    return [
        {"text": " ".join(row["tokens"]), "label": [kind for kind in kinds_in(row["chunk_tags"]) if kind in wanted]}
        for row in of_split(data / "conll2000")
    ]


SETS = {
    "ag_news": Set(rows=ag_news, sizes=(400, 600), precision=0.95),
    "sst5": Set(rows=lambda data: of_split(data / "sst5"), sizes=(400, 600), precision=0.7),
    "inbox": Set(rows=lambda data: of_split(EXAMPLES / "inbox"), sizes=(180, 180), precision=0.9),
    "hymenoptera": Set(rows=hymenoptera, sizes=(60, 160), precision=0.95, keys=IMAGES),
    "entities": Set(rows=first_entity, sizes=(500, 600), precision=0.85),
    "past": Set(rows=past_tense, sizes=(400, 500), precision=0.9),
    "kinds": Set(rows=entity_kinds, sizes=(900, 900), test=1100),
    "phrases": Set(rows=chunk_kinds, sizes=(400, 500), test=650),
}


def parted(rows: Sequence[Row], one: Set, folder: Path, seed: int) -> list[Row]:
    """Write the splits of a set into a folder as JSON lines; return the rows of the test split.

    Args:
        rows: all of the set, of which those whose input stood before are left out.
        one: the set.
        folder: to write to.
        seed: of the order.
    """
    different = list({row.get("text") or row["image"]: row for row in rows}.values())
    random.Random(seed).shuffle(different)
    train, calibrate = one.sizes
    splits = {
        "train": different[:train],
        "validation": different[train : train + calibrate],
        "test": different[train + calibrate :][: one.test],
    }
    folder.mkdir(parents=True)
    for name, found in splits.items():
        lines = "".join(json.dumps(row) + "\n" for row in found)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return splits["test"]


def macro_f1_at(predictions: Sequence[Row], rows: Sequence[Row], least: float) -> float:
    """Return macro-F1 over the labels that rows have or are given, each given where its score reaches a threshold."""
    scores = []
    for name in predictions[0]["scores"]:
        pairs = [
            (one["scores"][name] >= least, name in row["label"]) for one, row in zip(predictions, rows, strict=True)
        ]
        both, either = sum(a and b for a, b in pairs), sum(a + b for a, b in pairs)
        if either:
            scores.append(2 * both / either)
    return sum(scores) / len(scores)


def measure(name: str, data: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Run a set and return its figures on the test rows."""
    import adapt_core

    one = SETS[name]
    rows = parted(list(one.rows(data)), one, folder / "data", seed)
    keys = {**COMMON, **one.keys, "CUSTOM_DATASET_PATH": str(folder / "data"), "OUTPUT_DIR": str(folder / "run")}
    if one.precision is not None:
        keys["ABSTAIN_PRECISION"] = one.precision
    result = adapt_core.run({**keys, "SEED": seed})
    found: dict[str, Any] = {"train": one.sizes[0], "calibrate": one.sizes[1], "test": len(rows)}
    if one.precision is None:
        predictions = adapt_core.predict(folder / "run", [row["text"] for row in rows])
        plain = macro_f1_at(predictions, rows, 0.5)
        return {**found, "macro_f1 at 0.5": plain, "macro_f1 tuned": (result.metrics["test"] or {})["macro_f1"]}
    calibration, abstain = result.decisions["calibration"], result.decisions["abstain"]
    measured = calibration["test"]
    return {
        **found,
        "accuracy": (result.metrics["test"] or {})["accuracy"],
        "temperature": calibration["temperature"],
        "ece before": measured["before"]["ece"],
        "ece after": measured["after"]["ece"],
        "wanted precision": one.precision,
        **{key: abstain["test"][key] for key in ("coverage", "precision", "low", "high") if "test" in abstain},
    }


def main() -> None:
    """Measure the sets and print their figures, a JSON document last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=list(SETS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.only or SETS:
            found[name] = measure(name, arguments.data, Path(temporary) / name, arguments.seed)
            shown = ", ".join(f"{key} {value:.4g}" for key, value in found[name].items())
            print(f"{name}: {shown}", flush=True)
    ece = [one for one in found.values() if "ece before" in one]
    answered = [one for one in ece if "precision" in one]
    tuned = [one for one in found.values() if "macro_f1 tuned" in one]
    print(f"ECE falls on {sum(one['ece after'] < one['ece before'] for one in ece)} of {len(ece)} sets")
    kept = sum(one["high"] >= one["wanted precision"] for one in answered)
    print(f"the wanted precision is within or below the interval on {kept} of {len(answered)} sets that have answers")
    risen = sum(one["macro_f1 tuned"] > one["macro_f1 at 0.5"] for one in tuned)
    print(f"thresholds raise macro-F1 on {risen} of {len(tuned)} sets")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
