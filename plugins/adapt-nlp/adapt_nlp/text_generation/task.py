"""Text that goes on from a prompt, with any causal language model."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapt_core.config.plan import Plan
from adapt_core.contracts import Job, LoadedModel, Loop, Quantizer, TaskData
from adapt_core.distributed.world import World
from adapt_core.evaluation import spread
from adapt_core.hf.models.tokenizers import length_limit, require_fast
from adapt_core.hf.tasks.language import LanguageTask
from adapt_core.hf.tasks.preview import example_tokens, spread_examples
from adapt_core.run_folder.paths import RunFolder

from adapt_nlp.text_generation import data as documents_data
from adapt_nlp.text_generation.chat import end_of_answer
from adapt_nlp.text_generation.predict import as_prompt, go_on, read_prompts
from adapt_nlp.text_generation.row_formats import Form

if TYPE_CHECKING:
    from torch import nn

    from adapt_nlp.text_generation.packing import Packs

_DEFAULT_LIMIT = 512

log = logging.getLogger(__name__)


class TextGeneration(LanguageTask):
    """The task text_generation."""

    auto_class = "AutoModelForCausalLM"
    head_names = ("lm_head", "embed_out")

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._form: Form | None = None

    @cached_property
    def _limit(self) -> int:
        wanted = int(self.plan.task.params.max_seq_length)
        positions = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if wanted == _DEFAULT_LIMIT and isinstance(positions, int) and 0 < positions < wanted:
            log.info("max_seq_length is %d here: the model has no more positions.", positions)
            return positions
        return length_limit(self.tokenizer, self.config.get_text_config(), wanted)

    def load_data(self) -> TaskData:
        """The splits as documents: `input_ids` and `labels`."""
        tokenizer = require_fast(self.tokenizer, self.source, "what is learned is found by its characters")
        data, self._form = documents_data.load(self.plan, tokenizer, self._limit)
        return data

    def load_model(self, data: TaskData, quantizer: Quantizer | None, world: World) -> LoadedModel:
        """A causal language model that stops writing at the end token and where answers of the data end."""
        loaded = self.load_base({}, quantizer, world)
        model: Any = loaded.model
        known = model.generation_config.eos_token_id
        ends = [] if known is None else [known] if isinstance(known, int) else list(known)
        further = [self.tokenizer.eos_token_id]
        if self._form is not None and self._form.is_chat:
            further.append(end_of_answer(self.tokenizer))
        ends = list(dict.fromkeys([*ends, *(token for token in further if token is not None)]))
        if ends:
            model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends
            model.config.eos_token_id = model.generation_config.eos_token_id
        return loaded

    def trains_head_by_default(self, loaded: LoadedModel) -> bool:
        """A language model's head came with the checkpoint: it stays as it is beside an adapter."""
        return False

    @property
    def collator(self) -> Any:
        """Documents padded to the longest."""
        from adapt_nlp.text_generation.collate import CollateDocuments

        return CollateDocuments(self.tokenizer)

    def training_rows(self, data: TaskData) -> int:
        """Packs of the training split, or its documents."""
        return len(self._packs(data.train)) if self.plan.task.params.packing else len(data.train)

    def largest_batch(self, data: TaskData) -> Mapping[str, Any]:
        """The fullest packs, or the longest documents.

        Packs come without positions: attended to by document they keep what one document of their length would.
        """
        if not self.plan.task.params.packing:
            return super().largest_batch(data)
        packs = self._packs(data.train)
        fullest = (-packs.lengths).argsort(kind="stable")[: self.plan.training.batch_size]
        batch = self.collator([packs[int(number)] for number in fullest])
        return {name: batch[name] for name in ("input_ids", "labels")}

    def seen_by_model(self, data: TaskData, count: int) -> list[list[tuple[str, str]]]:
        """The tokens of documents; those that are learned are marked where not all are."""
        seen = []
        for example in spread_examples(data, count):
            learned = [label != documents_data.IGNORED for label in example["labels"]]
            mark = "" if all(learned[1:]) else "learned"
            tokens = example_tokens(self.tokenizer, example)
            seen.append([(token, mark if wanted else "") for token, wanted in zip(tokens, learned, strict=True)])
        return seen

    def samples(self, model: nn.Module, data: TaskData, count: int) -> list[dict[str, Any]]:
        """A few validation prompts with the text that goes on from them, and the model's own."""
        from adapt_nlp.text_generation.preview import SHOWN, go_on_from_rows

        assert self._form is not None
        rows = data.rows["validation"]
        chosen = list(rows.select(spread(len(rows), min(count, SHOWN))))
        return go_on_from_rows(model, self.tokenizer, chosen, self._form, self.plan)

    def make_loop(self, job: Job) -> Loop:
        """A Trainer on packs, or on documents padded to the longest of a batch."""
        from adapt_core.hf.loop.components import TrainerComponents
        from adapt_core.hf.loop.loop import HuggingFaceLoop

        from adapt_nlp.text_generation.collate import CollateDocuments
        from adapt_nlp.text_generation.metrics import METRICS, language_metrics, token_sums

        flat = "flash" in str(getattr(getattr(job.model, "config", None), "_attn_implementation", None))
        collate = CollateDocuments(self.tokenizer, flat)
        packed = self.plan.task.params.packing and self._pack(job, collate, flat)
        parts = TrainerComponents(
            collate=collate,
            compute_metrics=language_metrics,
            metrics=METRICS,
            preprocess_logits=token_sums,
            processing_class=self.tokenizer,
            # Packs are as good as equally long, and their order shall be random.
            arguments={"train_sampling_strategy": "random"} if packed else {},
        )
        return HuggingFaceLoop(job, parts)

    def _pack(self, job: Job, collate: Any, flat: bool) -> bool:
        """Puts the splits into packs, in place; False, with a warning, where the model does not keep them apart."""
        from adapt_core.nn.random_state import untouched_random_state

        from adapt_nlp.text_generation.attention import attend_to_packs
        from adapt_nlp.text_generation.probe import agrees_by_document, why_not_packed

        with untouched_random_state():
            reason = _of_first_rank(lambda: why_not_packed(job.model, collate), job.world)
            if reason is None and _of_first_rank(lambda: agrees_by_document(job.model, collate), job.world):
                attend_to_packs(job.model)
        if reason is not None:
            log.warning("packing is not used: %s. Batches are padded instead.", reason)
            job.data.stats["packed"] = False
            return False
        limit = self._limit
        for split in documents_data.SPLITS:
            documents = getattr(job.data, split)
            # One row of several packs is no unit that an evaluation over several processes can count.
            if documents is None or (flat and split != "train"):
                continue
            packs = self._packs(documents)
            setattr(job.data, split, packs)
            filled = packs.lengths.sum() / (len(packs) * limit)
            job.data.stats[f"{split}_packs"] = len(packs)
            log.info(
                "%s split: %d documents in %d packs of %d tokens, %.1f %% filled",
                split,
                len(documents),
                len(packs),
                limit,
                100 * filled,
            )
        job.data.stats["packed"] = True
        return True

    def _packs(self, documents: Any) -> Packs:
        from adapt_nlp.text_generation.packing import Packs, best_fit_decreasing

        lengths = documents_data.lengths_of(documents)
        return Packs(documents, best_fit_decreasing(lengths, self._limit), lengths)

    def save_model(self, model: nn.Module, folder: Path, save_method: str) -> None:
        """Weights, model config, generation config and tokenizer."""
        from adapt_nlp.text_generation.attention import attend_as_before, attends_by_document

        if attends_by_document(model):
            attend_as_before(model)  # a pickled model would ask for an attention that only adapt knows
        config: Any = model.config
        config.use_cache = True  # the Trainer turns it off, and generation would be slow
        super().save_model(model, folder, save_method)

    def loading_lines(self, save_method: str) -> str:
        """Loads model and tokenizer, and goes on from one prompt."""
        if self._form is not None and self._form.is_chat:
            prompt = [
                'messages = [{"role": "user", "content": "Name three rivers."}]',
                "prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)",
                'inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")',
            ]
        else:
            prompt = ['inputs = tokenizer("Once upon a time", return_tensors="pt")']
        use = [
            *prompt,
            f"written = model.generate(**inputs, {self._generation()}, pad_token_id=tokenizer.pad_token_id)",
            'text = tokenizer.decode(written[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)',
        ]
        return self.loading_with(use, save_method)

    def _generation(self) -> str:
        params = self.plan.task.params
        sampling = f"do_sample=True, temperature={params.temperature}, top_p={params.top_p}, top_k=0"
        return f"max_new_tokens={params.max_new_tokens}, {sampling if params.temperature else 'do_sample=False'}"

    def read_inputs(self, arguments: Sequence[str]) -> list[Any]:
        """Prompts, .txt files (one a line), JSON objects, or files with `messages`, `instruction` or the input."""
        return read_prompts(arguments, self.plan)

    def predict(self, model: nn.Module, folder: Path, inputs: Iterable[Any]) -> list[dict[str, Any]]:
        """For each prompt {"prompt", "generated_text"}: the prompt as the model read it, and what it wrote."""
        from adapt_core.nn.random_state import seed_everything

        tokenizer = self.saved_tokenizer(folder)
        is_chat = self._trained_on_chat(folder)
        seed_everything(self.plan.training.seed)
        results = []
        for number, given in enumerate(inputs, start=1):
            place = f"input {number}"
            prompt = as_prompt(given, self.plan, tokenizer, is_chat, place)
            [written] = go_on(model, tokenizer, {place: prompt}, self.plan, is_chat)
            results.append({"prompt": prompt, "generated_text": written})
        return results

    def _trained_on_chat(self, folder: Path) -> bool:
        if self._form is not None:
            return self._form.is_chat
        result = RunFolder(folder.parent).finished()
        return result is not None and result.data.get("form") in ("instructions", "messages")


def _of_first_rank(ask: Any, world: World) -> Any:
    """What rank 0 finds, for every rank: under sharding the others may hold no weights yet."""
    import torch
    from torch import distributed

    if world.size == 1 or not distributed.is_initialized():
        return ask()
    answer = [ask() if world.is_main else None]
    distributed.broadcast_object_list(answer, src=0, device=torch.device(world.device))
    return answer[0]
