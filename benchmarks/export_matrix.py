"""ONNX exports of each job of Hugging Face's and timm's models, by method and base, on whole validation splits.

    python -m benchmarks.export_matrix --data ../shared/data
    python -m benchmarks.export_matrix --data ../shared/data --job ner --job smollm2

A cell is a short run of adapt with EXPORT: onnx on a small model with random weights. Then every row of the validation
split is asked in onnxruntime, and of the merged model in torch: the largest difference of a logit, and how many choices
are the same. A cell fails where a difference is above 1e-4 (1e-3 of the largest logit on a 4-bit base), where a choice
is another one (torch's two best logits being more than 1e-5 apart), or where the merge itself is not as close.
`smollm2` is SmolLM2-135M with a LoRA: its lines for onnxruntime write what `adapt predict` writes. The figures go into
docs/exports.md; the exit code is 1 if a cell fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy
import torch

import adapt_core
from adapt_core.errors import InputError
from adapt_core.execution.exports import without_targets
from adapt_core.execution.finished_run import FinishedRun
from adapt_core.testing.cards import python_of
from benchmarks.packaged_models import smollm2
from benchmarks.page import with_marked
from benchmarks.small_jobs import JOBS, SmallJob, encoder

from adapt_onnx.exporter import kind_of
from adapt_onnx.runtime import KINDS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "exports.md"
RECORD = Path(__file__).parent / "export_matrix.json"
MARK = "measured by: python -m benchmarks.export_matrix"
METHODS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "LoRA": {"method": "LoRA", "r": 4},
    "SSF": {"method": "SSF", "LR": 1e-2},
    "LoRA, 4 bit": {"method": "LoRA", "r": 4, "load_in_4bit": True},
}
ABSOLUTE, DEQUANTIZED = 1e-4, 1e-3
TIE = 1e-5
"""Logits of torch that are so close are tied: float32 rounds as much, and another order of sums decides otherwise."""

SMOLLM2 = "smollm2"
_ROWS = 16
_SHARED: dict[str, Any] = {
    "MAX_TRAIN_SAMPLES": 64,
    "MAX_EVAL_SAMPLES": None,
    "INTERVAL": "no",
    "VERDICT": "none",
    "EXPORT": "onnx",
    "SAVE_METHOD": "safetensors",
}
_TEXTS: dict[str, Any] = {"packing": False, "GENERATE_IN_EVALUATION": 0}
_NOT_WRITTEN: dict[str, Any] = {"predict_with_generate": False}
_MORE: dict[str, dict[str, Any]] = {
    "text_generation": _TEXTS,
    "summarization": _NOT_WRITTEN,
    "translation": _NOT_WRITTEN,
}


def _derived(of: Callable[[Mapping[str, Any]], Mapping[str, Any]], data: Path, folder: Path) -> None:
    """Write the rows of sst5 with another target."""
    names = json.loads((data / "sst5" / "labels.json").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        rows = [json.loads(line) for line in (data / "sst5" / f"{split}.jsonl").read_text("utf-8").splitlines()]
        lines = [json.dumps({"text": row["text"], **of({**row, "name": names[row["label"]]})}) for row in rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


DERIVED: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "text_classification, several labels": lambda row: {"label": row["name"].split()},
    "text_classification, numbers": lambda row: {"label": row["label"] / 4},
}
_PICTURES = {"TASK": "image_classification", "load_model": False}
_TAKEN = ("text_generation", "text_classification", "ner", "question_answering", "summarization", "translation")


def jobs() -> dict[str, SmallJob]:
    """Return the jobs by name."""
    known = {job.name: job for job in JOBS}
    found = {name: known[name] for name in (*_TAKEN, "image_classification")}
    for name in DERIVED:
        keys = {"TASK": "text_classification"}
        found[name] = SmallJob(name=name, data=name, keys=keys, model=encoder)
    for model in ("test_vit", "test_efficientnet"):
        name = f"image_classification, timm {model}"
        found[name] = SmallJob(name=name, data="hymenoptera", keys=_PICTURES, model=lambda *_, model=model: model)
    return {name: found[name] for name in sorted(found)}


@attrs.define
class Figures:
    """What was found of a cell.

    Attributes:
        difference: the largest of a logit; largest: the largest logit of torch's.
        merge: the largest difference of the merge, adapted model against plain one; None without a merge.
        same, choices: how many choices are the same, of how many.
        tie: of choices that are others, how far torch's logits of the two are apart, at most.
        rows: of the validation split.
        failed: why the cell failed; empty where it holds.
        refused: why there is no such cell; empty where there is.
    """

    difference: float = 0.0
    largest: float = 0.0
    merge: float | None = None
    same: int = 0
    choices: int = 0
    tie: float = 0.0
    rows: int = 0
    failed: str = ""
    refused: str = ""

    def add(self, ours: Any, theirs: Any, counting: Any) -> None:
        """Add an output of a batch, as onnxruntime and as torch compute it, where it counts."""
        self.difference = max(self.difference, float(numpy.abs(ours - theirs)[counting].max()))
        self.largest = max(self.largest, float(numpy.abs(theirs)[counting].max()))

    def choose(self, ours: Any, theirs: Any, values: Any = None) -> None:
        """Add choices; `values` are torch's logits, whose last axis is chosen from."""
        self.same += int((ours == theirs).sum())
        self.choices += int(ours.size)
        if values is not None:
            both = [numpy.take_along_axis(values, each[..., None], -1) for each in (theirs, ours)]
            self.tie = max(self.tie, float((both[0] - both[1]).max(initial=0.0)))

    def judge(self, *, quantized: bool) -> None:
        """Say why the cell fails, if it does."""
        others = self.choices - self.same
        allowed = DEQUANTIZED * self.largest if quantized else ABSOLUTE
        faults = [
            f"logits differ by {self.difference:.3g}" if self.difference > allowed else "",
            f"the merge differs by {self.merge:.3g}" if (self.merge or 0) > allowed else "",
            f"{others} of {self.choices} choices are others" if others and not 0 < self.tie <= TIE else "",
        ]
        self.failed = "; ".join(filter(None, faults))


