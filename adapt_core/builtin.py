"""What adapt-core itself registers through the hooks of every plugin: methods, formats, checks, metrics, ..."""

from __future__ import annotations

from adapt_core.metrics.specs import SPECS
from adapt_core.plugin.exporter_spec import ExporterSpec
from adapt_core.plugin.metric_spec import MetricSpec
from adapt_core.plugin.specs import (
    TABLE,
    DataCheckSpec,
    FormatSpec,
    LauncherSpec,
    MethodSpec,
    OptionalDependency,
    TrackerSpec,
    hookimpl,
)

_OPTIONAL = (
    ("transformers", "the Hugging Face loop", "pip install 'adapt-core[hf]'"),
    ("bitsandbytes", "8-bit and paged optimizers", "pip install bitsandbytes"),
    ("tensorboard", "TRACKERS: [tensorboard]", "pip install 'adapt-core[tensorboard]'"),
    ("python-calamine", "data in .xlsx and .ods files", "pip install 'adapt-core[sheets]'"),
    ("flash-attn", "flash_attention2, on a GPU", "pip install flash-attn"),
)
"""Distribution, what it is for, the command that installs it."""


@hookimpl
def adapt_methods() -> list[MethodSpec]:
    return [
        MethodSpec(
            name="full",
            summary="every parameter of the model trains",
            implementation="adapt_core.methods.full:Full",
            trains_base=True,
            is_peft=False,
        ),
        MethodSpec(
            name="last_layer",
            summary="the head trains, or the last few layers; the rest is frozen",
            implementation="adapt_core.methods.last_layer:LastLayer",
            params="adapt_core.methods.params:LastLayerParams",
            trains_base=True,
            on_quantized=True,
            is_peft=False,
        ),
    ]


@hookimpl
def adapt_launchers() -> list[LauncherSpec]:
    return [
        LauncherSpec(
            name="local",
            summary="one process, this one",
            implementation="adapt_core.launchers.local:Local",
            aliases=("none",),
        )
    ]


@hookimpl
def adapt_formats() -> list[FormatSpec]:
    return [
        FormatSpec(
            name="delimited",
            aliases=("csv", "tsv"),
            summary="delimited text (csv, tsv)",
            implementation="adapt_core.hf.data.tables.formats:Delimited",
            shapes=(TABLE,),
            suffixes=(".csv", ".tsv"),
            general=True,
        ),
        FormatSpec(
            name="json",
            aliases=("jsonl", "ndjson"),
            summary="JSON objects, a line each or in a list",
            implementation="adapt_core.hf.data.tables.formats:Json",
            shapes=(TABLE,),
            suffixes=(".jsonl", ".ndjson", ".json"),
            general=True,
        ),
        FormatSpec(
            name="sheets",
            aliases=("xlsx", "ods"),
            summary="spreadsheets (xlsx, ods), a sheet by its name (SHEET)",
            implementation="adapt_core.hf.data.tables.sheets:Sheets",
            shapes=(TABLE,),
            suffixes=(".xlsx", ".ods"),
            general=True,
        ),
        FormatSpec(
            name="parquet",
            summary="parquet",
            implementation="adapt_core.hf.data.tables.formats:Parquet",
            shapes=(TABLE,),
            suffixes=(".parquet",),
            general=True,
        ),
        FormatSpec(
            name="text",
            aliases=("txt",),
            summary="plain text, a row on each line",
            implementation="adapt_core.hf.data.tables.formats:Text",
            shapes=(TABLE,),
            suffixes=(".txt",),
            general=True,
        ),
    ]


@hookimpl
def adapt_data_checks() -> list[DataCheckSpec]:
    return [
        DataCheckSpec(
            name="groups",
            summary="groups of rows (GROUP_COLUMN) on both sides of a split",
            implementation="adapt_core.execution.group_check:GroupCheck",
        )
    ]


@hookimpl
def adapt_metric_specs() -> list[MetricSpec]:
    return SPECS


@hookimpl
def adapt_exporters() -> list[ExporterSpec]:
    forms = {
        "full_torch_model": "a pickled torch module",
        "state_dict": "a torch state dict with the model's config",
        "safetensors": "one safetensors file with the model's config",
        "save_pretrained": "a folder that from_pretrained loads",
    }
    return [
        ExporterSpec(name=name, summary=f"{summary} (SAVE_METHOD)", implementation=f"adapt_core.exporters.saved:{name}")
        for name, summary in forms.items()
    ]


@hookimpl
def adapt_trackers() -> list[TrackerSpec]:
    others = {
        "wandb": "Weights & Biases",
        "mlflow": "MLflow",
        "trackio": "trackio",
        "comet_ml": "Comet",
        "aim": "Aim",
        "clearml": "ClearML",
        "swanlab": "SwanLab",
    }
    tensorboard = "adapt_core.trackers.tensorboard:TensorBoard"
    return [
        TrackerSpec(name="tensorboard", summary="TensorBoard", implementation=tensorboard, requires=("tensorboard",)),
        *(
            TrackerSpec(
                name=name,
                summary=title,
                implementation=f"adapt_core.trackers.through_accelerate:{name}",
                requires=(name.replace("_", "-"), "accelerate"),
            )
            for name, title in others.items()
        ),
    ]


@hookimpl
def adapt_optional_dependencies() -> list[OptionalDependency]:
    from adapt_core.plugin.versions import installed_version  # Only `adapt doctor` asks, and it imports much.

    return [
        OptionalDependency(name=name, purpose=purpose, present=installed_version(name) is not None, add=command)
        for name, purpose, command in _OPTIONAL
    ]
