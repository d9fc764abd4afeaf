"""``method.ckpt`` from a stranger: every field is checked, and nothing of it is called."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from motioncopy.errors import CheckpointError, MotionCopyError
from motioncopy.training import checkpoint
from tests.methods.tiny import tiny


def written(path: Path, **changed: Any) -> Path:
    model = tiny("fakemotion", "paper")
    method = checkpoint.build(model["class_path"], model["init_args"])
    content = {
        "schema": checkpoint.SCHEMA,
        "class_path": "methods.fakemotion.method.FakeMotion",
        "init_args": method.init_args,
        "state_dict": method.state_dict(),
        "regime": "personal",
        "subject": "ana",
        "reference": None,
        "context": {},
        "hashes": {},
    }
    torch.save({k: v for k, v in (content | changed).items() if v is not _MISSING}, path)
    return path


_MISSING = object()


def test_an_honest_one_is_loaded(tmp_path: Path) -> None:
    assert checkpoint.load(written(tmp_path / "method.ckpt")).subject == "ana"


REFERENCE = {
    "joints": torch.zeros(1, 2, 25, 3), "skeleton": "body25", "size": [16, 16], "hand_left": None, "hand_right": None,
    "face": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_path", 3),
        ("class_path", "os.system"),
        ("class_path", "torch.fx.graph_module.reduce_graph_module"),
        ("class_path", "methods.static.Static"),
        ("class_path", "motioncopy.training.checkpoint.load"),
        ("init_args", []),
        ("init_args", {"image_size": math.nan}),
        ("init_args", {"image_size": [10**40, 1]}),
        ("init_args", {"foreground": {"generator": {"class_path": "torch.fx.graph_module.reduce_graph_module"}}}),
        ("init_args", {"nothing_like_it": 1}),
        ("init_args", {1: 2}),
        ("state_dict", {}),
        ("state_dict", {"a": 1}),
        ("state_dict", {3: torch.zeros(1)}),
        ("state_dict", {"a": torch.tensor(math.nan)}),
        ("regime", "neither"),
        ("subject", 7),
        ("subject", "a" * 300),
        ("reference", {}),
        ("reference", REFERENCE | {"joints": torch.zeros(1)}),
        ("reference", REFERENCE | {"skeleton": "octopus"}),
        ("reference", REFERENCE | {"size": [16]}),
        ("reference", REFERENCE | {"more": 1}),
        ("context", {"gallery": 3}),
        ("context", {"gallery": {"faces": torch.zeros(1)}}),
        ("context", {"unknown": torch.zeros(1)}),
        ("context", []),
        ("hashes", _MISSING),
        ("hashes", {"a": [[[]]] * 3, "b": math.inf}),
        ("schema", _MISSING),
        ("schema", "motioncopy.method/99"),
        ("surplus", 1),
    ],
)
def test_a_wrong_field_is_refused_with_a_remedy(field: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path / "method.ckpt", **{field: value})
    with pytest.raises(MotionCopyError, match=r"method\.ckpt") as refusal:
        checkpoint.load(path)
    assert refusal.value.remedy


def test_a_network_larger_than_its_parameters_is_refused_before_it_is_made(tmp_path: Path) -> None:
    model = tiny("fakemotion", "paper")
    wide = copy.deepcopy(model["init_args"])
    wide["foreground"]["generator"]["init_args"] |= {"width": 2**16, "max_width": 2**16}
    with pytest.raises(CheckpointError, match="larger networks"):
        checkpoint.load(written(tmp_path / "wide.ckpt", init_args=wide))
    many = copy.deepcopy(model["init_args"])
    many["foreground"]["generator"]["init_args"]["convs"] = 10**9
    with pytest.raises(CheckpointError, match="networks that it has no parameters for"):
        checkpoint.load(written(tmp_path / "many.ckpt", init_args=many))


def test_a_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(CheckpointError, match=r"init_args of .*nested"):
        checkpoint.load(written(tmp_path / "method.ckpt", init_args={"x": endless}))
