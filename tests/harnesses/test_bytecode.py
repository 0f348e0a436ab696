"""scripts/bytecode.py: an environment gets the bytecode of its own files, and no other."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

from scripts.bytecode import COMPILED, lend


def test_a_file_that_both_have_is_imported_from_lent_bytecode_and_others_are_compiled(tmp_path: Path) -> None:
    giver, taker = tmp_path / "giver", tmp_path / "taker"
    for folder in (giver / "both", taker / "both", giver / "one"):
        folder.mkdir(parents=True)
    for name in ("both/same.py", "both/other.py", "both/absent.py", "one/module.py"):
        (giver / name).write_text(f"word = '{name}'\n", encoding="utf-8")
        py_compile.compile(str(giver / name), doraise=True)
    os.link(giver / "both" / "same.py", taker / "both" / "same.py")
    (taker / "both" / "other.py").write_text("word = 'another.py'\n", encoding="utf-8")
    os.utime(taker / "both" / "other.py", times=(os.stat(giver / "both" / "other.py").st_mtime,) * 2)

    assert lend(giver, taker) == 1
    assert lend(giver, taker) == 0
    assert [path.relative_to(taker) for path in taker.rglob("*.pyc")] == [Path(f"both/__pycache__/same{COMPILED}")]
    program = "from both import other, same; print(other.word, same.word, same.__file__)"
    done = subprocess.run(
        [sys.executable, "-v", "-c", program], cwd=taker, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["another.py", "both/same.py", str(taker / "both" / "same.py")]
    lines = [line for line in done.stderr.splitlines() if line.startswith("# code object from")]
    assert any(f"both/__pycache__/same{COMPILED}" in line for line in lines)
