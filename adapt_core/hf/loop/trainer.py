"""The Trainer of a job: a subclass of transformers' Trainer, or of the one that a task names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler, find_batch_size
from transformers.trainer_utils import EvalLoopOutput

from adapt_core.distributed.batch_norm import broadcast_batch_norm_buffers
from adapt_core.distributed.sharding import plain_name
from adapt_core.hf.data.resampling import Shares
from adapt_core.hf.frozen.part import FrozenPart
from adapt_core.hf.frozen.rows import ROW
from adapt_core.hf.loop.backward_steps import BackwardStepCallback
from adapt_core.hf.loop.callbacks import TrainingCheckCallback
from adapt_core.hf.loop.checkpoints import with_checkpoints
from adapt_core.hf.loop.compiled_blocks import CompiledBlocks
from adapt_core.hf.loop.deferred_logits import computed
from adapt_core.hf.loop.encoder_outputs import encoded_once
from adapt_core.hf.loop.eval_padding import first_rows, own_row_count, pad_rows
from adapt_core.hf.loop.finite_losses import FiniteLossCallback
from adapt_core.hf.loop.kept_batches import KeptBatches
from adapt_core.hf.loop.lean_layers import Forward, lean_layers
from adapt_core.hf.loop.loss_items import EvaluatedItems, ItemShares, count_items, has_numbers
from adapt_core.hf.loop.output_layer import AllLogits, deferred_logits
from adapt_core.hf.loop.parts import Parts, in_row_order, joint_output
from adapt_core.hf.loop.samplers import ResumableLengthGroupedSampler, ShareSampler, fill_up, lengths_of, longest_first
from adapt_core.hf.loop.smoothed_labels import smoothed_labels
from adapt_core.nn.learning_rates import split_groups
from adapt_core.nn.weight_decay import decaying


def instrumented(trainer_class: type) -> type:
    """Return a subclass of a Trainer that passes each training loss to the training check.

    Losses are means over items, whatever the batches that they come in (see `loss_items`): `weigh_loss` is the weight
    of a batch in the loss of an evaluation where that is not the number of its items, and `reports_loss` says that the
    task computes that loss itself.

    In several processes it evaluates one model: all get the same batch norm statistics first. Rows grouped by length
    are trained on in an order that a resumed run draws again. `evaluated` is the dataset of the last evaluation and
    `order` its order of rows (by length, None where all are of one length), to match predictions with rows.

    Training steps smooth labels by `label_smoothing` (see `smoothed_labels`).

    The logits of `head`, where it is not None, are computed where something needs them (see `deferred_logits`);
    `lean_forwards` are used in training (see `lean_layers`), and `backward_steps` where it is not None; `encoder` is
    used where evaluations generate (see `encoded_once`);
    `compiled`, where it is not None, compiles the blocks of training steps, and `warn` says where that is not possible;
    `preprocess_logits`, where it is not None, makes of the logits and labels of a batch what metrics need.

    An epoch's rows are filled up to a multiple of `rows_of_whole_steps` with its first ones.

    `row_shares`, where it is not None, says how often an epoch shows each training row (see `ShareSampler`).

    A split in `parts` is evaluated one data set after the other, for metrics of each and of all.

    Where `frozen` has computed the frozen part of the model for a split, its batches start from there; `batches` keeps
    those of evaluated splits.
    """

    class Instrumented(with_checkpoints(trainer_class)):  # type: ignore[misc]
        training_check_callback: TrainingCheckCallback
        finite_losses: FiniteLossCallback
        backward_steps: BackwardStepCallback | None = None
        prepare_evaluation: Callable[[], None]
        check_step: Callable[[nn.Module], None]
        evaluated: Dataset[Any] | None = None
        order: list[int] | None = None
        weigh_loss: Callable[[Mapping[str, Any]], torch.Tensor] | None = None
        reports_loss: bool = False
        label_smoothing: float = 0.0
        head: nn.Module | None = None
        encoder: nn.Module | None = None
        lean_forwards: Mapping[nn.Module, Forward] = MappingProxyType({})
        compiled: CompiledBlocks | None = None
        warn: Callable[[list[str]], None]
        preprocess_logits: Callable[[Any, Any], Any] | None = None
        frozen: FrozenPart
        parts: Sequence[tuple[Any, Parts]] = ()
        rate_factors: Mapping[str, float] = MappingProxyType({})
        train_dataset: Any
        rows_of_whole_steps: int = 1
        row_shares: Shares | None = None

        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.loss_is_scaled_for_ga = True  # By the model, or by the shares.
            self.shares = ItemShares(self.accelerator)
            self.evaluated_items = EvaluatedItems(self.accelerator)
            self.all_logits = AllLogits()
            self.batches = KeptBatches(again=self.args.do_train)

        def get_eval_dataloader(self, eval_dataset: Dataset[Any] | None = None) -> DataLoader[Any]:
            self.evaluated = self.eval_dataset if eval_dataset is None else eval_dataset
            with self._loading(self.evaluated) as examples:
                kept = self.batches.find(examples)
                if kept is not None:
                    self.order = kept[1]
                    return kept[0]
                loader: DataLoader[Any] = super().get_eval_dataloader(examples)
            self.batches.keep(examples, loader, self.order)
            return loader

        def get_train_dataloader(self) -> DataLoader[Any]:
            given: Any = self.train_dataset
            with self._loading(given) as self.train_dataset:
                try:
                    loader: DataLoader[Any] = super().get_train_dataloader()
                finally:
                    self.train_dataset = given
            fill_up(loader, self.rows_of_whole_steps)
            return loader

        @contextmanager
        def _loading(self, split: Any) -> Iterator[Any]:
            """Yield the examples of a split; those of a computed frozen part need no loading processes."""
            processes = self.args.dataloader_num_workers
            if self.frozen.holds(split):
                self.args.dataloader_num_workers = 0
            try:
                yield self.frozen.rows(split)
            finally:
                self.args.dataloader_num_workers = processes

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            if ROW not in self._signature_columns:
                self._signature_columns.append(ROW)

        def evaluate(self, *args: object, **kwargs: object) -> dict[str, float]:
            self.prepare_evaluation()
            broadcast_batch_norm_buffers(self.model, self.args.world_size)
            loaders = self.accelerator._dataloaders
            before = len(loaders)
            try:
                with nullcontext() if self.averages is None else self.averages.applied():
                    metrics: dict[str, float] = super().evaluate(*args, **kwargs)
            finally:
                del loaders[before:]  # accelerate would keep the loader of each evaluation, with its view of the rows
            return metrics

        def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
            is_new = self.optimizer is None
            optimizer: torch.optim.Optimizer = super().create_optimizer(model)
            if is_new and self.rate_factors:
                trained = self.model if model is None else model
                named = [(plain_name(name), one) for name, one in trained.named_parameters()]
                split_groups(optimizer, named, dict(self.rate_factors))
            return optimizer

        def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
            names = decaying(model)
            return [name for name in super().get_decay_parameter_names(model) if name in names]

        def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
            rows = self.train_dataset if train_dataset is None else train_dataset
            lengths = lengths_of(rows) if self.args.train_sampling_strategy == "group_by_length" else None
            of_step = self.args.train_batch_size * self.args.gradient_accumulation_steps
            if self.row_shares is not None:
                return ShareSampler(
                    self.row_shares,
                    self.args.seed,
                    shows_repeats=getattr(rows, "shows_repeats", False),
                    lengths=lengths,
                    rows_of_step=of_step * self.args.world_size,
                )
            if lengths is None:
                sampler: Sampler[int] | None = super()._get_train_sampler(train_dataset)
                if not isinstance(sampler, LengthGroupedSampler):
                    return sampler
                lengths = sampler.lengths
            return ResumableLengthGroupedSampler(lengths, of_step, self.args.world_size)

        def _get_eval_sampler(self, eval_dataset: Dataset[Any]) -> Sampler[int] | list[int] | None:
            lengths = lengths_of(eval_dataset)
            sampler: Sampler[int] | None = None if lengths else super()._get_eval_sampler(eval_dataset)
            if isinstance(sampler, LengthGroupedSampler):
                lengths = sampler.lengths
            self.order = longest_first(lengths) if lengths else None
            return self.order or sampler

        def _items(self, batch: Mapping[str, Any]) -> torch.Tensor:
            return count_items(batch, shifted=self._loss_shifts_labels)

        def get_batch_samples(self, *args: object, **kwargs: object) -> Any:
            batches, items = super().get_batch_samples(*args, **kwargs)
            if batches and has_numbers(batches[0]):
                items = None  # it does not count numbers of -100
            if not self._divides(items):
                self.shares.of_step([self._items(batch) for batch in batches])
            return batches, items

        def _divides(self, items: torch.Tensor | int | None) -> bool:
            """Return whether the loss of a batch comes divided by the items of the whole step."""
            return items is not None and (self.model_accepts_loss_kwargs or self.compute_loss_func is not None)

        def compute_loss(
            self,
            model: nn.Module,
            inputs: Mapping[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: torch.Tensor | int | None = None,
        ) -> Any:
            if not model.training:
                # The mean of this process's batch, as one process computes it.
                return super().compute_loss(model, inputs, return_outputs, None)
            loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
            share = 1.0 if self._divides(num_items_in_batch) else self.shares.next()
            if share != 1:
                loss = loss * share
            return (loss, outputs) if return_outputs else loss

        def prediction_step(self, model: nn.Module, inputs: Mapping[str, Any], *args: object, **kwargs: object) -> Any:
            own = own_row_count(self, inputs)
            rows = first_rows(inputs, own) if own else inputs
            weight = (self.weigh_loss or self._items)(rows)
            once = encoded_once(self.encoder)
            with self.frozen.replayed(rows, self.evaluated) as given, deferred_logits(self.head, self.all_logits), once:
                loss, logits, labels = super().prediction_step(model, given, *args, **kwargs)
            if logits is not None and self.preprocess_logits is not None:
                logits = self.preprocess_logits(logits, labels)
            logits = computed(logits)
            if loss is not None and own != 0:
                self.evaluated_items.add(loss, weight)
            results = [logits, labels]
            return loss, *(pad_rows(results, int(find_batch_size(inputs))) if own else results)

        def evaluation_loop(self, dataloader: DataLoader[Any], *args: Any, **kwargs: Any) -> EvalLoopOutput:
            whole = self.evaluated
            parts = next((parts for split, parts in self.parts if split is whole), None)
            if parts is None:
                return self._evaluation(dataloader, *args, **kwargs)
            items, found = EvaluatedItems(self.accelerator), dict[str, EvalLoopOutput]()
            for name, rows in parts.items():
                output = self._evaluation(self.get_eval_dataloader(rows), *args, **kwargs)
                items.include(self.evaluated_items)
                found[name] = in_row_order(output, self.order)
            self.evaluated, self.order, self.evaluated_items = whole, None, items

            def loss() -> float | None:
                return None if self.reports_loss else items.mean()

            return joint_output(found, self.compute_metrics, kwargs["metric_key_prefix"], loss)

        def _evaluation(self, *args: object, **kwargs: object) -> EvalLoopOutput:
            self.evaluated_items = EvaluatedItems(self.accelerator)
            output: EvalLoopOutput = super().evaluation_loop(*args, **kwargs)
            loss = None if self.reports_loss else self.evaluated_items.mean()
            if loss is not None and output.metrics is not None:
                output.metrics[f"{kwargs['metric_key_prefix']}_loss"] = loss
            return output

        def _get_grad_norm(self, model: nn.Module, grad_norm: torch.Tensor | None = None) -> float | None:
            own = None if self.backward_steps is None else self.backward_steps.norm()
            norm: float | None = super()._get_grad_norm(model, grad_norm=grad_norm if own is None else own)
            return norm

        def training_step(
            self, model: nn.Module, inputs: Mapping[str, Any], *args: object, **kwargs: object
        ) -> torch.Tensor:
            self.check_step(model)
            replayed = self.frozen.replayed(inputs, self.train_dataset)
            smoothed = smoothed_labels(self.label_smoothing, self.model)
            deferred = deferred_logits(self.head, self.all_logits)
            with smoothed, deferred, replayed as given, self._layers(model, given):
                loss: torch.Tensor = super().training_step(model, given, *args, **kwargs)
            self.finite_losses.see_loss(self.state.global_step, loss)
            self.training_check_callback.see_loss(loss)
            return loss

        def _layers(self, model: nn.Module, inputs: Mapping[str, Any]) -> AbstractContextManager[None]:
            """Return the context in which the layers of a training step are compiled, or keep less."""
            if self.compiled is not None:

                def loss() -> torch.Tensor:
                    model.train()
                    prepared = self._prepare_inputs(dict(inputs))
                    with self.compute_loss_context_manager():
                        value: torch.Tensor = super(Instrumented, self).compute_loss(
                            self.accelerator.unwrap_model(model), prepared
                        )
                    return value

                fault = self.compiled.try_once(loss)
                if fault is None:
                    return self.compiled.used()
                self.compiled = None
                self.warn([f"COMPILE: the blocks of the model are not compiled: {fault}."])
            return lean_layers(self.lean_forwards)

    Instrumented.__name__ = trainer_class.__name__
    return Instrumented
