"""The keys that say what is learned of a row. A task declares them among its own parameters."""

from __future__ import annotations

from typing import Any, Protocol

from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.hf.problems.kinds import AUTO, IN_TRANSFORMERS, KINDS, MULTI_LABEL, REGRESSION, SINGLE_LABEL
from adapt_core.plugin.params import param
from adapt_core.run_folder.model_data import ModelData

_LONG = {long: kind for kind, long in IN_TRANSFORMERS.items()}


class ProblemParams(Protocol):
    """The parameters of a task that learns labels or numbers."""

    @property
    def problem_type(self) -> str:
        """See `problem_type`."""

    @property
    def target_columns(self) -> tuple[str, ...] | None:
        """See `target_columns`."""

    @property
    def label_separator(self) -> str | None:
        """See `label_separator`."""

    @property
    def calibrate(self) -> bool:
        """CALIBRATE."""

    @property
    def abstain_precision(self) -> float | None:
        """ABSTAIN_PRECISION."""

    @property
    def class_weights(self) -> str | dict[str, object] | None:
        """CLASS_WEIGHTS."""

    @property
    def label_smoothing(self) -> float:
        """LABEL_SMOOTHING."""

    @property
    def loss(self) -> str | None:
        """LOSS."""

    @property
    def loss_options(self) -> dict[str, object] | None:
        """LOSS_OPTIONS."""

    @property
    def class_sampling(self) -> str | None:
        """CLASS_SAMPLING."""


def problem_type() -> Any:
    """Return the field of `problem_type`."""
    return param(
        AUTO,
        "What is learned of a row: one label (single_label), any number of labels (multi_label), or numbers "
        "(regression). auto: labels in lists or in several columns of 0 and 1 are multi_label, numbers with a fraction "
        "regression, all others single_label; transformers' names are understood too.",
        choices=(AUTO, *KINDS, *sorted(_LONG.keys() - set(KINDS))),
    )


def target_columns() -> Any:
    """Return the field of `target_columns`."""
    return param(
        None,
        "In place of target_column, several columns: one for each label, with 0 or 1, or one for each number.",
    )


def label_separator() -> Any:
    """Return the field of `label_separator`."""
    return param(
        None,
        'What stands between several labels in one text ("|" for "loans|rooms"); the problem is then multi_label. '
        "With problem_type: multi_label it is recognised where one of | ; , alone occurs in the labels.",
    )


def calibrate() -> Any:
    """Return the field of CALIBRATE."""
    return param(
        True,
        "Divide the logits of one label by a temperature that fits the validation rows, once training is over, so that "
        "scores are probabilities. No label changes.",
        key="CALIBRATE",
        may_change_on_resume=True,
    )


def abstain_precision() -> Any:
    """Return the field of ABSTAIN_PRECISION."""
    return param(
        None,
        "Give no label to a row whose score is below that at which the given labels have this precision (0.95), with a "
        "risk of 5 % that it is less; found on the validation rows. Of one label for each row.",
        key="ABSTAIN_PRECISION",
        gt=0,
        lt=1,
        may_change_on_resume=True,
    )


def label_smoothing() -> Any:
    """Return the field of LABEL_SMOOTHING."""
    return param(
        0.0,
        "Share of each target that goes to all classes evenly while training (0.1), so that a model does not grow too "
        "sure of few rows. Of one label for each row.",
        key="LABEL_SMOOTHING",
        ge=0,
        lt=1,
    )


def loss() -> Any:
    """Return the field of LOSS."""
    return param(
        None,
        "A loss of an installed package by its dotted name (torch.nn:MultiMarginLoss), called with logits and targets: "
        "a module, made with LOSS_OPTIONS, or a function, called with them. Default: cross-entropy of labels, the "
        "squared error of numbers.",
        key="LOSS",
    )


def loss_options() -> Any:
    """Return the field of LOSS_OPTIONS."""
    return param(None, "Arguments of LOSS; a list of numbers is a tensor.", key="LOSS_OPTIONS")


