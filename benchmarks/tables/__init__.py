"""Tables of results: pure functions from records to a data frame, and from that to text."""
