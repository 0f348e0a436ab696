"""The folder of a run.

files.py        files written whole or not at all
result.py       RunResult, result.json
paths.py        names, lock, config and metrics of a run folder
checkpoints.py  which checkpoints are complete
resume.py       whether a run may use its folder, and where it continues
"""
