"""What a run reads: OUTPUT_DIR must not touch local files of it, and a resumed run must find everything unchanged."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import xxhash

from adapt_core.config.continuation import adapter_of
from adapt_core.config.data_places import data_places, further_places, one_path
from adapt_core.config.plan import Plan
from adapt_core.errors import InputError
from adapt_core.plugin.import_strings import PACKAGE_PREFIX, package_folder
from adapt_core.run_folder.files import digest_of
from adapt_core.run_folder.names import NAMES, is_run_folder

Digests = dict[str, dict[str, str]]
"""{"data": ..., "base": ...}, each a mapping from file to digest, or from hub id to "commit SHA"."""

_COMMIT = "commit "
_HUB_ID = re.compile(r"(?P<id>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")

_WHOLE = 1 << 28
_ALL_WHOLE = 1 << 33
_BLOCK = 1 << 16
_SAMPLES = 32
_NAMED = 2000
_SHOWN = 4

log = logging.getLogger(__name__)


def input_paths(plan: Plan) -> dict[str, Path]:
    """Return the existing local files and folders that a plan names, by key."""
    data, model = plan.data, plan.model
    root = _existing(one_path(data)) or _existing(data.dataset)
    named = {
        "MODEL_PATH": _existing(model.local_model_path or model.model_path),
        "MODEL_CHECKPOINT": _existing(model.model_checkpoint),
        "MODEL of START_FROM": adapter_of(model.start_from),
        "CUSTOM_DATASET_PATH": root,
        **{f"CUSTOM_DATASET_PATH {place.name}": _existing(place.path) for place in data_places(data)},
        **{f"ALSO_EVALUATE {place.name}": _existing(place.path) for place in further_places(data)},
    }
    for key, value in (("TRAIN_DIR", data.train_dir), ("VAL_DIR", data.val_dir), ("TEST_DIR", data.test_dir)):
        named[key] = (_existing(str(root / value)) if root and value else None) or _existing(value)
    return {key: path for key, path in named.items() if path is not None}


def refuse_overlap(plan: Plan) -> None:
    """Check that the run folder is apart from the data and the base model.

    Raises:
        InputError: a file of theirs would be touched, or the run's files would be read as data.
    """
    folder = Path(plan.output_dir)
    resolved = folder.resolve()
    for key, given in input_paths(plan).items():
        path = given.resolve()
        advice = "Give another OUTPUT_DIR."
        if resolved == path:
            raise InputError(
                f"OUTPUT_DIR {folder} is {key}, where the run would write between its own inputs. {advice}"
            )
        if any(path == resolved / name or path.is_relative_to(resolved / name) for name in NAMES):
            raise InputError(f"OUTPUT_DIR {folder}: the run would write over {key} ({given}). {advice}")
        if resolved.is_relative_to(path):
            if key.startswith("MODEL"):
                raise InputError(f"OUTPUT_DIR {folder} is inside {key} ({given}). {advice}")
            if folder.is_dir() and not is_run_folder(folder) and any(folder.iterdir()):
                raise InputError(f"OUTPUT_DIR {folder} is a folder of the data ({key} {given}). {advice}")


def digest_inputs(plan: Plan) -> Digests:
    """Return digests of the data and base model of a plan, file by file, and commits of what is cached of the hub.

    Files are read in full, except in data above 8 GiB and for files above 256 MiB: of those the size and 32 blocks are
    read.
    """
    digests: Digests = {"data": {}, "base": {}}
    for key, path in input_paths(plan).items():
        is_base = key.startswith("MODEL")
        files = list(_files(path, Path(plan.output_dir)))
        if is_base:
            files = [file for file in files if file.suffix.casefold() not in (".md", ".png", ".jpg")]
        in_full = sum(file.stat().st_size for file in files) <= _ALL_WHOLE
        found = {str(file.relative_to(path)) if file != path else path.name: _digest(file, in_full) for file in files}
        if len(found) > _NAMED:
            found = {f"one of {len(found)} files": xxhash.xxh3_128(repr(sorted(found.items())).encode()).hexdigest()}
        digests["base" if is_base else "data"].update({f"{key}/{name}": digest for name, digest in found.items()})
    return with_commits(digests, plan)


def with_commits(digests: Digests, plan: Plan) -> Digests:
    """Return digests with the commits of what comes from the hub, as far as it is in the cache by now."""
    found: Digests = {"data": dict(digests.get("data", {})), "base": dict(digests.get("base", {}))}
    model = plan.model.local_model_path or plan.model.model_path
    for kind, repo, key, given in (
        ("base", "models", "MODEL_PATH", model),
        ("data", "datasets", "DATASET", plan.data.dataset),
    ):
        commit = _commit(repo, given) if given and _existing(given) is None else None
        if commit:
            found[kind][f"{key}/{given}"] = _COMMIT + commit
    return found


def late_changes(stored: Digests, before: Digests, now: Digests) -> list[str]:
    """Return what `changed_inputs` says of entries that are as they are since data and model were loaded."""
    new = {kind: dict(now[kind].items() - before.get(kind, {}).items()) for kind in now}
    known = {kind: {name: stored.get(kind, {}).get(name, value) for name, value in new[kind].items()} for kind in new}
    return changed_inputs(known, new)


def changed_inputs(stored: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return what differs between the inputs of a run and of its resume: "the data (CUSTOM_DATASET_PATH/a.csv)"."""
    words = []
    for kind, name in (("data", "the data"), ("base", "the base model")):
        before, after = stored.get(kind, {}), now.get(kind, {})
        files = sorted(file for file in {*before, *after} if _differ(before.get(file), after.get(file)))
        if files:
            more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
            words.append(f"{name} ({', '.join(files[:_SHOWN])}{more})")
    return words


