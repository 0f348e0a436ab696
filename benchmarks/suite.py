"""The benchmarks that `python -m benchmarks` runs: by name, the arguments after `python -m`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.learned_tokens import ROWS
from benchmarks.peers.jobs import JOBS

PEERS = "peers: "
LEARNED = "learned_tokens: "
SUITE: dict[str, tuple[str, ...]] = {
    "startup": ("benchmarks.startup",),
    "calibration": ("benchmarks.calibration", "--data", "DATA"),
    "verdict": ("benchmarks.verdict", "--data", "DATA", "--seeds", "3"),
    "first_results": ("benchmarks.first_results", "--data", "DATA"),
    "check_and_report": ("benchmarks.check_and_report",),
    "adapter_sizes": ("benchmarks.adapter_sizes",),
    "training_check": ("benchmarks.training_check",),
    **{f"{PEERS}{job}": ("benchmarks.peers", "--data", "DATA", "--pairs", "5", "--job", job) for job in JOBS},
    "image_classification": (
        *("benchmarks.image_classification", "plain", "--data", "DATA/hymenoptera", "--method", "last_layer"),
        *("--epochs", "0.5", "--pairs", "5", "--side-by-side"),
    ),
    "frozen part, time": ("benchmarks.frozen_part", "time", "--data", "DATA", "--pairs", "5"),
    "frozen part, time over before": (
        *("benchmarks.frozen_part", "time", "--data", "DATA", "--pairs", "5"),
        *("--over", "before"),
    ),
    "frozen part, views": ("benchmarks.frozen_part", "views", "--data", "DATA", "--seeds", "5"),
    "detection": ("benchmarks.detection", "--data", "DATA/bccd_coco", "--pairs", "5", "--steps", "10"),
    "coco_scoring": ("benchmarks.coco_scoring", "--data", "DATA"),
    "intervals": ("benchmarks.intervals",),
    "paired_test": ("benchmarks.paired_test", "--data", "DATA/ag_news"),
    "paired_runs": ("benchmarks.paired_runs", "--data", "DATA/ag_news"),
    "data_loading": ("benchmarks.data_loading", "--data", "DATA"),
    "decoding": ("benchmarks.decoding", "--data", "DATA"),
    "generated evaluations": (
        "benchmarks.generated_evaluations",
        *("--data", "DATA/alpaca_demo", "--train", "240", "--pairs", "2"),
    ),
    "ddp": ("benchmarks.ddp", "--data", "DATA/ag_news", "--pairs", "5"),
    "checkpoint_pauses": ("benchmarks.checkpoint_pauses", "--data", "DATA/tinyshakespeare"),
    "products": ("benchmarks.products",),
    **{
        f"{LEARNED}{row}": (
            *("benchmarks.learned_tokens", "--data", "DATA/tinyshakespeare"),
            *("--pairs", "5", "--steps", "3", "--row", row),
        )
        for row in ROWS
    },
    "llama_factory": (
        *("benchmarks.llama_factory", "--data", "DATA/tinyshakespeare"),
        *("--pairs", "5", "--steps", "8"),
    ),
    "one_gpu": ("benchmarks.one_gpu", "--data", "DATA/tinyshakespeare"),
    "full_tuning": ("benchmarks.full_tuning", "--data", "DATA/tinyshakespeare"),
    "compiled_blocks": ("benchmarks.compiled_blocks", "--data", "DATA"),
    "recomputation": ("benchmarks.recomputation",),
    "image_layout": ("benchmarks.image_layout",),
    "row_order": ("benchmarks.row_order", "--data", "DATA", "--seeds", "5"),
    "packing": ("benchmarks.packing", "--data", "DATA/alpaca_demo", "--batch-size", "4"),
    "ssf_overhead": ("benchmarks.ssf_overhead",),
    "exports": ("benchmarks.exports", "--data", "DATA"),
    "export_matrix": ("benchmarks.export_matrix", "--data", "DATA"),
    "gguf_export": ("benchmarks.gguf_export",),
    "half_precision": ("benchmarks.half_precision",),
    "quantized_bytes": ("benchmarks.quantized_bytes",),
    "method_steps": ("benchmarks.method_steps",),
    "adapter_layers": ("benchmarks.adapter_layers",),
    "memory": ("benchmarks.memory", "--data", "DATA"),
    "growth": ("benchmarks.growth", "--data", "DATA"),
    "soup": ("benchmarks.soup", "--data", "DATA"),
    "settings that fit": ("benchmarks.tuning", "auto", "--data", "DATA"),
    "small data": ("benchmarks.small_data", "--data", "DATA", "--page", "docs/howto/small_data.md"),
    "settings by search": ("benchmarks.tuning", "tune", "--data", "DATA", "--budget", "10m"),
}


def command(name: str, data: Path) -> list[str]:
    """Return the arguments after `python -m`."""
    return [part.replace("DATA", str(data), 1) if part.startswith("DATA") else part for part in SUITE[name]]
