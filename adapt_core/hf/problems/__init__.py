"""What a classifier may learn of a row: one label, several labels, or numbers. Shared by texts and images.

kinds.py         the kinds, and the metrics of each
params.py        the keys that choose one
decimal_commas.py  numbers that a table spells with a comma
targets.py       cells of rows -> targets of each kind
written_lists.py lists that a csv holds as text
separators.py    what stands between several labels in one text
choice.py        the kind of a data set, from the keys and its rows
problem.py       what a loop, predictions and reports need to know of a kind: the base class
single_label.py  one label
smoothing.py     LABEL_SMOOTHING, of one label
training.py      the loop of a kind with its keys
sampling.py      CLASS_SAMPLING, of labels
class_rows.py    what an evaluation finds of each row with one label
label_rows.py    the same with several labels, or numbers
multi_label.py   several labels
regression.py    numbers
scores.py        metrics of several labels and of numbers
thresholds.py    the least score of each label
outputs.py       a problem kept in a model's config
"""
