"""The tasks summarization and translation, with encoder-decoders.

task.py           what both share
summarization.py  the task summarization
translation.py    the task translation
text_fields.py    where source and target are in a row
data.py           pairs of texts -> token ids
generation.py     special tokens and generation config of a model
multilingual.py   source and target language of a tokenizer
languages.py      languages by any of their codes
metrics.py        scores of generated texts
predict.py        generated texts
preview.py        examples for `adapt check`, samples for the report

Batches are padded by transformers' own collator; ROUGE and BLEU are in `adapt_nlp.metrics`.
"""
