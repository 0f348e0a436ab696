"""The tasks summarization and translation, with any encoder-decoder that transformers' AutoModelForSeq2SeqLM loads."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import InputError
from adapt_core.evaluation import spread
from adapt_core.hf.models.tokenizers import positions_of
from adapt_core.hf.tasks.inputs import read_texts_by
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import example_tokens, spread_examples

from adapt_nlp.seq2seq import data as pairs
from adapt_nlp.seq2seq.metrics import BLEU, ROUGE, SACREBLEU, Score, TextScores
from adapt_nlp.seq2seq.multilingual import Direction, set_direction
from adapt_nlp.seq2seq.text_fields import Formatted, Place, column_places, source_or_target, translated_places

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import nn

log = logging.getLogger(__name__)


class TextToText(LanguageTask, ABC):
    """What summarization and translation share.

    Attributes:
        answer: the key of a generated text in a prediction.
        example: an input for the loading lines.
    """

    auto_class = "AutoModelForSeq2SeqLM"
    head_names = ("lm_head", "predictions.decoder")
    answer: ClassVar[str]
    example: ClassVar[str]
    _scores: TextScores | None = None

    @abstractmethod
    def places(self, rows: Dataset, split: str) -> tuple[Place | Formatted, Place]:
        """Where source and target stand in the rows of a split."""

    @abstractmethod
    def score(self) -> Score:
        """eval_metric as a function."""

    @property
    @abstractmethod
    def metrics(self) -> dict[str, str]:
        """The metrics of eval_metric, the deciding one first."""

    @property
    def generation_max_length(self) -> int:
        """Longest generated text in tokens."""
        return int(self.plan.task.params.generation_max_length)

    @property
    def reported(self) -> dict[str, str]:
        """The metrics of a run: none beside the loss without predict_with_generate."""
        return self.metrics if self.plan.task.params.predict_with_generate else {}

    def check(self) -> None:
        """Data and model are there; the metric that decides is reported."""
        self.require_metric(list(self.reported))
        if self.generation_max_length < self.plan.task.params.max_target_length:
            log.warning(
                "generation_max_length %d is below max_target_length %d: generated texts end before targets do.",
                self.generation_max_length,
                self.plan.task.params.max_target_length,
            )
        super().check()

    def direct(self, tokenizer: Any) -> Direction | None:
        """Tells a multilingual tokenizer its languages. Only translation has any."""
        return None

    def limits(self) -> pairs.Limits:
        """The longest input and target.

        Raises:
            InputError: they are longer than the model's positions, or the model is no encoder-decoder.
        """
        if not getattr(self.config, "is_encoder_decoder", False):
            raise InputError(
                f"MODEL_PATH: {self.source.given} is a {self.config.model_type}, no encoder-decoder. "
                f"{self.plan.task.name} takes models such as T5, BART, Marian or mBART."
            )
        params = self.plan.task.params
        config = self.config
        for key, wanted, part in (
            ("max_input_length", params.max_input_length, "encoder"),
            ("max_target_length", params.max_target_length, "decoder"),
            ("generation_max_length", self.generation_max_length, "decoder"),
        ):
            positions = positions_of(getattr(config, part, config))
            if positions is not None and wanted > positions:
                raise InputError(f"{key} {wanted} is more than the {positions} positions of the model's {part}.")
        return pairs.Limits(params.max_input_length, params.max_target_length)

    def load_data(self) -> TaskData:
        """The splits as token ids with labels."""
        limits = self.limits()
        self.direct(self.tokenizer)
        return pairs.load(self.plan, self.tokenizer, limits, self.places)

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """An encoder-decoder, set to generate as the config says."""
        from adapt_nlp.seq2seq.generation import set_generation, set_special_tokens

        loaded = self.load_base({}, quantizer, world)
        set_special_tokens(loaded.model, self.tokenizer, self.direct(self.tokenizer))
        set_generation(loaded.model, self.generation_max_length, self.plan.task.params.num_beams)
        return loaded

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """A language-model head does not train beside an adapter."""
        return False

    @property
    def collator(self) -> Any:
        """Inputs and targets padded to the longest of each."""
        from transformers import DataCollatorForSeq2Seq

        return DataCollatorForSeq2Seq(self.tokenizer)

    def make_loop(self, job: Job) -> Loop:
        """A Seq2SeqTrainer that pads each batch to its longest input and target."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        params = self.plan.task.params
        generates = params.predict_with_generate
        self._scores = TextScores(self.tokenizer, self.score())
        parts = TrainerComponents(
            collate=self.collator,
            compute_metrics=self._scores if generates else None,
            metrics=self.reported,
            processing_class=self.tokenizer,
            trainer_class="transformers:Seq2SeqTrainer",
            arguments_class="transformers:Seq2SeqTrainingArguments",
            arguments={
                "predict_with_generate": generates,
                "generation_max_length": self.generation_max_length,
                "generation_num_beams": params.num_beams,
            },
        )
        return HuggingFaceLoop(job, parts)

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """The tokens of the input, then the target's as text."""
        return [
            [
                *((token, "") for token in example_tokens(self.tokenizer, example)),
                ("", " ".join(self.tokenizer.convert_ids_to_tokens(example["labels"]))),
            ]
            for example in spread_examples(data, count)
        ]

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and generates one text."""
        params = self.plan.task.params
        direction = self.direct(self.tokenizer)
        use = [
            *([f"tokenizer.src_lang = {direction.source!r}"] if direction else []),
            f"text = {(params.prefix or '') + self.example!r}",
            f'inputs = tokenizer(text, truncation=True, max_length={params.max_input_length}, return_tensors="pt")',
            f"{self.answer} = tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True).strip()",
        ]
        return self.loading_with(use, save_method)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each text {"text", "summary"} or {"text", "translation"}."""
        from adapt_nlp.seq2seq.generation import generate_texts

        tokenizer = self.saved_tokenizer(folder)
        self.direct(tokenizer)
        texts = [str(text) for text in inputs]
        params = self.plan.task.params
        generated = generate_texts(model, tokenizer, texts, params.prefix or "", params.max_input_length)
        return [{"text": text, self.answer: found} for text, found in zip(texts, generated, strict=True)]

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation texts with their target, and what the model generates."""
        from adapt_nlp.seq2seq.generation import generate_texts

        pairs_shown = self._shown(data, count)
        params = self.plan.task.params
        texts = [text for text, _ in pairs_shown]
        generated = generate_texts(model, self.tokenizer, texts, params.prefix or "", params.max_input_length)
        return _samples(pairs_shown, generated)

    def evaluated_samples(self, metrics: Mapping[str, float], data: TaskData) -> list[dict[str, Any]] | None:
        """The same, of the texts that the evaluation with these metrics generated."""
        generated = self._scores.kept(metrics) if self._scores else None
        return None if generated is None else _samples(self._shown(data, len(generated)), generated)

    def _shown(self, data: TaskData, count: int) -> list[tuple[str, str]]:
        """(source, target) of validation rows."""
        rows = data.rows["validation"]
        source, target = self.places(rows, "validation")
        return [(source.text(row), target.text(row)) for row in rows.select(spread(len(rows), count))]


def _samples(shown: Sequence[tuple[str, str]], generated: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"input": text, "expected": wanted, "predicted": found}
        for (text, wanted), found in zip(shown, generated, strict=True)
    ]


class Summarization(TextToText):
    """The task summarization."""

    answer = "summary"
    example = "A text to summarize."

    def places(self, rows: Dataset, split: str) -> tuple[Place | Formatted, Place]:
        """Two columns, `document` and `summary` where no others are named."""
        return column_places(self.plan)

    @property
    def metrics(self) -> dict[str, str]:
        """rouge or bleu."""
        return BLEU if self.plan.task.params.eval_metric == "bleu" else ROUGE

    def score(self) -> Score:
        """ROUGE on Porter stems, the field's way for summaries, or BLEU."""
        from functools import partial

        from adapt_nlp.metrics.bleu import bleu
        from adapt_nlp.metrics.rouge import rouge

        return bleu if self.plan.task.params.eval_metric == "bleu" else partial(rouge, use_stemmer=True)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Texts, .txt files (one text a line), or files with the input column or FORMAT_STRING's columns."""
        source, _ = column_places(self.plan)
        return read_texts_by(arguments, self.plan, lambda rows, name: source)


