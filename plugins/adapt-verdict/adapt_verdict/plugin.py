"""The hooks of adapt-verdict. Imports nothing heavy: scikit-learn loads when a check is made."""

from __future__ import annotations

from adapt_core.plugin.specs import DataCheckSpec, hookimpl

adapt_hook_api = 3

_CLASSES = ("table", "text+label", "tokens+tags", "image+class", "image+boxes", "image+masks")


@hookimpl
def adapt_data_checks() -> list[DataCheckSpec]:
    """Return the specs of the checks, the quick ones first."""
    return [
        DataCheckSpec(
            name="duplicates",
            summary="rows of validation and test that stand in training, exactly or nearly",
            implementation="adapt_verdict.duplicates:DuplicateCheck",
        ),
        DataCheckSpec(
            name="classes",
            summary="classes with few training rows, or with none",
            implementation="adapt_verdict.classes:ClassCheck",
            shapes=_CLASSES,
        ),
        DataCheckSpec(
            name="shifts",
            summary="lengths, languages and classes at odds between splits",
            implementation="adapt_verdict.shifts:ShiftCheck",
        ),
        DataCheckSpec(
            name="baseline",
            summary="the number to beat: majority, and logistic regression",
            implementation="adapt_verdict.baseline:BaselineCheck",
            shapes=_CLASSES,
        ),
        DataCheckSpec(
            name="label_errors",
            summary="labels that are probably wrong, by confident learning",
            implementation="adapt_verdict.label_errors:LabelErrorCheck",
            shapes=_CLASSES,
        ),
    ]
