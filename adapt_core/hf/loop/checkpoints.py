"""A Trainer whose checkpoints are written in the background, into folders that the run claims."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from adapt_core.hf.loop.averaged_weights import AveragedWeights
from adapt_core.hf.loop.background import CheckpointCopies
from adapt_core.nn.staging import write_state
from adapt_core.run_folder.checkpoints import claim_checkpoint


def _is_in(folder: str | None, name: str) -> bool:
    return folder is not None and (Path(folder) / name).is_file()


def with_checkpoints(trainer_class: type) -> type:
    """Return a subclass of a Trainer that writes the large files of a checkpoint by the writer of its `copies`.

    What is small (random states, the schedule, counters) is written at once.

    Checkpoints use the model's own parameter names: transformers would write the published names of models that it
    renames while loading (ViT), and find none of them when it resumes or loads the best checkpoint.
    """

    class WithCheckpoints(trainer_class):
        copies: CheckpointCopies
        averages: AveragedWeights | None = None

        def _save_checkpoint(self, *args: object, **kwargs: object) -> None:
            self.copies.begin(self.model, self.optimizer, sharded=self.is_fsdp_enabled)
            if self.is_world_process_zero():
                claim_checkpoint(Path(str(self.args.output_dir)) / f"checkpoint-{self.state.global_step}")
            if self.args.world_size > 1:
                torch.distributed.barrier()  # The others make the folder too.
            super()._save_checkpoint(*args, **kwargs)

        def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
            model = self.accelerator.unwrap_model(self.model)
            if self.copies.writer.enabled and self.args.should_save:
                state_dict = self.copies.of_model(model, model.state_dict() if state_dict is None else state_dict)
            self.copies.writer.add(partial(self._write_model, model, output_dir, state_dict))

        def _write_model(self, model: nn.Module, output_dir: str | None, state_dict: dict[str, Any] | None) -> None:
            if not isinstance(model, PreTrainedModel):
                super()._save(output_dir, state_dict)
                return
            vars(model)["save_pretrained"] = partial(type(model).save_pretrained, model, save_original_format=False)
            try:
                super()._save(output_dir, state_dict)
            finally:
                del vars(model)["save_pretrained"]

        def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
            if self.is_fsdp_enabled:
                with self.copies.sharded():
                    super()._save_optimizer_and_scheduler(output_dir)
            elif self.args.should_save:
                state = self.optimizer.state_dict()
                if self.copies.writer.enabled:
                    state = self.copies.of_optimizer(state)
                self.copies.writer.add(partial(write_state, state, Path(output_dir) / OPTIMIZER_NAME))
                torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

        def _load_rng_state(self, checkpoint: str | None) -> None:
            own = f"rng_state_{self.args.process_index}.pth" if self.args.world_size > 1 else "rng_state.pth"
            first = next((name for name in ("rng_state_0.pth", "rng_state.pth") if _is_in(checkpoint, name)), None)
            if checkpoint is None or first is None or _is_in(checkpoint, own) or self.args.process_index > 0:
                super()._load_rng_state(checkpoint)
                return
            # Of another number of processes: the order of later epochs' rows is drawn from the first one's state.
            with tempfile.TemporaryDirectory() as folder:
                shutil.copy(Path(checkpoint) / first, Path(folder) / own)
                super()._load_rng_state(folder)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: object, **kwargs: object) -> None:
            super()._load_from_checkpoint(resume_from_checkpoint, *args, **kwargs)
            if self.averages is not None:
                self.averages.resume(Path(resume_from_checkpoint))

        def load_kept(self, checkpoint: Path) -> None:
            """Load the weights that a run would keep of a checkpoint: its averages, where weights are averaged."""
            best, self.state.best_model_checkpoint = self.state.best_model_checkpoint, str(checkpoint)
            try:
                super()._load_best_model()
            finally:
                self.state.best_model_checkpoint = best
            if self.averages is not None:
                self.averages.put_in(checkpoint)

        def _load_best_model(self) -> None:
            self.copies.writer.wait()
            if self.args.world_size > 1:
                torch.distributed.barrier()  # rank 0 writes the best one, too
            super()._load_best_model()
            if self.averages is not None:
                self.averages.load(Path(self.state.best_model_checkpoint))

    return WithCheckpoints
