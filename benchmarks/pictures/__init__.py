"""Pictures of results and of prepared clips; nothing else in the benchmark draws."""
