"""The installation: is the machine ready, which networks are here, what the shell completes."""
