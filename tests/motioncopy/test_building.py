"""What a stranger's config may build: classes of trusted packages, and nothing that is imported or called before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from motioncopy import building
from motioncopy.building import build_from_config, resolve_untrusted, trust_package, trusted_packages
from motioncopy.errors import ConfigError
from motioncopy.method import Method

TOY: dict[str, Any] = {"class_path": "tests.toys.ToyMethod", "init_args": {"epochs": 1, "batches": 1}}
TINY: dict[str, Any] = {"class_path": "methods.static.Static", "init_args": {"image_size": [16, 16]}}


def fakemotion(**changed: Any) -> dict[str, Any]:
    from tests.methods.tiny import tiny

    model = tiny("fakemotion", "paper")
    return {**model, "init_args": {**model["init_args"], **changed}}


def with_generator(generator: Any) -> dict[str, Any]:
    from tests.methods.tiny import tiny

    return fakemotion(foreground={**tiny("fakemotion", "paper")["init_args"]["foreground"], "generator": generator})


def resolve(config: Any) -> dict[str, Any]:
    return resolve_untrusted(Method, config, key="model", what="x.ckpt")


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that says so when it is imported, in a place where Python looks."""
    (tmp_path / "evil_module.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'imported')!r}).touch()\n"
        "import torch\nclass Net(torch.nn.Module): pass\ndef net() -> torch.nn.Module: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "evil_module", raising=False)
    return tmp_path / "imported"


GRAPH = "torch.fx.graph_module.reduce_graph_module"


@pytest.mark.parametrize(
    "generator",
    [
        {"class_path": GRAPH, "init_args": {"body": {"_code": "def forward(self): return 1"}, "import_block": ""}},
        {"class_path": "evil_module.Net"},
        {"class_path": "evil_module.net"},
        {"class_path": "methods.fakemotion.networks.nn.Identity"},
        {"class_path": "torch.nn.Identity"},
        {"class_path": "benchmarks.cli.main"},
        {"class_path": "builtins.eval", "init_args": {"source": "1"}},
    ],
)
def test_what_lies_elsewhere_is_refused_by_its_name_before_it_is_imported(generator: Any, evil: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.ckpt"):
        resolve(with_generator(generator))
    assert not evil.exists()
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("text", [GRAPH, "evil_module.Net", "{class_path: evil_module.Net}", "Identity"])
def test_a_text_in_a_classs_place_is_held_to_the_same(text: str, evil: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.ckpt"):
        resolve(with_generator(text))
    assert not evil.exists()


def test_a_text_that_names_a_file_is_not_read(evil: Path, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text("class_path: evil_module.Net\n")
    with pytest.raises(ConfigError, match="names a file of this machine"):
        resolve(with_generator(str(tmp_path / "net.yaml")))
    assert not evil.exists()


def test_a_function_of_our_own_is_refused_and_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(building, "trust_package", lambda name: called.append(name))
    for generator in (
        {"class_path": "motioncopy.building.trust_package", "init_args": {"name": "os"}},
        "motioncopy.building.trust_package",
        {"class_path": "motioncopy.nets.features.nn"},
    ):
        with pytest.raises(ConfigError):
            resolve(with_generator(generator))
    assert called == []


@pytest.mark.parametrize(
    "name", [["a"], 3, None, "", "Static", "methods..Static", "methods.static", "../x.Y", "ｍethods.x.Y"]
)
def test_a_class_path_of_another_form_is_refused(name: object) -> None:
    with pytest.raises(ConfigError):
        resolve({"class_path": name, "init_args": {}})


@pytest.mark.parametrize("config", [None, [], "methods.static.Static", {}, {"init_args": {}}])
def test_what_names_no_class_is_refused(config: object) -> None:
    with pytest.raises(ConfigError, match="names no class"):
        resolve(config)


def test_a_class_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError):
        resolve(with_generator({"class_path": "datamodules.puppets.module.Puppets"}))
    with pytest.raises(ConfigError):
        resolve({"class_path": "motioncopy.nets.features.FeatureNetwork"})


def test_nested_names_are_refused_wherever_they_stand(evil: Path) -> None:
    for place in (
        {"nonsense": [{"deep": {"class_path": "evil_module.Net"}}]},
        {"face": {"class_path": "evil_module.Net"}},
    ):
        with pytest.raises(ConfigError, match="evil_module"):
            resolve(fakemotion(**place))
    assert not evil.exists()


def test_an_honest_config_is_completed_and_builds_the_same_method() -> None:
    resolved = resolve(fakemotion())
    again = resolve(resolved)
    assert again == resolved
    method, config = build_from_config(Method, resolved, key="model", what="x")  # type: ignore[type-abstract]
    assert type(method).__name__ == "FakeMotion"
    assert config == resolved


def test_a_package_is_trusted_once_the_user_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIONCOPY_TRUSTED_PACKAGES", "")
    with pytest.raises(ConfigError, match="--trust-package tests"):
        resolve(TOY)
    trust_package("tests")
    assert resolve(TOY)["class_path"] == "tests.toys.ToyMethod"
    assert trusted_packages() == ("methods", "motioncopy", "datamodules", "tests")
    for wrong in ("", "a b", "a.b", "os;import", "--x"):
        with pytest.raises(ConfigError, match="name of a package"):
            trust_package(wrong)


def test_an_installed_package_of_methods_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "other_methods-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-methods\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[motioncopy.methods]\nmine = other_methods.mine:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "other_methods" in trusted_packages()


def test_configs_of_the_user_may_name_any_class_afterwards() -> None:
    with pytest.raises(ConfigError):
        resolve(with_generator({"class_path": "torch.nn.Identity"}))
    method, _ = build_from_config(Method, TOY, key="model", what="x")  # type: ignore[type-abstract]
    assert type(method).__name__ == "ToyMethod"
    identity = {"class_path": "torch.nn.Identity"}
    assert build_from_config(Method, with_generator(identity), key="model", what="x")  # type: ignore[type-abstract]
