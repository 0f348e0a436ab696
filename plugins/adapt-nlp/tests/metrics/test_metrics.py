"""Metrics agree with the packages that define them, on random texts, and work without a network."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from adapt_nlp.metrics.bleu import bleu, sacrebleu
from adapt_nlp.metrics.classification import classification_scores
from adapt_nlp.metrics.rouge import rouge, split_sentences
from adapt_nlp.question_answering.metrics import exact_match, squad
from adapt_nlp.token_classification.metrics import entity_scores, entity_table
from adapt_nlp.token_classification.schemes import entities_of

WORDS = [
    "The",
    "quick,",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs'",
    "well-known",
    "12.5",
    "houses;",
    "running",
    "runs",
    "and",
    "U.S.",
    "of",
    "it",
]


def sentences(chance: random.Random) -> str:
    return " ".join(
        " ".join(chance.choices(WORDS, k=chance.randint(3, 9))) + chance.choice(".!?")
        for _ in range(chance.randint(1, 3))
    )


@pytest.fixture(scope="module")
def pairs() -> tuple[list[str], list[str]]:
    """References, and predictions that keep about four of five of their words."""
    chance = random.Random(0)
    references = [sentences(chance) for _ in range(60)]
    predictions = [
        " ".join(
            word if chance.random() > 0.1 else chance.choice(WORDS) for word in text.split() if chance.random() > 0.1
        )
        for text in references
    ]
    return predictions, references


@pytest.mark.parametrize("stems", [False, True])
def test_rouge_is_the_mean_of_rouge_score_s_f_measures(pairs: tuple[list[str], list[str]], stems: bool) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    predictions, references = pairs
    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = RougeScorer(kinds, use_stemmer=stems)
    scores = [
        scorer.score(split_sentences(r), split_sentences(p)) for p, r in zip(predictions, references, strict=True)
    ]
    ours = rouge(predictions, references, use_stemmer=stems)
    for kind in kinds:
        assert ours[kind] == pytest.approx(sum(score[kind].fmeasure for score in scores) / len(scores), abs=1e-9)
    assert 0.5 < ours["rouge1"] < 1


def test_rouge_counts_words_of_every_script() -> None:
    assert rouge(["Männer mögen Bücher"], ["Männer mögen Tiere"])["rouge1"] == pytest.approx(2 / 3)
    assert rouge(["мама мыла раму"], ["мама мыла окно"])["rouge1"] == pytest.approx(2 / 3)
    assert rouge(["我喜欢书"], ["我喜欢猫"])["rouge1"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("script", "one", "other"),
    [
        ("Devanagari", "\u0915\u093f\u0932\u093e", "\u0915\u0941\u0932\u0940"),  # the same consonants, other vowels
        ("Tamil", "\u0b95\u0bbe\u0bb2\u0bcd", "\u0b95\u0bb2\u0bcd\u0bb2\u0bc8"),
        ("Bengali", "\u09a6\u09bf\u09a8", "\u09a6\u09be\u09a8"),
        ("Thai", "\u0e1b\u0e34\u0e14", "\u0e1b\u0e38\u0e14"),
        ("Hebrew with points", "\u05d3\u05b8\u05d1", "\u05d3\u05b9\u05d1"),
        ("Latin without a composed form", "q\u0307", "q\u0323"),
    ],
)
def test_rouge_tells_words_apart_that_differ_in_their_signs(script: str, one: str, other: str) -> None:
    assert rouge([one], [other])["rouge1"] == 0.0, script
    assert rouge([one], [one])["rouge1"] == 1.0
    assert rouge([f"{one} {other}"], [f"{one} {one}"])["rouge1"] == pytest.approx(1 / 2), "a word is not split at signs"


def test_composed_and_decomposed_letters_are_the_same_in_every_metric_of_texts() -> None:
    composed, apart = "Une \u00e9t\u00e9 \u00e0 Li\u00e8ge", "Une e\u0301te\u0301 a\u0300 Lie\u0300ge"
    assert composed != apart
    for ours, theirs in ((composed, apart), (apart, composed)):
        assert set(rouge([ours], [theirs]).values()) == {1.0}
        assert bleu([ours], [theirs])["bleu"] == pytest.approx(1)
        assert sacrebleu([ours], [theirs])["sacrebleu"] == pytest.approx(100)
        assert exact_match(ours, theirs) == 1.0
        assert squad([ours], [[theirs]])["f1"] == 100.0
    assert rouge(["\u0915\u094d\u200d\u0937"], ["\u0915\u094d\u0937"])["rouge1"] == 1.0, "a joiner is no letter"
    assert rouge(["\u304b\u3099"], ["\u304c"])["rouge1"] == 1.0, "kana with its mark apart"


@pytest.mark.parametrize("outside", ["O", "ORG"])
def test_tags_without_a_prefix_are_entities_whatever_letter_they_begin_with(outside: str) -> None:
    """seqeval reads `ORG` as O, for it looks at the first letter alone."""
    from adapt_nlp.token_classification.schemes import as_entity_tags

    tags = as_entity_tags(["ORG", "PER", "O"])
    truth = [[tags[name] for name in ("ORG", "ORG", "O", "PER")]]
    found = [[tags[name] for name in (outside, outside, "O", "PER")]]
    scores = entity_scores(truth, found)
    assert (scores["precision"], scores["recall"]) == ((1.0, 0.5) if outside == "O" else (1.0, 1.0))


def test_seqeval_itself_takes_org_for_outside() -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    assert get_entities(["ORG", "ORG", "O"]) != [("ORG", 0, 1)]


def test_rouge_lsum_compares_sentence_by_sentence() -> None:
    scores = rouge(["B is two. A is one."], ["A is one. B is two."])
    assert scores["rougeLsum"] == 1.0
    assert scores["rougeL"] < 1.0


def test_rouge_lsum_does_not_depend_on_line_breaks() -> None:
    together, apart = "A is one. B is two! Is C?", "A is one.\nB is two!\nIs C?"
    other = "Is C? B was two. A is one."
    assert split_sentences(together) == split_sentences(apart) == apart
    assert rouge([other], [together]) == rouge([other], [apart]) == rouge([other.replace("? ", "?\n")], [together])


def test_bleu_of_exact_short_texts_is_full(caplog: pytest.LogCaptureFixture) -> None:
    assert bleu(["yes", "no way"], ["yes", "no way"])["bleu"] == pytest.approx(1)
    assert sacrebleu(["a b c"], ["a b c"])["sacrebleu"] == pytest.approx(100)
    assert "n-grams of 1 to 3 tokens: no reference is longer" in caplog.text
    assert bleu(["a b d"], ["a b c"])["bleu"] == 0.0, "no 3-gram is right, and nothing is smoothed"
    assert bleu(["a b"], ["a b c d e"])["bleu"] == 0.0, "the reference has four tokens"
    assert bleu(["a"], ["a b c"])["bleu"] == 0.0, "the reference has three tokens"
    assert sacrebleu(["a"], ["a b c"])["sacrebleu"] == 0.0
    # Precisions 3/4, 2/3 and 1/2 whether or not the prediction is longer than every reference.
    assert bleu(["a b c d"], ["a b c"])["bleu"] == pytest.approx((3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3))


def test_sacrebleu_is_sacrebleu_s_corpus_score(pairs: tuple[list[str], list[str]]) -> None:
    from sacrebleu import corpus_bleu

    predictions, references = pairs
    assert sacrebleu(predictions, references)["sacrebleu"] == pytest.approx(
        corpus_bleu(predictions, [references]).score
    )
    chinese = ["我喜欢读书和写字"], ["我喜欢读书和画画"]
    assert sacrebleu(*chinese, language="zh")["sacrebleu"] > 10 > sacrebleu(*chinese)["sacrebleu"]


def test_bleu_agrees_with_an_independent_implementation(pairs: tuple[list[str], list[str]]) -> None:
    score = pytest.importorskip("torchmetrics.text", reason="needs the package torchmetrics").SacreBLEUScore
    predictions, references = pairs
    theirs = float(score(tokenize="13a", smooth=False)(predictions, [[text] for text in references]))
    assert bleu(predictions, references)["bleu"] == pytest.approx(theirs, abs=1e-5)
    assert bleu(["nothing alike"], ["a wholly other text"])["bleu"] == 0.0


def test_entity_scores_are_seqeval_s_on_perturbed_tags() -> None:
    from seqeval.metrics import classification_report

    chance = random.Random(0)
    tags = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    truth = [chance.choices(tags, k=chance.randint(1, 12)) for _ in range(200)]
    predicted = [[tag if chance.random() > 0.2 else chance.choice(tags) for tag in row] for row in truth]
    report = classification_report(truth, predicted, output_dict=True, zero_division=0)["micro avg"]
    ours = entity_scores(truth, predicted)
    assert ours["f1"] == pytest.approx(report["f1-score"])
    assert ours["precision"] == pytest.approx(report["precision"])
    assert ours["recall"] == pytest.approx(report["recall"])


def test_entities_are_seqeval_s_whatever_follows_whatever() -> None:
    from seqeval.metrics.sequence_labeling import get_entities

    chance = random.Random(1)
    tags = ["O", *(f"{place}-{kind}" for place in "BIES" for kind in ("PER", "work-of-art", ""))]
    documents = [chance.choices(tags, k=chance.randint(0, 9)) for _ in range(2000)]
    for document in documents:
        expected = [(kind, first, last) for kind, first, last in get_entities([tag.rstrip("-") for tag in document])]
        assert [(kind or "_", first, last) for kind, first, last in entities_of(document)] == expected


def test_the_table_of_entities_is_seqeval_s() -> None:
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    chance = random.Random(2)
    tags = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "S-ORG"]
    truth = [chance.choices(tags[:-1], k=chance.randint(1, 12)) for _ in range(100)]
    predicted = [[tag if chance.random() > 0.3 else chance.choice(tags) for tag in row] for row in truth]
    theirs = precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    table = entity_table(truth, predicted)
    assert table.labels == ("LOC", "ORG", "PER")
    names = ("precision", "recall", "f1", "entities")
    for name, values in zip(names, theirs, strict=True):
        assert table.figures[name] == pytest.approx(values.tolist(), abs=1e-12)
    assert entity_scores([["O"]], [["O"]]) == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "accuracy": 1.0}


@pytest.mark.parametrize("classes", [["a", "b", "c"], [0, 3, 7, 8]])
def test_classification_scores_are_scikit_learn_s(classes: list[Any]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    chance = random.Random(3)
    truth = chance.choices(classes[:-1], k=101)  # the last class is predicted and never true
    predicted = [one if chance.random() > 0.4 else chance.choice(classes) for one in truth]
    scores = classification_scores(truth, predicted)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    theirs = f1_score(truth, predicted, average="macro", zero_division=0.0)
    assert scores["macro_f1"] == pytest.approx(theirs, abs=1e-12)


def test_the_metrics_are_evaluate_s_too_and_combine(pairs: tuple[list[str], list[str]], tmp_path: object) -> None:
    evaluate = pytest.importorskip("evaluate")
    from adapt_nlp import evaluate_metrics

    predictions, references = pairs
    both = evaluate.combine([evaluate_metrics.Rouge(), evaluate_metrics.SacreBleu()])
    found = both.compute(predictions=predictions, references=references)
    assert found == pytest.approx({**rouge(predictions, references), **sacrebleu(predictions, references)})
    stemmed = evaluate_metrics.Rouge().compute(predictions=predictions, references=references, use_stemmer=True)
    assert stemmed == pytest.approx(rouge(predictions, references, use_stemmer=True))
    assert evaluate_metrics.Bleu().compute(predictions=predictions, references=references) == pytest.approx(
        bleu(predictions, references)
    )
    tags = [["B-PER", "O"]], [["B-PER", "B-LOC"]]
    assert evaluate_metrics.Seqeval().compute(predictions=tags[0], references=tags[1])["recall"] == 0.5
    answers = evaluate_metrics.Squad().compute(predictions=["the cat", ""], references=[["cat"], []], v2=True)
    assert answers["f1"] == answers["unanswerable_accuracy"] == 100
    assert evaluate_metrics.Accuracy().compute(predictions=[1, 2], references=[1, 1]) == {"accuracy": 0.5}


def test_computing_a_metric_imports_no_evaluate() -> None:
    script = (
        "import sys; from adapt_nlp.metrics.rouge import rouge; from adapt_nlp.metrics.bleu import sacrebleu; "
        "import adapt_nlp.seq2seq.summarization; heavy = {'evaluate', 'rouge_score', 'sacrebleu', 'torch'}; "
        "print(sorted(heavy & set(sys.modules))); "
        "rouge(['a'], ['a']); sacrebleu(['a'], ['a']); print('evaluate' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
