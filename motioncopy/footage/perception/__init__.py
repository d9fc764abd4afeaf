"""Raw video to pose, mask, parsing, flow and background: one file a backend."""
