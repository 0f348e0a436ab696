"""The folder of a run.

files.py        atomic writes
result.py       RunResult, result.json
paths.py        names, lock, config and metrics of a run folder
checkpoints.py  which checkpoints are complete
resume.py       whether a run may use its folder, and where it continues
"""
