"""The prepared-clip store: read, write, verify.

A clip is a folder of ``.npy`` files and a manifest. Frames come first in all arrays but the background:

==============  ========  ===============  ==============================================================
part            type      shape            what
==============  ========  ===============  ==============================================================
``images``      uint8     (F, H, W, 3)     RGB
``joints``      float32   (F, J, 3)        x, y in pixels, confidence; of the skeleton that the manifest names
``mask``        uint8     (F, H, W)        255 on the person
``background``  uint8     (H, W, 3)        the place without the person
``parsing``     uint8     (F, H, W)        labels; where prepared
``flow``        float16   (F, H, W, 2)     from frame t to t-1, x and y in pixels; where prepared
``hand_left``   float32   (F, 21, 3)       OpenPose's order; where the pose backend gives hands
``hand_right``  float32   (F, 21, 3)       likewise
``face``        float32   (F, 70, 3)       likewise
==============  ========  ===============  ==============================================================

Frames and masks are memory-mapped uint8 because that serves training best. Windows of 5 frames at 256x256 from random
places of 300, one thread, files in the page cache, by ``python -m benchmarks.speed.clip_store`` (synthetic) and, in
brackets, with ``--video`` on a real dance; only ratios within a run mean anything:

=======================  ================  =============  ================  ============
format                   windows a second  against H.264  bytes a frame     PSNR in dB
=======================  ================  =============  ================  ============
memory map, uint8        13,269 (13,486)   319x (329x)    196,608           lossless
JPEG, quality 95         471 (543)         11x (13x)      27,885 (20,569)   38.8 (44.2)
H.264 by decord, crf 18  42 (41)           1x             1,440 (1,314)     36.3 (39.1)
mask: memory map, uint8  48,942 (55,848)   -              65,536            lossless
mask: one bit a pixel    25,694 (25,002)   -              8,192             soft edges lost
=======================  ================  =============  ================  ============

The memory map costs disk: a minute at 30 frames a second and 256x256 is 354 MB of frames and 118 MB of masks.
Both loaders of masks are far faster than any training step, so soft edges decided for uint8.
"""

from motioncopy.footage.clips.clip import Clip, find_clips
from motioncopy.footage.clips.manifest import Backend, Manifest, Part, Source, stale
from motioncopy.footage.clips.writer import ClipWriter, clear_left_overs

__all__ = [
    "Backend",
    "Clip",
    "ClipWriter",
    "Manifest",
    "Part",
    "Source",
    "clear_left_overs",
    "find_clips",
    "stale",
]
