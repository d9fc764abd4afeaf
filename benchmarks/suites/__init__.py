"""Suites: a paper's table, or a list of one's own, as runs that are planned, run, and taken up again.

``suite`` reads what is asked for, ``plan`` expands it to runs, ``estimate`` knows how long they take, ``run`` runs them
one after another, ``summary`` prints plan and outcome.
"""
