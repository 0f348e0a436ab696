"""Checks that a run makes of itself.

training.py     training check: what should train moved, what is frozen did not
merge.py        merge check: the merged model computes what the unmerged one does
predictions.py  one class for every row, no better than that, nothing found, empty texts
"""
