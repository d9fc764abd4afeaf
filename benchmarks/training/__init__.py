"""``motioncopy fit|validate|test|predict``: what runs inside the processes that train and test."""
