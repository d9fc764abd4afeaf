"""Files that anyone may have made: read within limits, held to a schema, written whole or not at all."""
