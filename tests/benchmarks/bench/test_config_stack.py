"""The config stack: what is merged how, what is refused, and that an ablation changes what it says and no more."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torchvision.models import resnet18, vgg16, vgg19

from benchmarks.bench import config_stack
from benchmarks.bench.config_stack import ConfigStack, ablations, data_sets, merge, methods, presets, read, variants
from motioncopy import weights
from motioncopy.errors import ConfigError
from motioncopy.method import Method
from motioncopy.training import checkpoint
from tests.methods.tiny import NOT_FOR

METHOD_CONFIGS = [(m, v, p) for m in methods() for v in variants(m) for p in (presets(m) or [""])]
OVERLAID = [(m, v, p, overlay) for m, v, p in METHOD_CONFIGS for overlay in ablations(m) if (v, overlay) not in NOT_FOR]


# -- merging ----------------------------------------------------------------------------------------------------------


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    below = {"a": {"x": 1, "y": {"z": 2}}, "list": [1, 2, 3], "gone": {"p": 1}, "kept": 0}
    above = {"a": {"y": {"w": 3}}, "list": [4], "gone": None, "new": {"q": 1}}
    before = repr((below, above))
    assert merge(below, above) == {
        "a": {"x": 1, "y": {"z": 2, "w": 3}}, "list": [4], "gone": None, "kept": 0, "new": {"q": 1},
    }  # fmt: skip
    assert repr((below, above)) == before, "merging must not change what is merged"


def test_what_was_taken_away_is_not_brought_back_by_its_size() -> None:
    below = {"face": None}
    assert merge(below, {"face": {"size": 16}}) == below
    assert merge(below, {"face": "a.Face"}) == {"face": "a.Face"}
    assert merge({}, {"face": {"size": 16}}) == {"face": {"size": 16}}, "what nobody took away is new"


def test_another_class_drops_the_arguments_of_the_one_it_replaces() -> None:
    below = {"gan": {"class_path": "a.A", "init_args": {"x": 1}}}
    assert merge(below, {"gan": {"class_path": "a.B"}}) == {"gan": {"class_path": "a.B"}}
    other = {"gan": {"class_path": "a.B", "init_args": {"y": 2}}}
    assert merge(below, other) == other
    same = {"gan": {"class_path": "a.A", "init_args": {"y": 2}}}
    assert merge(below, same)["gan"]["init_args"] == {"x": 1, "y": 2}
    assert merge(below, {"gan": {"init_args": {"y": 2}}})["gan"] == {
        "class_path": "a.A", "init_args": {"x": 1, "y": 2},
    }  # fmt: skip


def test_what_is_no_mapping_is_refused(tmp_path: Path) -> None:
    for content, message in (
        ("a: [1", "no YAML"),
        ("on: 1", "no text.*True"),
        ("a: &a [*a]", "anchor that holds itself"),
        ("- a\n- b", "no mapping"),
    ):
        path = tmp_path / "config.yaml"
        path.write_text(content)
        with pytest.raises(ConfigError, match=rf"config\.yaml.*{message}"):
            read(path)
    with pytest.raises(ConfigError, match=r"no config none\.yaml"):
        read(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read(tmp_path / "empty.yaml") == {}


# -- finding ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another set of config files in place of the project's own."""
    monkeypatch.setattr(config_stack, "files", lambda package: tmp_path / package)
    for path, content in {
        "methods/remot/configs/paper.yaml": {"model": {"class_path": "m.R", "init_args": {"a": 1, "b": 1, "c": 1}}},
        "methods/remot/configs/other.yaml": {"model": {"class_path": "m.R", "init_args": {"a": 7}}},
        "methods/remot/presets/quick.yaml": {"requires": ["steady"], "model": {"init_args": {"b": 2, "c": 2, "d": 2}}},
        "methods/remot/presets/quick_paper.yaml": {"requires": ["soft"], "model": {"init_args": {"c": 3, "d": 3}}},
        "methods/remot/presets/full.yaml": {},
        "methods/remot/ablations/steady.yaml": {"model": {"init_args": {"d": 4}}},
        "methods/remot/ablations/soft.yaml": {"model": {"init_args": {"s": 5}}},
        "methods/remot/ablations/bare.yaml": {"model": {"init_args": {"s": None}}},
        "methods/plain/configs/trivial.yaml": {"model": {"class_path": "m.P"}},
        "datamodules/configs/iper.yaml": {"data": {"class_path": "d.I", "init_args": {"n": 1}}},
        "datamodules/configs/fish.yaml": {"data": {"class_path": "d.F"}},
        "benchmarks/configs/remot_iper.yaml": {
            "model": {"init_args": {"b": 9, "a": 9}},
            "data": {"init_args": {"n": 2}},
        },
        "benchmarks/configs/remot_iper_other.yaml": {"model": {"init_args": {"a": 8}}},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(yaml.safe_dump(content))
    (tmp_path / "methods/shared").mkdir()  # no method: it has no configs
    return tmp_path


def test_all_there_is_is_found(house: Path) -> None:
    assert (methods(), data_sets(), variants("remot")) == (["plain", "remot"], ["fish", "iper"], ["other", "paper"])
    assert (presets("plain"), ablations("plain")) == ([], [])
    assert ablations("remot") == ["bare", "soft", "steady"]


def test_later_files_win(house: Path) -> None:
    config = ConfigStack("remot", "iper", overlays=("bare",)).resolve(
        {"seed_everything": 3, "model": {"init_args": {"e": 6}}}
    )
    assert config == {
        "model": {"class_path": "m.R", "init_args": {"a": 9, "b": 2, "c": 3, "d": 4, "s": None, "e": 6}},
        "data": {"class_path": "d.I", "init_args": {"n": 2}},
        "seed_everything": 3,
    }
    assert ConfigStack("remot", "iper", "other", "").resolve()["model"]["init_args"] == {"a": 8, "b": 9}
    assert ConfigStack("remot", "fish", preset="").resolve()["model"]["init_args"] == {"a": 1, "b": 1, "c": 1}


def test_a_preset_and_its_variants_own_can_require_overlays(house: Path) -> None:
    assert ConfigStack("remot", "iper", overlays=("bare", "steady")).all_overlays() == ["steady", "soft", "bare"]
    assert ConfigStack("remot", "iper", "other").all_overlays() == ["steady"]
    assert ConfigStack("remot", "iper", preset="full", overlays=("soft",)).all_overlays() == ["soft"]


def test_the_files_are_named_for_the_record(house: Path) -> None:
    assert ConfigStack("remot", "iper", overlays=("bare",)).names() == [
        "methods/remot/configs/paper.yaml",
        "datamodules/configs/iper.yaml",
        "benchmarks/configs/remot_iper.yaml",
        "methods/remot/presets/quick.yaml",
        "methods/remot/presets/quick_paper.yaml",
        "methods/remot/ablations/steady.yaml",
        "methods/remot/ablations/soft.yaml",
        "methods/remot/ablations/bare.yaml",
    ]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "remo"}, "METHOD=remo.*one of plain, remot"),
        ({"method": "shared"}, "METHOD=shared.*one of plain, remot"),
        ({"data": "ipre"}, "DATA=ipre.*one of fish, iper"),
        ({"variant": "papre"}, "VARIANT=papre.*one of other, paper"),
        ({"preset": "quik"}, "PRESET=quik.*one of full, quick"),
        ({"preset": "quick_paper"}, "PRESET=quick_paper.*one of full, quick"),
        ({"overlays": ("bare", "bear")}, "ABLATION=bear.*one of bare, soft, steady"),
        ({"method": "plain", "variant": "trivial", "preset": "quick"}, "PRESET=quick.*one of none"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(house: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ConfigStack(**{"method": "remot", "data": "iper", **wrong}).files()


# -- the project's own files ------------------------------------------------------------------------------------------


def test_every_config_file_can_be_reached() -> None:
    """A file of another folder or name would be read by nobody."""
    for method in methods():
        folder = files("methods") / method
        for preset in presets(method):
            assert "_" not in preset, f"{method}: preset {preset} belongs to no variant"
        found = {str(f) for kind in ("configs", "presets", "ablations") for f in Path(str(folder / kind)).glob("*")}
        assert {f for f in found if not f.endswith(".yaml")} == set()
    pairs = [f"{m}_{d}{v}" for m in methods() for d in data_sets() for v in ("", *(f"_{v}" for v in variants(m)))]
    folder = files("benchmarks") / "configs"
    assert {f.name.removesuffix(".yaml") for f in folder.iterdir()} <= set(pairs) if folder.is_dir() else True


def test_a_command_line_names_a_method_in_any_case() -> None:
    assert ConfigStack.asked_for("pix2pixHD", "puppets", "paper", "quick").method == "pix2pixhd"
    assert [name for name in methods() if name != name.lower()] == []


@pytest.mark.parametrize(
    ("method", "variant", "preset", "overlay"),
    [(m, v, p, o) for m, v, p, o in OVERLAID if o not in ConfigStack(m, "puppets", v, p).all_overlays()],
)
def test_an_overlay_changes_what_it_names_and_no_more(method: str, variant: str, preset: str, overlay: str) -> None:
    content = read(files("methods") / method / "ablations" / f"{overlay}.yaml")
    content.pop("ablation", None)  # what the file says of itself
    named = flat(content)
    before, after = (flat(ConfigStack(method, "puppets", variant, preset, o).resolve()) for o in ((), (overlay,)))
    changed = {key for key in before | after if before.get(key, "absent") != after.get(key, "absent")}
    # A null takes all below it away, and another class the arguments of the one before.
    swapped = tuple(f"{key.removesuffix('.class_path')}.init_args." for key in named if key.endswith(".class_path"))
    removed = tuple(f"{key}." for key, value in named.items() if value is None)
    unnamed = {key for key in changed if key not in named and not key.startswith(swapped + removed)}
    listing = {key: (before.get(key, "absent"), after.get(key, "absent")) for key in sorted(changed)}
    assert not unnamed, f"{overlay} names {sorted(named)} and changes {listing}"
    without_effect = {key for key in named if not any(c == key or c.startswith(f"{key}.") for c in changed)}
    assert not without_effect, f"{overlay} names {sorted(named)} and changes {listing}"


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf under its dotted key."""
    if not isinstance(config, dict):
        return {prefix.removesuffix("."): config}
    return {key: value for name, below in config.items() for key, value in flat(below, f"{prefix}{name}.").items()}


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks with published weights are built, with nothing in them."""
    networks = {"vgg16": vgg16, "vgg19": vgg19, "resnet18": resnet18}
    monkeypatch.setattr(weights, "load", lambda name: networks[name]().state_dict())
    monkeypatch.setattr(weights, "identity", lambda name: f"{name}@nothing")


def build(stack: ConfigStack) -> Method[Any]:
    model = stack.resolve()["model"]
    return checkpoint.build(model["class_path"], model.get("init_args", {}))


def check_stages(method: Method[Any]) -> None:
    names = [s.name for s in method.stages]
    assert len(set(names)) == len(names)
    for number, stage in enumerate(method.stages):
        assert set(stage.depends) <= set(names[:number])
        assert set(stage.config_keys) <= set(method.init_args or {}), f"stage {stage.name} depends on unknown arguments"


@pytest.mark.parametrize(("method", "variant", "preset"), METHOD_CONFIGS)
@pytest.mark.usefixtures("no_files")
def test_every_config_builds_with_every_preset(method: str, variant: str, preset: str) -> None:
    with torch.device("meta"):  # networks of the full size, without the memory
        built = build(ConfigStack(method, "puppets", variant, preset))
        check_stages(built)
    assert all(p.is_meta for p in built.parameters())


@pytest.mark.parametrize(
    ("method", "variant", "preset", "overlay"),
    [pytest.param(*case, marks=[] if case[2] == "quick" else pytest.mark.slow) for case in OVERLAID],
)
@pytest.mark.usefixtures("no_files")
def test_every_config_builds_with_every_overlay(method: str, variant: str, preset: str, overlay: str) -> None:
    with torch.device("cpu" if preset == "quick" else "meta"):
        check_stages(build(ConfigStack(method, "puppets", variant, preset, (overlay,))))


@pytest.mark.parametrize(("variant", "overlay"), NOT_FOR)
def test_an_overlay_that_means_nothing_is_refused(variant: str, overlay: str) -> None:
    with pytest.raises(ConfigError, match=NOT_FOR[variant, overlay]):
        build(ConfigStack("fakemotion", "puppets", variant, "quick", (overlay,)))
