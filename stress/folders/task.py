"""The task `line`: two small layers, a loop of their own with checkpoints, predictions and samples."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, TaskData, TrainResult
from adapt_core.nn.weights import FILES, read_state_dict, save_weights
from adapt_core.run_folder.checkpoints import claim_checkpoint, prune, seal
from adapt_core.run_folder.predictions import fresh_predictions, seal_predictions

STEPS = 4
BASE = "base.pt"
POINTS = "points.json"
IDENTITY = "seed.txt"
"""The file in `model/` that says which run saved it."""


def network() -> nn.Module:
    """Return the model of the task, with random weights."""
    return nn.Sequential(OrderedDict(body=nn.Linear(1, 4), head=nn.Linear(4, 1)))


class Line:
    """Fits points with two layers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def check(self) -> None:
        """Check nothing: the harness gives files that are there."""

    def load_data(self) -> TaskData:
        """Load the points."""
        points = json.loads((Path(str(self._plan.data.custom_dataset_path)) / POINTS).read_text(encoding="utf-8"))
        return TaskData(train=points, validation=points, stats={"rows": len(points)})

    def load_model(self, data: TaskData, quantizer: Any, world: Any) -> LoadedModel:
        """Load the base model."""
        model = network()
        model.load_state_dict(torch.load(Path(str(self._plan.model.model_path)) / BASE, weights_only=True))
        return LoadedModel(model=model)

    def head(self, model: nn.Module) -> tuple[str, ...]:
        """Name the head."""
        return ("head",)

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Train it."""
        return True

    def make_loop(self, job: Job) -> LineLoop:
        """Return the loop."""
        return LineLoop(job)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return the first points with what the model says of them."""
        return [
            {"input": str(x), "expected": str(y), "predicted": f"{float(model(torch.tensor([[x]])))}"}
            for x, y in data.validation[:count]
        ]

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Write the weights, and the run's seed as its name."""
        save_weights(model, folder, save_method)
        (folder / IDENTITY).write_text(str(self._plan.training.seed), encoding="utf-8")

    def load_model_folder(self, folder: Path) -> nn.Module:
        """Load the weights."""
        model = network()
        model.load_state_dict(read_state_dict(folder / FILES["state_dict"]))
        return model.eval()

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load the model."""
        return "import torch\n\nmodel = torch.load('model/model_state_dict.pt', weights_only=True)\n"

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Path]) -> list[dict[str, Any]]:
        """Write a file for each input into `predictions/`, as tasks on images do."""
        paths = list(inputs)
        target = fresh_predictions(folder.parent, paths)
        for path in paths:
            (target / f"{path.stem}.txt").write_text(str(float(model(torch.tensor([[1.0]])))), encoding="utf-8")
        seal_predictions(folder.parent)
        return [{"input": str(path)} for path in paths]

    def read_inputs(self, arguments: Sequence[str]) -> list[Path]:
        """Return the arguments as paths."""
        return [Path(argument) for argument in arguments]


class LineLoop:
    """Trains with a checkpoint at each step."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._points = torch.tensor(job.data.train, dtype=torch.float32)

    def unwrap_model(self) -> nn.Module:
        """Return the model."""
        return self._job.model

    def _loss(self) -> torch.Tensor:
        x, y = self._points[:, :1], self._points[:, 1:]
        loss: torch.Tensor = ((self._job.model(x) - y) ** 2).mean()
        return loss

    def evaluate(self, split: Any) -> dict[str, float]:
        """Return the loss, and its root as the metric."""
        with torch.no_grad():
            loss = float(self._loss())
        return {"loss": loss, "error": loss**0.5}

    def train(self, resume_from: Path | None) -> TrainResult:
        """Take `STEPS` steps, or those after a checkpoint."""
        job, folder, began = self._job, self._job.folder, time.monotonic()
        optimizer = torch.optim.SGD([p for p in job.model.parameters() if p.requires_grad], lr=0.01)
        first = 0
        if resume_from is not None:
            state = torch.load(resume_from / "state.pt", weights_only=True)
            job.model.load_state_dict(state["model"])
            first = int(state["step"])
        job.training_check.begin()
        for step in range(first + 1, STEPS + 1):
            optimizer.zero_grad()
            loss = self._loss()
            loss.backward()  # type: ignore[no-untyped-call]
            job.training_check.see_gradients()
            optimizer.step()
            job.training_check.see_loss(float(loss))
            job.training_check.stepped(0.01)
            job.recorder.metrics("train", step, step / STEPS, {"loss": float(loss)})
            self._save(folder.checkpoints / f"checkpoint-{step}", step)
            prune(folder.checkpoints, job.plan.training.no_of_checkpoints, None)
        seconds = max(time.monotonic() - began, 1e-6)
        return TrainResult(steps=STEPS, seconds=seconds, samples_per_second=len(self._points) / seconds)

    def _save(self, checkpoint: Path, step: int) -> None:
        claim_checkpoint(checkpoint)
        torch.save({"step": step, "model": self._job.model.state_dict()}, checkpoint / "state.pt")
        seal(checkpoint)
