"""Speed of single parts, each against a peer in the same run."""
