"""Optional capabilities of implementations: adapt leaves out what an implementation does not support.

The report shows samples and classes, `adapt check` counts and previews.

chat.py       what a task whose models write texts may support: a conversation
task.py       what a task may support: samples, previews, random inputs, uploads, adapters that plain peft loads
loop.py       what a loop may support: scores of each class, what was found of each row
quantizer.py  what a quantizer may support: its memory, StoredBytes
launcher.py   what a launcher may support: the memory of its processes, a precision, launch files, a storage
preparation.py  what a start from data, or from an adapter, takes of method and task
"""

from adapt_core.capabilities.chat import Chat, SupportsChat, Turn
from adapt_core.capabilities.launcher import (
    Memory,
    RunCommand,
    SupportsLaunchFiles,
    SupportsMixedPrecision,
    SupportsRankMemory,
    SupportsRunStorage,
    SupportsSeveralRuns,
)
from adapt_core.capabilities.loop import SupportsEvaluatedRows, SupportsPerClass, kept_of
from adapt_core.capabilities.preparation import SupportsContinuation, SupportsPreparation, SupportsTrainingBatches
from adapt_core.capabilities.quantizer import StoredBytes, SupportsMemoryEstimate
from adapt_core.capabilities.task import (
    SupportsActivationMeasurement,
    SupportsBatchPreview,
    SupportsCachedSamples,
    SupportsClassCounts,
    SupportsDataFormats,
    SupportsDecisions,
    SupportsDrawnRows,
    SupportsEvaluatedFacts,
    SupportsFrozenFeatures,
    SupportsFurtherSets,
    SupportsHubUpload,
    SupportsImagePreview,
    SupportsMetaInit,
    SupportsPickledModels,
    SupportsPlainAdapter,
    SupportsRandomBatch,
    SupportsRowContents,
    SupportsRowCount,
    SupportsSamples,
    SupportsShownRows,
    SupportsTestPrediction,
    SupportsTokenPreview,
    SupportsTrainingForward,
)

__all__ = [
    "Chat",
    "Memory",
    "RunCommand",
    "StoredBytes",
    "SupportsActivationMeasurement",
    "SupportsBatchPreview",
    "SupportsCachedSamples",
    "SupportsChat",
    "SupportsClassCounts",
    "SupportsContinuation",
    "SupportsDataFormats",
    "SupportsDecisions",
    "SupportsDrawnRows",
    "SupportsEvaluatedFacts",
    "SupportsEvaluatedRows",
    "SupportsFrozenFeatures",
    "SupportsFurtherSets",
    "SupportsHubUpload",
    "SupportsImagePreview",
    "SupportsLaunchFiles",
    "SupportsMemoryEstimate",
    "SupportsMetaInit",
    "SupportsMixedPrecision",
    "SupportsPerClass",
    "SupportsPickledModels",
    "SupportsPlainAdapter",
    "SupportsPreparation",
    "SupportsRandomBatch",
    "SupportsRankMemory",
    "SupportsRowContents",
    "SupportsRowCount",
    "SupportsRunStorage",
    "SupportsSamples",
    "SupportsSeveralRuns",
    "SupportsShownRows",
    "SupportsTestPrediction",
    "SupportsTokenPreview",
    "SupportsTrainingBatches",
    "SupportsTrainingForward",
    "Turn",
    "kept_of",
]
