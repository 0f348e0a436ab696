"""What OpenMMLab prints does not reach the screen."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("mmdet", reason="needs adapt-vision-mm[detection]")


def test_the_import_of_openmmlab_prints_nothing() -> None:
    source = "from adapt_vision_mm.openmmlab.availability import import_openmmlab; import_openmmlab('mmdet')"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr  # a library may warn
