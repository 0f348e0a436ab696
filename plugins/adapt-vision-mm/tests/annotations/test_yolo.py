"""YOLO data sets in the layouts of the tools that write them, read as the same annotations in COCO's form."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapt_core.config.resolver import RunConfig, resolve
from adapt_core.contracts import Format, Place
from adapt_core.errors import DataError, InputError
from adapt_core.plugin.registry import Registry
from adapt_core.testing import FormatContract

pytest.importorskip("PIL")
pytest.importorskip("pycocotools")

from PIL import Image

from adapt_vision_mm.annotations.annotated_split import AnnotatedSplit
from adapt_vision_mm.instance_segmentation.data import SegmentationData
from adapt_vision_mm.object_detection.data import DetectionData
from adapt_vision_mm.pose_detection.data import PoseData

DATA: dict[str, Any] = {
    "object_detection": DetectionData,
    "instance_segmentation": SegmentationData,
    "pose_detection": PoseData,
}
WIDTH, HEIGHT = 64, 32

BOXES = {"a": "0 0.5 0.5 0.25 0.5\n1 0.125 0.25 0.25 0.25\n", "b": "1 0.5 0.75 0.5 0.5\n", "c": ""}
"""Of images a, b and c; all numbers are exact in binary."""
AS_COCO = {"a": [(0, [24, 8, 16, 16]), (1, [0, 4, 16, 8])], "b": [(1, [16, 16, 32, 16])], "c": []}

NAMES = "names: [cat, dog]\n"
ULTRALYTICS = "path: ../datasets/pets  # as it was where the file was written\ntrain: images/train\nval: images/val\n"

Read = Callable[..., dict[str, AnnotatedSplit]]


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 20, 20)).save(path)


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def write_split(images: Path, labels: Path, texts: Mapping[str, str] = BOXES) -> None:
    """Images and their labels; an empty text has no file."""
    labels.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        image(images / f"{name}.jpg")
        if text:
            (labels / f"{name}.txt").write_text(text, encoding="utf-8")


def by_split(root: Path) -> None:
    for split in ("train", "val", "test"):
        write_split(root / "images" / split, root / "labels" / split)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads the splits of a task from the temporary folder."""

    def read_with(task: str = "object_detection", **keys: Any) -> dict[str, AnnotatedSplit]:
        given = {"TASK": task, "MODEL_PATH": "m", "CUSTOM_DATASET_PATH": str(tmp_path), "augment": False, **keys}
        splits: dict[str, AnnotatedSplit] = DATA[task](
            resolve(RunConfig.read(given), Registry.discover())
        ).read_splits()
        return splits

    return read_with


def boxes(split: AnnotatedSplit) -> dict[str, list[tuple[int, list[float]]]]:
    return {
        found.path.stem: [(item["category_id"], item["bbox"]) for item in found.annotations] for found in split.images
    }


@pytest.mark.parametrize(
    "yaml",
    [
        ULTRALYTICS + NAMES,
        ULTRALYTICS + "names:\n  0: cat\n  1: dog\n",
        "path: /content/datasets/pets\ntrain: images/train\nval: [images/val]\nnc: 2\n" + NAMES,
        "train: ./train.txt\nval: val.txt\n" + NAMES,
        "train: ../images/train\nval: ../images/val\n" + NAMES,
    ],
    ids=["list", "mapping", "path of another machine", "lists of images", "roboflow"],
)
def test_data_yaml_says_where_images_and_names_are(read: Read, tmp_path: Path, yaml: str) -> None:
    by_split(tmp_path)
    write(tmp_path, {"data.yaml": yaml})
    if "train.txt" in yaml:
        for split in ("train", "val"):
            write(tmp_path, {f"{split}.txt": "".join(f"./images/{split}/{name}.jpg\n" for name in BOXES)})
    found = read()
    assert list(found) == ["train", "val"]
    for split in found.values():
        assert boxes(split) == AS_COCO
        assert split.names == ("cat", "dog")
    recognised = found["train"].recognised
    assert recognised is not None
    assert (recognised.choice.name, recognised.reason) == ("yolo", "data.yaml names classes and images")


