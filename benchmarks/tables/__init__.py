"""Records as tables: one room between what was measured and every place that shows it.

    records, and the papers' cells -> which count for which row (selection) -> what was measured of it (measured)
    -> a long data frame (results, comparison, ablations, printed) -> grids (its layout) -> text (grid, table)

A frame has one line a cell, whole and unrounded. Every interval and every verdict of a frame is of one procedure,
:mod:`motioncopy.metrics.bootstrap`. What draws grids knows nothing of papers, ablations or reports.
"""
