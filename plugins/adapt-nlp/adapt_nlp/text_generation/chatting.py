"""A conversation with a finished run's model: each answer is yielded while it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import attrs

from adapt_core.capabilities import Turn
from adapt_core.config.plan import Plan

from adapt_nlp.params import TextGenerationParams
from adapt_nlp.text_generation.predict import as_prompt, decoding_of, prompt_tokens

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase


@attrs.frozen
class ChatWithModel:
    """`adapt_core.capabilities.Chat` with a causal language model.

    Attributes:
        model: plain, in evaluation mode.
        tokenizer: of the model.
        is_chat: whether the model was trained on conversations.
        plan: of its run, for the decoding.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    is_chat: bool
    plan: Plan[TextGenerationParams]

    def answer(self, turns: Sequence[Turn], stopped: Callable[[], bool]) -> Iterator[str]:
        """Yield the answer in pieces; see `Chat.answer`."""
        given: Any = {"messages": list(turns)} if self.is_chat else "".join(turn["content"] for turn in turns)
        prompt = as_prompt(given, self.plan, self.tokenizer, "the conversation", is_chat=self.is_chat)
        [tokens] = prompt_tokens(self.model, self.tokenizer, {"the conversation": prompt.marked}, is_chat=self.is_chat)
        yield from self._written(tokens, stopped)

    def _written(self, tokens: list[int], stopped: Callable[[], bool]) -> Iterator[str]:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

        from adapt_core.distributed.sharding import compute_device

        class Stopped(StoppingCriteria):
            def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **options: Any) -> torch.Tensor:
                ends = stopped() or left.is_set()
                return torch.full((len(input_ids),), ends, dtype=torch.bool, device=input_ids.device)

        module: Any = self.model
        streamer: Any = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        device = compute_device(self.model)
        row = torch.tensor([tokens], device=device)
        left = Event()
        failed: list[BaseException] = []

        def write() -> None:
            try:
                with torch.inference_mode():
                    module.generate(
                        input_ids=row,
                        attention_mask=torch.ones_like(row),
                        pad_token_id=self.tokenizer.pad_token_id,
                        use_cache=True,
                        streamer=streamer,
                        stopping_criteria=StoppingCriteriaList([Stopped()]),
                        **decoding_of(self.model, len(tokens), self.plan.task.params),
                    )
            except BaseException as error:  # noqa: BLE001 - raised where the answer is read
                failed.append(error)
                streamer.end()

        writing = Thread(target=write, daemon=True)
        writing.start()
        try:
            yield from streamer
        finally:  # whoever reads may leave, and the next answer needs the model
            left.set()
            writing.join()
        if failed:
            raise failed[0]
