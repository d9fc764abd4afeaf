"""Inception score (IS): how sure a classifier is of each generated frame, and how varied its answers are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from motioncopy.errors import BatchError
from motioncopy.metrics.clip import Output
from motioncopy.metrics.definition import Definition
from motioncopy.metrics.features import Rows, RowsMetric
from motioncopy.metrics.inception import LOGITS_SIZE, POOL_SIZE, InceptionTF, InceptionTorchvision

#: Parts that the frames are split into, and the seed of their order: torch-fidelity's.
SPLITS, SEED = 10, 2020

_LEAST = (
    "At least 1000 frames: the score of n frames together cannot exceed n, and each split should be far from that. "
    "The interval is of a bootstrap over clips; the deviation over splits that papers print says less, because all "
    "splits hold frames of all clips."
)
_CAUTION = (
    "The classes are those of ImageNet, where people are no class: it was made for pictures of many kinds of things, "
    "and on videos of one person it rewards varied clothes and backgrounds rather than likeness. It looks at no real "
    "frame, and grows with the number of frames."
)


def split_scores(rows: Rows, *, splits: int = SPLITS, seed: int | None = SEED) -> NDArray[np.float64]:
    """Exponential of the mean Kullback-Leibler divergence of p(y|x) from p(y), of each split (Salimans et al. 2016).

    With p = softmax(row), the mean over x of Σ p (log p - log q), q being the mean of p, is the mean of Σ p log p
    less Σ q log q: one pass over the rows in blocks.

    Args:
        rows: Logits.
        splits: Number of parts, as equal as can be, whose order is random by the global index.
        seed: Of that order; ``None`` for the order of the rows.

    Returns:
        ``(splits,)``: IS is their mean.

    Raises:
        BatchError: If there are fewer rows than splits.

    >>> from motioncopy.metrics.features import Part
    >>> sure = Rows((Part("walk", 1e4 * np.eye(4, dtype=np.float32)),))
    >>> split_scores(sure, splits=1).round(6)  # four classes, each without doubt
    array([4.])
    """
    n = len(rows)
    if n < max(splits, 2):
        raise BatchError("there are too few features for the splits of IS", expected=max(splits, 2), found=n)
    order = np.arange(n) if seed is None else np.random.RandomState(seed).permutation(n)  # torch-fidelity's generator
    ends = np.arange(1, splits + 1) * n // splits
    owner = np.empty(n, np.int64)
    owner[order] = np.searchsorted(ends, np.arange(n), side="right")

    marginal = torch.zeros(splits, rows.size, dtype=torch.float64)
    negative_entropy = torch.zeros(splits, dtype=torch.float64)
    start = 0
    for block in rows.blocks():
        log_p = torch.from_numpy(block.astype(np.float64)).log_softmax(dim=1)
        p = log_p.exp()
        mine = torch.from_numpy(owner[start : start + len(block)])
        marginal.index_add_(0, mine, p)
        negative_entropy.index_add_(0, mine, (p * log_p).sum(dim=1))
        start += len(block)
    counts = torch.from_numpy(np.diff(ends, prepend=0))
    q = marginal / counts[:, None]
    divergence = negative_entropy / counts - torch.special.xlogy(q, q).sum(dim=1)
    scores: NDArray[np.float64] = divergence.exp().numpy()
    return scores


class InceptionScore(RowsMetric):
    """IS over the logits, as torch-fidelity computes it; see :func:`split_scores`.

    >>> metric = InceptionScore()
    >>> metric.add_features(1e4 * torch.eye(20, 1008))
    >>> round(metric.compute().item(), 6)  # ten splits of two classes
    2.0
    """

    output = Output(InceptionTF, "logits")
    size = LOGITS_SIZE
    least = 1000
    needs_real = False
    resamples = 50
    definition = Definition(
        key="is/logits@1",
        title="IS",
        direction="higher",
        unit="",
        source="Salimans et al.: Improved techniques for training GANs, NeurIPS 2016",
        text=(
            "The exponential of the mean over frames of the Kullback-Leibler divergence of the frame's class "
            "probabilities from their mean, float64; the mean over 10 equal splits, the frames being put in a random "
            "order by their global index (the place among all frames, clips sorted by name) with seed 2020. The "
            "probabilities are the softmax of all 1008 logits, without their bias, of the Inception network of "
            f"December 2015, which sees frames as in fid/tf@1. Equals torch-fidelity's mean. {_LEAST}"
        ),
        choice=(
            "Like the authors' code, this leaves out the logits' bias and keeps the eight outputs that stand "
            "for no class; other codes use torchvision's network and its 1000 classes. Liquid Warping "
            "GAN's evaluator puts the 2048 features in the place of logits (is/features@1). Motion copying papers "
            "report 3.1 to 3.7 without saying which; the default is what the name means everywhere else."
        ),
        caution=_CAUTION,
    )

    def distance(self, generated: Rows, real: Rows | None) -> float:
        """See :meth:`SetMetric.distance`."""
        return float(split_scores(generated).mean())


class InceptionScoreFeatures(RowsMetric):
    """IS as Liquid Warping GAN's evaluator computes it: features in the place of logits, no splits.

    >>> metric = InceptionScoreFeatures()
    >>> metric.add_features(1e4 * torch.eye(20, 2048))
    >>> round(metric.compute().item(), 6)
    20.0
    """

    output = Output(InceptionTorchvision, "pool")
    size = POOL_SIZE
    least = 1000
    needs_real = False
    resamples = 50
    definition = Definition(
        key="is/features@1",
        title="IS (features)",
        direction="higher",
        unit="",
        source="Liu et al.: Liquid Warping GAN, ICCV 2019; its evaluator his_evaluators (svip-lab/impersonator)",
        text=(
            "The exponential of the mean over all frames of the Kullback-Leibler divergence of softmax(features) from "
            "its mean over all frames, float64, without splits; the features are the 2048 numbers of "
            f"fid/torchvision@1. {_LEAST}"
        ),
        choice=(
            "These are no class probabilities, and values compare with no paper that means the inception score "
            "(is/logits@1): for comparison with that evaluator's numbers only. The evaluator computes in "
            "float32."
        ),
        caution=(
            "Rewards any features that differ between frames, whatever they show: varied clothes and backgrounds "
            "rather than likeness. It looks at no real frame."
        ),
    )

    def distance(self, generated: Rows, real: Rows | None) -> float:
        """See :meth:`SetMetric.distance`."""
        return float(split_scores(generated, splits=1, seed=None).mean())
