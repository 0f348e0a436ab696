"""Execution of a plan.

command.py          the command that runs a plan: log, lock, launcher
components.py       the implementations that a plan names
settings.py         SETTINGS: auto by the data
budgets.py          BUDGET of a plan
pipeline.py         `Run`: one process of a run, from data to result
start.py            the adapter that START_FROM goes on with
preparation.py      a start that is computed from training data
verdict.py          what checks of the data find before training
group_check.py      groups of rows on both sides of a split
evaluated_facts.py  what predictions take from the evaluation of the final weights
export.py           trained models saved: adapter, merged, other formats
exports.py          the forms of EXPORT, written and asked
runtime_check.py    an export in its own runtime, compared with the trained model
sizes.py            bytes on disk
merge.py            an adapter merged into its base, checked
finished_run.py     a finished run opened again
test_split.py       the test split predicted with a finished run's model
repeated_runs.py    several runs of a plan, and one table
folds.py            a run for each fold
seeds.py            a run for each seed
out_of_fold.py      the rows that folds hold out, predicted
rows.py             rows in memory as data files
model_data.py       what a model takes from the data, kept beside its adapter
launch_files.py     launch files for schedulers (`--emit`)
worker_protocol.py  messages between a launcher and its workers
worker.py           `python -m adapt_core.execution.worker`
"""
