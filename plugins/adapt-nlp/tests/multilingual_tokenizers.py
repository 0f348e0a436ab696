"""Real multilingual tokenizers with the letters of a few words, built without any download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


def pieces() -> list[tuple[str, float]]:
    return [(token, 0.0) for token in SPECIALS] + [("▁", -2.0)] + [(letter, -3.0) for letter in "abcdefghijklmnopqrst"]


def mbart() -> Any:
    from transformers.models.mbart.tokenization_mbart import FAIRSEQ_LANGUAGE_CODES, MBartTokenizer

    return MBartTokenizer(vocab=[*pieces(), *((code, 0.0) for code in FAIRSEQ_LANGUAGE_CODES), ("<mask>", 0.0)])


def mbart50() -> Any:
    from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES, MBart50Tokenizer

    return MBart50Tokenizer(vocab=[*pieces(), *((code, 0.0) for code in FAIRSEQ_LANGUAGE_CODES), ("<mask>", 0.0)])


def nllb() -> Any:
    from transformers import NllbTokenizer

    return NllbTokenizer(vocab={token: number for number, (token, _) in enumerate(pieces())}, merges=[])


def m2m100(folder: Path) -> Any:
    from sentencepiece import SentencePieceTrainer
    from transformers import M2M100Tokenizer

    texts = folder / "texts.txt"
    texts.write_text("\n".join(f"a small cat sees {n} dogs" for n in range(200)), encoding="utf-8")
    SentencePieceTrainer.train(
        input=str(texts), model_prefix=str(folder / "spm"), vocab_size=40, minloglevel=2, hard_vocab_limit=False
    )
    lines = (folder / "spm.vocab").read_text(encoding="utf-8").splitlines()
    words = [line.split("\t")[0] for line in lines]
    vocabulary = {word: number for number, word in enumerate([*SPECIALS, *(w for w in words if w not in SPECIALS)])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "spm.model"))
