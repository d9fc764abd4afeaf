"""The comparison with people's opinions, and the order of damage on puppets."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.audit.cases import DAMAGES, SPOILT, VIDEO_DAMAGES
from benchmarks.audit.checks import PUPPET_ORDER, Audit, on_puppets
from benchmarks.audit.opinions import KINDS, agreement, damaged, levels, opinions, pictures
from benchmarks.audit.report import agreement_lines


def test_the_table_is_that_of_tid2013() -> None:
    assert len(opinions()) == 24
    assert levels() == (33, 30, 27, 24, 21)
    assert set(KINDS) <= set(opinions())
    scores = np.array(list(opinions().values()))
    assert scores.shape == (24, 5)
    assert ((scores > 0) & (scores < 9)).all()
    assert scores[:, 0].mean() > scores[:, 4].mean() + 1


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("denoising", "non-eccentricity pattern noise")])
def test_damage_has_the_psnr_that_was_asked_for(kind: str) -> None:
    picture = pictures(96)[0]
    spoilt = damaged(picture, kind, 27)
    error = np.square(spoilt.astype(np.float64) - picture).mean()
    assert 10 * np.log10(255**2 / error) == pytest.approx(27, abs=1.0)


def test_a_metric_that_orders_kinds_as_people_do_agrees_more() -> None:
    kinds = ("additive Gaussian noise", "Gaussian blur", "JPEG", "mean shift", "spatially correlated noise")
    found = agreement(("perceptual/hed_vgg@1", "psnr/frame@1"), kinds=kinds, originals=pictures(96)[:2])
    assert (found.count, found.frames) == (25, 2)
    assert found.correlation["perceptual/hed_vgg@1"] > found.correlation["psnr/frame@1"] > 0.5
    assert "| perceptual/hed_vgg@1 | 0." in "\n".join(agreement_lines(found))


def test_a_metric_that_knows_no_order_fails_on_puppets() -> None:
    found = Audit("video/efficientnet_lite0@1", "none")
    on_puppets(found, lambda generated, truth: -float((generated.float() - truth.float()).abs().mean()))
    failed = {check.name for check in found.checks if check.passed is False}
    assert {f"puppet: more {name}" for name in (*DAMAGES, *VIDEO_DAMAGES)} <= failed
    assert {f"puppet: {name}" for name in SPOILT} <= failed
    assert set(PUPPET_ORDER) == {"perceptual/hed_vgg@1", "frechet/efficientnet_lite0@1", "video/efficientnet_lite0@1"}
