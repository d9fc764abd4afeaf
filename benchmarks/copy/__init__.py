"""``motioncopy copy``: one person moves like another."""
