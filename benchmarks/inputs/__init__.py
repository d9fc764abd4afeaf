"""What goes in: videos, checked and prepared; miniatures of data sets; the protocols."""
