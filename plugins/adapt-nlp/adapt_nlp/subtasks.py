"""The class behind TASK: text_classification, which `subtask` selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapt_core.config.plan import Plan

from adapt_nlp.params import TextClassificationParams

if TYPE_CHECKING:
    from adapt_nlp.text_classification.task import TextClassification
    from adapt_nlp.token_classification.task import TokenClassification


def text_classification(plan: Plan[TextClassificationParams]) -> TextClassification | TokenClassification:
    """Return the task: a tag for each word with a `subtask` (ner, pos, chunk), else labels or numbers for each text."""
    if plan.task.params.subtask:
        from adapt_nlp.token_classification.task import TokenClassification

        return TokenClassification(plan)
    from adapt_nlp.text_classification.task import TextClassification

    return TextClassification(plan)
