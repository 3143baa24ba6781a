"""MODULE:NAME, by which a setting names a function of the user.

>>> split_reference("training.metrics", "my_module:top5")
('my_module', 'top5')
"""

import re

_REFERENCE = re.compile(r"([\w.]+):(\w+)")


def split_reference(setting: str, reference: str) -> tuple[str, str]:
    """Return the module and the name.

    Raises:
        ValueError: the reference is of another form; the message names the setting.
    """
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"{setting} must be MODULE:NAME, such as my_module:my_function, got {reference!r}")
    return found[1], found[2]
