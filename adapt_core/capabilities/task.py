"""What a task may support."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray
    from torch import nn

    from adapt_core.contracts import LoadedModel, TaskData
    from adapt_core.contracts.recognition import Recognised
    from adapt_core.evaluated_rows import EvaluatedRows
    from adapt_core.evaluation import Decisions, Evaluated
    from adapt_core.execution.rows import Table
    from adapt_core.run_folder.paths import RunFolder


@runtime_checkable
class SupportsSamples(Protocol):
    """A task that shows what a model makes of a few validation rows, before and after training. Optional."""

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return at most `count` validation rows, the same ones at each call: {"input", "expected", "predicted"}.

        A value is text, a mapping of names to texts, a list of [word, tag] pairs, or a picture as a
        "data:image/...;base64,..." text. A sample may say whether the prediction is right ("right", a bool), and how
        many things were found in it ("found", an int; of 0 the report says so).

        Args:
            model: the attached model, in evaluation mode, on its device.
            data: what `load_data` returned.
            count: how many rows.
        """


@runtime_checkable
class SupportsShownRows(Protocol):
    """A task that shows the inputs of any validation rows: of the most confident mistakes. Optional."""

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> Sequence[Any]:
        """Return the inputs of validation rows as samples show them (see `SupportsSamples`).

        Args:
            data: what `load_data` returned.
            positions: of the rows, from 0.
        """


@runtime_checkable
class SupportsDrawnRows(Protocol):
    """A task that draws what an evaluation found of validation rows, in place of words. Optional."""

    def drawn_rows(self, data: TaskData, rows: EvaluatedRows, positions: Sequence[int]) -> Sequence[Mapping[str, Any]]:
        """Return "input", "expected" and "predicted" of rows, as samples show them (see `SupportsSamples`).

        Args:
            data: what `load_data` returned.
            rows: what the evaluation found, with their `details`.
            positions: in `rows`.
        """


@runtime_checkable
class SupportsRowContents(Protocol):
    """A task that says what is in its validation rows, where `TaskData.rows` has none or not all of it. Optional."""

    def row_contents(self, data: TaskData, positions: Sequence[int]) -> Iterable[str]:
        """Return a digest of the input of each of these validation rows: the same in two runs where the input is.

        Args:
            data: what `load_data` returned.
            positions: of the rows, from 0.
        """


@runtime_checkable
class SupportsCachedSamples(Protocol):
    """A task that shows samples and whose evaluations have made their predictions already. Optional."""

    def evaluated_samples(self, metrics: Mapping[str, float], data: TaskData) -> list[dict[str, Any]] | None:
        """Return what `samples` would show, of the evaluation that gave these metrics; None where it was not kept."""


@runtime_checkable
class SupportsEvaluatedFacts(Protocol):
    """A task whose predictions take something from the evaluation of the final weights (thresholds). Optional."""

    def evaluated_facts(self, found: Evaluated, data: TaskData) -> Mapping[str, Any]:
        """Return what the evaluation of the validation split gives; a run adds it to the data's `facts`.

        Args:
            found: what the loop kept of that evaluation.
            data: what `load_data` returned.
        """

    def hold_facts(self, model: nn.Module, data: TaskData) -> None:
        """Write what predictions need of the data's `facts` into the trained model, which is saved next."""


@runtime_checkable
class SupportsDecisions(Protocol):
    """A task that tells by what its predictions decide, and how well that does. Optional; `result.json` has it."""

    def decisions(self, found: Evaluated, data: TaskData) -> Decisions:
        """Return the decisions among the data's `facts`, and their figures on the rows of an evaluation.

        Args:
            found: what the loop kept of an evaluation of the final weights, on the validation or the test split.
            data: what `load_data` returned.
        """


@runtime_checkable
class SupportsMetaInit(Protocol):
    """A task that knows a model's structure without its weights. Optional; `adapt check` counts with it."""

    def load_structure(self, data: TaskData) -> LoadedModel:
        """Return what `load_model` would load, unquantized, with every tensor on the device "meta".

        A task that `SupportsActivationMeasurement` keeps them on the CPU.
        """


@runtime_checkable
class SupportsBatchPreview(Protocol):
    """A task whose batches are tensors by name. Optional; `adapt check` traces what one keeps for the backward pass."""

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """Return a training batch of BATCH_SIZE of the longest examples, as the model takes it: CPU tensors by name."""


@runtime_checkable
class SupportsTrainingForward(Protocol):
    """A task whose loop changes what a forward pass keeps. Optional; `adapt check` traces a batch in this context."""

    def training_forward(self, model: nn.Module) -> AbstractContextManager[Any] | None:
        """Return a context in which the model computes its loss as in training, or None where that changes nothing.

        Args:
            model: with the method attached.
        """


