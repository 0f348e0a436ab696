"""A merge is judged by outputs that differ by what the merge did, and by nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adapt_core.errors import DefectError
from adapt_core.merge_proof import MergeProof


class Watched(nn.Linear):
    """Notes in which precision a GPU would multiply."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.precisions: set[str] = set()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.precisions |= {torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision}
        return super().forward(inputs)


def proof_of(model: nn.Module) -> MergeProof:
    proof = MergeProof(model, rounded=False)
    model.eval()(torch.ones(2, 4))
    return proof


def test_outputs_are_computed_in_whole_float32_and_the_setting_of_the_run_comes_back() -> None:
    model = Watched()
    before = torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision
    proof = proof_of(model)
    model.precisions.clear()
    proof.before(model)
    assert proof.after(model) is not None
    assert model.precisions == {"ieee"}
    assert (torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision) == before


def test_a_merge_that_changes_the_outputs_is_a_defect() -> None:
    model = Watched()
    proof = proof_of(model)
    proof.before(model)
    with torch.no_grad():
        model.weight += 0.01
    with pytest.raises(DefectError, match=r"computes something else.*The adapter itself is saved"):
        proof.after(model)
