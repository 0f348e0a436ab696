"""One form in which an adapted model leaves the run folder, and the proof that it computes there what it does here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from adapt_core.config.plan import ParamsT, Plan

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.contracts.task import Task


@attrs.frozen(kw_only=True, eq=False)
class ExportSource:
    """An adapted model and what belongs to it.

    Attributes:
        plan: of the run. `plan.task.name` is the task; `plan.quantizer` says whether the base was quantized.
        task: the task.
        adapter: the folder of the run's adapter; None where the method added none.
        inputs_from: where `inputs` come from: "validation", "training" or "random".
        answers_turns: whether a language model was trained on conversations, in its chat template; else it continues
            text, whatever template its base has.
        load, batch, save: what `model`, `inputs` and `save_companions` return or do.
    """

    plan: Plan
    task: Task
    adapter: Path | None
    inputs_from: str
    answers_turns: bool = False
    load: Callable[[], nn.Module]
    batch: Callable[[], Mapping[str, Any] | None]
    save: Callable[[Path], None]

    def model(self) -> nn.Module:
        """Return the plain model: adapter merged, base dequantized, on the CPU, in evaluation mode, in its own type.

        It is the same object at each call; leave it as it was. An exporter of adapters alone does not call it, and
        nothing is merged for it.

        Raises:
            InputError: the adapter cannot be merged, or the base is gone.
            DefectError: the merged model does not compute what the trained one does.
        """
        return self.load()

    def inputs(self) -> Mapping[str, Any] | None:
        """Return a few rows as the model takes them: CPU tensors by name, without labels. None where there are none."""
        return self.batch()

    def save_companions(self, folder: Path) -> None:
        """Write what a model's weights do not hold: its config with the labels, tokenizer, image preprocessing.

        In the form of the task's own library (transformers' `config.json` and `tokenizer.json`, timm's `config.json`);
        nothing where the task cannot (the OpenMMLab tasks).
        """
        self.save(folder)


@attrs.frozen(kw_only=True)
class RuntimeCheck:
    """How an exported model is asked in its target runtime, in a fresh process.

    Attributes:
        name: what is asked, where an export has several ("model.onnx").
        runtime: the runtime with its version ("onnxruntime 1.32.0").
        program: a file of Python that needs neither adapt nor anything in `without`. It is called with four arguments:
            the export's folder, an .npz file of inputs (arrays by the names of `ExportSource.inputs()`), the .npz file
            to write, and how many threads it may use. It writes the model's outputs by their names in torch ("logits";
            some of them are enough), and as "latency_ms" the median time of the first row alone, if it can. An output
            "logits@cached" is compared with "logits" too.
        arguments: further arguments of the program.
        without: top-level packages that its process cannot import, besides those of adapt.
        tolerance: the largest difference of any output that is allowed; None where the loss of the form is told and
            nothing more is promised (int8).
        relative_tolerance: the same as a share of the largest output. An export passes within one of the two.
        remedy: what to do where the outputs are further apart ("Raise lora_rank."), for the message.
        file: the file or folder whose size is told, in the export's folder; all of it by default.
    """

    name: str = ""
    runtime: str
    program: Path
    arguments: tuple[str, ...] = ()
    without: tuple[str, ...] = ("torch", "transformers")
    tolerance: float | None = 1e-4
    relative_tolerance: float = 1e-5
    remedy: str = ""
    file: str = ""


class Exporter(Protocol[ParamsT]):
    """One form of an adapted model. Constructed with its params instance."""

    def __init__(self, params: ParamsT) -> None: ...

    def check(self, plan: Plan) -> None:
        """Check cheaply, without torch, before training, that models of a plan can be exported.

        Raises:
            InputError: what can be foretold: a package that is missing, a method whose adapter has no such form.
        """

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write the model and all that using it needs into an empty folder.

        Raises:
            InputError: this model has no such form; the message gives the reason.
        """

    def checks(self, source: ExportSource, folder: Path) -> Sequence[RuntimeCheck]:
        """Return how what `export` wrote is asked; none where it has no outputs to compare (an adapter alone).

        Args:
            source: as `export` got it.
            folder: that `export` wrote.
        """

    def usage(self, source: ExportSource, folder: str) -> str:
        """Return Markdown: the lines that load and use the export without adapt, and how it is served.

        It is asked of the object that exported, after that.

        A block of ```python runs as it is in the folder that `folder` is relative to.

        Args:
            source: as `export` got it.
            folder: of the export, relative to the reader ("exports/onnx", or "." for the folder itself).
        """
