"""The type of numpy arrays here."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""Float32 values, or the bytes of an encoding."""

Floats: TypeAlias = npt.NDArray[np.float32]
