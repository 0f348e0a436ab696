"""Annotated images: what is read from each layout, and what is refused, where, before torch is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapt_core.config.plan import FormatChoice
from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.errors import DataError, InputError
from adapt_core.plugin.registry import Registry

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from adapt_vision_mm.annotations.formats import coco, label_maps, pascal_voc, read_split
from adapt_vision_mm.annotations.formats.contract import AnnotationKind, ReadOptions
from adapt_vision_mm.annotations.image_lists import read_image_list
from adapt_vision_mm.annotations.sources import SplitNotFoundError, SplitSource
from adapt_vision_mm.instance_segmentation.data import SegmentationData
from adapt_vision_mm.object_detection.data import DetectionData

Broken = Callable[..., Path]


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    """Writes a COCO file of one 40 x 30 image with one box, changed as asked for, and returns its folder."""
    from PIL import Image

    def write(change: Callable[[dict[str, Any]], None], image: Callable[[Path], None] | None = None) -> Path:
        Image.new("RGB", (40, 30), (90, 20, 20)).save(tmp_path / "a.jpg")
        if image is not None:
            image(tmp_path / "a.jpg")
        data: dict[str, Any] = {
            "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 30}],
            "categories": [{"id": 3, "name": "cell"}, {"id": 9, "name": "plate"}],
            "annotations": [
                {"id": 11, "image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 12], "area": 120, "iscrowd": 0},
                {"id": 12, "image_id": 7, "category_id": 9, "bbox": [5, 5, 9, 9], "area": 81, "iscrowd": 0},
            ],
        }
        change(data)
        (tmp_path / "train.json").write_text(json.dumps(data), encoding="utf-8")
        return tmp_path

    return write


def read(folder: Path, skip: bool = False) -> Any:
    return coco.read(folder / "train.json", folder, skip=skip)


def test_coco_ids_that_are_not_contiguous_become_labels_in_their_order(broken: Broken) -> None:
    found = read(broken(lambda data: data["categories"].reverse()))
    assert found.names == ("cell", "plate")
    assert found.label_of() == {3: 0, 9: 1}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("category_id", 4, "annotation 11: unknown category id 4"),
        ("image_id", 8, "annotation 11: unknown image id 8"),
        ("bbox", [1, 2, 0, 12], "annotation 11: box of zero area"),
        ("bbox", [35, 2, 10, 12], "annotation 11: box [35, 2, 10, 12] extends beyond the image (40 x 30)"),
        ("bbox", [1, 2], "annotation 11: no bbox"),
    ],
)
def test_a_bad_annotation_is_named_by_id_or_dropped_and_counted(
    broken: Broken, key: str, value: Any, said: str
) -> None:
    folder = broken(lambda data: data["annotations"][0].update({key: value}))
    with pytest.raises(DataError) as raised:
        read(folder)
    assert said in str(raised.value)
    assert "train.json" in str(raised.value)
    found = read(folder, skip=True)
    assert sum(found.dropped.values()) == 1
    assert [a["category_id"] for a in found.images[0].annotations] == [9]


def test_a_box_within_a_pixel_of_the_edge_is_clipped(broken: Broken) -> None:
    found = read(broken(lambda data: data["annotations"][0].update(bbox=[30.5, 2, 10, 12])))
    assert found.images[0].annotations[0]["bbox"] == [30.5, 2, 9.5, 12]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "image is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-10]), "image is truncated"),
        (lambda path: path.write_bytes(b"no image"), "image cannot be read"),
    ],
)
def test_a_bad_image_is_named(broken: Broken, change: Callable[[Path], None], said: str) -> None:
    folder = broken(lambda data: None, change)
    with pytest.raises(DataError, match=r"image 7 \(a.jpg\)") as raised:
        read(folder)
    assert said in str(raised.value)


def test_an_image_whose_name_is_longer_than_any_file_s_is_missing(broken: Broken) -> None:
    with pytest.raises(DataError, match=r"image 7 \(a{300}.jpg\).*: image is missing"):
        read(broken(lambda data: data["images"][0].update(file_name="a" * 300 + ".jpg")))


def test_an_image_of_another_size_than_annotated_is_named(broken: Broken) -> None:
    folder = broken(lambda data: data["images"][0].update(width=41))
    with pytest.raises(DataError, match="image is 40 x 30, annotated as 41 x 30"):
        read(folder)


def test_a_photo_annotated_before_its_exif_rotation_is_read_as_stored(broken: Broken) -> None:
    def turn(path: Path) -> None:
        image = Image.open(path)
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif)

    assert read(broken(lambda data: None, turn)).images[0].as_stored
    assert not read(broken(lambda data: data["images"][0].update(width=30, height=40), turn)).images[0].as_stored


def test_a_class_named_twice_and_a_file_without_annotations_are_refused(broken: Broken) -> None:
    with pytest.raises(DataError, match="class name 'cell' is repeated in the categories"):
        read(broken(lambda data: data["categories"][1].update(name="cell")))
    with pytest.raises(DataError, match="no image has an annotation"):
        read(broken(lambda data: data["annotations"].clear()))


def test_a_file_that_is_no_coco_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read(tmp_path)
    (tmp_path / "train.json").write_text('{"images": []}', encoding="utf-8")
    with pytest.raises(DataError, match="no list 'annotations'"):
        read(tmp_path)


def test_crowds_and_all_80_classes_of_coco_are_read(shared_data: Path) -> None:
    root = shared_data / "coco_mini"
    found = coco.read(root / "annotations" / "instances_train2017.json", root / "train2017", skip=False)
    assert len(found.names) == 80
    annotations = [a for picture in found.images for a in picture.annotations]
    assert len(annotations) == 739
    assert sum(a["iscrowd"] for a in annotations) > 0


def test_pascal_voc_is_read_with_its_lists(shared_data: Path) -> None:
    root = shared_data / "bccd_voc"
    names = read_image_list(root / "ImageSets" / "Main" / "train.txt")
    found = pascal_voc.read(root, names, None, "train.txt", skip=False)
    assert found.stats() == {"images": 52, "annotations": 692, "images_without_annotations": 0}
    assert found.names == ("Platelets", "RBC", "WBC")


def test_a_missing_xml_and_an_unknown_class_of_voc_are_named(shared_data: Path) -> None:
    root = shared_data / "bccd_voc"
    with pytest.raises(DataError, match=r"image 'nothing': Annotations/nothing.xml is missing"):
        pascal_voc.read(root, ["nothing"], None, "train.txt", skip=False)
    names = read_image_list(root / "ImageSets" / "Main" / "val.txt")
    with pytest.raises(DataError, match="unknown class"):
        pascal_voc.read(root, names, ["RBC"], "val.txt", skip=False)


def test_instance_maps_give_what_the_polygons_give(shared_data: Path) -> None:
    root = shared_data / "balloon"
    names = read_image_list(root / "splits" / "train.txt")
    maps = label_maps.read(
        names,
        label_maps.LabelMapFiles(images=root / "images", labels=root / "labels", source="train.txt"),
        ReadOptions(skip=False, class_list=["balloon"]),
    )
    polygons = coco.read(root / "annotations" / "instances_train.json", root / "images", skip=False)
    assert maps.stats() == polygons.stats()


@pytest.fixture
def two_squares(tmp_path: Path) -> Callable[[Any], Any]:
    """One image with a label map of the given values, read with two classes."""
    import numpy
    from PIL import Image

    def make(values: Any, palette: Any = ()) -> Any:
        values = numpy.asarray(values)
        for name in ("images", "labels"):
            (tmp_path / name).mkdir(exist_ok=True)
        Image.new("RGB", values.shape[1::-1]).save(tmp_path / "images" / "a.png")
        Image.fromarray(values.astype("uint8" if values.max() < 256 else "uint16")).save(tmp_path / "labels" / "a.png")
        files = label_maps.LabelMapFiles(images=tmp_path / "images", labels=tmp_path / "labels", source="train.txt")
        options = ReadOptions(skip=False, class_list=["cat", "dog"], palette=palette)
        found = label_maps.read(["a"], files, options)
        return [(a["category_id"], a["area"]) for a in found.images[0].annotations]

    return make


def _map(first: int, second: int) -> Any:
    import numpy

    values = numpy.zeros((20, 30), dtype=int)
    values[2:6, 2:6] = first
    values[10:16, 10:16] = second
    return values


def test_class_maps_are_taken_apart_by_connected_pieces(two_squares: Any) -> None:
    assert two_squares(_map(1, 1)) == [(1, 16.0), (1, 36.0)]
    assert two_squares(_map(2, 1)) == [(1, 36.0), (2, 16.0)]


def test_instance_maps_of_several_classes_count_by_thousands(two_squares: Any) -> None:
    assert two_squares(_map(2001, 1001)) == [(1, 36.0), (2, 16.0)]


def test_colours_are_read_by_the_palette(two_squares: Any) -> None:
    import numpy

    red, blue = (255, 0, 0), (0, 0, 255)
    colours = numpy.zeros((20, 30, 3), dtype=int)
    colours[2:6, 2:6] = red
    colours[10:16, 10:16] = blue
    assert two_squares(colours, palette=(red, blue)) == [(1, 16.0), (2, 36.0)]


def test_values_beyond_the_classes_are_refused(two_squares: Any) -> None:
    with pytest.raises(DataError, match="values up to 7, and class_list has 2 classes"):
        two_squares(_map(1, 7))


def test_class_list_and_palette_must_fit() -> None:
    with pytest.raises(InputError, match="class_list: label maps need the class names"):
        label_maps.check_classes([], [])
    with pytest.raises(InputError, match="names 'cat' twice"):
        label_maps.check_classes(["cat", "cat"], [])
    with pytest.raises(InputError, match="palette has 1 colours for 2 classes"):
        label_maps.check_classes(["cat", "dog"], [[1, 2, 3]])


def _source(root: Path, name: str) -> SplitSource:
    file = root / name
    return SplitSource(
        split="train", root=root, image_folder=None, name=name, searched=(file,), file=file if file.is_file() else None
    )


@pytest.mark.parametrize("kind", ["boxes", "masks", "keypoints"])
def test_coco_json_is_recognised_for_every_kind_of_task(broken: Broken, kind: AnnotationKind) -> None:
    folder = broken(lambda data: None)
    assert read_split(_source(folder, "train.json"), kind, ReadOptions(skip=False)).names == ("cell", "plate")


def test_a_file_that_no_format_recognises_is_refused_with_the_formats_of_the_task(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"train\.txt .* with boxes \(COCO JSON, Pascal VOC, YOLO"):
        read_split(_source(tmp_path, "train.txt"), "boxes", ReadOptions(skip=False))
    with pytest.raises(InputError, match=r"with keypoints \(COCO JSON, YOLO's .* or CVAT's XML for images\)"):
        read_split(_source(tmp_path, "train.txt"), "keypoints", ReadOptions(skip=False))


def test_a_missing_file_is_named_with_the_json_files_that_are_there(broken: Broken) -> None:
    folder = broken(lambda data: None)
    with pytest.raises(SplitNotFoundError, match=r"boxes\.json was not found(.|\n)*JSON files there: train\.json"):
        read_split(_source(folder, "boxes.json"), "boxes", ReadOptions(skip=False))


def _words(name: str, formats: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> FormatChoice:
    """A format of a plugin of the test's, in a module of the folder."""
    (folder / f"{name}.py").write_text(formats, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    return FormatChoice(
        name=name,
        summary=name,
        distribution="adapt-tests",
        version="1.0",
        implementation=f"{name}:Words",
        suffixes=(".words",),
        general=False,
    )


ROWS = """
import json
from adapt_core.plugin import Row
class Words:
    def recognise(self, place):
        return "its suffix is .words"
    def read(self, place):
        for number, line in enumerate(place.files[0].read_text().splitlines(), start=1):
            values = json.loads(line)
            yield Row(values, place.files[0], number, values.pop("fault", None))
"""


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Reads rows of one 40 x 30 image in the format of a third party, which yields rows."""
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")

    def read(*rows: dict[str, Any], skip: bool = False) -> Any:
        (tmp_path / "train.words").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        options = ReadOptions(skip=skip, formats=(_words("words_rows", ROWS, monkeypatch, tmp_path),))
        return read_split(_source(tmp_path, "train.words"), "boxes", options)

    return read


def test_rows_of_a_third_party_are_what_coco_json_gives(words: Any, broken: Broken) -> None:
    objects = [{"category": "cell", "bbox": [1, 2, 10, 12]}, {"category": "plate", "bbox": [5, 5, 9, 9]}]
    found = words({"image": "a.jpg", "objects": objects})
    coco_split = read(broken(lambda data: None))
    assert found.names == coco_split.names
    both = [
        [(split.label_of()[a["category_id"]], a["bbox"], a["area"], a["iscrowd"]) for a in split.images[0].annotations]
        for split in (found, coco_split)
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"image": "b.jpg", "objects": []}, "b.jpg): image is missing"),
        ({"image": "a.jpg", "objects": {}}, "train.words:2: objects must be a list of mappings"),
        (
            {"image": "a.jpg", "objects": [{"category": "cell", "bbox": [1, 2, 0, 9]}]},
            "train.words:2: box of zero area [1, 2, 0, 9]",
        ),
        (
            {"image": "a.jpg", "objects": [{"category": "cell", "bbox": [1, 2, 9, 9], "keypoints": []}]},
            "train.words:2: keypoints must map each name to [x, y, visibility]",
        ),
    ],
)
def test_a_bad_row_of_a_third_party_is_named(words: Any, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as raised:
        words({"image": "a.jpg", "objects": [{"category": "cell", "bbox": [1, 2, 3, 4]}]}, row)
    assert said in str(raised.value)


def test_a_row_with_a_fault_is_told_or_counted(words: Any) -> None:
    rows = [{"image": "a.jpg", "objects": [{"category": "cell", "bbox": [1, 2, 3, 4]}]}, {"fault": "it has no image"}]
    with pytest.raises(DataError, match=r"train\.words: 1 row cannot be used(.|\n)*train\.words:2: it has no image"):
        words(*rows)
    assert words(*rows, skip=True).dropped == {"it has no image": 1}


def test_keypoints_of_rows_have_names(words: Any) -> None:
    bodies: list[dict[str, Any]] = [{"nose": [3, 4, 2], "tail": [5, 6, 1]}, {"tail": [7, 8, 2]}]
    objects = [{"category": "cat", "bbox": [1, 2, 10, 12], "keypoints": body} for body in bodies]
    found = words({"image": "a.jpg", "objects": objects})
    assert found.categories[0].keypoints == ("nose", "tail")
    assert [a["keypoints"] for a in found.images[0].annotations] == [[3, 4, 2, 5, 6, 1], [0, 0, 0, 7, 8, 2]]


def test_data_format_chooses_between_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    row = {"image": "a.jpg", "objects": [{"category": "cell", "bbox": [1, 2, 3, 4]}]}
    (tmp_path / "train.words").write_text(json.dumps(row), encoding="utf-8")
    formats = [_words(name, ROWS, monkeypatch, tmp_path) for name in ("words_a", "words_b")]
    source = _source(tmp_path, "train.words")
    with pytest.raises(InputError, match=r"words_a of adapt-tests 1\.0 \(.*\) and words_b of adapt-tests"):
        read_split(source, "boxes", ReadOptions(skip=False, formats=formats))
    assert read_split(source, "boxes", ReadOptions(skip=False, formats=formats, named="words_b")).names == ("cell",)


@pytest.mark.parametrize(
    ("name", "task", "said"),
    [
        ("coco", "object_detection", r"train_ann_file: train\.json was not found"),
        ("voc", "object_detection", "has no folder Annotations, which Pascal VOC has"),
        ("label_maps", "instance_segmentation", r"train_ann_file: train\.txt was not found"),
    ],
)
def test_a_named_format_says_what_it_misses(tmp_path: Path, name: str, task: str, said: str) -> None:
    keys = {"TASK": task, "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": str(tmp_path), "DATA_FORMAT": name}
    plan = resolve(RunConfig.read(keys), Registry.discover())
    data = DetectionData(plan) if task == "object_detection" else SegmentationData(plan)
    with pytest.raises(InputError, match=said):
        data.read_splits()
