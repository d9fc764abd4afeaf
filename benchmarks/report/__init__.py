"""``motioncopy report``: one folder of static HTML that shows records and, where the runs are still there, their clips.

    records -> groups (one table each) -> views -> page        and        run folders -> clips -> videos

It opens from disk without a server and asks nothing of the network. ``index.html`` holds tables, plots and provenance;
``clips/`` holds the videos, and for each clip the curves of its frames, which the page loads when they are looked at.
"""
