"""Try random arrangements of files of somebody else in and around a run folder, with commands that are killed.

    python -m stress.folders --arrangements 500 [--seed 0] [--out stress/folders/record.json]

An arrangement is a run folder with files, links and read-only parts of somebody else in our names and between our
files, and a few commands (`adapt run`, with `--resume`, OVERWRITE_OUTPUT_DIR, RESUME_FROM_CHECKPOINT or LOGGING_PATH;
`adapt export -o`; `adapt predict`). Three in four are set to be killed (SIGKILL) or to find the disk full at a random
one of the changes on the disk; those that make fewer changes end by themselves. After each, no byte of somebody
else's may have changed or be gone; the result that was there or a new one must be whole; and a command that was not
killed must end with code 0, or with 2 and a message. In the end, without the files of somebody else, a resume must
finish. Prints the counts; exits with 1 where there are findings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import attrs
import torch

from adapt_core.nn.weights import FILES
from adapt_core.run_folder.names import LOG
from stress.folders.check import Files, faults_of, files_of, is_kept
from stress.folders.plugin import install
from stress.folders.process import KILLED, Ended, Ending, adapt
from stress.folders.task import IDENTITY, POINTS
from stress.folders.world import World

_KINDS = ("fresh", "resume", "resume", "overwrite", "overwrite", "checkpoint", "export", "predict", "log")
_EARLY = 30
_MOST_CHANGES = 170
"""More than the changes of the disk that a run makes which replaces another."""


@attrs.define
class Arrangement:
    """One arrangement and its commands.

    Attributes:
        number: chooses everything in it.
        work: an empty folder.
        findings: what did not hold.
        counts: commands and how they ended, and what was put into the folder.
    """

    number: int
    work: Path
    findings: list[str] = attrs.field(factory=list)
    counts: Counter[str] = attrs.field(factory=Counter)
    dice: Random = attrs.field(init=False)
    world: World = attrs.field(init=False)
    result: Files | None = None
    seed: int = 0
    said: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.dice = Random(self.number)
        self.world = World.make(self.work / "world", self.dice)

    def play(self) -> None:
        """Sprinkle, run commands, check after each, and finish."""
        try:
            if self.dice.random() < 0.5:
                self._command("fresh", Ending())
            for _ in range(self.dice.randint(2, 4)):
                for _ in range(self.dice.choice((0, 0, 0, 0, 1, 1, 2))):
                    self.counts[f"put: {self.world.sprinkle()}"] += 1
                self._command(self.dice.choice(_KINDS), self._ending())
        finally:
            self.world.thaw()
        self.world.take_away()
        self._finish()

    def _command(self, kind: str, ending: Ending) -> None:
        overwrites = kind == "overwrite" or (kind == "checkpoint" and self.dice.random() < 0.3)
        if kind in ("fresh", "overwrite", "log") or not self.seed:
            seed = self.seed + 1
        else:
            seed = self.seed if self.dice.random() < 0.9 else self.seed + 1
        target = self._export_target()
        image = f"{self.dice.choice('abc')}.jpg"
        arguments = {
            "export": ["export", str(self.world.run), "--save-method", "state_dict", "-o", str(target)],
            "predict": ["predict", str(self.world.run), str(self.work / image)],
        }.get(kind) or self._run(kind, seed, overwrites=overwrites)
        had_target = target.exists()
        at_hand = self.result is not None and is_kept(self.result, self.world.run)
        # A checkpoint of the run that is replacing a result goes on with what was asked for.
        goes_on = kind == "resume" or (kind == "checkpoint" and not (self.world.run / "result.json").exists())
        ended = self._adapt(arguments, ending)
        if arguments[0] == "run" and (self.world.run / "config.yaml").is_file():
            text = (self.world.run / "config.yaml").read_text(encoding="utf-8").casefold()
            self.seed = seed if f"seed: {seed}\n" in text else self.seed
        how = "killed" if ended.code == KILLED else "disk full" if ending.full and ended.code else f"exit {ended.code}"
        self.counts[f"{kind}: {how}"] += 1
        self._check(kind, ended, replaces=overwrites or goes_on, at_hand=at_hand)
        if kind == "export":
            self._check_export(target, ended, had_target=had_target)
        if kind == "predict" and ended.code == 0:
            written = {path.name for path in (self.world.run / "predictions").iterdir() if path not in self.world.files}
            if written != {image.replace(".jpg", ".txt")}:
                self._find(f"predictions/ holds {sorted(written)} after predicting {image}")

    def _ending(self) -> Ending:
        chance = self.dice.random()
        most = self.dice.choice((_EARLY, _MOST_CHANGES))
        return Ending(self.dice.randint(1, most) if chance < 0.75 else 0, full=chance < 0.12)

    def _run(self, kind: str, seed: int, *, overwrites: bool) -> list[str]:
        world = self.world
        keys: dict[str, Any] = {
            "TASK": "line",
            "MODEL_PATH": str(world.root / "base"),
            "CUSTOM_DATASET_PATH": str(world.root / "data"),
            "OUTPUT_DIR": str(world.run),
            "SAVE_METHOD": "state_dict",
            "NO_OF_CHECKPOINTS": 2,
            "SEED": seed,
        }
        if overwrites:
            keys["OVERWRITE_OUTPUT_DIR"] = True
        if kind == "checkpoint":
            found = [
                *world.run.glob("checkpoints/checkpoint-*"),
                *world.run.glob(".replaced-*/checkpoints/checkpoint-*"),
            ]
            keys["RESUME_FROM_CHECKPOINT"] = str(self.dice.choice(sorted(found) or [world.root / "nowhere"]))
        if kind == "log":
            places = [world.root / "data" / POINTS, world.root / "mine/thesis.txt", world.run / "README.md"]
            places += [world.root / "mine", world.run / LOG, world.root / "new.log", *world.links]
            keys["LOGGING_PATH"] = str(self.dice.choice(places))
        config = self.work / "config.json"
        config.write_text(json.dumps(keys), encoding="utf-8")
        return ["run", str(config), *(["--resume"] if kind == "resume" else [])]

    def _export_target(self) -> Path:
        root, run = self.world.root, self.world.run
        return self.dice.choice([root / "exported", root / "mine", run / "model", run / "exported", root / "a" / "b"])

    def _adapt(self, arguments: list[str], ending: Ending) -> Ended:
        self.said.append(f"adapt {' '.join(arguments)} [{attrs.astuple(ending)}]")
        ended = adapt(arguments, self.work / "printed", ending)
        self.said.append(f"  {ended.code}: {ended.text[-600:]}")
        return ended

    def _check(self, kind: str, ended: Ended, *, replaces: bool, at_hand: bool) -> None:
        run = self.world.run
        for loss in self.world.losses():
            self._find(f"{loss} was lost or changed")
        if ended.code not in (0, 2, KILLED) or "Traceback" in ended.text:
            self._find(f"{kind} ended with {ended.code}")
        faults = faults_of(run)
        is_kept_now = self.result is not None and is_kept(self.result, run)
        if at_hand and not is_kept_now and (faults or not replaces):
            self._find(f"the result that was there is not whole any more ({', '.join(faults) or 'not asked for'})")
        if ended.code == 0 and faults and kind not in ("export", "predict") and not self.world.edited:
            self._find(f"{kind} finished, and is not whole: {', '.join(faults)}")
        if not faults:
            self.result = files_of(run)

    def _check_export(self, target: Path, ended: Ended, *, had_target: bool) -> None:
        found = {path.name for path in target.iterdir()} if target.is_dir() else set()
        is_whole = {IDENTITY, FILES["state_dict"]} <= found
        if not is_whole and (ended.code == 0 or (found and not had_target)):
            self._find(f"export ended with {ended.code} and left {sorted(found)}")

    def _finish(self) -> None:
        root, run = self.world.root, self.world.run
        ended = self._adapt(self._run("resume", self.seed or 1, overwrites=False), Ending())
        refused = run in (root / "data", root / "base")
        faults = faults_of(run)
        if ended.code != (2 if refused else 0) or (faults and not refused):
            self._find(f"the last resume ended with {ended.code} ({', '.join(faults)})")

    def _find(self, what: str) -> None:
        self.findings.append(what)


def try_arrangements(numbers: range, work: Path, out: Path | None) -> dict[str, Any]:
    """Try arrangements in new folders of a work folder, and return the counts and the findings.

    Args:
        numbers: of the arrangements.
        work: an empty folder.
        out: a JSON file that is written after each arrangement.
    """
    torch.set_num_threads(1)
    install(work / "site")
    sys.path.insert(0, str(work / "site"))
    counts: Counter[str] = Counter()
    found: dict[str, Any] = {"arrangements": 0, "findings": []}
    try:
        _import_all(work / "first")
        for number in numbers:
            folder = work / str(number)
            folder.mkdir()
            arrangement = Arrangement(number, folder)
            arrangement.play()
            counts += arrangement.counts
            if arrangement.findings:
                finding = {"number": number, "findings": arrangement.findings, "commands": arrangement.said}
                found["findings"].append(finding)
            found = {**found, **_totals(counts), "arrangements": found["arrangements"] + 1}
            if out:
                out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            shutil.rmtree(folder)
    finally:
        sys.path.remove(str(work / "site"))
    return found


def _totals(counts: Counter[str]) -> dict[str, Any]:
    put = {name.removeprefix("put: "): count for name, count in counts.items() if name.startswith("put: ")}
    ended = {name: count for name, count in counts.items() if not name.startswith("put: ")}
    return {
        "commands": sum(ended.values()),
        "killed": sum(count for name, count in ended.items() if name.endswith("killed")),
        "disk_full": sum(count for name, count in ended.items() if name.endswith("disk full")),
        "ended": ended,
        "put": put,
    }


def _import_all(folder: Path) -> None:
    """Run once in this process, so that the forked ones need not import what a run needs."""
    folder.mkdir()
    arrangement = Arrangement(0, folder)
    arrangement.world.run = folder / "run"
    import adapt_core

    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        arguments = arrangement._run("fresh", 1, overwrites=False)
        adapt_core.run(arguments[1])
        adapt_core.predict(folder / "run", ["a.jpg"])


def main() -> None:
    """Try the arrangements and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arrangements", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first arrangement")
    parser.add_argument("--out", type=Path, help="a JSON file for the counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = try_arrangements(range(given.seed, given.seed + given.arrangements), Path(temporary), given.out)
    print(json.dumps(found, indent=1, sort_keys=True))
    if found["findings"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
