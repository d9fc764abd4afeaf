"""Who is followed: boxes of people who stand, cross, vanish and come back."""

import numpy as np
import pytest

from motioncopy.footage.perception.tracking import PATIENCE, Person, follow

NOBODY = np.zeros((0, 4)), np.zeros(0)


def box(x: float, y: float = 100, width: float = 40, height: float = 100) -> list[float]:
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def seen(*boxes: list[float], scores: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    return np.array(boxes), np.array(scores or [0.9] * len(boxes))


def run(
    frames: list[tuple[np.ndarray, np.ndarray]], people: tuple[Person, ...] = ()
) -> tuple[tuple[Person, ...], list[int | None]]:
    """The main person's box in each frame."""
    chosen = []
    for boxes, scores in frames:
        people, main = follow(people, boxes, scores)
        assert sum(person.main for person in people) <= 1
        chosen.append(main)
    return people, chosen


def test_the_largest_confident_box_is_the_main_person() -> None:
    _, chosen = run([seen(box(50), box(200, width=60), box(400, width=90, height=150), scores=[0.9, 0.8, 0.4])])
    assert chosen == [1]


def test_nobody_is_nobody() -> None:
    people, chosen = run([NOBODY, NOBODY])
    assert people == ()
    assert chosen == [None, None]
    assert run([NOBODY, seen(box(50))])[1] == [None, 0]


def test_a_faint_box_begins_nobody_but_continues_somebody() -> None:
    assert run([seen(box(50), scores=[0.4])])[1] == [None]
    assert run([seen(box(50)), seen(box(52), scores=[0.4]), seen(box(54), scores=[0.2])])[1] == [0, 0, None]


def test_the_main_person_stays_so_when_a_larger_one_comes() -> None:
    _, chosen = run([seen(box(50)), seen(box(300, width=90, height=180), box(52)), seen(box(54), box(290, width=90))])
    assert chosen == [0, 1, 0]


@pytest.mark.parametrize("hidden", [0, 4, 8])
def test_people_who_cross_are_not_swapped(hidden: int) -> None:
    """The main person goes right, another left; while they overlap, the detector gives only the one in front."""
    frames: list[tuple[np.ndarray, np.ndarray]] = []
    expected: list[int | None] = []
    for t in range(40):
        main, other = box(20 + 8 * t, height=110), box(340 - 8 * t)
        if abs(t - 20) <= hidden / 2 and hidden:
            frames.append(seen(other))
            expected.append(None)
        else:
            swapped = t % 3 == 0  # the detector's order says nothing
            frames.append(seen(other, main) if swapped else seen(main, other))
            expected.append(1 if swapped else 0)
    _, chosen = run(frames)
    assert chosen == expected


def test_one_who_stands_is_not_swapped_for_one_who_passes_in_front() -> None:
    frames: list[tuple[np.ndarray, np.ndarray]] = []
    for t in range(30):
        passing = box(40 + 10 * t, width=36)
        frames.append(seen(passing) if 12 <= t <= 16 else seen(box(180, width=60), passing))
    _, chosen = run(frames)
    assert chosen == [None if 12 <= t <= 16 else 0 for t in range(30)]


def test_the_main_person_is_found_again_after_a_gap() -> None:
    gap = PATIENCE - 5
    _, chosen = run([seen(box(50))] * 3 + [NOBODY] * gap + [seen(box(400, width=60), box(60))])
    assert chosen == [0] * 3 + [None] * gap + [1]


def test_a_jump_within_reach_is_the_same_person() -> None:
    """Too far for one frame's motion, but nobody else came: the new box is theirs."""
    assert run([seen(box(50)), seen(box(140))])[1] == [0, 0]


def test_somebody_far_away_is_not_the_main_person_until_they_are_given_up() -> None:
    frames = [seen(box(50)), *[seen(box(2000))] * (PATIENCE + 2)]
    _, chosen = run(frames)
    assert chosen[:PATIENCE] == [0] + [None] * (PATIENCE - 1)
    assert chosen[-1] == 0


def test_when_the_main_person_is_given_up_the_largest_is_chosen() -> None:
    others = seen(box(300), box(400, width=60))
    _, chosen = run([seen(box(50, width=80), *others[0].tolist())] + [others] * (PATIENCE + 1))
    assert chosen == [0] + [None] * PATIENCE + [1]


def test_following_keeps_no_state_of_its_own() -> None:
    frames = [seen(box(20 + 8 * t), box(340 - 8 * t)) for t in range(20)]
    before = [(boxes.copy(), scores.copy()) for boxes, scores in frames]
    whole = run(frames)[1]
    people, first = run(frames[:7])
    assert first + run(frames[7:], people)[1] == whole == run(frames)[1]
    for (boxes, scores), (old_boxes, old_scores) in zip(frames, before, strict=True):
        np.testing.assert_array_equal(boxes, old_boxes)
        np.testing.assert_array_equal(scores, old_scores)


def test_a_box_without_extent_does_no_harm() -> None:
    assert run([seen([10, 10, 10, 10]), seen([10, 10, 10, 10])])[1] == [0, 0]
