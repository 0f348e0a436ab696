"""Label Studio's JSON: tasks with `annotations[].result[]`, or JSON-MIN with regions by the name of their tag.

https://labelstud.io/guide/export: all sides are percents of the image as the browser shows it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from adapt_core.errors import DataError

from adapt_vision_mm.annotations.annotated_split import AnnotatedImage
from adapt_vision_mm.annotations.formats.entries import Entry, Export
from adapt_vision_mm.annotations.formats.export import ExportFormat
from adapt_vision_mm.annotations.formats.label_studio_brush import read_brush
from adapt_vision_mm.annotations.formats.objects import Fault, Item, Part, join_parts
from adapt_vision_mm.annotations.image_files import SUFFIXES
from adapt_vision_mm.annotations.json_files import read_json
from adapt_vision_mm.annotations.mask_check import is_number
from adapt_vision_mm.annotations.shapes import (
    Shape,
    ShapeError,
    ellipse,
    point,
    polygon,
    read_number,
    read_points,
    turned_rectangle,
)

log = logging.getLogger(__name__)

_FULL = re.compile(r'"annotations"\s*:\s*\[')
_MIN = re.compile(r'"\w*labels"\s*:\s*\[|"annotation_id"\s*:')
_OWN = frozenset(
    ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "file_upload", "meta")
)
"""Keys of a task in JSON-MIN that are neither data nor tags."""

Regions = Sequence[Mapping[str, Any]]


class LabelStudio(ExportFormat):
    """The JSON exports of Label Studio."""

    suffixes = (".json",)
    tool = "Label Studio"

    def looks(self, beginning: str) -> bool:
        """Return whether a file begins with a task."""
        is_list = re.match(r"\s*\[\s*\{", beginning) is not None
        return is_list and bool(_FULL.search(beginning) or _MIN.search(beginning))

    def read_export(self, files: Sequence[Path]) -> Export:
        """Return the tasks. Of one that several people have annotated, the ground truth counts, else what is newest."""
        entries: list[Entry] = []
        several = 0
        for file in files:
            tasks = read_json(file)
            if not isinstance(tasks, list):
                raise DataError(f"{file} is not an export of Label Studio: it is no list of tasks. Export it again.")
            found = [_read_task(task, f"{file}: task number {n}", file) for n, task in enumerate(tasks, start=1)]
            newest = _newest(found)
            several += len(found) - len(newest) + sum(made > 1 for _, _, made in newest)
            entries += [entry for entry, _, _ in newest]
        if several:
            log.warning(
                "%s: of tasks with several annotations, the ground truth or the newest is read (%d)", files[0], several
            )
        labelled = [entry for entry in entries if entry.content is not None or entry.fault is not None]
        if labelled and len(labelled) < len(entries):
            log.info("%s: %d tasks without an annotation are left out", files[0], len(entries) - len(labelled))
        return Export(labelled or entries)

    def read_items(self, entry: Entry, image: AnnotatedImage) -> Iterable[Item | Fault]:
        """Return the regions of a task."""
        return join_parts(_read_parts(entry, image))


Task = tuple[Entry, str, int]
"""A task, when it was annotated last (only in JSON-MIN), and how many annotations it has."""


def _read_task(task: object, where: str, file: Path) -> Task:
    if not isinstance(task, Mapping):
        return Entry(file=file, where=where, fault="a task is a mapping with its image"), "", 0
    if "id" in task:
        where = f"{file}: task {task['id']}"
    full = isinstance(task.get("data"), Mapping)
    data = task["data"] if full else {key: value for key, value in task.items() if key not in _OWN}
    names = _images_of(data)
    if not names:
        return Entry(file=file, where=where, fault="it names no image"), "", 0
    if full:
        made = task.get("annotations")
        if not isinstance(made, list) or not all(isinstance(one, Mapping) for one in made):
            return Entry(file=file, where=where, fault="annotations is no list of annotations"), "", 0
        made = [one for one in made if not one.get("was_cancelled")]
        chosen = next((one for one in made if one.get("ground_truth")), None)
        chosen = chosen or max(made, key=lambda one: str(one.get("updated_at")), default=None)
        regions = None if chosen is None else chosen.get("result", [])
        count, updated = len(made), ""
    else:
        tagged = [value for value in data.values() if isinstance(value, list)]
        regions, count = [region for value in tagged for region in value], 1
        updated = str(task.get("updated_at"))
    if regions is not None and (not isinstance(regions, list) or not all(isinstance(one, Mapping) for one in regions)):
        return Entry(file=file, where=where, fault="its result is no list of regions"), "", 0
    drawn_on = sorted({str(r["to_name"]) for r in regions or () if r.get("to_name") and _is_drawn(r)})
    name = _one_image(names, drawn_on)
    if name is None:
        told = f"it has several images ({', '.join([*names, *drawn_on][:4])}): make a task of each"
        return Entry(file=file, where=where, fault=told), "", 0
    size = next(((r["original_width"], r["original_height"]) for r in regions or () if _has_size(r)), (0, 0))
    named = [name, *([str(task["file_upload"])] if task.get("file_upload") else [])]
    told = f"{where} ({PurePosixPath(name).name[:60]})"
    entry = Entry(file=file, where=told, names=named, size=size, content=regions, is_bare=not regions)
    return entry, updated, count


def _newest(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks in their order; of those that JSON-MIN has once for each annotator, the newest."""
    best: dict[str, Task] = {}
    for task in tasks:
        where = task[0].where
        if where not in best or task[1] >= best[where][1]:
            best[where] = task
    return list(best.values())


