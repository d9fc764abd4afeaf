"""What a short training begins with: regions continued beyond their edges, and fitted into those wanted."""

from __future__ import annotations

import torch

from methods.remot.region_fitting import blur, fit_moments, inpaint


def test_what_is_known_stays_and_the_rest_takes_colours_from_near_by() -> None:
    image, mask = torch.rand(1, 3, 24, 18), torch.zeros(1, 1, 24, 18)
    mask[..., 4:9, 2:5], mask[..., 15:20, 12:16] = 1, 1
    image[..., :12, :], image[..., 12:, :] = -0.5, 0.75
    found = inpaint(image, mask)
    torch.testing.assert_close(found * mask, image * mask)
    assert found.min() >= -0.5
    assert found.max() <= 0.75
    assert (found[..., 3, 3] < -0.2).all()  # beside the upper piece
    assert (found[..., 21, 14] > 0.3).all()  # beside the lower one


def test_without_a_mask_it_is_grey() -> None:
    assert not inpaint(torch.rand(2, 3, 9, 7), torch.zeros(2, 1, 9, 7)).any()


def test_centre_and_spread_become_those_wanted() -> None:
    source, wanted = torch.zeros(1, 1, 60, 60), torch.zeros(1, 1, 60, 60)
    source[..., 10:20, 30:36], wanted[..., 25:45, 12:24] = 1, 1
    found = fit_moments(source.expand(1, 3, -1, -1), source, wanted)[:, :1]
    assert ((found > 0.5).float() - wanted).abs().sum() == 0


def test_an_absent_region_is_not_moved() -> None:
    image, mask = torch.rand(1, 3, 12, 10), torch.zeros(1, 1, 12, 10)
    mask[..., 2:5, 3:6] = 1
    for source, wanted in ((mask, 0 * mask), (0 * mask, mask)):
        torch.testing.assert_close(fit_moments(image, source, wanted), image, atol=1e-5, rtol=0)


def test_softening_keeps_colours_and_takes_patterns_away() -> None:
    plain = torch.tensor([0.5, -0.25, 1.0])[None, :, None, None].expand(1, 3, 48, 36)
    torch.testing.assert_close(blur(plain), plain.contiguous())
    stripes = plain.clone()
    stripes[..., ::2] = -stripes[..., ::2]
    assert blur(stripes)[..., 4:-4].abs().amax() < 0.25 * stripes.abs().amax()  # edges are repeated
    assert blur(torch.rand(2, 3, 2, 2)).shape == (2, 3, 2, 2), "however small"
