"""The base class of summarization and translation, with any model that AutoModelForSeq2SeqLM loads."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import spread
from adapt_core.hf.models.tokenizers import positions_of
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens

from adapt_nlp.params import SummarizationParams, TranslationParams
from adapt_nlp.seq2seq.data import Limits, prepare_pairs
from adapt_nlp.seq2seq.metrics import Score, TextScores
from adapt_nlp.seq2seq.multilingual import Direction
from adapt_nlp.seq2seq.preview import as_samples, tokenized_pairs
from adapt_nlp.seq2seq.text_fields import Source, TextField

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import nn
    from transformers import PreTrainedTokenizerBase

_ROWS_PER_TRAINED_ROW = 4
"""Rows of a batch that texts are generated from, for each of a training batch: a token takes a pass over the weights,
however many rows there are."""
_ENOUGH_ROWS, _MOST_ROWS = 32, 128
"""Beyond it a batch gains little, and its rows wait for the longest text; the latter with a small model."""
_SMALL = 100_000_000
"""Parameters below which much of a pass is not its rows' arithmetic. On one thread of a CPU a row of 64 takes 0.86 of
the time of one of 32 with 4 million parameters, 0.88 with 61 million, 0.93 with 139 million."""
_LOGIT_BYTES = 2**26
"""Of a pass over more than _ENOUGH_ROWS rows. A training step has the logits of a chunk of its tokens."""

log = logging.getLogger(__name__)

ParamsT = TypeVar("ParamsT", SummarizationParams, TranslationParams)


def generated_rows(model: nn.Module, rows: int, beams: int | None) -> int:
    """Return the rows of a batch whose texts are generated, for which a training step's memory is room.

    A training step of the encoder has the activations of every layer in memory, generation those of one, and the keys
    and values of the decoder for each beam. Where the encoder does not train, a step keeps little too.

    Args:
        model: an encoder-decoder, with what trains.
        rows: of a batch of training.
        beams: `num_beams`; None for the model's own.
    """
    module: Any = model
    if not any(parameter.requires_grad for parameter in module.get_encoder().parameters()):
        return rows
    words = int(module.get_output_embeddings().weight.shape[0])
    small = sum(parameter.numel() for parameter in model.parameters()) < _SMALL
    enough = max(_ENOUGH_ROWS, min(_MOST_ROWS, _LOGIT_BYTES // (4 * words))) if small else _ENOUGH_ROWS
    most = min(_ROWS_PER_TRAINED_ROW * rows, enough)
    return max(rows, most // (beams or module.generation_config.num_beams or 1))


class Seq2SeqTask(LanguageTask[ParamsT], ABC):
    """Base class of summarization and translation.

    Attributes:
        answer: the key of a generated text in a prediction.
        example: an input for the loading lines.
    """

    auto_class = "AutoModelForSeq2SeqLM"
    answer: ClassVar[str]
    example: ClassVar[str]
    _scores: TextScores | None = None

    @abstractmethod
    def find_fields(self, rows: Dataset, split: str) -> tuple[Source, TextField]:
        """Return where source and target are in the rows of a split."""

    @abstractmethod
    def score(self) -> Score:
        """Return the function of eval_metric."""

    @property
    @abstractmethod
    def metrics(self) -> dict[str, str]:
        """The metrics of eval_metric, the one that selects the best checkpoint first."""

    @property
    @abstractmethod
    def generation_max_length(self) -> int:
        """The longest generated text in tokens."""

    @property
    def reported(self) -> dict[str, str]:
        """The metrics of a run: none but the loss without predict_with_generate."""
        return self.metrics if self.params.predict_with_generate else {}

    def check(self) -> None:
        """Check data and model, and that METRIC_FOR_BEST is reported.

        Raises:
            InputError: one of them is at fault.
        """
        if self.plan.metrics and not self.params.predict_with_generate:
            raise InputError("METRICS score written texts, and predict_with_generate is false. Leave one of them out.")
        self.require_metric(list(self.reported))
        if self.generation_max_length < self.params.max_target_length:
            log.warning(
                "generation_max_length %d is below max_target_length %d: generated texts end before targets do.",
                self.generation_max_length,
                self.params.max_target_length,
            )
        super().check()

    def set_direction(self, tokenizer: PreTrainedTokenizerBase) -> Direction | None:
        """Set the languages of a multilingual tokenizer. Only translation has any."""
        return None

    def limits(self) -> Limits:
        """Return the longest source and target.

        Raises:
            InputError: one is longer than the model's positions, or the model is not an encoder-decoder.
        """
        config, params = self.config, self.params
        if not getattr(config, "is_encoder_decoder", False):
            raise InputError(
                f"MODEL_PATH: {self.source.given} is a {config.model_type}, not an encoder-decoder. "
                f"{self.plan.task.name} takes models such as T5, BART, Marian or mBART."
            )
        for key, wanted, half in (
            ("max_input_length", params.max_input_length, "encoder"),
            ("max_target_length", params.max_target_length, "decoder"),
            ("generation_max_length", self.generation_max_length, "decoder"),
        ):
            positions = positions_of(getattr(config, half, config))
            if positions is not None and wanted > positions:
                raise InputError(
                    f"{key} {wanted} is more than the {positions} positions of the model's {half}. Lower it."
                )
        return Limits(params.max_input_length, params.max_target_length)

    def load_data(self) -> TaskData:
        """Return the splits as token ids with labels."""
        limits = self.limits()
        self.set_direction(self.tokenizer)
        return prepare_pairs(self.plan, self.tokenizer, limits, self.find_fields)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load an encoder-decoder with its special tokens and generation config set."""
        from adapt_nlp.seq2seq.generation import set_generation, set_special_tokens

        loaded = self.load_base({}, quantizer, world)
        set_special_tokens(loaded.model, self.tokenizer, self.set_direction(self.tokenizer))
        set_generation(loaded.model, self.generation_max_length, self.params.num_beams)
        return loaded

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return False: a language-model head comes with the checkpoint."""
        return False

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """transformers' collator, which pads sources and targets to the longest of each."""
        from transformers import DataCollatorForSeq2Seq

        collator: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]] = DataCollatorForSeq2Seq(self.tokenizer)
        return collator

    def make_loop(self, job: Job) -> Loop:
        """Return a Seq2SeqTrainer that pads each batch to its longest source and target."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        generates = self.params.predict_with_generate
        training = self.plan.training
        rows = training.batch_size
        if generates and not training.gradient_checkpointing:
            rows = generated_rows(job.model, rows, self.params.num_beams)
        scores = self._scores = TextScores(self.tokenizer, self.score())
        components = TrainerComponents(
            collate=self.collator,
            compute_metrics=scores if generates else None,
            evaluated_rows=scores.evaluated_rows if generates else None,
            metrics=self.reported,
            label_smoothing=self.params.label_smoothing,
            processing_class=self.tokenizer,
            trainer_class="transformers:Seq2SeqTrainer",
            arguments_class="transformers:Seq2SeqTrainingArguments",
            arguments={
                "predict_with_generate": generates,
                "generation_max_length": self.generation_max_length,
                "generation_num_beams": self.params.num_beams,
                "per_device_eval_batch_size": training.eval_batch_size or rows,
            },
        )
        loop = HuggingFaceLoop(job, components)
        scores.progress = lambda: (int(loop.trainer.state.global_step), loop.trainer.state.best_global_step)
        return loop

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the source tokens of training pairs, each followed by the target as text."""
        return tokenized_pairs(self.tokenizer, data, count)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and generate a text."""
        params = self.params
        direction: Direction | None = self.set_direction(self.tokenizer)
        use = [
            *([f"tokenizer.src_lang = {direction.source!r}"] if direction else []),
            f"text = {(params.prefix or '') + self.example!r}",
            f'inputs = tokenizer(text, truncation=True, max_length={params.max_input_length}, return_tensors="pt")',
            f"{self.answer} = tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True).strip()",
        ]
        return self.loading_with(use, save_method)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"text", "summary"} or {"text", "translation"} for each text."""
        tokenizer = self.saved_tokenizer(folder)
        self.set_direction(tokenizer)
        texts = [str(text) for text in inputs]
        generated = self._generate(model, tokenizer, texts)
        return [{"text": text, self.answer: found} for text, found in zip(texts, generated, strict=True)]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation texts with their target and the generated text."""
        pairs = self._spread_pairs(data, count)
        return as_samples(pairs, self._generate(model, self.tokenizer, [source for source, _ in pairs]))

    def shown_inputs(self, data: TaskData, positions: Sequence[int]) -> list[str]:
        """Return the sources of validation rows."""
        rows = data.rows["validation"]
        source, _ = self.find_fields(rows, "validation")
        return [str(source.text(rows[position])) for position in positions]

    def evaluated_samples(self, metrics: Mapping[str, float], data: TaskData) -> list[dict[str, Any]] | None:
        """Return the samples of the evaluation with these metrics, from the texts that it generated."""
        generated = self._scores.kept(metrics) if self._scores else None
        return None if generated is None else as_samples(self._spread_pairs(data, len(generated)), generated)

    def _generate(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[str]:
        from adapt_nlp.seq2seq.predict import generate_texts

        return generate_texts(model, tokenizer, texts, self.params.prefix or "", self.params.max_input_length)

    def _spread_pairs(self, data: TaskData, count: int) -> list[tuple[str, str]]:
        """Return (source, target) of evenly spaced validation rows."""
        rows = data.rows["validation"]
        source, target = self.find_fields(rows, "validation")
        return [(str(source.text(row)), target.text(row)) for row in rows.select(spread(len(rows), count))]
