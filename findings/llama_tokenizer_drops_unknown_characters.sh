#!/usr/bin/env bash
# llama_tokenizer_drops_unknown_characters: a SentencePiece BPE model read by LlamaTokenizer loses characters
# packages: transformers==5.24.0 sentencepiece==0.2.3 tokenizers==0.23.3 protobuf==7.36.2 torch==2.15.0
# guess: LlamaTokenizer gives the ids that sentencepiece gives for the same tokenizer.model; an unknown character is
#   <unk>.
# seen: Without byte fallback in the model an unknown character gives no id at all: "bÜrn" becomes the ids of "brn".
#   The model's own normalization (NFKC) and its removal of repeated spaces are not applied either.
# matters: Letters of a language that the tokenizer has not seen vanish from training and prediction without an <unk>
#   to count, and ids differ from those that the base was trained on. Compare both on a sample before training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from pathlib import Path

import sentencepiece
from seen import seen
from transformers import LlamaTokenizer

LINES = ["a river runs under the old stone bridge", "the miller counts five bags of fine flour"] * 20
Path("text.txt").write_text("\n".join(LINES), encoding="utf-8")
Path("model").mkdir()
sentencepiece.SentencePieceTrainer.train(
    input="text.txt", model_prefix="model/tokenizer", model_type="bpe", vocab_size=60, minloglevel=2
)
reference = sentencepiece.SentencePieceProcessor(model_file="model/tokenizer.model")
tokenizer = LlamaTokenizer.from_pretrained("model")


def both(text):
    ours = tokenizer(text, add_special_tokens=False)["input_ids"]
    return reference.encode(text), ours


plain = both("the old bridge")
seen("equal where all characters are known", plain[0] == plain[1])

unknown = both("bÜrn")
seen("<unk> by sentencepiece", unknown[0].count(reference.unk_id()), 1)
seen("<unk> by LlamaTokenizer", unknown[1].count(tokenizer.unk_token_id), 0)
seen("the text that is left", tokenizer.decode(unknown[1]), "brn")

only = both("日本")
seen("two unknown characters by LlamaTokenizer", tokenizer.convert_ids_to_tokens(only[1]), ["▁"])

ligature = both("ﬁve")
seen("sentencepiece reads the ligature as two letters", reference.decode(ligature[0]), "five")
seen("LlamaTokenizer reads", tokenizer.decode(ligature[1]).strip(), "ve")

spaces = both("old  stone")
seen("two spaces are one to sentencepiece", reference.encode("old stone") == spaces[0])
seen("and to LlamaTokenizer", both("old stone")[1] == spaces[1], False)
PY