def _has_size(region: Mapping[str, Any]) -> bool:
    return is_number(region.get("original_width")) and is_number(region.get("original_height"))


def _images_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the images of a task by their keys: `image`, and what ends like one or is served from a folder."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value.strip()}
    return {
        key: value
        for key, value in texts.items()
        if key == "image" or value.split("?")[0].casefold().endswith(SUFFIXES) or "/local-files/" in value
    }


def _one_image(images: Mapping[str, str], drawn_on: Sequence[str]) -> str | None:
    """Return the image that all regions are drawn on; None where there are several.

    Args:
        images: of the task by their keys.
        drawn_on: the tags of the regions (`to_name`), which mostly are named like the keys.
    """
    if len(drawn_on) > 1:
        return None
    if len({PurePosixPath(value).name for value in images.values()}) == 1:
        return next(iter(images.values()))
    return images.get(drawn_on[0]) if drawn_on else None


def _is_drawn(region: Mapping[str, Any]) -> bool:
    return not _value_of(region).keys().isdisjoint(("rle", "points", "x", "vertices"))


def _read_parts(entry: Entry, image: AnnotatedImage) -> Iterator[Part | Fault]:
    regions: Regions = entry.content or ()
    labels: dict[str, dict[str, None]] = {}
    for region in regions:
        if (known := _identity(region, "id")) is not None:
            labels.setdefault(known, {}).update(dict.fromkeys(_labels_of(region)))
    seen: set[str] = set()
    for number, region in enumerate(regions, start=1):
        where = f"{entry.where}, region {number}"
        identity = _identity(region, "id")
        try:
            shape = _shape_of(region, image)
        except ShapeError as defect:
            yield Fault(where, str(defect))
            continue
        # <Rectangle> with <Labels> makes two regions of one id: the shape, and the shape with its label.
        if shape is None or (identity is not None and identity in seen):
            continue
        if identity is not None:
            seen.add(identity)
        own = _labels_of(region) or list(labels.get(identity or "", ()))
        if len(own) != 1:
            several = f"it has several labels ({', '.join(own)}): leave it one" if own else "it has no label"
            yield Fault(where, several)
            continue
        group = _identity(region, "parentID") if shape.kind == "point" else identity
        yield Part(label=own[0], where=where, shape=shape, group=group)


def _identity(region: Mapping[str, Any], key: str) -> str | None:
    value = region.get(key)
    return None if value is None or value == "" else str(value)


def _value_of(region: Mapping[str, Any]) -> Mapping[str, Any]:
    value = region.get("value", region)
    return value if isinstance(value, Mapping) else {}


def _labels_of(region: Mapping[str, Any]) -> list[str]:
    """Return the classes of a region, which stand under `rectanglelabels`, `labels` and the like."""
    lists = (value for key, value in _value_of(region).items() if key.endswith("labels") and isinstance(value, list))
    return list(dict.fromkeys(str(label) for labels in lists for label in labels))


def _shape_of(region: Mapping[str, Any], image: AnnotatedImage) -> Shape | None:
    """Return the shape of a region in pixels; None where it has none (choices, texts, relations)."""
    value = _value_of(region)
    if read_number(region, "image_rotation", 0):
        raise ShapeError("its image was rotated in Label Studio (image_rotation): rotate the file, and set it to 0")
    across, down = image.width, image.height

    def scaled(key: str, side: int) -> float:
        return read_number(value, key) * side / 100

    if "rle" in value:
        return read_brush(value["rle"], image)
    if "points" in value:
        return polygon([(x * across / 100, y * down / 100) for x, y in read_points(value["points"])])
    if "radiusX" in value or "radiusY" in value:
        middle, radii = (scaled("x", across), scaled("y", down)), (scaled("radiusX", across), scaled("radiusY", down))
        return ellipse(middle, radii, read_number(value, "rotation", 0))
    if "height" in value:
        left, top = scaled("x", across), scaled("y", down)
        corners = (left, top, left + scaled("width", across), top + scaled("height", down))
        return turned_rectangle(corners, read_number(value, "rotation", 0), about=(left, top))
    if "x" in value and "y" in value:
        return point(scaled("x", across), scaled("y", down))
    if "vertices" in value:
        raise ShapeError("a vector (vertices) is not read: draw a polygon")
    return None
