"""Bytecode that environments lend each other.

Python compiles each module of a new environment when it is first imported: seconds for torch and transformers. uv links
the files of a package into every environment, and bytecode names its source by size and time alone, so that what one
environment has compiled holds for the others:

    python scripts/bytecode.py FOLDER...

links into the environment of this interpreter what those in the folders have compiled. A source that is not the very
same file is left to Python, so this never changes what is run.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

COMPILED = f".{sys.implementation.cache_tag}.pyc"


def lend(giver: Path, taker: Path) -> int:
    """Link the bytecode of one environment into another where both have the same file as its source.

    Args:
        giver, taker: their folders site-packages.

    Returns:
        How many files were linked.
    """
    linked = 0
    for folder, _, names in os.walk(giver):
        if not folder.endswith("__pycache__"):
            continue
        package = taker / Path(folder).relative_to(giver).parent
        if not package.is_dir():
            continue
        target = package / "__pycache__"
        held = set(os.listdir(target)) if target.is_dir() else set()
        for name in {name for name in names if name.endswith(COMPILED)} - held:
            source = name.removesuffix(COMPILED) + ".py"
            with suppress(OSError):  # Each environment has its own packages, and a file system may know no links.
                if os.path.samefile(os.path.join(folder, "..", source), package / source):
                    target.mkdir(exist_ok=True)
                    os.link(os.path.join(folder, name), target / name)
                    linked += 1
    return linked


if __name__ == "__main__":
    own = Path(sysconfig.get_path("purelib"))
    for argument in sys.argv[1:]:
        for site in Path(argument).glob("*/lib/python*/site-packages"):
            if site != own:
                lend(site, own)
