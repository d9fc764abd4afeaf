"""The metrics in other people's programs: what docs/metrics-library.md shows runs as it stands, and is right."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.image import StructuralSimilarityIndexMeasure

from motioncopy.batch import to_uint8
from motioncopy.errors import BatchError
from motioncopy.metrics.masked import MaskPSNR
from motioncopy.metrics.psnr import PSNR, psnr
from motioncopy.metrics.ssim import SSIM, ssim
from motioncopy.metrics.tcm import TCM_METRICS, TCM_RATIOS

PAGE = Path(__file__).parents[3] / "docs/metrics-library.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page's examples leave, one after the other."""
    left: dict[str, Any] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block.replace("from __future__", "# from __future__"), left)
    return left


def test_the_collection_has_the_values_that_the_page_states(page: dict[str, Any]) -> None:
    assert page["values"]["PSNR"].item() == pytest.approx(34.15, abs=0.005)
    assert page["values"]["MaskPSNR"].item() == pytest.approx(34.15, abs=0.005)
    assert f"{page['values']['PSNR'].item():.2f}" in PAGE.read_text(encoding="utf-8")
    assert 0.9 < page["values"]["SSIM"].item() < 1


def test_metrics_that_share_a_chunk_look_once_and_agree(page: dict[str, Any]) -> None:
    video = page["video"]
    bounded, ratio = (value.item() for value in page["temporal"].compute().values())
    alone = TCM_METRICS[0]()
    for part in video.split(3):
        alone.update(part + 5, part)
    assert bounded == pytest.approx(alone.compute().item(), rel=1e-6)
    again = TCM_RATIOS[0]()
    again.update(video + 5, video)
    assert ratio == pytest.approx(again.compute().item(), rel=1e-6)


def test_a_module_of_ones_own_validates_with_them(page: dict[str, Any], tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    data = [(torch.rand(3, 32, 32, generator=generator) * 2 - 1,) * 2 for _ in range(6)]
    model: LightningModule = page["Model"]()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(accelerator="cpu", default_root_dir=tmp_path, enable_model_summary=False, **quiet)  # type: ignore[arg-type]
    (logged,) = trainer.validate(model, DataLoader(data, batch_size=4), verbose=False)  # type: ignore[arg-type]
    with torch.no_grad():
        frames = torch.stack([pair[0] for pair in data])
        x, y = to_uint8(model.network(frames)), to_uint8(frames)  # type: ignore[operator]
    for name, function in (("ssim", ssim), ("psnr", psnr)):
        values = function(x, y)
        expected = (values[:4].mean() + values[4:].mean()) / 2  # two clips, of which one is shorter
        assert logged[f"val/{name}"] == pytest.approx(expected.item(), rel=1e-5)


def test_two_metrics_that_begin_alike_are_not_taken_for_one() -> None:
    """A collection shares the states of metrics that are equal after the first batch."""
    black = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    metrics = MetricCollection([PSNR(), MaskPSNR()])
    for generated in (black, black + 1):
        metrics.update(generated, black, black[:, :1] + 255 * (torch.arange(16) < 4).to(torch.uint8))
        black[..., 8:] = 9
    found = metrics.compute()
    assert found["PSNR"] != found["MaskPSNR"]


def test_they_stand_beside_those_of_torchmetrics() -> None:
    truth = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    ours = MetricCollection([SSIM()])
    theirs = StructuralSimilarityIndexMeasure(data_range=255.0)
    ours.update(truth // 2, truth)
    theirs.update((truth // 2).double(), truth.double())
    assert float(ours.compute()["SSIM"]) == pytest.approx(float(theirs.compute()), abs=0.01)  # type: ignore[arg-type]


def test_a_batch_has_a_value_of_its_own_and_the_frame_before_is_remembered() -> None:
    video = torch.randint(0, 256, (6, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    metric, whole = TCM_METRICS[0](), TCM_METRICS[0]()
    first, second = metric(video[:1] // 2, video[:1]), metric(video[1:] // 2, video[1:])
    assert math.isnan(first)
    whole.update(video // 2, video)
    assert second.item() == pytest.approx(whole.compute().item())
    assert metric.compute().item() == pytest.approx(whole.compute().item())
    metric.reset()
    assert math.isnan(metric(video[:1], video[:1]))  # a clip of the same name begins anew


def test_what_is_missing_is_named() -> None:
    frames = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(BatchError, match="psnr/frame@1 cannot be computed: the clip has no true frames"):
        PSNR().update(frames)
    with pytest.raises(BatchError, match="ssim/gaussian@1 cannot be computed: the frames are smaller than 11"):
        SSIM().update(frames, frames)


def test_a_copy_goes_on_by_itself() -> None:
    video = torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    metric = TCM_METRICS[0]()
    metric.update(video[:2] // 2, video[:2])
    copies: list[Any] = [pickle.loads(pickle.dumps(metric)), metric.clone()]
    for copy in copies:
        assert copy.compute().item() == metric.compute().item()
        copy.update(video[2:] // 2, video[2:], clip="other")
        assert len(copy.of("other")) == 2
    assert metric.of("other") == ()