def batches(run: FinishedRun) -> Iterator[dict[str, Any]]:
    """Yield the validation split in batches, as the model takes them, with what is expected."""
    task: Any = run.task
    rows = task.load_data().validation
    images = run.plan.task.name == "image_classification"
    if images:
        from adapt_vision_mm.image_classification.collate import collate
    for start in range(0, len(rows), _ROWS):
        few = [rows[number] for number in range(start, min(start + _ROWS, len(rows)))]
        yield dict(task.backend.model_inputs(collate(few)) if images else task.collator(few))


def compared(run: FinishedRun, folder: Path) -> Figures:
    """Ask every row of the validation split in onnxruntime and in torch."""
    model, found = run.model(), Figures()
    asked: Any = KINDS[kind_of(run.plan)](folder, "", torch.get_num_threads())
    problem = json.loads((folder / "labels.json").read_text())["problem"] if (folder / "labels.json").is_file() else ""
    for batch in batches(run):
        given = {name: value for name, value in without_targets(batch, model).items() if torch.is_tensor(value)}
        with torch.no_grad():
            outputs = model(**given)
        expected = {"logits": outputs} if torch.is_tensor(outputs) else outputs
        answers = asked({name: value.numpy() for name, value in given.items()})
        found.rows += len(next(iter(given.values())))
        for name in (name for name in answers if name.endswith("logits")):
            ours, theirs = answers[name], expected[name].numpy()
            counting = _counting(batch, given, theirs.shape)
            found.add(ours, theirs, counting)
            if problem == "multi_label":
                found.choose(ours > 0, theirs > 0)
            elif name != "logits":  # a start or an end among the positions of a row
                inside = numpy.where(counting, 0, -numpy.inf)
                found.choose((ours + inside).argmax(-1), (theirs + inside).argmax(-1), theirs)
            elif problem != "regression":
                kept = counting if theirs.ndim > 2 else slice(None)
                found.choose(ours[kept].argmax(-1), theirs[kept].argmax(-1), theirs[kept])
    return found


