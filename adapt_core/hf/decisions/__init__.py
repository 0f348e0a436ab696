"""From outputs to decisions, tuned on the validation split once training is over. Thresholds of labels: `problems`.

temperature.py  the temperature that makes probabilities of logits
reliability.py  how far confidences are from the share of right rows: ECE, and its curve
abstention.py   the least confidence that reaches a wanted precision
names.py        decisions among a run's facts, and in a model's config
one_label.py    these three of a classifier's rows
"""
