"""Names from anywhere, as file systems and terminals take them.

A name may hold any byte but ``/`` and NUL: bytes that are no UTF-8, sequences that command a terminal, a line's end.
"""

from __future__ import annotations

import hashlib
import unicodedata
from urllib.parse import quote

# Control characters, half surrogates (bytes that are no UTF-8), ends of lines and of paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# What makes a terminal write backwards.
_DIRECTING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
# A file system takes 255 bytes; what a caller adds to the name needs some of them.
_MOST_BYTES = 160


def printable(text: str) -> str:
    r"""A text in one line that can be printed and written as UTF-8: anything else as Python writes it, ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if _hidden(c) else c for c in text)


def file_name(text: str) -> str:
    """A text as a plain ASCII part of a file's name, another one for every text, of at most 160 characters.

    What is too long is cut and ends in ``+`` and digits of its SHA-256; ``+`` stands in no other name.
    """
    content = text.encode("utf-8", "surrogateescape")
    quoted = quote(content, safe="")
    if len(quoted) <= _MOST_BYTES:
        return quoted
    digits = hashlib.sha256(content).hexdigest()[:32]
    return f"{quoted[: _MOST_BYTES - 33]}+{digits}"


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE or unicodedata.bidirectional(character) in _DIRECTING
