"""A training's code: what it imports, and nothing else of the house."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from motioncopy.training.code import code_digest, code_of

ROOT = Path(__file__).parents[3]
METHODS = ("methods.fakemotion.FakeMotion", "methods.remot.REMOT")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for package in ("motioncopy", "methods"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=lambda _, names: [n for n in names if n[-5:] == ".yaml"]
        )
    return folder


def code(house: Path, *names: str) -> dict[str, str]:
    return code_of(names, {folder.name: folder for folder in house.iterdir() if folder.is_dir()})


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("metrics/ssim.py", '"""', '"""Reworded. ', False),
        ("metrics/ssim.py", "\ndef ", "\nX = 1\n\n\ndef ", False),
        ("records/record.py", "\ndef ", "\nX = 1\n\n\ndef ", False),
        ("losses/adversarial.py", '"""', '"""Reworded. ', False),
        ("losses/adversarial.py", "\nclass ", "\n# A comment.\n\n\n\nclass ", False),
        ("losses/adversarial.py", "\nclass ", "\nX = 1\n\n\nclass ", True),
    ],
)
def test_an_edit_counts_where_the_training_imports_it_and_code_changes(
    file: str, old: str, new: str, changes: bool, house: Path
) -> None:
    before = code(house, *METHODS)
    path = house / "motioncopy" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        assert (code(house, *METHODS) != before) is changes
    finally:
        path.write_text(text)


def test_a_method_imports_its_own_folder_and_no_other_method() -> None:
    found = code_of(["methods.remot.REMOT"], {name: ROOT / name for name in ("motioncopy", "methods")})
    assert {name.split(".")[1] for name in found if name.startswith("methods.")} == {"remot"}
    assert {"methods.remot.method", "motioncopy.training.updates", "motioncopy.nets.discriminators"} <= found.keys()


def test_all_ways_to_import_are_followed(tmp_path: Path) -> None:
    files = {
        "a/__init__.py": "",
        "a/start.py": "from . import near\nfrom .deep.far import thing\nimport torch, b.top\nX = 'a.late.Class'",
        "a/near.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import hint",
        "a/deep/__init__.py": "from ..above import x",
        "a/deep/far.py": "def f():\n    import a.inner as i",
        "a/above.py": "from a.start import near",
        "a/late.py": "'''See a.unread.'''",
        "a/inner.py": "",
        "a/hint.py": "",
        "a/unread.py": "",
        "b/top.py": "",
        "c/__init__.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(code(tmp_path, "a.start.Method")) == [
        "a", "a.above", "a.deep", "a.deep.far", "a.inner", "a.late", "a.near", "a.start", "b.top",
    ]  # fmt: skip
    assert code_of(["single.Method"], {"single": tmp_path / "a/near.py"}).keys() == {"single"}


def test_the_installed_packages_are_found() -> None:
    assert code_digest("methods.static.Static") == code_digest("methods.static.Static")
    assert code_digest("methods.static.Static") != code_digest("methods.nearest.Nearest")
    assert code_digest("tests.toys.ToyMethod") != code_digest("tests.toys.ToyMethod", "motioncopy.losses.perceptual.X")
