"""The subtasks ner, pos and chunk of text_classification: a tag for each word.

task.py         the task
word_spaces.py  tokenizers that read lists of words as text
tags.py         tags of the data: names, ids, faults
schemes.py      entities that tags spell
data.py         words and tags -> windows
windows.py      overlapping windows of sub-tokens
metrics.py      entity scores; word scores
evaluated.py    what an evaluation finds of each document
predict.py      tags of raw words, and entities
preview.py      examples for `adapt check`, samples for the report
"""