def refuse_changes(plan: Plan, changes: list[str]) -> None:
    """Check that a resume finds everything as it was, or that RESUME_WITH_CHANGES accepts the changes.

    Args:
        plan: of the resume.
        changes: as "the data (CUSTOM_DATASET_PATH/a.csv) has changed".

    Raises:
        InputError: there are changes that are not accepted.
    """
    if not changes:
        return
    if plan.run.resume_with_changes:
        for change in changes:
            log.warning("resumed although %s (RESUME_WITH_CHANGES).", change)
        return
    raise InputError(
        f"the run cannot be resumed as it was: {'; '.join(changes)}. Start again in another OUTPUT_DIR, or accept the "
        "change with --set RESUME_WITH_CHANGES=true."
    )


def _differ(before: str | None, after: str | None) -> bool:
    """Return whether two digests differ. A commit that is not known yet, or was not, is compared once it is loaded."""
    known = before is not None and after is not None
    return before != after and (known or not (before or after or "").startswith(_COMMIT))


def _existing(given: str | None) -> Path | None:
    if not given:
        return None
    try:
        if given.startswith(PACKAGE_PREFIX):
            name, _, inside = given.removeprefix(PACKAGE_PREFIX).partition("/")
            root = package_folder(name)
            path = root / inside if root else Path(given)
        else:
            path = Path(given).expanduser()
        return path.absolute() if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _commit(repo: str, given: str) -> str | None:
    """Return the commit of a hub id in the cache of the Hugging Face hub, or None."""
    match = _HUB_ID.fullmatch(given)
    if match is None:
        return None
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface"))
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    try:
        folder = cache / f"{repo}--{match['id'].replace('/', '--')}"
        return (folder / "refs" / (match["revision"] or "main")).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _files(path: Path, output: Path) -> Iterator[Path]:
    """Yield the files at a path in order, without hidden ones, run folders and caches."""
    if path.is_file():
        yield path
        return
    for inside, folders, names in os.walk(path):
        here = Path(inside)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and here / name != output and not is_run_folder(here / name)
        )
        for name in sorted(names):
            # datasets writes cache-*.arrow into a save_to_disk folder.
            cached = name.startswith("cache-") and name.endswith(".arrow")
            if not name.startswith(".") and not cached and (here / name).is_file():
                yield here / name


def _digest(path: Path, in_full: bool) -> str:
    size = path.stat().st_size
    if in_full and size <= _WHOLE:
        return digest_of(path)
    digest = xxhash.xxh3_128(str(size).encode())
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(max(size - _BLOCK, 0) * number // (_SAMPLES - 1))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()
