"""How certain the metrics of a run are, from what its evaluations found of each row.

resampling.py   rows drawn with replacement, as many times as their cost allows
intervals.py    95 % intervals of metrics
kept_rows.py    predictions.parquet: what was predicted for each row
corpus_scores.py    metrics of texts by the counts of their rows
matched_objects.py  average precision of objects by the matches of images
worst.py        the rows that a model gets most wrong, and labels that it doubts
paired.py       whether two runs differ on the same rows
"""
