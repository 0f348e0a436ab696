"""Learning rate, epochs and batch size that fit method, task, data and model: SETTINGS: auto.

docs/settings.md has the table with its sources and what was measured.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.plugin.import_strings import PACKAGE_PREFIX, package_folder

AUTO = "auto"
_CHOSEN = {"LR": "lr", "EPOCHS": "epochs", "BATCH_SIZE": "batch_size"}
_FAR_BELOW, _ENOUGH_STEPS = 0.25, 60
"""A rate is far below what fits as this share of it. So many steps at the one that fits, or more at it, learn."""

TEXTS, WRITING, IMAGES, OBJECTS = "texts", "writing", "images", "objects"
"""Kinds of tasks by what decides their rates: encoders of texts, writing models, classifiers of images, detectors."""

_WRITE = frozenset({"text_generation", "summarization", "translation"})
_TRANSFORMER = re.compile(r"vit|deit|beit|swin|dino|clip|eva|transformer|pvt|mae", re.IGNORECASE)
_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")
USUAL_WIDTH = 768
"""How wide a model is taken to be whose config.json does not say: as BERT."""
_OF_WIDTH = 384


@attrs.frozen
class Rate:
    """A learning rate that fits.

    Attributes:
        at: its value for a model that is `_OF_WIDTH` wide (images and objects: for any).
        power: of the width that it falls with.
    """

    at: float
    power: float = 0.0

    def of(self, width: int) -> float:
        """Return the rate for a width, to two digits."""
        return float(f"{self.at * (_OF_WIDTH / width) ** self.power:.1e}")


RATES: Mapping[str, Mapping[str, Rate]] = {
    TEXTS: {
        "full": Rate(3e-4, 1.5),
        "last_layer": Rate(1e-2),
        "LoRA": Rate(1e-3, 0.5),
        "DoRA": Rate(1e-3, 0.5),
        "SSF": Rate(1e-2, 0.5),
        "peft": Rate(3e-3, 0.5),
    },
    WRITING: {
        "full": Rate(2e-4, 1.5),
        "last_layer": Rate(1e-3),
        "LoRA": Rate(6e-4, 0.5),
        "DoRA": Rate(6e-4, 0.5),
        "SSF": Rate(3e-3, 0.5),
        "peft": Rate(2e-3, 0.5),
    },
    IMAGES: {
        "full": Rate(1e-3),
        "last_layer": Rate(3e-3),
        "LoRA": Rate(2e-3),
        "DoRA": Rate(2e-3),
        "SSF": Rate(3e-3),
        "peft": Rate(3e-3),
    },
    OBJECTS: {
        "full": Rate(1e-3),
        "last_layer": Rate(1e-2),
        "LoRA": Rate(3e-3),
        "DoRA": Rate(3e-3),
        "SSF": Rate(3e-3),
        "peft": Rate(3e-3),
    },
}
"""Kind of task -> method -> its rate. A method of another plugin has that of LoRA, or of full where the base trains."""

_TRANSFORMER_ON_IMAGES = 1e-4
"""The rate at which a whole vision transformer trains."""

BATCH_SIZES = ((200, 8), (20_000, 16), (math.inf, 32))
"""Rows below which a batch has so many; detectors keep 8."""

STEPS = 500
"""Steps that a run should have: small data is passed over more often."""

EPOCHS = {TEXTS: (2, 20), WRITING: (1, 5), IMAGES: (3, 20), OBJECTS: (5, 30)}
"""Kind of task -> the fewest and the most passes."""


def kind_of(plan: Plan) -> str:
    """Return the kind of a task by what decides its rates."""
    if plan.loop == "mm":
        return OBJECTS
    if plan.task.name == "image_classification":
        return IMAGES
    return WRITING if plan.task.name in _WRITE else TEXTS


def fitting_rate(plan: Plan) -> float:
    """Return the learning rate that fits a plan's method, task and model."""
    kind = kind_of(plan)
    rates = RATES[kind]
    usual = rates["full"] if plan.trains_base else rates["LoRA"]
    rate = next((rate for name, rate in rates.items() if name.casefold() == plan.method.name.casefold()), usual)
    model = str(plan.model.local_model_path or plan.model.model_path)
    if kind == IMAGES and rate is rates["full"] and _TRANSFORMER.search(model):
        return _TRANSFORMER_ON_IMAGES
    return rate.of(width_of(model))


