#!/usr/bin/env bash
# torchmetrics_chrf_of_short_texts: chrF and TER of torchmetrics are not sacrebleu's
# packages: torchmetrics==1.9.0 sacrebleu==2.6.0 torch==2.15.0
# guess: CHRFScore and TranslationEditRate follow sacrebleu and give its values on any text.
# seen: chrF of the exact answer "yes" is 0.5 in torchmetrics and 1.0 in sacrebleu: orders of n-grams that the texts
#   are too short for count as 0 in the mean. On sentences they agree to three digits. TER differs where words are
#   shifted: 0.6 and 0.8.
# matters: A model that answers in one word looks half wrong, early stopping on chrF prefers longer answers, and a
#   value in a paper cannot be compared where the package is not named.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import sacrebleu
from seen import seen
from torchmetrics.text import CHRFScore, TranslationEditRate


def chrf(answers, right):
    theirs = CHRFScore(n_word_order=0)(answers, [[one] for one in right]).item()
    return round(sacrebleu.corpus_chrf(answers, [right]).score / 100, 3), round(theirs, 3)


def ter(answer, right):
    theirs = TranslationEditRate()([answer], [[right]]).item()
    return round(sacrebleu.corpus_ter([answer], [[right]]).score / 100, 3), round(theirs, 3)


print("each pair: sacrebleu, torchmetrics")
seen("chrF of a sentence", chrf(["we met at the old harbour"], ["we met at the new harbour"]), (0.673, 0.673))
seen("chrF of an exact short answer", chrf(["yes"], ["yes"]), (1.0, 0.5))
seen("chrF of an exact number", chrf(["42"], ["42"]), (1.0, 0.333))
answers, right = ["yes", "no", "maybe", "yes"], ["yes", "yes", "maybe", "no"]
seen("chrF of four short answers together", chrf(answers, right), (0.824, 0.792))
seen("TER", ter("a b b", "b c b a c"), (0.8, 0.6))
PY
