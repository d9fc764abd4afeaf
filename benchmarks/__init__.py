"""The command line, the bench runner, tables, speed benchmarks and committed results."""
