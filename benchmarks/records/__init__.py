"""``motioncopy records``: what lies in folders of records."""
