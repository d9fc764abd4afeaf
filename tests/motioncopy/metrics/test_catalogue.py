"""The catalogue: one key, one definition, and names that stand for keys."""

from __future__ import annotations

import pytest

from motioncopy.errors import ConfigError
from motioncopy.metrics.catalogue import DEFAULTS, METRICS, definition, select
from motioncopy.metrics.definition import split_key


def test_every_metric_stands_under_its_own_key_and_title() -> None:
    assert all(kind.definition.key == key for key, kind in METRICS.items())
    titles = [kind.definition.title for kind in METRICS.values()]
    assert len(set(titles)) == len(titles)
    assert set(DEFAULTS) <= set(METRICS)


@pytest.mark.parametrize("key", METRICS)
def test_definitions_say_what_is_computed_and_where_it_comes_from(key: str) -> None:
    found = definition(key)
    assert len(found.text) > 60
    assert found.source
    assert found.arrow in ("↑", "↓", "")


def test_a_family_whose_variants_differ_argues_its_default() -> None:
    families: dict[str, list[str]] = {}
    for key in METRICS:
        families.setdefault(split_key(key)[0], []).append(key)
    for name, keys in families.items():
        assert len(keys) == 1 or any(definition(key).choice for key in keys), name


def test_names_stand_for_keys_in_the_catalogue_s_order() -> None:
    assert select(["all"]) == list(METRICS)
    assert select(["default"]) == [key for key in METRICS if key in DEFAULTS]
    assert select(["psnr/frame", "ssim/gaussian@1"]) == ["ssim/gaussian@1", "psnr/frame@1"]
    assert set(select(["mask_psnr"])) == {key for key in METRICS if key.startswith("mask_psnr/")}
    assert select(["default", "all", "ssim"]) == list(METRICS)


@pytest.mark.parametrize("name", ["sim", "ssim/gaussian@9", "", "ssim/"])
def test_names_that_stand_for_nothing_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"unknown metric.*ssim, .*psnr"):
        select([name])
