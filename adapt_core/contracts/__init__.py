"""The protocols of a plugin's implementations.

The pipeline (`adapt_core.execution.pipeline`) knows these protocols and nothing else of any plugin. Methods know
nothing of tasks, tasks nothing of methods, neither of launchers.

task.py      Task: data, model, metrics, saved formats, predictions
model.py     Quantizer and Method, and what they get: the loaded model, the facts that a method attaches by
loop.py      Loop and what it gets: the data, the job, how processes share the model
launcher.py  Launcher: the processes of a run
format.py    Format: files of one kind, recognised and read into rows
data_check.py  DataCheck: what a reader must know of the data before training
exporter.py  Exporter: a form in which an adapted model leaves the run folder, and how it is asked there
tracker.py   Tracker: takes the figures of a run
metric.py    Metric: a function of predictions and what was expected
recognition.py  which format a split is in
"""

from adapt_core.contracts.data_check import CheckSkipped, DataCheck, Examples, Finding, Subject
from adapt_core.contracts.exporter import Exporter, ExportSource, RuntimeCheck
from adapt_core.contracts.format import Format, Place, Row
from adapt_core.contracts.launcher import Launcher, Work
from adapt_core.contracts.loop import Job, Loop, ParallelStrategy, TaskData, TrainResult
from adapt_core.contracts.metric import Metric
from adapt_core.contracts.model import AttachContext, LoadedModel, Method, Quantizer
from adapt_core.contracts.task import Task
from adapt_core.contracts.tracker import TrackedRun, Tracker

__all__ = [
    "AttachContext",
    "CheckSkipped",
    "DataCheck",
    "Examples",
    "ExportSource",
    "Exporter",
    "Finding",
    "Format",
    "Job",
    "Launcher",
    "LoadedModel",
    "Loop",
    "Method",
    "Metric",
    "ParallelStrategy",
    "Place",
    "Quantizer",
    "Row",
    "RuntimeCheck",
    "Subject",
    "Task",
    "TaskData",
    "TrackedRun",
    "Tracker",
    "TrainResult",
    "Work",
]
