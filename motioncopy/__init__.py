"""What methods and data sets share: types, poses, clips, losses, metrics, records."""
