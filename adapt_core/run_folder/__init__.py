"""The folder of a run.

files.py        atomic writes
names.py        names that runs write, and how a run folder is recognised
contents.py     files that a run wrote, moved and deleted
placements.py   names that are being put into place
ownership.py    the record of what a run wrote, which alone may be replaced
left_aside.py   files that stayed aside when a run was put back
claims.py       what a run is about to write, and what is complete
inputs.py       the data and base model that a run reads: apart from its folder, unchanged on resume
model_data.py   what the model of a finished run took from its data
known_classes.py  classes of new data, against those that a model knows
predictions.py  predictions/ of the last adapt predict
metric_lines.py the lines of metrics.jsonl, read on and on while a run writes them
paths.py        names, lock, config and metrics of a run folder
checkpoints.py  which checkpoints are complete
ranking.py      the best checkpoints, which KEEP: soup keeps
background.py   checkpoints written while training goes on
resume.py       whether a run may use its folder, and where it continues
"""
