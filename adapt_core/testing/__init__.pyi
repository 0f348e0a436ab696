from adapt_core.testing.exporter import ExporterContract
from adapt_core.testing.format import FormatContract
from adapt_core.testing.launcher import LauncherContract
from adapt_core.testing.method import MethodContract
from adapt_core.testing.metric import MetricContract
from adapt_core.testing.plugin import PluginContract
from adapt_core.testing.quantizer import QuantizerContract
from adapt_core.testing.task import TaskContract

__all__ = [
    "ExporterContract",
    "FormatContract",
    "LauncherContract",
    "MethodContract",
    "MetricContract",
    "PluginContract",
    "QuantizerContract",
    "TaskContract",
]