def test_roboflow_has_folders_of_splits_with_images_and_labels(read: Read, tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        write_split(tmp_path / split / "images", tmp_path / split / "labels")
    places = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    write(tmp_path, {"data.yaml": places + "nc: 2\nnames: ['cat', 'dog']\nroboflow:\n  license: CC BY 4.0\n"})
    found = read()
    assert list(found) == ["train", "val", "test"]
    assert all(boxes(split) == AS_COCO for split in found.values())


def test_cvat_has_lists_and_labels_beside_the_images(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path / "obj_train_data", tmp_path / "obj_train_data")
    lines = "".join(f"data/obj_train_data/{name}.jpg\n" for name in BOXES)
    write(
        tmp_path, {"obj.names": "cat\ndog\n", "obj.data": "classes = 2\ntrain = data/train.txt\n", "train.txt": lines}
    )
    found = read(DO_EVAL=False)
    assert boxes(found["train"]) == AS_COCO
    assert found["train"].names == ("cat", "dog")


def test_folders_alone_do_with_a_file_of_names(read: Read, tmp_path: Path) -> None:
    """As Label Studio writes them."""
    write_split(tmp_path / "images", tmp_path / "labels")
    write(tmp_path, {"classes.txt": "cat\ndog\n", "notes.json": "{}"})
    found = read(DATA_SPLIT=0.4)
    assert boxes(found["train"]) | boxes(found["val"]) == AS_COCO
    assert list(found) == ["train", "val"]


def test_keys_of_the_config_stand_over_data_yaml(read: Read, tmp_path: Path) -> None:
    by_split(tmp_path)
    write(tmp_path, {"other.yaml": "train: nowhere\n" + NAMES, "a.yaml": "train: images/val\n" + NAMES})
    found = read(
        train_ann_file="other.yaml", TRAIN_DIR="images/train", VAL_DIR="images/test", val_ann_file="other.yaml"
    )
    assert [found[split].images[0].path.parent.name for split in ("train", "val")] == ["train", "test"]
    assert read(DATA_FORMAT="yolo")["train"].images[0].path.parent.name == "val"


def test_a_list_that_a_key_names_is_the_split(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path / "images", tmp_path / "labels")
    lists = {"some.txt": "images/b.jpg\nimages/c.jpg\n", "rest.txt": "./images/a.jpg\n"}
    write(tmp_path, {"classes.txt": "cat\ndog\n", **lists})
    found = read(train_ann_file="some.txt", val_ann_file="rest.txt")
    assert [list(boxes(found[split])) for split in ("train", "val")] == [["b", "c"], ["a"]]


def test_a_data_yaml_that_the_training_key_names_is_that_of_every_split(read: Read, tmp_path: Path) -> None:
    by_split(tmp_path)
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\n" + NAMES})
    write(tmp_path, {"small.yaml": "train: images/train\nval: images/test\nnames: [a, b]\n"})
    found = read(train_ann_file="small.yaml")
    assert [found[split].images[0].path.parent.name for split in ("train", "val")] == ["train", "test"]
    assert found["train"].names == ("a", "b")
    elsewhere = tmp_path.parent / f"{tmp_path.name}.yaml"
    elsewhere.write_text(f"path: {tmp_path}\ntrain: images/test\nval: images/val\n" + NAMES)
    assert read(train_ann_file=str(elsewhere))["train"].images[0].path.parent.name == "test"


def test_labelimg_has_all_in_one_folder(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path, tmp_path)
    write(tmp_path, {"classes.txt": "cat\ndog\n"})
    assert boxes(read(DO_EVAL=False)["train"]) == AS_COCO


def test_polygons_are_masks_and_their_bounds_are_boxes(read: Read, tmp_path: Path) -> None:
    texts = {"a": "1 0.25 0.25 0.75 0.25 0.75 0.75\n", "b": "0 0 0 0.5 0 0.5 0.5 0 0.5\n"}
    write_split(tmp_path / "images" / "train", tmp_path / "labels" / "train", texts)
    write(tmp_path, {"data.yaml": "train: images/train\n" + NAMES})
    first, second = (found.annotations[0] for found in read("instance_segmentation", DO_EVAL=False)["train"].images)
    assert first["segmentation"] == [[16.0, 8.0, 48.0, 8.0, 48.0, 24.0]]
    assert (first["area"], first["bbox"]) == (256.0, [16.0, 8.0, 32.0, 16.0])
    assert second["area"] == 512.0
    assert boxes(read(DO_EVAL=False)["train"])["a"] == [(1, [16.0, 8.0, 32.0, 16.0])]


@pytest.mark.parametrize(("numbers", "unseen"), [(3, "0 0 0"), (2, "-1 -1")])
def test_poses_have_keypoints(read: Read, tmp_path: Path, numbers: int, unseen: str) -> None:
    seen = [" 2", " 1"] if numbers == 3 else ["", ""]
    text = f"0 0.5 0.5 0.5 0.5 0.25 0.5{seen[0]} 0.75 0.5{seen[1]} {unseen}\n"
    write_split(tmp_path / "images" / "train", tmp_path / "labels" / "train", {"a": text, "b": text})
    names = "kpt_names: {0: [left_eye, right_eye, tail]}\nflip_idx: [1, 0, 2]\n"
    yaml = f"train: images/train\nkpt_shape: [3, {numbers}]\nnames: [cat]\n"
    write(tmp_path, {"data.yaml": yaml + names})
    split = read("pose_detection", DO_EVAL=False)["train"]
    second = 1 if numbers == 3 else 2
    assert split.images[0].annotations[0]["keypoints"] == [16.0, 16.0, 2, 48.0, 16.0, second, 0, 0, 0]
    assert split.categories[0].keypoints == ("left_eye", "right_eye", "tail")
    assert split.categories[0].flip_pairs == ((0, 1),)
    write(tmp_path, {"data.yaml": yaml})
    assert read("pose_detection", DO_EVAL=False)["train"].categories[0].keypoints == ("point_0", "point_1", "point_2")


def test_photos_are_measured_as_they_are_shown(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path / "images", tmp_path / "labels", {"a": "0 0.5 0.25 0.5 0.25\n"})
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / "a.jpg", exif=exif)
    write(tmp_path, {"classes.txt": "cat\n"})
    (found,) = read(DO_EVAL=False)["train"].images
    assert (found.width, found.height, found.as_stored) == (HEIGHT, WIDTH, False)
    assert found.annotations[0]["bbox"] == [8.0, 8.0, 16.0, 16.0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0.5 0.5 0.2 0.2", "class 2 has no name; there are 0, 1"),
        ("0.5 0.5 0.5 0.2 0.2", "class 0.5 has no name"),
        ("0 0.5 0.5 0.2", "it has 4 numbers; a box is its class and 4"),
        ("0 0.5 0.5 0.2 0.2 0.9", "it has 6 numbers"),
        ("0 32 16 8 8", "32 is no share of the image's width or height, from 0 to 1"),
        ("0 0.5 0.5 0 0.2", "its box has no area"),
        ("0 0.1 0.5 0.9 0.2", r"its box extends beyond the image \(64 x 32\)"),
        ("0 0.5 0.5 nan 0.2", "it has a number that is not finite"),
        ("cat 0.5 0.5 0.2 0.2", "it is not numbers"),
    ],
)
def test_a_bad_line_is_told_by_its_file_and_number(read: Read, tmp_path: Path, line: str, reason: str) -> None:
    write_split(tmp_path / "images", tmp_path / "labels", {**BOXES, "a": f"0 0.5 0.5 0.25 0.5\n\n{line}\n"})
    write(tmp_path, {"data.yaml": "train: images\n" + NAMES})
    with pytest.raises(DataError, match=rf"data\.yaml: 1 row cannot be used.\n.*labels/a\.txt:3: {reason}"):
        read()
    split = read(SKIP_BAD_ROWS=True, DO_EVAL=False)["train"]
    assert sum(split.dropped.values()) == 1
    assert boxes(split) == {**AS_COCO, "a": AS_COCO["a"][:1]}


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("train: images\nnames: 2\n", r"data\.yaml: names is 2"),
        ("train: images\nnames: [cat, cat]\n", "names has 'cat' twice"),
        ("train: images\nnames: {one: cat}\n", "'one': 'cat' is no class number with its name"),
        ("train: 3\nnames: [cat]\n", "train: 3 is not a path"),
        ("train: gone\nnames: [cat]\n", r"data\.yaml: train: gone does not exist"),
        ("train: [images, gone]\nnames: [cat]\n", r"data\.yaml: train: gone does not exist"),
        ("train: images\nval: gone\nnames: [cat, dog]\n", r"data\.yaml: val: gone does not exist"),
        ("- train\n- names\nnames: [cat]\ntrain: images\n", r"cannot be read as YOLO's data\.yaml"),
        ("train: images\nnames: [cat]\nkpt_shape: [3, 4]\n", r"kpt_shape is \[3, 4\]"),
        ("train: images\nnames: [cat]\nkpt_shape: [2, 3]\nflip_idx: [0, 0]\n", r"flip_idx is \[0, 0\]"),
        ("train: images\nnames: [cat]\nkpt_shape: [2, 3]\nflip_idx: ['1', '0']\n", r"flip_idx is \['1', '0'\]"),
        ("train: images\nnames: [cat]\nkpt_shape: [2, 3]\nkpt_names: {0: [a]}\n", "kpt_names does not have 2"),
        ("train: images\nnames: !!python/object:os.system [cat]\n", "is not plain data"),
    ],
)
def test_a_bad_data_yaml_is_told(read: Read, tmp_path: Path, yaml: str, said: str) -> None:
    write_split(tmp_path / "images", tmp_path / "labels")
    write(tmp_path, {"data.yaml": yaml})
    with pytest.raises(InputError, match=said):
        read()


