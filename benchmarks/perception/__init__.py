"""How right perception is: every backend against exact truth, and against others' joints on real clips.

``python -m benchmarks.perception --help`` measures; ``python -m benchmarks.perception table`` prints what was measured.
"""
