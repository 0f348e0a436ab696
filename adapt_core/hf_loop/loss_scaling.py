"""Whether a model's loss is divided by the items of the whole batch; the Trainer believes it of some that do not.

The Trainer takes a forward with `**kwargs` for one that divides its loss by `num_items_in_batch`, and multiplies the
loss by the number of processes to make up for it. Many heads (BERT's classifiers among them) take the argument and
ignore it: their loss is a mean already, and would come out as many times too large as there are processes.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

_PASSED_ON = re.compile(r"loss_function\([^()]*(?:\([^()]*\)[^()]*)*\*\*")


def divides_by_items(model: Any) -> bool:
    """Whether the forward of a Hugging Face model (inside an adapter or not) passes what it gets on to its loss."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    return bool(_PASSED_ON.search(inspect.getsource(type(plain).forward)))
