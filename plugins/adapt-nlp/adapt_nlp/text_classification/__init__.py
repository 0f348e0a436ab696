"""The task text_classification: labels or numbers for each text. Its subtasks are `adapt_nlp.token_classification`.

task.py       the task
problems.py   the kinds of problems, with their metrics
data.py       texts and targets -> token ids
end_token.py  where encoder-decoders read a text
predict.py    labels and numbers of raw texts
preview.py    examples for `adapt check`

What images share with it is in `adapt_core.hf.problems`; batches are padded by transformers' own collator.
"""
