from adapt_core.capabilities import (
    Memory,
    RunCommand,
    StoredBytes,
    SupportsActivationMeasurement,
    SupportsBatchPreview,
    SupportsCachedSamples,
    SupportsClassCounts,
    SupportsHubUpload,
    SupportsImagePreview,
    SupportsLaunchFiles,
    SupportsMemoryEstimate,
    SupportsMetaInit,
    SupportsPerClass,
    SupportsPickledModels,
    SupportsPlainAdapter,
    SupportsRandomBatch,
    SupportsRankMemory,
    SupportsRowCount,
    SupportsSamples,
    SupportsTestPrediction,
    SupportsTokenPreview,
)
from adapt_core.config.plan import Choice, Plan
from adapt_core.contracts import (
    AttachContext,
    Job,
    Launcher,
    LoadedModel,
    Loop,
    Method,
    ParallelStrategy,
    Quantizer,
    Task,
    TaskData,
    TrainResult,
    Work,
)
from adapt_core.distributed.replicated import Replicated
from adapt_core.distributed.world import World
from adapt_core.errors import AdaptError, ConfigError, DataError, DefectError, InputError, Problem
from adapt_core.evaluation import PerClass, of_evaluation, spread
from adapt_core.methods.in_place import InPlace
from adapt_core.methods.requires_grad import freeze_except, hold_batch_norms
from adapt_core.nn.random_state import seed_everything, untouched_random_state
from adapt_core.nn.structure import find_head
from adapt_core.nn.weights import read_state_dict, save_weights
from adapt_core.plugin.params import NoParams, param
from adapt_core.plugin.specs import (
    HOOK_API,
    LauncherSpec,
    LoopSpec,
    MethodSpec,
    OptionalDependency,
    QuantizerSpec,
    TaskSpec,
    hookimpl,
)
from adapt_core.result import RunResult
from adapt_core.run_folder.files import write_text
from adapt_core.run_folder.paths import RunFolder
from adapt_core.run_folder.resume import ResumeDecision
from adapt_core.runtime.interrupts import StopRequest
from adapt_core.runtime.recorder import MetricRecorder
from adapt_core.verification.training import TrainingCheck

__all__ = [
    "HOOK_API",
    "AdaptError",
    "AttachContext",
    "Choice",
    "ConfigError",
    "DataError",
    "DefectError",
    "InPlace",
    "InputError",
    "Job",
    "Launcher",
    "LauncherSpec",
    "LoadedModel",
    "Loop",
    "LoopSpec",
    "Memory",
    "Method",
    "MethodSpec",
    "MetricRecorder",
    "NoParams",
    "OptionalDependency",
    "ParallelStrategy",
    "PerClass",
    "Plan",
    "Problem",
    "Quantizer",
    "QuantizerSpec",
    "Replicated",
    "ResumeDecision",
    "RunCommand",
    "RunFolder",
    "RunResult",
    "StopRequest",
    "StoredBytes",
    "SupportsActivationMeasurement",
    "SupportsBatchPreview",
    "SupportsCachedSamples",
    "SupportsClassCounts",
    "SupportsHubUpload",
    "SupportsImagePreview",
    "SupportsLaunchFiles",
    "SupportsMemoryEstimate",
    "SupportsMetaInit",
    "SupportsPerClass",
    "SupportsPickledModels",
    "SupportsPlainAdapter",
    "SupportsRandomBatch",
    "SupportsRankMemory",
    "SupportsRowCount",
    "SupportsSamples",
    "SupportsTestPrediction",
    "SupportsTokenPreview",
    "Task",
    "TaskData",
    "TaskSpec",
    "TrainResult",
    "TrainingCheck",
    "Work",
    "World",
    "find_head",
    "freeze_except",
    "hold_batch_norms",
    "hookimpl",
    "of_evaluation",
    "param",
    "read_state_dict",
    "save_weights",
    "seed_everything",
    "spread",
    "untouched_random_state",
    "write_text",
]
