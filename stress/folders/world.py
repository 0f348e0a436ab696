"""The files of somebody else around and in a run folder, and whether they are as they were."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import attrs
import torch

from adapt_core.run_folder.names import CHECKPOINTS, LOG, MARKER, NAMES, is_run_folder
from stress.folders.task import BASE, POINTS, network

_OTHER_NAMES = [
    "notes.txt",
    "src/main.py",
    "checkpoints/checkpoint-1-mine/a",
    "checkpoints/checkpoint-77/a",
    ".hidden",
    ".model.abcdefgh/a",
    ".replaced-0123456789ab/a",
    "tensorboard/a",
    "model.bak/a",
]
_APPENDED = (LOG, "metrics.jsonl", MARKER)


@attrs.define
class World:
    """A folder with data, a base model, a run folder, and what belongs to somebody else.

    Attributes:
        root: the folder.
        run: OUTPUT_DIR.
        dice: chooses; the same arrangement for the same seed.
        files: the content of each file of somebody else.
        links: the target of each link of somebody else.
        frozen: what was made read-only.
        edited: the content that a run had written, of files that somebody else changed.
    """

    root: Path
    run: Path
    dice: Random
    files: dict[Path, bytes] = attrs.field(factory=dict)
    links: dict[Path, str] = attrs.field(factory=dict)
    frozen: list[Path] = attrs.field(factory=list)
    edited: dict[Path, bytes] = attrs.field(factory=dict)

    @classmethod
    def make(cls, root: Path, dice: Random) -> World:
        """Make the data, the base model and somebody's own folder, and choose a run folder."""
        for name in ("data/cats", "base", "mine/model", "runs"):
            (root / name).mkdir(parents=True)
        (root / "data" / POINTS).write_text(json.dumps([[float(x), 2.0 * x] for x in range(6)]), encoding="utf-8")
        torch.save(network().state_dict(), root / "base" / BASE)
        world = cls(
            root, root / dice.choice(["runs/a"] * 12 + ["linked", "mine", "data/run", "data", "base", "."]), dice
        )
        for path in (root / "data" / POINTS, root / "base" / BASE):
            world.files[path] = path.read_bytes()
        for name in ("mine/README.md", "mine/model/weights.bin", "data/cats/1.jpg", "mine/thesis.txt"):
            world.write(root / name)
        if world.run.name == "linked":
            world.link(world.run, root / "runs")
        return world

    def write(self, path: Path) -> None:
        """Write a file of somebody else where nothing is, and nothing of the run's has to be a folder for it."""
        if os.path.lexists(path) or any(above.is_file() for above in path.parents):
            return
        content = f"mine {len(self.files)} {self.dice.random()}".encode()
        with suppress(PermissionError):  # A part of the folder is read-only for the harness too.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self.files[path] = content

    def edit(self, path: Path) -> None:
        """Change a file that a run wrote: from here on it is somebody else's."""
        before = path.read_bytes()
        content = before + f" mine {self.dice.random()}".encode()
        with suppress(PermissionError):
            path.write_bytes(content)
            self.files[path], self.edited[path] = content, before

    def link(self, path: Path, target: Path) -> None:
        """Make a link of somebody else where nothing is."""
        if os.path.lexists(path) or any(above.is_file() for above in path.parents):
            return
        with suppress(PermissionError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)
            self.links[path] = os.readlink(path)

    def sprinkle(self) -> str:
        """Put a file or a link of somebody else into the run folder, or make a part of it read-only; say what."""
        dice, run = self.dice, self.run
        kind = dice.choice(
            ("name", "name", "folder", "link", "link", "other", "other", "inside", "inside", "edit", "freeze")
        )
        # A name that a killed command had only announced is free.
        name = dice.choice([name for name in NAMES if not os.path.lexists(run / name)] or [".hidden"])
        places = [place for above in (run, *run.glob(".replaced-*")) for place in _complete_folders(above)]
        if kind == "name":
            self.write(run / name)
        elif kind == "folder":
            self.write(run / name / "mine.txt")
        elif kind == "link":
            targets = (self.root / "mine", self.root / "mine" / "README.md", run / "model", self.root / "nowhere")
            self.link(dice.choice([run / name, *(place / "link" for place in places)]), dice.choice(targets))
        elif kind == "other":
            self.write(run / dice.choice(_OTHER_NAMES))
        elif kind == "inside":
            if places:
                self.write(dice.choice(places) / "mine.txt")
        elif kind == "edit" and is_run_folder(run) and (run / "result.json").is_file():
            own = [path for path in _sealed(run) if path not in self.files]
            if own:
                self.edit(dice.choice(own))
        elif kind == "freeze":
            places = [path for path in (run, run / "model", run / CHECKPOINTS, run / "README.md") if path.exists()]
            if places:
                self.freeze(dice.choice(places))
        return kind

    def freeze(self, path: Path) -> None:
        """Make a file or folder read-only: by its mode, and for root, who may write there all the same, by chattr."""
        if os.geteuid():
            path.chmod(0o555 if path.is_dir() else 0o444)
            self.frozen.append(path)
        elif shutil.which("chattr"):
            done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False)
            if not done.returncode:
                self.frozen.append(path)

    def thaw(self) -> None:
        """Make everything writable again."""
        for path in self.frozen:
            if os.geteuid():
                with suppress(FileNotFoundError):
                    path.chmod(0o755 if path.is_dir() else 0o644)
            else:
                subprocess.run(["chattr", "-i", str(path)], capture_output=True, check=False)
        self.frozen.clear()

    def losses(self) -> list[str]:
        """Return the files and links of somebody else that are not as they were.

        What was put between the files of a run that is aside may have gone back with them.
        """
        lost = []
        for path, content in self.files.items():
            if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
                continue
            if not any(content == other.read_bytes() for other in self.run.rglob("*") if other.is_file()):
                lost.append(str(path.relative_to(self.root)))
        for path, target in self.links.items():
            same = path.is_symlink() and os.readlink(path) == target
            if not same and not any(
                other.is_symlink() and os.readlink(other) == target for other in self.run.rglob("*")
            ):
                lost.append(f"{path.relative_to(self.root)} (link)")
        return lost

    def take_away(self) -> None:
        """Delete what somebody else put into the run folder, so that the next command finds it as runs left it."""
        for path, content in self.edited.items():
            path.write_bytes(content)
            del self.files[path]
        inputs = [place for place in (self.root / "data", self.root / "base") if place.is_relative_to(self.run)]
        for path in [*self.files, *self.links]:
            if path.is_relative_to(self.run) and not any(path.is_relative_to(place) for place in inputs):
                path.unlink(missing_ok=True)
                for above in path.parents:
                    if above == self.run:
                        break
                    with suppress(OSError):
                        above.rmdir()


def _written(run: Path) -> dict[str, Any]:
    try:
        written: dict[str, Any] = json.loads((run / MARKER).read_text(encoding="utf-8"))["written"]
    except (OSError, ValueError, KeyError):
        return {}
    return written


def _complete_folders(run: Path) -> list[Path]:
    """Return the folders whose files are recorded; one that a killed command was writing counts as the run's."""
    folders = [run / name for name, content in _written(run).items() if content]
    folders += [run, run / CHECKPOINTS, *(path.parent for path in run.glob(f"{CHECKPOINTS}/*/manifest.json"))]
    return [path for path in folders if path.is_dir() and not path.is_symlink()]


def _sealed(run: Path) -> list[Path]:
    written = _written(run)
    names = [(name, inside) for name, content in written.items() if content for inside in content]
    paths = [run / name / inside if inside else run / name for name, inside in names if name not in _APPENDED]
    return [path for path in paths if path.is_file() and not path.is_symlink()]