class Translation(TextToText):
    """The task translation."""

    answer = "translation"
    example = "A text to translate."

    def check(self) -> None:
        """As its parent's; the two languages differ."""
        params = self.plan.task.params
        if params.source_lang.casefold() == params.target_lang.casefold():
            raise InputError(f"source_lang and target_lang are both {params.source_lang!r}.")
        super().check()

    def places(self, rows: Dataset, split: str) -> tuple[Place | Formatted, Place]:
        """A column `translation` of languages and texts, or two columns."""
        return translated_places(self.plan, rows, split)

    @property
    def generation_max_length(self) -> int:
        """generation_max_length, else max_target_length."""
        params = self.plan.task.params
        return int(params.generation_max_length or params.max_target_length)

    @property
    def metrics(self) -> dict[str, str]:
        """sacrebleu or rouge."""
        return SACREBLEU if self.plan.task.params.eval_metric == "sacrebleu" else ROUGE

    def score(self) -> Score:
        """SacreBLEU with the target language's tokenization, or ROUGE on whole words."""
        from functools import partial

        from adapt_nlp.metrics.bleu import sacrebleu
        from adapt_nlp.metrics.rouge import rouge

        params = self.plan.task.params
        return partial(sacrebleu, language=params.target_lang) if params.eval_metric == "sacrebleu" else rouge

    def direct(self, tokenizer: Any) -> Direction | None:
        """source_lang and target_lang in the tokenizer's own codes."""
        params = self.plan.task.params
        return set_direction(tokenizer, params.source_lang, params.target_lang)

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Texts, .txt files (one text a line), or files whose rows hold the source as those of training do."""

        def source(rows: Dataset, name: str) -> Place | Formatted:
            return (
                Formatted(self.plan)
                if self.plan.data.format_string
                else source_or_target(self.plan, rows, name, "source")
            )

        return read_texts_by(arguments, self.plan, source)
