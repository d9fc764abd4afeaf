"""Networks of mmdet and mmpose: built from the configs in their packages, with published weights, on mmcv-lite.

mmcv-lite is mmcv without its compiled operators.
mmcv looks for its operators in the module ``mmcv._ext``. The stand-in installed here forwards the two that person
detection and segmentation need, ``nms`` and ``roi_align_forward``, to torchvision; with them Mask R-CNN gives bit for
bit what compiled mmcv gives. HRNet and RTMPose need none.

Their checkpoints hold, beside the state dict, a log of the training (mmengine's HistoryBuffer with numpy arrays, and
methods got by ``getattr``). It is of no use here, and none of it is made: see ``ignored`` of
:func:`motioncopy.weights.load`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor
from torchvision.ops import nms as torchvision_nms
from torchvision.ops import roi_align

from motioncopy import weights
from motioncopy.errors import PerceptionError, WeightsError

_NAME = "mmcv._ext"
_REMEDY = (
    "install mmcv with its operators compiled: "
    "`MMCV_WITH_OPS=1 pip install --no-deps --no-build-isolation mmcv==2.1.0` (about ten minutes)"
)

# What checkpoints mention beside tensors. numpy 2 renamed numpy.core; files have either.
_LOG = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "builtins.getattr",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
)


@dataclass(frozen=True)
class Network:
    """A published network.

    Attributes:
        package: Whose it is.
        config: Its config's path below the package's own folder of configs.
        weights: Its name in :data:`motioncopy.weights.WEIGHTS`.
        options: What is changed in the config, by dotted key.
    """

    package: Literal["mmdet", "mmpose"]
    config: str
    weights: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Version of the package, and name and hash of the weights.

        Raises:
            PerceptionError: If the package is not installed.
            WeightsError: If the weights are not on this machine.
        """
        try:
            return f"{self.package} {version(self.package)} {weights.identity(self.weights)}"
        except PackageNotFoundError:
            raise PerceptionError(f"{self.package} is not installed", remedy="run `make setup`") from None

    def build(self, *, trained: bool = True) -> Any:
        """The network in evaluation mode on the CPU, an mmengine ``BaseModel`` whose ``cfg`` is the config.

        Args:
            trained: Whether it gets its weights; random ones otherwise.

        Raises:
            PerceptionError: If the package is not installed.
            WeightsError: If the weights are not on this machine, or do not fit.
        """
        state = weights.load(self.weights, within="state_dict", ignored=_LOG) if trained else None
        with self.scope():
            from mmengine.config import Config
            from mmengine.model.utils import revert_sync_batchnorm

            package = importlib.import_module(self.package)
            config = Config.fromfile(Path(package.__file__ or "").parent / ".mim" / "configs" / self.config)
            # Otherwise the backbone's own weights are downloaded, to be overwritten at once.
            config.merge_from_dict({"model.backbone.init_cfg": None, **self.options})
            network = importlib.import_module(f"{self.package}.registry").MODELS.build(config.model)
            network = revert_sync_batchnorm(network).eval()
        if state is not None:
            self._fill(network, state)
        network.cfg = config
        return network

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Within it, mmengine's registries find this package's classes; networks and pipelines need it.

        Warnings are silenced: all that come are of functions that these packages use and torch means to remove.

        Raises:
            PerceptionError: If the package, or what it needs, is not installed.
        """
        install_stand_in()
        try:
            importlib.import_module(self.package)
            from mmengine.registry import DefaultScope
        except ImportError as error:
            raise PerceptionError(
                f"{self.package} cannot be imported", found=error, remedy="run `make setup`"
            ) from error
        with DefaultScope.overwrite_default_scope(self.package), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def run(self, network: Any, samples: list[Any]) -> list[Any]:
        """Sees the samples of the network's pipeline as one batch; returns mmengine's data samples."""
        from mmengine.dataset import pseudo_collate

        with self.scope(), torch.no_grad():
            results: list[Any] = network.test_step(pseudo_collate(samples))
        return results

    def _fill(self, network: torch.nn.Module, state: dict[str, Tensor]) -> None:
        try:
            # Some files hold the normalisation's constants besides, which the network has from its config.
            missing = network.load_state_dict(state, strict=False).missing_keys
        except RuntimeError as error:
            raise WeightsError(f"the weights {self.weights} do not fit {self.config}", found=error) from error
        if missing:
            raise WeightsError(
                f"the weights {self.weights} lack parts of {self.config}",
                found=f"{len(missing)} missing, the first is {missing[0]}",
            )


def install_stand_in() -> None:
    """Puts the stand-in where mmcv looks for its operators; call it before mmdet or mmpose is imported.

    Does nothing where mmcv was compiled with its operators, or where the stand-in is there already.

    Raises:
        PerceptionError: If mmcv is not installed.
    """
    if _NAME in sys.modules:
        return
    if importlib.util.find_spec("mmcv") is None:
        raise PerceptionError("mmcv is not installed", remedy="run `make setup`")
    if importlib.util.find_spec(_NAME) is None:
        stand_in = _StandIn(_NAME)
        # mmengine asks how the operators are loaded; without a specification, the question itself raises.
        stand_in.__spec__ = ModuleSpec(_NAME, loader=None)
        sys.modules[_NAME] = stand_in


def _nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    """The ``nms`` of mmcv: with ``offset=1``, a box's far edge lies a pixel beyond its last coordinate."""
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    kept: Tensor = torchvision_nms(boxes, scores, iou_threshold)
    return kept


def _roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,  # noqa: ARG001 - only the maximum needs it
    argmax_x: Tensor,  # noqa: ARG001
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """The ``roi_align_forward`` of mmcv: writes into ``output``; ``pool_mode`` is 0 for the maximum, 1 for the mean."""
    if pool_mode != 1:
        raise PerceptionError("RoIAlign by maximum is not in the stand-in for mmcv's operators", remedy=_REMEDY)
    size = (aligned_height, aligned_width)
    output.copy_(roi_align(features, rois, size, spatial_scale, sampling_ratio, aligned))


class _StandIn(ModuleType):
    """Has every operator that mmcv asks for; those that are not forwarded raise when they are called."""

    nms = staticmethod(_nms)
    roi_align_forward = staticmethod(_roi_align_forward)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            # Python's own questions about a module are not operators.
            raise AttributeError(name)

        def missing(*_: Any, **__: Any) -> NoReturn:
            raise PerceptionError(f"mmcv's operator {name} is not in the stand-in", remedy=_REMEDY)

        return missing
