"""Contracts that any plugin can be put through, as classes of pytest tests to derive from.

    from adapt_core.testing import MethodContract

    class TestBitFit(MethodContract):
        @pytest.fixture
        def make_method(self):
            return lambda: BitFit(BitFitParams())

plugin.py        a distribution's specs: light to import, loadable, their params complete
method.py        a method: attaches, freezes, trains, saves, loads, merges
quantizer.py     a quantizer: converts, keeps what it is told to keep, becomes smaller, carries an adapter's gradient
task.py          a task: loads data and model, trains through `adapt_core.run`, saves, loads, predicts
format.py        a format: recognises its split and no other, cheaply; yields plain rows with file and line
metric.py        a metric: its figures known, within bounds, better where predictions are right
exporter.py      an exporter: computes in its runtime what the trained model does, told where not; its lines run
launcher.py      a launcher: does the work once in each process and hands back rank 0's result
equality.py      gradients that were computed in two ways, in float32 and in float64
int8.py          a quantizer of no library, for methods to be tested on
forks.py         programs in processes that start with torch and transformers imported
fork_server.py   the process that forks them
models.py        a small model with a layer of each common kind
cards.py         the lines of a model card
reports.py       figures of a report that its result does not have
small_models.py  small real Hugging Face models to run a task or method on, saved as folders

The contracts need pytest, which adapt-core does not install; the models do not.
"""

from __future__ import annotations

from adapt_core.lazy import lazy_names

__getattr__, __dir__ = lazy_names(__name__, __file__)
