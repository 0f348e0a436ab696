"""One training step of a run's own loop, and the bytes of its tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy
import torch

from adapt_core.config.plan import Plan
from adapt_core.contracts import TaskData
from adapt_core.distributed.world import World
from adapt_core.estimate.activations import Kept, Recomputed
from adapt_core.execution.components import Components
from adapt_core.execution.pipeline import Run
from adapt_core.execution.preparation import Attached, attach_prepared
from adapt_core.nn.products import fast_products
from adapt_core.plugin.registry import Registry
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.progress import SilentReporter
from adapt_core.verification.training import TrainingCheck


def storages(tensors: Any) -> dict[int, int]:
    """Return the bytes of each storage, counting each once."""
    return {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors if isinstance(t, torch.Tensor)}


def statistics(model: Any) -> list[Any]:
    """Return the statistics tensors of quantized weights."""
    found = []
    for tensor in model.parameters():
        state = getattr(tensor, "quant_state", None)
        if state is not None:
            nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
            found += [state.absmax, *nested]
        found.append(getattr(tensor, "SCB", None))
    return found


def real_step(plan: Plan, device: str) -> dict[str, int]:
    """Return the bytes of weights, gradients, optimizer state and saved activations in one step on the largest batch.

    Args:
        plan: of one step, in a folder of its own.
        device: where it trains.
    """
    run = Run(
        plan=plan,
        world=World(device=device),
        components=Components.of(plan),
        registry=Registry.discover(),
        reporter=SilentReporter(),
        decision=ResumeDecision(folder=RunFolder(plan.output_dir)),
    )
    data = run.load_data()
    attached = attach_prepared(plan, run.components, run.load_model(data), data)
    model: Any = attached.model.to(device)
    kept = Kept(set(storages([*model.parameters(), *model.buffers(), *statistics(model)])))
    return (_detector_step if plan.loop == "mm" else _trainer_step)(run, data, attached, kept)


def _trainer_step(run: Run, data: TaskData, attached: Attached, kept: Kept) -> dict[str, int]:
    """Train a step with the Trainer of the run, whose batch is the largest; activations are those of its loss."""
    from transformers.trainer_utils import SaveStrategy

    model = attached.model
    check = TrainingCheck(model, run.components.method.trainable_groups(model), run.plan.method.name)
    loop: Any = run.make_loop(data, attached, check, run.components.launcher.parallel_strategy(run.world))
    trainer = loop.trainer
    largest = _longest_rows(trainer)
    compute, train = trainer.compute_loss, trainer.training_step
    found: dict[str, int] = {}

    def counted_loss(*args: Any, **kwargs: Any) -> Any:
        with kept.counting(model, Recomputed.of(run.plan.training)):
            return compute(*args, **kwargs)

    def counted_step(module: Any, inputs: Mapping[str, Any], *args: Any) -> torch.Tensor:
        batch = inputs if largest is None else {name: largest[name] for name in inputs}
        loss: torch.Tensor = train(module, batch, *args)
        found["gradients"] = _bytes(parameter.grad for parameter in model.parameters())
        return loss

    trainer.compute_loss, trainer.training_step = counted_loss, counted_step
    trainer.args.save_strategy = SaveStrategy.NO
    with fast_products(wanted=run.plan.training.fast_products):
        loop.train(None)
    return {**found, "activations": kept.bytes, **_held(model, trainer.optimizer)}


def _longest_rows(trainer: Any) -> Any:
    """Return the batch of the longest rows or packs that the loop trains on; None for images, all of one size."""
    from adapt_core.hf.loop.samplers import lengths_of

    rows = trainer.train_dataset
    lengths = getattr(rows, "lengths", None) if lengths_of(rows) is None else lengths_of(rows)
    if lengths is None:
        return None
    longest = numpy.argsort(-numpy.asarray(lengths), kind="stable")[: trainer.args.train_batch_size]
    return trainer.data_collator([rows[int(number)] for number in longest])


def _detector_step(run: Run, data: TaskData, attached: Attached, kept: Kept) -> dict[str, int]:
    model = attached.model.train()
    loss = _detector_loss(run.plan, data, model)
    with kept.counting(model, Recomputed.of(run.plan.training)), _recomputed(run.plan, model):
        value = loss()
    value.backward()
    gradients = _bytes(parameter.grad for parameter in model.parameters())
    optimizer = _detector_optimizer(run.plan, model, run.world)
    optimizer.step()
    return {"gradients": gradients, "activations": kept.bytes, **_held(model, optimizer)}


def _held(model: Any, optimizer: Any) -> dict[str, int]:
    states = (value for held in optimizer.state.values() for value in held.values())
    weights = _bytes([*model.parameters(), *model.buffers(), *statistics(model)])
    return {"weights": weights, "optimizer": _bytes(states)}


def _bytes(tensors: Any) -> int:
    return sum(storages(tensors).values())


def _recomputed(plan: Plan, model: Any) -> AbstractContextManager[None]:
    from adapt_vision_mm.openmmlab.activation_checkpointing import checkpointed_activations

    return checkpointed_activations(model, enabled=plan.training.gradient_checkpointing)


def _detector_loss(plan: Plan, data: TaskData, model: Any) -> Callable[[], torch.Tensor]:
    from mmengine.dataset import pseudo_collate

    batch = pseudo_collate([data.train[row] for row in range(plan.training.batch_size)])

    def loss() -> torch.Tensor:
        losses = model._run_forward(model.data_preprocessor(batch, True), mode="loss")
        found: torch.Tensor = model.parse_losses(losses)[0]
        return found

    return loss


def _detector_optimizer(plan: Plan, model: Any, world: World) -> Any:
    from mmengine.optim import build_optim_wrapper

    import adapt_vision_mm.openmmlab.weight_decay  # noqa: F401 - registers the constructor that the wrapper names
    from adapt_vision_mm.openmmlab.optimizer import optim_wrapper

    return build_optim_wrapper(model, optim_wrapper(plan, None, world, None)).optimizer
