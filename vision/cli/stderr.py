"""Messages on standard error. Control characters, such as those of terminal escapes, are written out.

>>> printable("a\\x1b[31mb"), printable("b\\udcff")
('a\\\\x1b[31mb', 'b\\\\udcff')
"""

import re
import sys

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def tell(text: str) -> None:
    """Print a message for the user, who may have piped standard output elsewhere."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return the text with control characters written out, but for tabs and ends of lines.

    So are the bytes of a file's name that are no text, which a terminal cannot print.
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
