"""Keys of the training loop, whatever the task."""

from __future__ import annotations

import attrs

from adapt_core.plugin.params import param


@attrs.frozen
class TrainingParams:
    """The training loop, whatever the task."""

    do_train: bool = param(True, "Train. false: the model is evaluated and exported as it is.", key="DO_TRAIN")
    do_eval: bool = param(True, "Evaluate, before and after training and at each INTERVAL.", key="DO_EVAL")
    evaluate_before: bool = param(
        True,
        "Evaluate before training too. false saves that time, and nothing tells what training changed.",
        key="EVALUATE_BEFORE",
        may_change_on_resume=True,
    )
    num_workers: int = param(
        4,
        "Worker processes for data loading, at most as many as cores.",
        key="NUM_WORKERS",
        ge=0,
        may_change_on_resume=True,
    )
    settings: str = param(
        "default",
        "What LR, EPOCHS and BATCH_SIZE are where the config does not give them: the defaults of these keys, or (auto) "
        "what fits method, task, rows of training and model.",
        key="SETTINGS",
        choices=("default", "auto"),
        may_change_on_resume=True,
    )
    batch_size: int = param(
        16, "Training batch size, per process. auto: what memory allows (FIT_BATCH_SIZE).", key="BATCH_SIZE", ge=1
    )
    fit_batch_size: bool = param(
        False,
        "Let memory decide how many rows the model sees at a time (auto as the batch size does so too); a step still "
        "learns from BATCH_SIZE x GRADIENT_ACCUMULATION_STEPS rows of each process.",
        key="FIT_BATCH_SIZE",
    )
    eval_batch_size: int | None = param(
        None,
        "Evaluation batch size, per process (default: BATCH_SIZE; where texts are generated without "
        "GRADIENT_CHECKPOINTING four times as many, up to 32, or 128 with less than 100 million parameters).",
        key="EVAL_BATCH_SIZE",
        ge=1,
        may_change_on_resume=True,
    )
    epochs: float = param(2.0, "Passes over the training data; may be fractional.", key="EPOCHS", gt=0)
    max_steps: int | None = param(
        None, "Stop after this many optimizer steps, whatever EPOCHS says.", key="MAX_STEPS", ge=1
    )
    stop_after: str | None = param(
        None,
        "Save a checkpoint and end after this time since the command began (2h, 1h 30m, 90s), or after this many steps "
        "of it (500 steps); --resume goes on. For schedulers with a time limit; the runs of FOLDS and SEEDS share the "
        "time, and each counts its own steps.",
        key="STOP_AFTER",
        may_change_on_resume=True,
    )
    budget: str | None = param(
        None,
        "The time that the run may take, from the command to the result (20m, 1h 30m, 90s): EPOCHS and MAX_STEPS are "
        "cut to the steps that fit, evaluations and saving included, and the schedule ends with them. A resumed run "
        "keeps the steps that were fitted.",
        key="BUDGET",
    )
    retries: int = param(
        0,
        "Start the processes again this often from the newest complete checkpoint, where one of them died or could not "
        "be reached. For DDP and FSDP; under torchrun its --max-restarts does so.",
        key="RETRIES",
        ge=0,
        may_change_on_resume=True,
    )
    optimizer: str = param(
        "adamw_torch",
        "The optimizer, one of the task's loop, or package.module:Class of an installed package.",
        key="OPTIMIZER",
    )
    optimizer_options: dict[str, object] | None = param(
        None,
        "Arguments of OPTIMIZER: package.module:Class beside LR and WEIGHT_DECAY.",
        key="OPTIMIZER_OPTIONS",
    )
    lr: float = param(1e-4, "Learning rate, at the top of the schedule.", key="LR", ge=0)
    scheduler_type: str = param(
        "linear",
        "The learning rate's schedule, one of the task's loop, or package.module:Name of an installed package.",
        key="SCHEDULER_TYPE",
    )
    scheduler_options: dict[str, object] | None = param(
        None,
        "Arguments of SCHEDULER_TYPE: package.module:Name beside the steps of the run.",
        key="SCHEDULER_OPTIONS",
    )
    warmup_ratio: float = param(
        0.0, "Share of all steps that the learning rate warms up.", key="WARMUP_RATIO", ge=0, lt=1
    )
    warmup_iters: int = param(
        0, "Steps that the learning rate warms up; wins over WARMUP_RATIO when above 0.", key="WARMUP_ITERS", ge=0
    )
    weight_decay: float = param(0.0, "Weight decay (biases, norms and scales are exempt).", key="WEIGHT_DECAY", ge=0)
    beta1: float = param(0.9, "Adam's first beta; the momentum of sgd is 0.", key="BETA1", ge=0, lt=1)
    beta2: float = param(0.999, "Adam's second beta.", key="BETA2", ge=0, lt=1)
    adam_eps: float = param(1e-8, "Adam's epsilon.", key="ADAM_EPS", gt=0)
    head_lr: float | None = param(None, "Learning rate of the head that trains (default: LR).", key="HEAD_LR", gt=0)
    layer_lr_decay: float | None = param(
        None,
        "Learning rate by depth: what is d blocks below the head trains with LR times this to the power of d (0.65 to "
        "0.9 for a model trained in full).",
        key="LAYER_LR_DECAY",
        gt=0,
        le=1,
    )
    max_grad_norm: float = param(
        1.0, "Gradients are clipped to this norm; 0 turns clipping off.", key="MAX_GRAD_NORM", ge=0
    )
    step_in_backward: bool | None = param(
        None,
        "Step the optimizer for parameters as soon as their gradients are computed, so that few gradients are held at "
        "a time: the same steps in less memory. Needs MAX_GRAD_NORM: 0, one batch per step, no FP16 and one process "
        "(default: on where these are so). Language and image classification tasks.",
        key="STEP_IN_BACKWARD",
        may_change_on_resume=True,
    )
    interval: str = param(
        "epoch",
        "When to evaluate and save a checkpoint: each epoch, each INTERVAL_STEPS steps, or not before the end.",
        key="INTERVAL",
        choices=("epoch", "steps", "no"),
        may_change_on_resume=True,
    )
    interval_steps: int = param(
        100, "Steps between checkpoints where INTERVAL is steps.", key="INTERVAL_STEPS", ge=1, may_change_on_resume=True
    )
    no_of_checkpoints: int = param(
        5, "Checkpoints to keep; older ones are deleted.", key="NO_OF_CHECKPOINTS", ge=1, may_change_on_resume=True
    )
    background_checkpoints: bool = param(
        True,
        "Write checkpoints while training goes on, from a copy of trained weights and optimizer states in the CPU's "
        "memory. Where the memory has no room for it, and with false, training waits.",
        key="BACKGROUND_CHECKPOINTS",
        may_change_on_resume=True,
    )
    keep: str = param(
        "last",
        "Which weights a run ends with: the last, the best by METRIC_FOR_BEST, or (soup) the average of the best "
        "NO_OF_CHECKPOINTS, those of them with which it is not worse. soup: not under FSDP.",
        key="KEEP",
        choices=("last", "best", "soup"),
    )
    ema: float | None = param(
        None,
        "Average the weights over the steps, this share of the average kept at each (0.999), less in the first ones: "
        "the average is evaluated and saved. Default: the last weights. Not under FSDP.",
        key="EMA",
        gt=0,
        lt=1,
    )
    metric_for_best: str | None = param(
        None,
        "What decides what is best: a metric of the task or of METRICS, or loss (default: the task's first).",
        key="METRIC_FOR_BEST",
    )
    metrics: tuple[str, ...] = param(
        (),
        "Metrics to compute beside those of the task, by their names in adapt plugins.",
        key="METRICS",
        may_change_on_resume=True,
    )
    early_stopping_patience: int | None = param(
        None, "Stop after this many evaluations without a better METRIC_FOR_BEST.", key="EARLY_STOPPING_PATIENCE", ge=1
    )
    fp16: bool = param(False, "Mixed precision in float16 (needs a GPU).", key="FP16")
    bf16: bool = param(False, "Mixed precision in bfloat16.", key="BF16")
    gradient_accumulation_steps: int = param(1, "Batches per optimizer step.", key="GRADIENT_ACCUMULATION_STEPS", ge=1)
    gradient_checkpointing: bool = param(
        False,
        "Recompute activations in the backward pass: less memory, more time. auto: as much as memory needs "
        "(FIT_RECOMPUTATION).",
        key="GRADIENT_CHECKPOINTING",
    )
    fit_recomputation: bool = param(
        False,
        "Let memory decide what is recomputed (auto as GRADIENT_CHECKPOINTING does so too): the cheapest that fits of "
        "nothing, RECOMPUTE_MLP, GRADIENT_CHECKPOINTING with KEEP_ATTENTION, and GRADIENT_CHECKPOINTING.",
        key="FIT_RECOMPUTATION",
        may_change_on_resume=True,
    )
    keep_attention: bool = param(
        False,
        "With GRADIENT_CHECKPOINTING: keep the results of attention, and recompute the rest. For long inputs: the "
        "longer they are, the more time attention takes for a result of the same size. Models of transformers with "
        "fused attention, not under FSDP.",
        key="KEEP_ATTENTION",
    )
    chunked_loss: bool = param(
        True,
        "Compute the loss of a language model a chunk of labelled tokens at a time, without the logits of a whole "
        "batch: the same loss in less memory. Not in float16, where all logits are computed.",
        key="CHUNKED_LOSS",
    )
    lean_layers: bool = param(
        True,
        "Keep only the inputs of a language model's gated layers and RMS norms for the backward pass, and compute the "
        "rest again there: the same results in less memory. In single precision. The linear layers of LoRA and DoRA "
        "keep less too, without mixed precision.",
        key="LEAN_LAYERS",
    )
    recompute_mlp: bool = param(
        False,
        "Keep only the input of a language model's gated layers (its MLP), and compute the rest of them again in the "
        "backward pass: the same results, in a good deal less memory and a little more time. GRADIENT_CHECKPOINTING "
        "does so with whole blocks. Needs LEAN_LAYERS.",
        key="RECOMPUTE_MLP",
        may_change_on_resume=True,
    )
    fast_products: bool = param(
        True,
        "Multiply float32 matrices by oneDNN on CPUs whose AVX-512 torch's own kernels leave unused (AMD's since "
        "Zen 4), in about half of the time: the same results up to rounding. Elsewhere it has no effect.",
        key="FAST_PRODUCTS",
    )
    compile: bool = param(
        False,
        "Compile the repeated blocks of the model with torch.compile for training steps. The first batch is computed "
        "both ways: where loss or gradients differ, or a compiler fails, the run goes on without it and says so. "
        "LEAN_LAYERS has no effect then. Language and image classification tasks, not under FSDP.",
        key="COMPILE",
        may_change_on_resume=True,
    )
    frozen_cache_gb: float = param(
        10.0,
        "Gigabytes for what a frozen part makes of a split, computed once for each row or image (last_layer). 0: at "
        "every step.",
        key="FROZEN_CACHE_GB",
        ge=0,
        may_change_on_resume=True,
    )
    group_by_length: bool = param(
        False, "Train on examples of like length together, so that less is padded.", key="GROUP_BY_LENGTH"
    )
    logging_steps: int = param(
        10, "Steps between logged figures.", key="LOGGING_STEPS", ge=1, may_change_on_resume=True
    )
    seeds: int | None = param(
        None,
        "Run this many times, with SEED, SEED + 1 and so on, and report mean and spread of each metric.",
        key="SEEDS",
        ge=2,
    )
    seed: int = param(42, "Seed of every random choice.", key="SEED", ge=0, le=2**32 - 1)

    @property
    def keeps_best(self) -> bool:
        """Whether the best checkpoint is needed at the end."""
        return self.keep in ("best", "soup")

    @property
    def soup_evaluations(self) -> int:
        """The most evaluations that KEEP: soup makes after training."""
        return self.no_of_checkpoints if self.keep == "soup" else 0

    @property
    def rows_per_step(self) -> int:
        """The rows that each process learns from in an optimizer step."""
        return self.batch_size * self.gradient_accumulation_steps
