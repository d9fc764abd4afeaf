"""The measurement of normalisations: its joints are the renderer's, and its table orders what is known."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from benchmarks.perception import normalisation
from benchmarks.perception.normalisation import development, different, errors, joints, trials
from datamodules.puppets.protocol import Take, protocol
from datamodules.puppets.rendering import Performance, render
from motioncopy.poses.normalise import NORMALISERS


def test_joints_are_the_renderers() -> None:
    take = Take("ana", "kicks", 5, 3)
    shown = Performance("ana", "kicks", 5, 3, protocol().fps, (64, 64))
    rendered = [render(shown, i) for i in range(3)]
    for found, frame in zip(joints(take, 64), rendered, strict=True):
        want = torch.from_numpy(frame.joints)
        torch.testing.assert_close(found[:, :2], want[:, :2], atol=1e-3, rtol=0)
        assert torch.equal(found[:, 2] > 0, want[:, 2] > 0)


def test_where_the_driver_stands_in_its_picture_is_no_matter() -> None:
    case = next(trials())
    near = errors(case, ["retarget", "none"], 96, scale=1.3, down=0.1, frames=None)
    plain = errors(case, ["retarget", "none"], 96, scale=1.0, down=0.0, frames=None)
    torch.testing.assert_close(near[0], plain[0], atol=1e-2, rtol=0)
    assert near[1, 0] > 5 * plain[1, 0]


def test_retargeting_is_nearer_than_edn() -> None:
    found = torch.stack(
        [errors(c, ["retarget", "edn"], 96, scale=1.0, down=0.0, frames=None) for c in islice(development(), 20)]
    )
    assert found[:, 0, 1].mean() < 0.6 * found[:, 1, 1].mean()


def test_the_development_split_shows_the_target_in_other_motions_only() -> None:
    for case in development():
        assert case.truth.motion not in {take.motion for take in case.known}
        assert case.truth.motion not in {trial.motion for trial in protocol().imitation}


def test_it_prints_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(normalisation.SETS, "different", lambda: different(1))
    monkeypatch.setattr("sys.argv", ["normalisation", "--sets", "different", "--size", "64", "--frames", "1"])
    normalisation.main()
    printed = capsys.readouterr().out
    assert "**different**: 4 cases, 64 x 64, targets known from 1 of their frames" in printed
    assert all(f"| `{name}` | " in printed for name in NORMALISERS)
