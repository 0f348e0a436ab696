#!/usr/bin/env bash
# tokenizer_trainers_vary: two trainings of one WordPiece or Unigram vocabulary on one text differ
# packages: tokenizers==0.23.3
# guess: Training has no random part, so the same text and settings give the same vocabulary.
# seen: BPE is the same each time. WordPiece gives other ids at each call, within one process too, and, where pairs
#   tie, keeps other pieces and cuts one text in several ways. Unigram keeps the pieces and gives them other ids.
#   There is no seed to set.
# matters: A run that trains its tokenizer anew when it resumes has another vocabulary than its checkpoint; ids that
#   fit the embedding by their number are other pieces. Train once and save the file with the weights.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from seen import seen
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

LINES = [
    "tall trees fell while taller trees were felled and the tallest tree stood",
    "she sells small shells and smaller shells but the smallest shell sold",
    "bakers bake, the baked bread is bought, brewers brew and the brewed beer is bitter",
] * 4


def trained(model, trainer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(LINES, trainer)
    return tokenizer


def word_piece():
    model = models.WordPiece(unk_token="[UNK]")
    return model, trainers.WordPieceTrainer(vocab_size=80, special_tokens=["[UNK]"], show_progress=False)


def unigram():
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=["[UNK]"], unk_token="[UNK]", show_progress=False)
    return models.Unigram(), trainer


def byte_pairs():
    return models.BPE(), trainers.BpeTrainer(vocab_size=80, show_progress=False)


def varies(make):
    """Train twelve times, and return which of ids, pieces and cuts are not always the same."""
    tokenizers = [trained(*make()) for _ in range(12)]
    different = {
        "ids": {frozenset(one.get_vocab().items()) for one in tokenizers},
        "pieces": {frozenset(one.get_vocab()) for one in tokenizers},
        "cuts": {tuple(tuple(one.encode(line).tokens) for line in LINES) for one in tokenizers},
    }
    return [what for what, values in different.items() if len(values) > 1]


seen("BPE varies in", varies(byte_pairs), [])
seen("Unigram varies in", varies(unigram), ["ids"])
seen("WordPiece varies in", varies(word_piece), ["ids", "pieces", "cuts"])
PY