def test_labels_without_names_say_what_is_missing(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(DataError, match=r"no file names them. Write data\.yaml with names"):
        read()


def test_labels_that_stand_twice_are_read_once(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_split(tmp_path / "images", tmp_path / "labels", {**BOXES, "b": BOXES["b"] * 3})
    write(tmp_path, {"data.yaml": "train: images\n" + NAMES})
    assert boxes(read(DO_EVAL=False)["train"]) == AS_COCO
    assert "2 labels that stand twice in their file are read once" in caplog.text


def test_images_outside_of_the_data_are_read_and_said(
    read: Read, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_split(elsewhere / "images", elsewhere / "labels")
    write(tmp_path, {"data.yaml": f"train: {elsewhere / 'images'}\n" + NAMES})
    assert boxes(read(DO_EVAL=False)["train"]) == AS_COCO
    assert f"data.yaml names {elsewhere / 'images'}, which is outside of CUSTOM_DATASET_PATH" in caplog.text


def test_a_validation_split_that_is_the_training_split_is_said(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_split(tmp_path)
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/train\n" + NAMES})
    assert boxes(read()["val"]) == AS_COCO
    assert "the val split is the training split: its metrics show no generalization" in caplog.text


def test_a_test_split_without_labels_is_left_out(read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    by_split(tmp_path)
    for name in BOXES:
        (tmp_path / "labels" / "test" / f"{name}.txt").unlink(missing_ok=True)
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\ntest: images/test\n" + NAMES})
    assert list(read()) == ["train", "val"]
    assert "the test split has no annotations in" in caplog.text


def test_a_test_split_that_is_named_and_missing_is_none(read: Read, tmp_path: Path) -> None:
    by_split(tmp_path)
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\ntest: ../gone/images\n" + NAMES})
    assert list(read()) == ["train", "val"]


def test_unlabelled_images_of_a_named_test_split_are_listed_for_prediction(
    read: Read, tmp_path: Path, plan: Callable[..., Any]
) -> None:
    by_split(tmp_path)
    write_split(tmp_path / "holdout" / "images", tmp_path / "holdout", {"d": "", "e": ""})
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\ntest: holdout/images\n" + NAMES})
    images = DetectionData(plan()).list_unannotated_test()
    assert {number: path.name for number, path in (images or {}).items()} == {1: "d.jpg", 2: "e.jpg"}


def test_voc_with_labels_beside_is_voc(read: Read, tmp_path: Path) -> None:
    write_split(tmp_path / "JPEGImages", tmp_path / "labels")
    corners = "<xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>15</ymax>"
    files = {
        f"Annotations/{n}.xml": f"<annotation><object><name>cell</name><bndbox>{corners}</bndbox></object></annotation>"
        for n in "abc"
    }
    write(tmp_path, {**files, "data.yaml": "train: JPEGImages\n" + NAMES})
    assert read(DO_EVAL=False)["train"].names == ("cell",)


def test_a_coco_set_with_labels_beside_holds_its_validation_split_out(read: Read, tmp_path: Path) -> None:
    by_split(tmp_path)
    images = [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate(BOXES)]
    annotations = [{"id": n, "image_id": n, "category_id": 3, "bbox": [1, 2, 10, 12]} for n in range(3)]
    data = {"images": images, "categories": [{"id": 3, "name": "cell"}], "annotations": annotations}
    write(tmp_path, {"train.json": json.dumps(data), "data.yaml": ULTRALYTICS + NAMES})
    found = read(TRAIN_DIR="images/train")
    assert [split.recognised and split.recognised.choice.name for split in found.values()] == ["coco", "coco"]


def test_other_texts_are_no_yolo_labels(read: Read, tmp_path: Path) -> None:
    write(tmp_path, {"train.txt": "a\nb\n", "config.yaml": "names: [a]\n"})
    with pytest.raises(InputError, match=r"train\.json was not found"):
        read()


def test_a_stray_data_yaml_beside_coco_json_makes_no_yolo_data_set(read: Read, tmp_path: Path) -> None:
    by_split(tmp_path)
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\n" + NAMES})
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 10, 12]}],
    }
    write(tmp_path, {"train.json": json.dumps(coco)})
    assert read(DO_EVAL=False)["train"].names == ("cell",)
    with pytest.raises(InputError, match=r"boxes\.json was not found"):
        read(train_ann_file="boxes.json")


def test_a_data_yaml_alone_does_not_hide_a_mistyped_file(read: Read, tmp_path: Path) -> None:
    write(tmp_path, {"data.yaml": "train: images/train\nval: images/val\n" + NAMES, "boxes.json": "{}"})
    with pytest.raises(InputError, match=r"train_ann_file: train\.json was not found"):
        read()


class TestYolo(FormatContract):
    name = "yolo"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        by_split(tmp_path)
        write(tmp_path, {"data.yaml": ULTRALYTICS + NAMES})
        return Place(split="train", root=tmp_path)

    def test_rows_have_names_for_classes(self, place: Place, reader: Format) -> None:
        row = next(iter(reader.read(place)))
        assert Path(row.values["image"]).name == "a.jpg"
        assert [item["category"] for item in row.values["objects"]] == ["cat", "dog"]
