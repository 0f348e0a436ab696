"""The forms that EXPORT or `adapt export --to` name: written, asked in their own runtimes, and told in result.json."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import SupportsChat, SupportsPlainAdapter, SupportsRandomBatch
from adapt_core.config.plan import Choice, Plan
from adapt_core.contracts import Exporter, ExportSource
from adapt_core.errors import AdaptError, InterruptedRunError, first_line
from adapt_core.execution.components import make_exporter
from adapt_core.execution.runtime_check import Reference, ask
from adapt_core.execution.sizes import size_of
from adapt_core.result_records import ExportRecord, RuntimeOutcome
from adapt_core.run_folder.claims import placed_folder
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.paths import RunFolder

if TYPE_CHECKING:
    from torch import nn

    from adapt_core.contracts import Task

log = logging.getLogger(__name__)

_TARGETS = ("labels", "start_positions", "end_positions")
"""Inputs that say what is expected: without them a model returns what it predicts, and no loss."""
_OF_PACKS = ("position_ids", "cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx")
"""Inputs by which the documents of a packed row are told apart in training: here a row is one text."""


Batch = tuple[Mapping[str, Any] | None, str]
"""Inputs of a model, and where they come from: "validation" or "training"."""


def source_of(plan: Plan, task: Task, folder: RunFolder, load: Callable[[], nn.Module], batch: Batch) -> ExportSource:
    """Return a plain model with all that exporters may ask for.

    Args:
        plan: of the run.
        task: the task.
        folder: of the run.
        load: returns the plain model. It goes to the CPU.
        batch: a batch of the run; without inputs the task makes some up, if it can.
    """

    broken: list[Exception] = []

    @cache
    def model() -> nn.Module:
        if broken:  # a merge that failed half-way is not tried again on what it left
            raise broken[0]
        try:
            return load().cpu().eval()
        except Exception as error:
            broken.append(error)
            raise

    @cache
    def inputs() -> Mapping[str, Any] | None:
        given = batch[0]
        if given is None and isinstance(task, SupportsRandomBatch):
            given = task.random_batch(model())
        return (given and without_targets(given, model())) or None

    def companions(place: Path) -> None:
        if isinstance(task, SupportsPlainAdapter):
            task.save_beside_adapter(model(), place)

    adapter = folder.adapter if folder.adapter.is_dir() else None
    origin = "random" if batch[0] is None else batch[1]
    return ExportSource(
        plan=plan,
        task=task,
        adapter=adapter,
        inputs_from=origin,
        answers_turns=isinstance(task, SupportsChat) and task.answers_turns(folder.model),
        load=model,
        batch=inputs,
        save=companions,
    )


def without_targets(inputs: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    """Return inputs without what is expected, and without what tells the documents of packed rows apart.

    A decoder that reads what is expected shifted by one (seq2seq) still gets that.
    """
    kept = {name: value for name, value in inputs.items() if name not in (*_TARGETS, *_OF_PACKS)}
    shift: Any = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if shift is not None and "labels" in inputs and "decoder_input_ids" not in inputs:
        kept["decoder_input_ids"] = shift(labels=inputs["labels"])
    return kept


@attrs.frozen
class Exports:
    """What became of EXPORT.

    Attributes:
        records: exporter names to their records in `result.json`.
        usage: exporter names to the Markdown of those that are there, for the model card.
    """

    records: dict[str, ExportRecord] = attrs.field(factory=dict)
    usage: dict[str, str] = attrs.field(factory=dict)

    @property
    def artifacts(self) -> dict[str, str]:
        """Paths inside the run folder of those that are there, by name ("export onnx")."""
        return {f"export {name}": one["folder"] for name, one in self.records.items() if one["folder"]}

    @property
    def failures(self) -> list[str]:
        """A warning for each export that failed."""
        return [f"the export to {name} failed: {one['failed']}" for name, one in self.records.items() if one["failed"]]


def export_chosen(source: ExportSource, folder: RunFolder) -> Exports:
    """Write `exports/NAME/` of a run folder for each of EXPORT.

    One that fails, in whatever way, is left out, with the reason in its record: the run and its other results stand.
    """
    done = Exports()
    if not source.plan.exporters:
        return done
    reference = reference_of(source)
    with placed_folder(folder.path, folder.exports.name) as temporary:
        for chosen in source.plan.exporters:
            place = temporary / chosen.name
            place.mkdir()
            where = f"{folder.exports.name}/{chosen.name}"
            try:
                exporter = make_exporter(chosen)
                record = write_export(exporter, chosen.name, source, place, reference)
                done.usage[chosen.name] = exporter.usage(source, where)
            except InterruptedRunError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever is raised, the training before it is not lost for it
                shutil.rmtree(place, ignore_errors=True)
                done.usage.pop(chosen.name, None)
                record = ExportRecord(folder=None, failed=_reason(chosen, error), bytes=0, seconds=0.0, checks=[])
            else:
                record["folder"] = where
            done.records[chosen.name] = record
    return done


def _reason(chosen: Choice, error: Exception) -> str:
    """Return why an export failed; the traceback of what was not foreseen goes to the log."""
    if isinstance(error, AdaptError):
        return str(error)
    log.error("the export to %s broke", chosen.name, exc_info=error)
    return f"{type(error).__name__}: {first_line(error)}"


def reference_of(source: ExportSource) -> Callable[[], Reference | None]:
    """Return a function that computes the trained model's answers when first called; None without inputs."""

    @cache
    def computed() -> Reference | None:
        inputs = source.inputs()
        return None if inputs is None else Reference.of(source.model(), inputs)

    return computed


def write_export(
    exporter: Exporter[Any], name: str, source: ExportSource, folder: Path, reference: Callable[[], Reference | None]
) -> ExportRecord:
    """Write a model by an exporter into an empty folder and ask it there.

    Args:
        exporter: the exporter.
        name: its name.
        source: what is exported.
        folder: an empty one.
        reference: of the source (`reference_of`); all exports of a run share one.

    Raises:
        InputError: this model has no such form.
        DefectError: the export does not compute what the trained model does.
    """
    started = time.perf_counter()
    log.info("exporting to %s", name)
    exporter.export(source, folder)
    seconds = time.perf_counter() - started
    checks = exporter.checks(source, folder)
    outcomes = []
    expected = reference() if checks else None
    if expected is not None:
        outcomes = [ask(check, source, folder, expected) for check in checks]
    elif checks:
        log.warning("%s is not checked: there is no batch to compare outputs on.", name)
    usage = exporter.usage(source, ".")
    if usage and not (folder / "README.md").exists():
        write_text(folder / "README.md", f"# {name}\n\n{usage.strip()}\n")
    for outcome in outcomes:
        log.info("%s", in_words(outcome))
    return ExportRecord(folder=None, failed=None, bytes=size_of(folder), seconds=round(seconds, 3), checks=outcomes)


def in_words(outcome: RuntimeOutcome) -> str:
    """Return what came of a check: "model.onnx in onnxruntime 1.32.0: outputs differ by at most 2e-06 ..."."""
    parts = [f"outputs differ by at most {outcome['max_difference']:.3g}"]
    if outcome["same_argmax"] is not None:
        parts.append(f"{100 * outcome['same_argmax']:.4g} % of the choices are the same")
    if outcome["latency_ms"] is not None:
        parts.append(f"{outcome['latency_ms']:.3g} ms a row, torch {outcome['torch_latency_ms']:.3g} ms")
    named = f"{outcome['name']} in " if outcome["name"] else ""
    return f"{named}{outcome['runtime']}: {', '.join(parts)} ({outcome['rows']} rows, {outcome['inputs']})"
