"""The task text_classification: one class for each text. Its subtasks are `adapt_nlp.token_classification`.

task.py       the task
data.py       texts and labels -> token ids
end_token.py  where encoder-decoders read a text
predict.py    classes of raw texts
preview.py    examples for `adapt check`, samples for the report

The metrics are in `adapt_nlp.metrics.classification`; batches are padded by transformers' own collator.
"""
