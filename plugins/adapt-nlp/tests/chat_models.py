"""Small Llamas with tokenizers of several kinds, and chat templates of several forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapt_core.testing import small_models

SPECIALS = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
DEFAULT_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou answer.<|im_end|>\\n' }}{% endif %}" + CHATML
)
TWO_BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
"""As Llama 2 has it: the opening of an answer belongs to the user's turn."""
NO_END = (
    "{% for m in messages %}{{ m['role'] | capitalize + ': ' + m['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"
)
"""Opens an answer with a space, and marks no end."""
NEWLINES = (
    "{% for m in messages %}{{ '## ' + m['role'] + '\\n\\n' + m['content'] + eos_token + '\\n\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '## assistant\\n\\n' }}{% endif %}"
)
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"
)
"""Opens an answer with a thought that the data's answers do not have."""
TOOLS = (
    "{% if tools %}{{ '<|im_start|>tools\\n' + tools | tojson + '<|im_end|>\\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['content'] %}{{ m['content'] }}{% endif %}"
    "{% for call in m['tool_calls'] or [] %}{{ 'CALL ' + call['function'] | tojson }}{% endfor %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
TODAY = "{{ 'Today is ' + strftime_now('%d %b %Y') + '\\n' }}" + CHATML

TEXTS = [
    "the film was good, the film was bad",
    "sentiment: positive sentiment: negative review: the plot was good",
    "what comes after this? dog cat dog cat hello there good morning",
    "User: Assistant: user assistant system You answer. Today is",
]


def byte_level(*, adds: str = "$A", prefix_space: bool = False, template: str | None = None) -> Any:
    """A byte-level BPE tokenizer as GPT-2 and Llama 3 have it; `adds` says where special tokens go (`<s> $A`)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS * 5, trainer)
    ids = [(token, SPECIALS.index(token)) for token in ("<s>", "</s>")]
    ends = processors.TemplateProcessing(single=adds, special_tokens=ids)
    backend.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=prefix_space), ends])
    return _fast(PreTrainedTokenizerFast, backend, template)


def sentence_piece(*, template: str | None = None) -> Any:
    """A BPE tokenizer as Llama 2 has it: a space is put before a text, and `<s>` before that."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    alphabet = [*map(chr, range(33, 127)), *"\nöß🌧"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(TEXTS * 5, trainer)
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _fast(PreTrainedTokenizerFast, backend, template)


def _fast(tokenizer_class: Any, backend: Any, template: str | None) -> Any:
    tokenizer = tokenizer_class(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = template
    return tokenizer


KINDS = {
    "byte level": byte_level,
    "byte level, begins": lambda **given: byte_level(adds="<s> $A", **given),
    "byte level, prefix space": lambda **given: byte_level(prefix_space=True, **given),
    "sentence piece": sentence_piece,
}


def llama(folder: Path, tokenizer: Any) -> Path:
    """A Llama (2 layers, 32 wide) for a tokenizer, which is saved with it."""
    sizes = {"max_position_embeddings": 512, "initializer_range": 0.2}
    return small_models.llama_for(folder, tokenizer, bos_token_id=1, eos_token_id=2, **sizes)
