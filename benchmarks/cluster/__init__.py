"""Runs benchmark jobs on a SLURM cluster, through submitit: one SLURM job a run, requeued and resumed.

``options.py`` says what a job asks of the cluster, ``slurm.py`` submits and asks, ``task.py`` is what runs inside a
SLURM job, and ``run.run`` puts them together and remembers what has been submitted.
"""
