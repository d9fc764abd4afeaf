"""The prepared-clip store: read, write, verify."""
