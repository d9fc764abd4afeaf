"""Metrics, one family a file: a functional core and a torchmetrics Metric each."""
