"""Language tasks for adapt.

plugin.py             the registered tasks
params.py             their parameters
subtasks.py           text_classification: labels or numbers for each text, or a tag for each word
formats/              formats of text data: CoNLL
text_classification/  labels or numbers for each text
token_classification/ a tag for each word
question_answering/   the span of a context that answers a question
seq2seq/              summarization and translation with encoder-decoders
text_generation/      continuations of prompts with causal language models
collate.py            padded batches, shared by several tasks
probes.py             a model asked about a few tokens before it trains
padding.py            a probe of whether padding enters what a model computes
head.py               the classification head, shared by both classifications
metrics/              metrics shared by several tasks, and the names of all
evaluate_metrics.py   the metrics as classes of the package evaluate

A task's folder has the modules task, data, collate, metrics, predict and preview, as far as it needs them, and those
that only this task has.
"""
