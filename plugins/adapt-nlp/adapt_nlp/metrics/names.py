"""The metrics that each kind of run reports, the one that selects the best checkpoint first.

The task specs (`adapt_nlp.plugin`) and the tasks read them here. A new metric is one entry here and the function that
computes it.
"""

from __future__ import annotations

import math

CLASSIFICATION = {"accuracy": "higher", "macro_f1": "higher"}
ENTITIES = {"f1": "higher", "precision": "higher", "recall": "higher", "accuracy": "higher"}
SQUAD = {"f1": "higher", "exact_match": "higher"}
SQUAD_V2 = {
    **SQUAD,
    "answerable_f1": "higher",
    "answerable_exact_match": "higher",
    "unanswerable_accuracy": "higher",
}
ROUGE = {"rouge1": "higher", "rouge2": "higher", "rougeL": "higher", "rougeLsum": "higher"}
BLEU = {"bleu": "higher"}
SACREBLEU = {"sacrebleu": "higher"}
LANGUAGE_MODELING = {"perplexity": "lower", "token_accuracy": "higher"}

WRITTEN = {"exact_match": "higher", "token_f1": "higher", "rougeL": "higher", "chrf": "higher"}

SHARE = (0.0, 1.0)
PERCENT = (0.0, 100.0)
PERPLEXITY = (1.0, math.inf)
"""The bounds of metrics: the least and the greatest value."""
