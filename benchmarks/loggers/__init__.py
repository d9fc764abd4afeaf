"""Where a run can be watched besides its record: TensorBoard, Weights & Biases, or nowhere.

What is logged changes no score, no config and no stage's key, and a logger that fails costs no run: see
:mod:`benchmarks.loggers.log`.

Lightning's own loggers do not do the same. ``WandbLogger`` draws everything over ``trainer/global_step``, which begins
anew with every stage, and leaves the count of rows to W&B, which begins anew in every process that goes on offline: of
a fit, a test and a benchmark that log to one run, the later would overwrite the earlier. ``TensorBoardLogger`` is told
when it is made, and not at a stage's first step, from where on a resumed stage counts. Both raise into the training
when a disk is full or a server is down, and know no pictures, tables and files that both could show.
"""
