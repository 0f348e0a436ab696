"""The scores of several labels: thresholds are tuned on validation rows alone."""

from __future__ import annotations

import pytest


def test_a_data_set_s_part_of_the_test_split_is_scored_with_the_kept_thresholds() -> None:
    """At 0.5 the one row of the test split has no label; a threshold tuned on it would give it one."""
    pytest.importorskip("torch")
    datasets = pytest.importorskip("datasets")
    transformers = pytest.importorskip("transformers")
    import numpy

    from adapt_core.contracts import TaskData
    from adapt_core.hf.loop.components import TrainerComponents
    from adapt_core.hf.loop.parts import parts_of
    from adapt_core.hf.problems.multi_label import MultiLabel

    split = datasets.Dataset.from_dict({"labels": [[1.0], [1.0]]})
    parts = {"test": {"one": range(1), "two": range(1, 2)}}
    data = TaskData(validation=split, test=split.select([0, 1]), parts=parts)
    ((whole, taken),) = parts_of(data)
    components = MultiLabel(names=("a",)).complete(TrainerComponents(collate=list, metrics={}), data, (), None)
    prediction = transformers.EvalPrediction(numpy.array([[0.4]]), numpy.array([[1.0]]))
    assert components.score is not None
    assert components.score(prediction, taken["two"])["micro_f1"] == 0.0
    assert components.score(prediction, whole)["micro_f1"] == 0.0
    assert components.score(prediction, data.validation)["micro_f1"] == 1.0
