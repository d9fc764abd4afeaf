"""The W&B workspace: what it shows is logged, and W&B's own package takes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import wandb
import yaml
from wandb_workspaces.workspaces import internal

from benchmarks.cli import main
from benchmarks.loggers.dashboard import text
from benchmarks.loggers.results import config_of, summary_of
from motioncopy import records
from motioncopy.metrics.catalogue import METRICS
from motioncopy.training import checkpoint
from tests.methods.tiny import TINY, tiny

DEFINITION = yaml.safe_load(text())
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def panels(kind: str) -> list[Any]:
    return [panel[kind] for section in DEFINITION["sections"] for panel in section["panels"] if kind in panel]


def test_all_that_is_asked_for_is_there() -> None:
    names = " ".join(section["name"] for section in DEFINITION["sections"])
    for what in ("Scores by method and data", "Quality against cost", "Losses", "videos side by side", "Provenance"):
        assert what in names


def test_scores_and_costs_are_keys_that_are_logged() -> None:
    keys = {f"{kind}/{key}" for kind in ("reconstruction", "imitation") for key in METRICS}
    record = max(records.read_all(ROOT / "benchmarks/results"), key=lambda r: len(summary_of(r)))
    keys |= set(summary_of(record)) | {"cost/fps_compiled"}
    shown = {key for panel in [*panels("bar"), *panels("scatter")] for key in panel}
    assert shown <= keys
    config = config_of(record)
    for key in [*DEFINITION["group"], *DEFINITION["columns"]]:
        value: Any = config
        for word in key.split("."):
            value = value[word]


def test_pictures_and_tables_are_keys_that_are_logged() -> None:
    media = {f"test/{kind}/{what}" for kind in ("reconstruction", "imitation") for what in ("sheet", "video")}
    for method, variants in TINY.items():
        for variant, _ in variants:
            with torch.device("meta"):
                built = checkpoint.build(**tiny(method, variant))
            for stage in built.stages:
                media.add(f"stage/{stage.name}/samples")
    assert {key for panel in panels("media") for key in panel} <= media
    assert set(panels("table")) == {"results/scores", "results/trials"}


def test_print_needs_no_account(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", "--print"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == DEFINITION


def test_without_an_account_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard"]) == 1
    said = capsys.readouterr().err
    assert "nobody is logged in" in said
    assert "wandb login" in said
    assert "--print" in said


def test_without_the_package_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.expr", None)
    assert main(["dashboard"]) == 1
    assert "'.[dashboard]'" in capsys.readouterr().err


def test_what_is_saved_is_the_definition(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    saved: list[Any] = []

    def upsert(view: Any) -> dict[str, Any]:
        saved.append(view)
        return {"upsertView": {"view": {"name": view.name, "id": "1"}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setattr(wandb, "Api", lambda: type("Api", (), {"default_entity": "we"})())
    monkeypatch.setattr("wandb_workspaces.workspaces.interface.get_app_url", lambda *_: "https://wandb.ai/")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert main(["dashboard", "--project", "dances"]) == 0
    assert "Dashboard: https://wandb.ai/we/dances?nw=" in capsys.readouterr().out
    (view,) = saved
    assert (view.entity, view.project, view.display_name) == ("we", "dances", "motioncopy")
    saved_text = json.dumps(view.model_dump(by_alias=True, exclude_none=True), default=str)
    shown = [*panels("bar"), *panels("scatter"), *panels("media")]
    for key in [key for panel in shown for key in panel] + panels("lines") + panels("table"):
        assert json.dumps(key)[1:-1] in saved_text
    assert "config:provenance.value.code.commit" in saved_text


def test_a_refusal_says_what_to_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)

    def refused() -> Any:
        raise wandb.errors.CommError("permission denied")

    monkeypatch.setattr(wandb, "Api", refused)
    assert main(["dashboard"]) == 1
    assert "permission denied" in capsys.readouterr().err