def width_of(model: str) -> int:
    """Return how wide a model in a folder is, by its config.json; the width of BERT where that does not say."""
    try:
        config: Any = json.loads((folder_of(model) / "config.json").read_text(encoding="utf-8"))
        return next(int(config[name]) for name in _WIDTHS if config.get(name))
    except (OSError, ValueError, TypeError, AttributeError, StopIteration):
        return USUAL_WIDTH


def folder_of(model: str) -> Path:
    """Return the folder that MODEL_PATH names, which need not exist.

    Raises:
        ValueError: it is in a package that is not there.
    """
    if not model.startswith(PACKAGE_PREFIX):
        return Path(model).expanduser()
    package, _, path = model.removeprefix(PACKAGE_PREFIX).partition("/")
    root = package_folder(package)
    if root is None:
        raise ValueError(f"there is no package {package}")
    return root / path


def fitting_batch_size(plan: Plan, rows: int) -> int:
    """Return the batch size that fits, for a process.

    Args:
        plan: its task.
        rows: of the training split.
    """
    fits = next(size for limit, size in BATCH_SIZES if rows < limit)
    return min(fits, 8) if kind_of(plan) == OBJECTS else fits


def fitting_epochs(plan: Plan, rows: int, batch: int) -> float:
    """Return the epochs that fit.

    Args:
        plan: its task.
        rows: of the training split.
        batch: rows of an optimizer step.
    """
    fewest, most = EPOCHS[kind_of(plan)]
    return float(min(most, max(fewest, math.ceil(STEPS * batch / max(rows, 1)))))


def fit_rate(plan: Plan, given: Collection[str]) -> Plan:
    """Return a plan with the learning rate that fits, under SETTINGS: auto, and what is still to be chosen by its data.

    Args:
        plan: as its config says.
        given: attributes of its training parameters that have a value.
    """
    training = plan.training
    if training.settings != AUTO or not training.do_train:
        return plan
    chosen = [key for key, attribute in _CHOSEN.items() if attribute not in given]
    if training.fit_batch_size and "BATCH_SIZE" in chosen:
        chosen.remove("BATCH_SIZE")
    if "LR" in chosen:
        training = attrs.evolve(training, lr=fitting_rate(plan))
        remark = f"SETTINGS auto: LR {training.lr:g}, which fits {plan.method.name} and {plan.task.name}"
        plan = attrs.evolve(plan, training=training, remarks=(*plan.remarks, remark))
    return attrs.evolve(plan, fitting=tuple(key for key in chosen if key != "LR"))


def fit_rows(plan: Plan, rows: int) -> Plan:
    """Return a plan with the batch size and the epochs that fit its data, where SETTINGS: auto chooses them.

    Args:
        plan: what `fit_rate` returned.
        rows: of the training split.
    """
    training = plan.training
    if "BATCH_SIZE" in plan.fitting:
        training = attrs.evolve(training, batch_size=fitting_batch_size(plan, rows))
    if "EPOCHS" in plan.fitting:
        batch = training.rows_per_step
        training = attrs.evolve(training, epochs=fitting_epochs(plan, rows, batch))
    values = {"BATCH_SIZE": training.batch_size, "EPOCHS": f"{training.epochs:g}"}
    told = " and ".join(f"{key} {values[key]}" for key in plan.fitting)
    return attrs.evolve(
        plan, training=training, fitting=(), remarks=(*plan.remarks, f"SETTINGS auto: {told}, for {rows:,} rows")
    )


def unfit(plan: Plan, steps: int) -> list[str]:
    """Return that a run is known to learn next to nothing: its rate is far below what fits, and its steps are few.

    Args:
        plan: its learning rate.
        steps: optimizer steps of the run.
    """
    training = plan.training
    fits = fitting_rate(plan)
    share = training.lr / fits
    if not training.do_train or training.lr == 0 or share >= _FAR_BELOW or share * steps >= _ENOUGH_STEPS:
        return []
    return [
        f"LR {training.lr:g} with {plan.method.name} is known to learn little in {steps:,} steps: about {fits:g} fits. "
        "Raise LR or EPOCHS, or leave LR out and set SETTINGS: auto."
    ]
