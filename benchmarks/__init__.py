"""The command line, and everything that runs, measures and shows: CONTRIBUTING.md has the map of the rooms."""