def _counting(batch: Mapping[str, Any], given: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """Return which positions of an output are no padding."""
    labels, mask = batch.get("labels"), given.get("attention_mask")
    if "decoder_input_ids" in given and labels is not None:
        return labels.numpy() >= 0
    if mask is not None and tuple(mask.shape) == shape[:2]:
        return mask.numpy().astype(bool)
    return numpy.ones(shape[:1], bool)


def measured(job: SmallJob, method: str, data: Path, place: Path) -> Figures:
    """Train a cell shortly, export it and compare it."""
    if job.name in DERIVED:
        _derived(DERIVED[job.name], data, place / "data" / job.name)
        data = place / "data"
    keys = {**job.config(data, place / "models"), **_MORE.get(job.name, {}), **_SHARED, **METHODS[method]}
    folder = place / "runs" / f"{job.name}, {method}"
    result = adapt_core.run({**keys, "OUTPUT_DIR": str(folder)})
    if result.exports["onnx"]["failed"]:
        return Figures(failed=result.exports["onnx"]["failed"])
    found = compared(FinishedRun.open(folder), folder / "exports" / "onnx")
    merge = result.merge
    found.merge = None if merge is None else float(merge["max_difference"])
    found.judge(quantized="load_in_4bit" in METHODS[method])
    return found


PROMPTS = ("Once upon a time", "First Citizen:\nBefore we proceed", "The capital of Norway is")


def real_decoder(data: Path, place: Path) -> Figures:
    """Adapt SmolLM2 with a LoRA, export it with its cache, and let the card's lines write."""
    folder = place / "runs" / SMOLLM2
    texts = {"TASK": "text_generation", "CUSTOM_DATASET_PATH": str(data / "tinyshakespeare"), "max_seq_length": 64}
    short = {"MAX_STEPS": 8, "BATCH_SIZE": 2, "LR": 1e-3, "NUM_WORKERS": 0, "temperature": 0, "max_new_tokens": 24}
    small = {"MAX_TRAIN_SAMPLES": 16, "MAX_EVAL_SAMPLES": 8}
    keys = {**texts, **_SHARED, **_TEXTS, **small, **short, "method": "LoRA", "MODEL_PATH": str(smollm2())}
    result = adapt_core.run({**keys, "OUTPUT_DIR": str(folder)})
    record = result.exports["onnx"]
    if record["failed"]:
        return Figures(failed=record["failed"])
    [asked] = record["checks"]
    found = Figures(difference=asked["max_difference"], rows=asked["rows"])
    found.largest = found.difference / asked["relative_difference"] if found.difference else 1.0
    lines = python_of(folder / "exports" / "onnx" / "README.md")
    for prompt in PROMPTS:
        [ours] = adapt_core.predict(folder, [prompt])
        mine = "\n".join(f"prompt = {prompt!r}" if line.startswith("prompt = ") else line for line in lines.split("\n"))
        hidden = f"import sys\nsys.modules.update(dict.fromkeys(('torch', 'transformers', 'adapt_core')))\n{mine}"
        done = subprocess.run(
            [sys.executable, "-c", hidden], cwd=folder / "exports" / "onnx", capture_output=True, text=True, check=True
        )
        print(f"  {prompt!r}: {done.stdout.strip()!r}")
        found.choose(numpy.array(done.stdout.strip()), numpy.array(ours["generated_text"].strip()))
    found.judge(quantized=False)
    return found


def _in_table(cell: Mapping[str, Any]) -> str:
    return "refused" if cell.get("refused") else cell["failed"] or f"{cell['difference']:.1e}"


def table(record: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the figures as a table, a row for each job."""
    lines = [
        f"| job | rows | {' | '.join(METHODS)} | same choices |",
        f"|---|---:|{'---:|' * len(METHODS)}---:|",
    ]
    for job in (name for name in jobs() if any(key.startswith(f"{name}: ") for key in record)):
        cells = [record.get(f"{job}: {method}") for method in METHODS]
        known = [cell for cell in cells if cell is not None]
        texts = ["not run" if cell is None else _in_table(cell) for cell in cells]
        same, choices = (sum(cell[name] for cell in known) for name in ("same", "choices"))
        tie = max(cell.get("tie", 0.0) for cell in known)
        agreed = f"{same:,} of {choices:,}" if choices else "(numbers)"
        if same < choices and tie:
            agreed += f" (of the others, torch's two best logits are {tie:.0e} apart)"
        lines.append(f"| {job} | {max(cell['rows'] for cell in known):,} | {' | '.join(texts)} | {agreed} |")
    real = record.get(SMOLLM2)
    if real is not None:
        said = real["failed"] or f"{real['difference']:.1e}"
        lines.append(
            f"| SmolLM2-135M, greedy texts | {real['rows']} | | {said} | | | {real['same']} of {real['choices']} |"
        )
    return lines


def main() -> None:
    """Measure the cells and write them down."""
    known = jobs()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--job", action="append", choices=[*known, SMOLLM2], help="may be repeated; default: all")
    given = parser.parse_args()
    chosen = given.job or [*known, SMOLLM2]
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    failed = False
    with tempfile.TemporaryDirectory() as place:
        for job in chosen:
            for method in [""] if job == SMOLLM2 else METHODS:
                name = f"{job}: {method}" if method else job
                begun = time.perf_counter()
                try:
                    data = given.data.resolve()
                    cell = (
                        measured(known[job], method, data, Path(place)) if method else real_decoder(data, Path(place))
                    )
                except InputError as error:
                    cell = Figures(refused=str(error))
                record[name] = attrs.asdict(cell)
                failed = failed or bool(cell.failed)
                told = (
                    cell.failed
                    or cell.refused
                    or f"{cell.difference:.2g}, merge {cell.merge}, {cell.same} of {cell.choices} choices"
                )
                print(f"{name}: {told} ({cell.rows} rows, {time.perf_counter() - begun:.0f} s)", flush=True)
                RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n", encoding="utf-8")
    page = with_marked(PAGE.read_text(encoding="utf-8"), MARK, table(record))
    PAGE.write_text(page, encoding="utf-8")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
