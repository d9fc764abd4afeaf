"""Where a run can be watched besides its record: TensorBoard, Weights & Biases, or nowhere.

What is logged changes no score, no config and no stage's key, and a logger that fails costs no run: see
:mod:`benchmarks.loggers.log`.

Lightning's own loggers do not do the same: ``WandbLogger`` leaves the count of rows to W&B, which begins anew in every
process that goes on offline, so that a test would overwrite the fit it belongs to; ``TensorBoardLogger`` is told before
a stage begins from where on a resumed stage counts; and both raise into the training when a disk is full.
"""
