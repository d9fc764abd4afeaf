"""A data set's frames and annotations become a clip."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from motioncopy.footage import Framed, Framing, ImageFolder
from motioncopy.footage.clips import Clip
from motioncopy.footage.perception.backends import PersonSegmenter
from motioncopy.footage.perception.labels import LabelFolder, LabelMask
from motioncopy.footage.perception.openpose import OpenPoseFolder
from motioncopy.footage.perception.precomputed import ForegroundFolder, GivenBackground, MaskFolder
from motioncopy.footage.prepare import Backends, Prepared, Recording, prepare_recordings
from tests.motioncopy.footage.perception.annotated import save

FRAMES, NATIVE = 40, (96, 128)  # more frames than one chunk has
FRAMING = Framing(native=NATIVE, resized=(48, 64), corner=(0, 8), size=(48, 48))
PERSON = (slice(16, 80), slice(48, 80))


def _data_set(root: Path) -> Path:
    random = np.random.default_rng(0)
    place = random.integers(0, 256, (*NATIVE, 3), np.uint8)
    images, labels, masks, foregrounds = [], [], [], []
    (root / "pose").mkdir(parents=True)
    for i in range(FRAMES):
        image, label = place.copy(), np.zeros(NATIVE, np.uint8)
        image[PERSON], label[PERSON] = (40 + 4 * i, 90, 200), 5
        images.append(image)
        labels.append(label)
        masks.append((label > 0).astype(np.uint8) * 255)
        foregrounds.append(np.where(label[..., None] > 0, image, 0).astype(np.uint8))
        joints = np.full((25, 3), (63.5, 31.5 + i / 4, 0.9))
        person = {"pose_keypoints_2d": joints.ravel().tolist()}
        (root / "pose" / f"{i}.json").write_text(json.dumps({"people": [person]}))
    for name, arrays in (("img", images), ("parsing", labels), ("mask", masks), ("fg", foregrounds)):
        save(root / name, arrays)
    Image.fromarray(place).save(root / "bg.png")
    return root


def _prepare(root: Path, *, mask: str) -> Prepared:
    def backends() -> Backends:
        labels = LabelFolder(root / "parsing", framing=FRAMING)
        segmenters: dict[str, PersonSegmenter] = {
            "labels": LabelMask(labels),
            "mask": MaskFolder(root / "mask", FRAMING),
            "fg": ForegroundFolder(root / "fg", FRAMING),
        }
        return Backends(
            pose=OpenPoseFolder(root / "pose", framing=FRAMING),
            mask=segmenters[mask],
            parser=labels,
            background=GivenBackground(root / "bg.png", FRAMING),
        )

    recording = Recording("a", lambda: Framed(ImageFolder(root / "img"), FRAMING), backends=backends)
    (result,) = prepare_recordings([recording], root / "clips", max_size=24, parts=("parsing",))
    assert result.error is None
    return result


def test_annotations_become_a_clip(tmp_path: Path) -> None:
    root = _data_set(tmp_path / "data")
    masks = {}
    for mask in ("labels", "mask", "fg"):
        assert _prepare(root, mask=mask).outcome == "made"
        masks[mask] = Clip.open(root / "clips" / "a").mask(range(FRAMES))
        assert _prepare(root, mask=mask).outcome == "up to date"
    clip = Clip.open(root / "clips" / "a")
    assert (len(clip), clip.size) == (FRAMES, (24, 24))
    # The person stands at rows 16 to 80 and columns 48 to 80 of the native frame: 4 to 20 and 8 to 16 here.
    expected = np.zeros((FRAMES, 24, 24), bool)
    expected[:, 4:20, 8:16] = True
    for name, found in masks.items():
        assert np.array_equal(found > 127, expected), name
    assert np.array_equal(clip.parsing(range(FRAMES)) == 2, expected)
    np.testing.assert_allclose(clip.joints[:, 3, 0], (64 - 16) / 4 - 0.5, atol=1e-4)
    np.testing.assert_allclose(clip.joints[:, 3, 1], (32 + np.arange(FRAMES) / 4) / 4 - 0.5, atol=1e-4)
    assert clip.background[4:20, 8:16].std() > 10  # the place, not the person


def test_changed_annotations_are_noticed(tmp_path: Path) -> None:
    root = _data_set(tmp_path / "data")
    make = partial(_prepare, root, mask="labels")
    make()
    file = root / "pose" / "7.json"
    file.write_text(file.read_text().replace("0.9", "0.8"))
    result = make()
    assert result.outcome == "made"
    assert result.reason.startswith("its joints was made by openpose-json 1+")
    save(root / "parsing", [np.zeros(NATIVE, np.uint8)])
    assert make().outcome == "made"
    assert make().outcome == "up to date"
