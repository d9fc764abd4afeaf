"""Where a run can be watched besides its record: TensorBoard, Weights & Biases, or nowhere.

What is logged changes no score, no config and no stage's key, and a logger that fails costs no run: see
:mod:`benchmarks.loggers.log`.
"""
