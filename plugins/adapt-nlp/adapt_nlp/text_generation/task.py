"""The task text_generation, with any causal language model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.errors import BadInputsError, InputError
from adapt_core.evaluation import OF_PLACE, spread
from adapt_core.hf.data.columns import require_columns
from adapt_core.hf.data.tables.column_names import Columns
from adapt_core.hf.models.tokenizers import length_limit, require_fast
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import LabelledTokens
from adapt_core.run_folder.paths import RunFolder

from adapt_nlp.metrics import names
from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.chat import end_of_answer
from adapt_nlp.text_generation.chatting import ChatWithModel
from adapt_nlp.text_generation.data import prepare_documents
from adapt_nlp.text_generation.marked_text import added_tokens
from adapt_nlp.text_generation.predict import (
    as_prompt,
    decoding,
    generate_continuations,
    prompt_tokens,
    read_prompts,
    without_last_answer,
)
from adapt_nlp.text_generation.preview import MAX_SAMPLES, continuation_samples, labelled_documents
from adapt_nlp.text_generation.row_formats import CHAT_KINDS, RowFormat, row_columns
from adapt_nlp.text_generation.row_texts import RowTexts
from adapt_nlp.text_generation.template_variables import TEMPLATE_VARIABLES, names_fault
from adapt_nlp.text_generation.templates import prepare_template

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from adapt_core.execution.rows import Table
    from adapt_core.hf.loop.loop import HuggingFaceLoop

    from adapt_nlp.text_generation.written_answers import WrittenAnswers

_DEFAULT_LIMIT = attrs.fields(TextGenerationParams).max_seq_length.default

log = logging.getLogger(__name__)


class TextGeneration(LanguageTask[TextGenerationParams]):
    """The task text_generation."""

    auto_class = "AutoModelForCausalLM"

    def __init__(self, plan: Plan[TextGenerationParams]) -> None:
        super().__init__(plan)
        self._row_format: RowFormat | None = None
        self._written: WrittenAnswers | None = None
        self._loop: HuggingFaceLoop | None = None

    def check(self) -> None:
        """Check data and model, and the names of the chat template's variables; see `LanguageTask.check`."""
        if fault := names_fault(self.params.chat_template_kwargs or {}):
            raise InputError(f"{TEMPLATE_VARIABLES} is {fault}. Remove it.")
        if self.params.generate_in_evaluation == 0 and self.plan.metrics:
            raise InputError("METRICS score written texts, and GENERATE_IN_EVALUATION is 0. Leave one of them out.")
        written = {} if self.params.generate_in_evaluation == 0 else names.WRITTEN
        self.require_metric([*names.LANGUAGE_MODELING, *written])
        wanted, at, _ = (self.plan.training.metric_for_best or "").removeprefix("eval_").partition(OF_PLACE)
        further = [*names.WRITTEN, *(name for metric in self.plan.metrics for name in metric.figures)]
        if at and wanted.casefold() in {name.casefold() for name in further}:
            raise InputError(f"METRIC_FOR_BEST: {wanted} is that of texts over all data sets. Leave {OF_PLACE}... out.")
        super().check()

    def check_split(self, columns: Columns, split: str) -> None:
        """Check that a split has the columns that rows are read from."""
        require_columns(list(columns), row_columns(self.plan, list(columns)), split)

    @cached_property
    def _limit(self) -> int:
        wanted = self.params.max_seq_length
        positions = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if wanted == _DEFAULT_LIMIT and isinstance(positions, int) and 0 < positions < wanted:
            log.info("max_seq_length is %d: the model has no more positions.", positions)
            return positions
        return length_limit(self.tokenizer, self.config.get_text_config(), wanted)

    def load_data(self) -> TaskData:
        """Return the splits as documents: `input_ids` and `labels`."""
        tokenizer = require_fast(self.tokenizer, self.source, "what is learned is found by its characters")
        data, self._row_format = prepare_documents(self.plan, tokenizer, self._limit)
        return data

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """Load a causal language model that stops generating at the end token and at the end of an answer."""
        loaded = self.load_base({}, quantizer, world)
        model: Any = loaded.model
        known = model.generation_config.eos_token_id
        ends = [] if known is None else [known] if isinstance(known, int) else list(known)
        further = [self.tokenizer.eos_token_id]
        if data.stats.get("form") in CHAT_KINDS:
            prepare_template(self.tokenizer)
            further.append(end_of_answer(self.tokenizer, self.params.chat_template_kwargs))
        ends = list(dict.fromkeys([*ends, *(token for token in further if token is not None)]))
        if ends:
            model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends
            model.config.eos_token_id = model.generation_config.eos_token_id
        return loaded

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """Return False: a language model's head comes with the checkpoint."""
        return False

    @property
    def collator(self) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
        """The collator of documents."""
        from adapt_nlp.text_generation.collate import CollateDocuments

        return CollateDocuments(self.tokenizer)

    def training_rows(self, data: TaskData) -> int:
        """Return the number of packs in the training split, or of documents without packing."""
        from adapt_nlp.text_generation.packs import pack_documents

        return len(pack_documents(data.train, self._limit) if self.params.packing else data.train)

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """Return the fullest packs, without positions (see `training_forward`), or the longest documents."""
        from adapt_nlp.text_generation.packs import fullest_packs

        if not self.params.packing:
            return super().largest_batch(data)
        return fullest_packs(data.train, self._limit, self.collator, self.plan.training.batch_size)

    def training_forward(self, model: nn.Module) -> AbstractContextManager[None] | None:
        """Return the context of all language tasks; inside, packs keep as much as the documents in them."""
        from adapt_nlp.text_generation.attention import documents_joined

        lean = super().training_forward(model)
        return documents_joined(self.plan, model, lean) if self.params.packing else lean

    def seen_by_model(self, data: TaskData, count: int) -> list[LabelledTokens]:
        """Return the tokens of training documents; where not all are targets, those that are labelled."""
        return labelled_documents(self.tokenizer, data, count)

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """Return a few validation prompts with their continuation and the model's."""
        assert self._row_format is not None
        rows = data.rows["validation"]
        chosen = list(rows.select(spread(len(rows), min(count, MAX_SAMPLES))))
        return continuation_samples(model, self.tokenizer, chosen, self._row_format, self.plan)

    def make_loop(self, job: Job) -> Loop:
        """Return a Trainer on packs, or on documents padded to the longest of a batch."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.text_generation.collate import CollateDocuments
        from adapt_nlp.text_generation.evaluated import token_rows
        from adapt_nlp.text_generation.metrics import language_metrics, token_sums
        from adapt_nlp.text_generation.packs import pack_splits

        flat = "flash" in str(getattr(getattr(job.model, "config", None), "_attn_implementation", None))
        collate = CollateDocuments(self.tokenizer, flat=flat)
        answers = self._written = self._answers(job)
        packed = self.params.packing and pack_splits(job, collate, self._limit, flat=flat)
        components = TrainerComponents(
            collate=collate,
            compute_metrics=language_metrics,
            evaluated_rows=token_rows,
            further_rows=answers,
            metrics={**names.LANGUAGE_MODELING, **(names.WRITTEN if answers else {})},
            preprocess_logits=token_sums,
            label_smoothing=self.params.label_smoothing,
            rows_of=(lambda packs, numbers: packs.documents_of(numbers)) if packed else None,
            processing_class=self.tokenizer,
            # Packs have nearly the same length, so grouping by length would only take away random order.
            arguments={"train_sampling_strategy": "random"} if packed else {},
        )
        self._loop = HuggingFaceLoop(job, components)
        return self._loop

    def _answers(self, job: Job) -> WrittenAnswers | None:
        """Return what answers rows in evaluations; None where GENERATE_IN_EVALUATION is 0, or is so by default."""
        from adapt_nlp.text_generation.written_setup import written_answers

        assert self._row_format is not None
        texts = RowTexts(self._row_format, self.plan, self.tokenizer)
        return written_answers(job, texts, self.tokenizer, is_chat=self._row_format.is_chat)

    def evaluated_samples(self, metrics: Mapping[str, float], data: TaskData) -> list[dict[str, Any]] | None:
        """Return samples of the texts that the evaluation with these metrics wrote; None where it wrote none."""
        from adapt_core.report.evaluation_record import SAMPLES

        if self._written is None or self._loop is None:
            return None
        found = next((rows for rows in self._loop.evaluated_rows(metrics) if rows.kind == "text"), None)
        asked = self._written.asked("validation")
        if found is None:
            return None
        rows = list(zip(found.rows, found.expected, found.predicted, strict=True))
        chosen = [rows[number] for number in spread(len(rows), SAMPLES)]
        return [{"input": asked[row], "expected": wanted, "predicted": text} for row, wanted, text in chosen]

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Save weights, model config, generation config and tokenizer."""
        from adapt_nlp.text_generation.attention import attend_as_before, attends_by_document

        if attends_by_document(model):
            attend_as_before(model)  # a pickled model would need an attention that only adapt registers
        config: Any = model.config
        config.use_cache = True  # the Trainer turns it off, which would make generation slow
        super().save_model(model, folder, save_method)

    def loading_lines(self, save_method: str) -> str:
        """Return lines that load model and tokenizer and generate from a prompt."""
        if self._row_format is not None and self._row_format.is_chat:
            given = self.params.chat_template_kwargs or {}
            variables = [f"variables = {dict(given)!r}"] if given else []
            options = "tokenize=False, add_generation_prompt=True" + (", **variables" if given else "")
            prompt = [
                'messages = [{"role": "user", "content": "Name three rivers."}]',
                *variables,
                f"prompt = tokenizer.apply_chat_template(messages, {options})",
                'inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")',
            ]
        else:
            prompt = ['inputs = tokenizer("Once upon a time", return_tensors="pt")']
            if behind := added_tokens(self.tokenizer)[1]:  # text does not end where it is to go on
                prompt.append(f"inputs = {{name: values[:, :-{len(behind)}] for name, values in inputs.items()}}")
        use = [
            *prompt,
            f"written = model.generate(**inputs, {decoding(self.params)}, pad_token_id=tokenizer.pad_token_id)",
            'text = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)',
        ]
        return self.loading_with(use, save_method)

    def test_inputs(self) -> Table | None:
        """Return the rows of the test split, conversations without their last answer; None where there is none."""
        rows = super().test_inputs()
        return None if rows is None else [without_last_answer(row) for row in rows]

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Return prompts: texts, JSON objects, the lines of .txt files, or the rows of other files."""
        return read_prompts(arguments, self.plan)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """Return {"prompt", "generated_text"} for each input; the prompt is the text or the turn that is answered."""
        tokenizer, is_chat = self._opened(folder)
        prompts, rows, faults = [], [], {}
        for number, given in enumerate(inputs, start=1):
            name = f"input {number}"
            try:
                prompt = as_prompt(given, self.plan, tokenizer, name, is_chat=is_chat)
                rows += prompt_tokens(model, tokenizer, {name: prompt.marked}, is_chat=is_chat)
                prompts.append(prompt)
            except InputError as error:
                faults[number] = str(error).removeprefix(name)
        if faults:
            raise BadInputsError(faults)
        results = []
        for number, (prompt, row) in enumerate(zip(prompts, rows, strict=True), start=1):
            [text] = generate_continuations(model, tokenizer, [row], self.params)
            results.append({"prompt": prompt.asked, "generated_text": text})
            if not text.strip():
                log.warning("input %d: the model generates no text; its first token ends the answer.", number)
        return results

    def open_chat(self, model: nn.Module, folder: Path) -> ChatWithModel:
        """Return a chat; a model that was not trained on conversations continues text."""
        return ChatWithModel(model, *self._opened(folder), self.plan)

    def _opened(self, folder: Path) -> tuple[PreTrainedTokenizerBase, bool]:
        """Return a finished run's tokenizer, and whether it was trained on chat. What is sampled begins anew."""
        from adapt_core.nn.random_state import seed_everything

        tokenizer, is_chat = self.saved_tokenizer(folder), self.answers_turns(folder)
        if is_chat:
            prepare_template(tokenizer)
        seed_everything(self.plan.training.seed)
        return tokenizer, is_chat

    def answers_turns(self, folder: Path) -> bool:
        """Return whether the model was trained on conversations, as this run or the finished one of a folder says."""
        if self._row_format is not None:
            return self._row_format.is_chat
        result = RunFolder(folder.parent).finished()
        return result is not None and result.data.get("form") in CHAT_KINDS
