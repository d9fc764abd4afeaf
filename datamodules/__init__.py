"""The data sets, one file each; none imports a method."""
