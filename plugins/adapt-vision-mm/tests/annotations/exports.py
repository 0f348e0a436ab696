"""The same objects in COCO's form and as each annotation tool writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from PIL import Image

WIDTH, HEIGHT = 64, 32

Box = tuple[str, tuple[float, float, float, float]]
"""A class, and [left, top, width, height]."""

BOXES: Mapping[str, Sequence[Box]] = {
    "a.jpg": [("cat", (24, 8, 16, 16)), ("dog", (0, 4, 16, 8))],
    "b.jpg": [("dog", (16, 16, 32, 16))],
    "c.jpg": [],
}
"""All sides are exact in percents."""

CORNERS = [(16.0, 8.0), (48.0, 8.0), (48.0, 24.0)]
"""A triangle: 256 square pixels in the box [16, 8, 32, 16]."""


def save(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Write an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 20, 20)).save(path)
    return path


def save_images(folder: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> None:
    """Write the images of boxes."""
    for name in boxes:
        save(folder / name)


def write(file: Path, content: Any) -> Path:
    """Write text, or what JSON holds."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return file


def coco(boxes: Mapping[str, Sequence[Box]] = BOXES) -> dict[str, Any]:
    """COCO JSON of boxes, with the classes in the order of their names."""
    names = sorted({name for found in boxes.values() for name, _ in found})
    annotations = [
        {"image_id": number, "category_id": names.index(name) + 1, "bbox": list(box)}
        for number, found in enumerate(boxes.values(), start=1)
        for name, box in found
    ]
    return {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(boxes, start=1)],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names, start=1)],
        "annotations": [{"id": n, **one} for n, one in enumerate(annotations, start=1)],
    }


def studio_region(label: str | None, value: Mapping[str, Any], kind: str = "rectangle", **keys: Any) -> dict[str, Any]:
    """A region as Label Studio writes it; its numbers are percents."""
    named = {} if label is None else {f"{kind}labels": [label]}
    return {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {**value, **named},
        "id": keys.pop("id", f"r{len(json.dumps(value))}-{label}-{sum(map(ord, json.dumps(value)))}"),
        "from_name": "label",
        "to_name": "image",
        "type": f"{kind}labels",
        "origin": "manual",
        **keys,
    }


def percents(box: Sequence[float]) -> dict[str, float]:
    """A box as Label Studio has it."""
    left, top, width, height = box
    sides = {"x": left / WIDTH, "y": top / HEIGHT, "width": width / WIDTH, "height": height / HEIGHT}
    return {**{key: 100 * side for key, side in sides.items()}, "rotation": 0}


