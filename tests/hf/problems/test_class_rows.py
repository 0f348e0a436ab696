"""What the evaluation of a classifier finds of each row."""

from __future__ import annotations

import math
from typing import Any

import pytest

NAMES = ("calm", "angry", "glad")
LOGITS = [[4.0, 1.0, 0.0], [0.0, 1.0, 3.0], [0.0, 2.0, 1.0], [1.0, 5.0, 1.0]]
TRUTH = [0, 1, 1, 1]


def evaluated(rows: int = len(TRUTH), *, several: bool = False) -> tuple[Any, Any]:
    """The components of a classifier, and what it finds of four rows of a split of `rows`."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    import numpy

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents
    from adapt_core.hf.loop.per_class import class_table, macro_f1
    from adapt_core.hf.problems.class_rows import with_rows

    def best(logits: Any, _labels: Any) -> Any:
        ids = logits[0].argsort(dim=-1, descending=True)
        return ids[:, :2] if several else ids[:, 0]

    def metrics(prediction: Any) -> dict[str, float]:
        ids = prediction.predictions[:, 0] if several else prediction.predictions
        return {
            "accuracy": float((ids == prediction.label_ids).mean()),
            "macro_f1": macro_f1(prediction.label_ids, ids),
        }

    plain = TrainerComponents(
        collate=list,
        metrics={"accuracy": "higher"},
        preprocess_logits=best,
        compute_metrics=metrics,
        per_class=lambda prediction, _: class_table(prediction.label_ids, prediction.predictions, NAMES),
    )
    components = with_rows(plain, TaskData(validation=range(rows)), NAMES)
    assert components.preprocess_logits is not None
    kept = components.preprocess_logits((torch.tensor(LOGITS), torch.zeros(4, 8)), torch.tensor(TRUTH))
    prediction = transformers.EvalPrediction(tuple(one.numpy() for one in kept), numpy.array(TRUTH))
    return components, prediction


def test_each_row_has_its_class_the_probability_of_it_and_whether_it_is_right() -> None:
    components, prediction = evaluated()
    rows = components.evaluated_rows(prediction, None)
    assert rows.kind == "class"
    assert list(rows.rows) == [0, 1, 2, 3]
    assert rows.expected == ["calm", "angry", "angry", "angry"]
    assert rows.predicted == ["calm", "glad", "angry", "angry"]
    assert rows.right == [True, False, True, True]
    assert rows.confidence[1] == pytest.approx(math.exp(3) / (1 + math.exp(1) + math.exp(3)))
    assert rows.scores.tolist() == LOGITS
    assert rows.labels == NAMES


@pytest.mark.parametrize("several", [False, True])
def test_all_rows_measure_what_the_evaluation_did_and_a_sample_what_it_has(several: bool) -> None:
    import numpy

    components, prediction = evaluated(several=several)
    rows = components.evaluated_rows(prediction, None)
    assert rows.measure(numpy.arange(4)) == components.compute_metrics(prediction)
    assert rows.measure(numpy.array([0, 0, 1, 1]))["accuracy"] == 0.5
    assert rows.measure(numpy.array([1, 1]))["accuracy"] == 0.0


def test_the_table_of_classes_is_that_of_the_ids() -> None:
    components, prediction = evaluated()
    assert components.per_class(prediction, None).right == [1, 2, 0]


def test_logits_are_kept_only_where_those_of_all_rows_take_little_memory() -> None:
    components, prediction = evaluated(rows=10_000_000)
    rows = components.evaluated_rows(prediction, None)
    assert rows.scores is None
    assert rows.confidence is not None