@runtime_checkable
class SupportsRandomBatch(Protocol):
    """A task that makes up inputs of its model. Optional; the merge of a finished run's adapter is checked on them."""

    def random_batch(self, model: nn.Module) -> Mapping[str, Any]:
        """Return a few random inputs, the same ones at each call, as the model takes them: CPU tensors by name.

        Args:
            model: the plain base model.
        """


@runtime_checkable
class SupportsActivationMeasurement(Protocol):
    """A task whose model needs values to know its shapes, so that nothing can be traced. Optional."""

    def measured_activations(self, model: nn.Module, data: TaskData) -> int:
        """Return the bytes that a batch of BATCH_SIZE keeps for the backward pass, from a smaller pass on the CPU.

        Args:
            model: what `load_structure` loaded, with the method attached, in training mode.
            data: what `load_data` returned.
        """


@runtime_checkable
class SupportsDataFormats(Protocol):
    """A task that reads files in formats. Optional; `adapt check` shows which format each split is in, and why."""

    def data_formats(self) -> Mapping[str, Recognised]:
        """Return the format of each split; none where the data does not lie in files of formats."""


@runtime_checkable
class SupportsTokenPreview(Protocol):
    """A task whose model reads tokens. Optional; `adapt check` shows them."""

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """Return at most `count` training examples as (token, label) pairs.

        A label of the complete example comes last, without a token. A label is empty where the token has none.
        """


@runtime_checkable
class SupportsImagePreview(Protocol):
    """A task whose model sees pictures. Optional; `adapt check --draw` writes them."""

    def drawn_examples(self, data: TaskData, count: int) -> bytes:
        """Return a PNG of at most `count` training images as model inputs, with classes, boxes, masks or keypoints."""


@runtime_checkable
class SupportsClassCounts(Protocol):
    """A task with classes. Optional; `adapt check` shows how often each occurs."""

    def class_counts(self, data: TaskData) -> Mapping[str, int]:
        """Training examples (words, objects) of each class; empty where this variant of the task has no classes."""


@runtime_checkable
class SupportsFrozenFeatures(Protocol):
    """A task whose base model makes useful features of examples as it is. Optional; checks of the data use them."""

    def frozen_features(
        self, model: nn.Module, data: TaskData, split: str, positions: Sequence[int], seconds: float
    ) -> NDArray[numpy.float32]:
        """Return what the base model makes of examples, as its head gets it: an array (examples, width).

        Args:
            model: what `load_model` loaded; left as it was.
            data: what `load_data` returned.
            split: "train", "validation" or "test".
            positions: of the examples.
            seconds: that it may take.

        Raises:
            CheckSkipped: it would take longer.
        """


@runtime_checkable
class SupportsRowCount(Protocol):
    """A task that trains on other rows than those it loads (packs of documents). Optional."""

    def training_rows(self, data: TaskData) -> int:
        """Rows of one epoch, where all goes as the config says."""


@runtime_checkable
class SupportsHubUpload(Protocol):
    """A task whose saved models a hub takes. Optional; PUSH_TO_HUB needs it."""

    def check_hub_upload(self, repo_id: str) -> None:
        """Check, before anything is trained, that the repository can be written to.

        Raises:
            InputError: no login, no right to write, or no connection.
        """

    def push_to_hub(self, repo_id: str, folder: RunFolder) -> str:
        """Upload model, adapter and model card of a finished run; return the repository's address."""


@runtime_checkable
class SupportsTestPrediction(Protocol):
    """A task that predicts its test split when the run has finished. Optional; DO_PREDICT needs it."""

    def test_inputs(self) -> Table | None:
        """Return the rows of the test split, with or without labels; None where the data has none.

        Where `read_inputs` or `predict` raises `BadInputsError` for some of them, the others are predicted.
        """


@runtime_checkable
class SupportsFurtherSets(Protocol):
    """A task that evaluates further data sets. Optional; ALSO_EVALUATE needs it."""

    def check_further_sets(self) -> None:
        """Check, before anything is trained, that they are there and have the columns that the task reads.

        `load_data` puts them into `TaskData.further`.

        Raises:
            InputError: they cannot be used; the message names the data set.
        """


@runtime_checkable
class SupportsPickledModels(Protocol):
    """A task whose models need more than an import of their module to be unpickled. Optional."""

    def import_model_classes(self) -> None:
        """Import the classes of the task's models, before a model that the user trusts is unpickled."""


@runtime_checkable
class SupportsPlainAdapter(Protocol):
    """A task whose adapters plain peft loads. Optional."""

    def save_beside_adapter(self, model: nn.Module, folder: Path) -> None:
        """Write what an adapter's file does not hold: labels, tokenizer or processor.

        Args:
            model: with the adapter attached.
            folder: that of the adapter.
        """

    def adapter_loading_lines(self, adapter: Path) -> str:
        """Return Python source that loads the adapter in a folder without adapt; run in the run folder."""
