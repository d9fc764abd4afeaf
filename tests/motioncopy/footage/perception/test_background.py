import cv2
import numpy as np
import pytest

from motioncopy.footage.perception.background import SAMPLE, MedianBackground, median_background, sample_frames


@pytest.fixture
def place() -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(image, (96, 72), interpolation=cv2.INTER_CUBIC))


def _walk(place: np.ndarray, columns: list[int], width: int = 20) -> tuple[np.ndarray, np.ndarray]:
    images, masks = np.stack([place] * len(columns)), np.zeros((len(columns), *place.shape[:2]), np.uint8)
    for image, mask, x in zip(images, masks, columns, strict=True):
        image[20:60, x : x + width], mask[20:60, x : x + width] = 250, 255
    return images, masks


def test_what_was_seen_once_is_exact(place: np.ndarray) -> None:
    images, masks = _walk(place, [5, 40, 70])
    np.testing.assert_array_equal(median_background(images, masks), place)
    background, unseen = MedianBackground()(images, masks)
    np.testing.assert_array_equal(background, place)
    assert unseen == 0


def test_holds_out_against_a_mask_that_misses(place: np.ndarray) -> None:
    images, masks = _walk(place, list(range(0, 76, 4)))
    masks[::5] = 0
    np.testing.assert_array_equal(median_background(images, masks), place)


def test_the_margin_keeps_shadows_out(place: np.ndarray) -> None:
    # Seen free in three frames of five, but darkened beside the person in two of them.
    images, masks = _walk(place, [10, 10, 10, 60, 60])
    images[:3, 20:60, 30] = 0
    background, _ = MedianBackground()(images, masks)
    np.testing.assert_array_equal(background, place)


def test_a_person_who_stays_is_filled_and_counted(place: np.ndarray) -> None:
    images, masks = _walk(place, [30, 30, 30])
    background, unseen = MedianBackground(margin=0.01)(images, masks)
    assert unseen == pytest.approx(42 * 22 / (72 * 96), rel=0.02)
    np.testing.assert_array_equal(background[:15], place[:15])
    assert (background[25:55, 33:47] < 245).any(axis=-1).all()


def test_nothing_seen_is_grey() -> None:
    images, masks = np.full((2, 8, 8, 3), 9, np.uint8), np.full((2, 8, 8), 255, np.uint8)
    background, unseen = MedianBackground()(images, masks)
    assert unseen == 1
    assert (background == 128).all()


def test_samples_are_even_and_bounded() -> None:
    assert sample_frames(10, (256, 256)) == set(range(10))
    chosen = sorted(sample_frames(100_000, (512, 512)))
    assert len(chosen) <= SAMPLE
    assert chosen[0] == 0
    assert chosen[-1] == 99_999
    assert np.ptp(np.diff(chosen)) <= 1
    assert len(sample_frames(1000, (2160, 3840))) < 10
