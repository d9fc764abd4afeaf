"""What can be said against a paper's cell: an id, and the sentence of its footnote."""

from __future__ import annotations

#: By id. ``copied:<paper>/<table>`` names the table whose values stand here again.
FLAGS: dict[str, str] = {
    "coincides": (
        "This one cell equals that of the same system in another paper, while the row's others differ: perhaps chance."
    ),
    "contradicts": "Another of these papers prints a very different value for this system, data set and metric.",
    "copied:fakemotion/table1": "The row stands in table 1 of FakeMotion, cell for cell.",
    "copied:fakemotion/table2": "The row stands in table 2 of FakeMotion, cell for cell, as another method's.",
    "copied:remot/table2": (
        "The row stands in table 2 of REMOT, cell for cell: at least one of the two papers did not measure it."
    ),
    "data_not_public": "The data were never released: nobody can measure this again.",
    "data_unstated": "The paper does not say on which data, nor at which size, it measured this.",
    "device_unstated": "The paper does not say on which device it measured this; it trains on RTX 2080 Ti.",
    "equals_full_model": (
        "The row equals FakeMotion's full model, which differs from FakeVideo's in more than this part."
    ),
    "fvd_batch": "22 test videos are no multiple of 16, which the reference code of FVD demands; unexplained.",
    "fvd_order": (
        "The paper's text contradicts the cell: it places the system below pix2pixHD and calls vid2vid's value the "
        "largest."
    ),
    "kind_unstated": (
        "The paper does not say whether people imitate themselves or others; filed under reconstruction where one of "
        "the table's metrics needs the true frame, else under imitation."
    ),
    "masked_in_parentheses": "Mask-SSIM and Mask-PSNR are printed in parentheses, and not for every system.",
    "memory_gain": "The paper's text gives a gain of 0.24 dB by the memory, its cells one of 0.34 dB.",
    "metric_variant_unstated": (
        "The paper does not say which variants of its metrics it computed; filed under this project's defaults."
    ),
    "not_masked_possible": (
        "PSNR is above Mask-PSNR, which cannot be if both are means over the whole frame and what is outside the mask "
        "is set to zero: Mask-PSNR is therefore filed as the mean inside the mask."
    ),
    "not_single_factor": (
        "The row equals FakeMotion's, whose full model is another: more than this part separates it from FakeVideo's."
    ),
    "personal_model": "The system was trained for one person alone, on 3,000 frames; the others serve all people.",
    "protocol_unstated": "The paper does not say which frames it trained and tested on, nor who imitated whom.",
    "trials_unstated": (
        "The paper gives the numbers of training and test videos, but neither source images nor test frames."
    ),
    "typo_corrected": "Printed as 807; the value is that of the same row in table 2 of FakeMotion, .807.",
    "vectors_not_monotone": (
        "The paper's text says that more face vectors give better images; most cells are worse than with 3 vectors."
    ),
}
