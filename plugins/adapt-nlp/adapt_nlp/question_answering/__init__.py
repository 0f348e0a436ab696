"""The task question_answering: the span of a context that answers a question (SQuAD 1.1 and 2.0).

task.py     the task
data.py     questions, contexts and answers -> windows
windows.py  overlapping windows, and an answer's tokens in one
collate.py  batches of windows
trainer.py  the loss of windows
metrics.py  exact match and F1
evaluated.py  what an evaluation finds of each question
spans.py    the best spans over a question's windows
predict.py  answers from logits
preview.py  examples for `adapt check`, samples for the report
"""
