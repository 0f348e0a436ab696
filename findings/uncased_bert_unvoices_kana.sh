#!/usr/bin/env bash
# uncased_bert_unvoices_kana: lower-casing in a BERT tokenizer deletes voicing marks, vowel signs and tones
# packages: transformers==5.24.0 tokenizers==0.23.3 torch==2.15.0
# guess: do_lower_case lower-cases, and leaves out the accents of Latin letters. Scripts without case stay as they are.
# seen: strip_accents is not set, and then follows do_lower_case: text is decomposed, and all combining marks go. The
#   voiced "が" has the ids of "か", "कु" and "कं" those of "क", the Thai "ที่" those of "ท", the Russian "й" those of "и",
#   and a syllable of Hangul is two or three letters. Nothing is unknown. do_lower_case=False keeps all of them apart.
# matters: A multilingual uncased model cannot tell such words apart, whatever it is trained on, and positions in the
#   normalized text are not those of the text. Take a cased model for these languages.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from pathlib import Path

from seen import seen
from transformers import BertTokenizer

SIGNS = ["か", "が", "क", "कु", "कं", "ท", "ที่", "и", "й", "가", "한"]
HANGUL = {"\uac00": "\u1100\u1161", "\ud55c": "\u1112\u1161\u11ab"}
PIECES = sorted({piece for sign in SIGNS for piece in (sign, *sign, *HANGUL.get(sign, ""))})
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES, *(f"##{piece}" for piece in PIECES)]
Path("vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")


def ids(text, lower):
    tokenizer = BertTokenizer("vocab.txt", do_lower_case=lower)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


for one, other in (("が", "か"), ("कु", "क"), ("कं", "क"), ("ที่", "ท"), ("й", "и")):
    seen(f"{one} has the ids of {other}, uncased", ids(one, True) == ids(other, True))
    seen("and no unknown token", 1 in ids(one, True), False)
    seen("the same, cased", ids(one, False) == ids(other, False), False)
tokenizer = BertTokenizer("vocab.txt", do_lower_case=True)
for syllable, letters in HANGUL.items():
    normalized = tokenizer.backend_tokenizer.normalizer.normalize_str(syllable)
    seen(f"{syllable} in letters, uncased", (normalized == letters, len(normalized)), (True, len(letters)))
    seen("and no unknown token", 1 in ids(syllable, True), False)
    seen("the same, cased", ids(syllable, False) == ids(syllable, True), False)
PY
