"""Fake faces for the tests of the face enhancement."""

from __future__ import annotations

import torch
from torch import Tensor

from motioncopy.faces.search import FaceViews

#: Right eye, left eye, nose, and the two corners of the mouth of a face that looks at the camera, in crop units.
_FRONT = torch.tensor([[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.38, 0.7], [0.62, 0.7]])
SIZE = 24


def points(yaw: Tensor) -> Tensor:
    """Eyes, nose and mouth corners ``(N, 5, 2)`` of faces turned by ``yaw`` ``(N,)`` radians: the nose runs ahead."""
    centred = _FRONT - 0.5
    x = centred[:, 0] * torch.cos(yaw)[:, None] + torch.tensor([0.0, 0.0, 0.2, 0.05, 0.05]) * torch.sin(yaw)[:, None]
    return torch.stack((x, centred[:, 1].expand_as(x)), dim=-1) + 0.5


def views(yaw: Tensor, features: Tensor | None = None) -> FaceViews:
    """The paper's five vectors of such faces."""
    p = points(yaw)
    right_eye, left_eye, nose, right_mouth, left_mouth = p.unbind(dim=1)
    vectors = (
        left_eye - right_eye,
        left_mouth - left_eye,
        right_mouth - left_mouth,
        right_eye - right_mouth,
        nose - (right_eye + left_eye) / 2,
    )
    landmarks = torch.cat((p[:, :3] * SIZE - 0.5, torch.ones(len(p), 3, 1)), dim=-1)
    return FaceViews(torch.stack(vectors, dim=1), torch.ones(len(p), 5, dtype=torch.bool), landmarks, features)