def studio_task(number: int, name: str, regions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A task of Label Studio, whose image was uploaded."""
    annotation = {
        "id": number + 100,
        "completed_by": 1,
        "result": list(regions),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-02T10:00:00.000000Z",
        "updated_at": f"2026-03-02T10:00:0{number % 10}.000000Z",
        "lead_time": 12.5,
        "prediction": {},
        "result_count": len(regions),
        "task": number,
        "project": 3,
    }
    return {
        "id": number,
        "annotations": [annotation],
        "file_upload": f"0a1b2c3d-{name}",
        "drafts": [],
        "predictions": [],
        "data": {"image": f"/data/upload/3/0a1b2c3d-{name}"},
        "meta": {},
        "created_at": "2026-03-02T09:00:00.000000Z",
        "updated_at": "2026-03-02T10:00:00.000000Z",
        "inner_id": number,
        "total_annotations": 1,
        "cancelled_annotations": 0,
        "project": 3,
    }


def label_studio(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """A full export of Label Studio."""
    tasks = [
        studio_task(number, name, [studio_region(label, percents(box)) for label, box in found])
        for number, (name, found) in enumerate(boxes.items(), start=1)
    ]
    return write(file, tasks)


def label_studio_min(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """JSON-MIN of Label Studio: regions under the name of their tag."""
    sides = {"original_width": WIDTH, "original_height": HEIGHT}
    tasks = [
        {
            "image": f"/data/upload/3/0a1b2c3d-{name}",
            "id": number,
            **({"label": [{**percents(box), "rectanglelabels": [label], **sides} for label, box in found]}),
            "annotator": 1,
            "annotation_id": number + 100,
            "created_at": "2026-03-02T10:00:00.000000Z",
            "updated_at": "2026-03-02T10:00:00.000000Z",
            "lead_time": 12.5,
        }
        for number, (name, found) in enumerate(boxes.items(), start=1)
    ]
    return write(file, tasks)


def labelme_shape(label: str, kind: str, points: Sequence[Sequence[float]], **keys: Any) -> dict[str, Any]:
    """A shape as LabelMe 5 writes it."""
    shape = {"label": label, "points": [list(map(float, point)) for point in points], "group_id": None}
    return {**shape, "description": "", "shape_type": kind, "flags": {}, "mask": None, **keys}


def labelme_file(name: str, shapes: Sequence[Mapping[str, Any]], **keys: Any) -> dict[str, Any]:
    """What LabelMe writes for an image."""
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": name,
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        **keys,
    }


def labelme(folder: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """Files of LabelMe beside their images."""
    for name, found in boxes.items():
        shapes = [
            labelme_shape(label, "rectangle", [(left, top), (left + width, top + height)])
            for label, (left, top, width, height) in found
        ]
        write(folder / Path(name).with_suffix(".json").name, labelme_file(name, shapes))
    return folder


def via_region(label: str, **shape: Any) -> dict[str, Any]:
    """A region as VIA 2 writes it."""
    return {"shape_attributes": shape, "region_attributes": {"class": label}}


def via_files(boxes: Mapping[str, Sequence[Box]] = BOXES) -> dict[str, Any]:
    """The annotations of VIA 2, exported as JSON."""
    files = {}
    for name, found in boxes.items():
        regions = [
            via_region(label, name="rect", x=left, y=top, width=width, height=height)
            for label, (left, top, width, height) in found
        ]
        files[f"{name}823"] = {"filename": name, "size": 823, "regions": regions, "file_attributes": {}}
    return files


def via(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """An export of the annotations of VIA 2."""
    return write(file, via_files(boxes))


def via_project(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """A project of VIA 2."""
    attributes = {"class": {"type": "dropdown", "description": "", "options": {"cat": "", "dog": ""}}}
    return write(
        file,
        {
            "_via_settings": {"ui": {"annotation_editor_height": 25}, "core": {"default_filepath": ""}},
            "_via_img_metadata": via_files(boxes),
            "_via_attributes": {"region": attributes, "file": {}},
            "_via_data_format_version": "2.0.10",
            "_via_image_id_list": list(via_files(boxes)),
        },
    )


def via_csv(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """A csv of VIA 2."""
    lines = ["filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]

    def quoted(value: Mapping[str, Any]) -> str:
        return '"' + json.dumps(value, separators=(",", ":")).replace('"', '""') + '"'

    for name, found in boxes.items():
        for number, (label, (left, top, width, height)) in enumerate(found):
            shape = {"name": "rect", "x": left, "y": top, "width": width, "height": height}
            lines.append(f'{name},823,"{{}}",{len(found)},{number},{quoted(shape)},{quoted({"class": label})}')
        if not found:
            lines.append(f'{name},823,"{{}}",0,0,"{{}}","{{}}"')
    return write(file, "\n".join(lines) + "\n")


def cvat_image(number: int, name: str, objects: Sequence[str], **keys: str) -> str:
    """An <image> of CVAT."""
    more = "".join(f" {key}={quoteattr(value)}" for key, value in keys.items())
    inner = "".join(f"    {one}\n" for one in objects)
    return (
        f'  <image id="{number}" name={quoteattr(name)}{more} width="{WIDTH}" height="{HEIGHT}">\n{inner}  </image>\n'
    )


def cvat_box(label: str, box: Sequence[float], **keys: str) -> str:
    """A <box> of CVAT."""
    left, top, width, height = box
    more = "".join(f" {key}={quoteattr(value)}" for key, value in keys.items())
    corners = f'xtl="{left:.2f}" ytl="{top:.2f}" xbr="{left + width:.2f}" ybr="{top + height:.2f}"'
    return (
        f'<box label={quoteattr(label)} source="manual" occluded="0" {corners}{more} z_order="0">\n'
        f'      <attribute name="age">3</attribute>\n    </box>'
    )


def cvat_text(images: Sequence[str], labels: Sequence[str] = ("cat", "dog")) -> str:
    """An export "CVAT for images 1.1" of a task."""
    named = "".join(
        f"        <label>\n          <name>{escape(label)}</name>\n          <color>#fa3253</color>\n"
        "          <type>any</type>\n          <attributes>\n          </attributes>\n        </label>\n"
        for label in labels
    )
    meta = f"  <meta>\n    <task>\n      <id>7</id>\n      <labels>\n{named}      </labels>\n    </task>\n"
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    dumped = "    <dumped>2026-03-02 10:00:00.000000+00:00</dumped>\n  </meta>\n"
    return f"{head}{meta}{dumped}{''.join(images)}</annotations>\n"


def cvat(file: Path, boxes: Mapping[str, Sequence[Box]] = BOXES) -> Path:
    """An export "CVAT for images 1.1" of boxes."""
    images = [
        cvat_image(number, name, [cvat_box(label, box) for label, box in found])
        for number, (name, found) in enumerate(boxes.items())
    ]
    return write(file, cvat_text(images, sorted({label for found in boxes.values() for label, _ in found})))


def _in(name: str, writer: Callable[..., Path]) -> Callable[..., None]:
    return lambda root, boxes=BOXES: (writer(root / name, boxes), None)[1]


EXPORTS: Mapping[str, tuple[str, Callable[..., None]]] = {
    "label studio": ("label_studio", _in("project-3-at-2026-03-02.json", label_studio)),
    "label studio, JSON-MIN": ("label_studio", _in("project-3-at-2026-03-02.json", label_studio_min)),
    "labelme": ("labelme", _in("", labelme)),
    "via, annotations": ("via", _in("via_export_json.json", via)),
    "via, project": ("via", _in("via_project_2Mar2026.json", via_project)),
    "via, csv": ("via", _in("via_export_csv.csv", via_csv)),
    "cvat": ("cvat", _in("annotations.xml", cvat)),
}
"""An export -> the name of its format, and what writes it into a folder."""

FILES: Mapping[str, Callable[..., Path]] = {"label_studio": label_studio, "via": via, "cvat": cvat}
"""A format whose files have several images -> what writes one."""
SUFFIX = {"label_studio": ".json", "via": ".json", "cvat": ".xml"}