def class_sampling() -> Any:
    """Return the field of CLASS_SAMPLING."""
    return param(
        None,
        "Show rows of rare classes more often and those of frequent ones less, in epochs of as many rows: each class "
        "equally often (balanced), or by the square root of its rows (square_root). A row of several labels is shown "
        "as its rarest. Default: each row once.",
        key="CLASS_SAMPLING",
        choices=("balanced", "square_root"),
    )


def require_one_label(params: ProblemParams, kind: str) -> None:
    """Check that ABSTAIN_PRECISION is of rows with one label.

    Raises:
        InputError: they are not.
    """
    if params.abstain_precision is not None and kind not in (AUTO, SINGLE_LABEL):
        raise InputError(
            f"ABSTAIN_PRECISION is of one label for each row, and problem_type is {kind}. Leave ABSTAIN_PRECISION out."
        )


def wanted_kind(params: ProblemParams) -> str:
    """Return the kind of problem that the keys ask for, or AUTO where the data decides."""
    kind = _LONG.get(params.problem_type, params.problem_type)
    return MULTI_LABEL if kind == AUTO and params.label_separator is not None else kind


def kind_that_goes_on(params: ProblemParams, before: ModelData) -> str:
    """Return the kind of problem that the model of START_FROM learned.

    Raises:
        InputError: the keys ask for another one.
    """
    said = str(before.facts.get("problem_type", SINGLE_LABEL))
    learned, wanted = _LONG.get(said, said), wanted_kind(params)
    if wanted not in (AUTO, learned):
        raise InputError(
            f"problem_type: {wanted}, and the model of START_FROM learned {learned}. Leave problem_type and "
            "label_separator out, or start from the base model."
        )
    return learned


def check_problem(plan: Plan[ProblemParams]) -> None:
    """Check that the keys of the problem, and CLASS_WEIGHTS, agree with one another.

    Raises:
        InputError: they do not.
    """
    params = plan.task.params
    kind = wanted_kind(params)
    if params.target_columns is not None:
        _check_columns(plan, params.target_columns, kind)
    if params.label_separator is not None and kind != MULTI_LABEL:
        raise InputError(f"label_separator parts several labels, and problem_type is {kind}. Leave one of them out.")
    require_one_label(params, kind)
    if params.label_smoothing and kind not in (AUTO, SINGLE_LABEL):
        raise InputError(f"LABEL_SMOOTHING is of one label for each row, and problem_type is {kind}. Leave it out.")
    if params.class_sampling is not None and kind == REGRESSION:
        raise InputError("CLASS_SAMPLING is of labels, and problem_type is regression. Leave CLASS_SAMPLING out.")
    if params.loss is not None:
        for key, given in (("CLASS_WEIGHTS", params.class_weights), ("LABEL_SMOOTHING", params.label_smoothing)):
            if given:
                raise InputError(f"{key} is of cross-entropy, and LOSS names another. Use LOSS_OPTIONS.")
    weights = params.class_weights
    if isinstance(weights, str) and weights.casefold() != "balanced":
        raise InputError(f"CLASS_WEIGHTS must be balanced or a mapping of label to weight; not {weights!r}.")
    if weights is not None and kind == REGRESSION:
        raise InputError("CLASS_WEIGHTS weighs labels, and problem_type is regression. Leave CLASS_WEIGHTS out.")


def _check_columns(plan: Plan[ProblemParams], columns: tuple[str, ...], kind: str) -> None:
    params = plan.task.params
    if plan.data.target_column is not None:
        raise InputError("target_column and target_columns are both given. Leave one of them out.")
    if params.label_separator is not None:
        raise InputError(
            "label_separator parts the labels of one column, and target_columns names columns of 0 and 1. "
            "Leave one of them out."
        )
    if kind == SINGLE_LABEL:
        raise InputError(
            "target_columns names a column for each label or number, and problem_type is single_label. "
            "Name one target_column."
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"target_columns names {', '.join(twice)} twice. Name each column once.")
