"""A merge is judged by outputs that differ by what the merge did, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import nn

from adapt_core.errors import DefectError
from adapt_core.verification.merge import MergeCheck, merge_findings


class Watched(nn.Linear):
    """Notes in which precision a GPU would multiply."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.precisions: set[str] = set()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.precisions |= {torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision}
        return super().forward(inputs)


def check_of(model: nn.Module) -> MergeCheck:
    merge_check = MergeCheck(model, rounded=False)
    model.eval()(torch.ones(2, 4))
    return merge_check


def test_outputs_are_computed_in_whole_float32_and_the_setting_of_the_run_comes_back() -> None:
    model = Watched()
    before = torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision
    merge_check = check_of(model)
    model.precisions.clear()
    merge_check.before(model)
    assert merge_check.after(model) is not None
    assert model.precisions == {"ieee"}
    assert (torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision) == before


def test_a_merge_that_changes_the_outputs_is_a_defect() -> None:
    model = Watched()
    merge_check = check_of(model)
    merge_check.before(model)
    with torch.no_grad():
        model.weight += 0.01
    with pytest.raises(DefectError, match=r"does not compute what the trained one does.*The adapter itself is saved"):
        merge_check.after(model)


def test_what_a_merge_keeps_is_measured_against_what_the_adapter_changed() -> None:
    """A difference that is small beside the outputs can be half of what was learned."""
    torch.manual_seed(0)  # some weights make outputs that are small beside the difference
    model = nn.Linear(4, 4)
    merge_check = check_of(model)
    base = model.weight.detach().clone()
    learned = 1e-4 * torch.randn(4, 4, generator=torch.Generator().manual_seed(3))

    @contextmanager
    def disabled() -> Iterator[None]:
        model.weight.data = base
        yield
        model.weight.data = base + learned

    model.weight.data = base + learned
    merge_check.before(model, disabled())
    model.weight.data = base + learned / 2
    outcome = merge_check.after(model)
    assert outcome is not None
    assert outcome["relative_difference"] < 1e-4
    assert outcome["kept"] == pytest.approx(0.5, abs=1e-2)
    assert merge_findings(outcome, "bfloat16")[0].startswith("the merged model keeps 0.5 of what the adapter changed")
    assert merge_findings({**outcome, "kept": 0.95}, "bfloat16") == []


def test_where_nothing_was_changed_no_share_is_given() -> None:
    model = nn.Linear(4, 4)
    merge_check = check_of(model)
    merge_check.before(model, nullcontext())
    outcome = merge_check.after(model)
    assert outcome is not None
    assert outcome["kept"] is None
    assert merge_findings(outcome, "bfloat16") == []
