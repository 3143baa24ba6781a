"""Where a backbone puts its positions: added to the tokens, or inside the attention of its mixer."""

from vision.dynamic import Arguments
from vision.mixers import option_names
from vision.positions import POSITIONS

# Positions inside attention, and the option of the mixer that turns each on.
_INSIDE = {"relative": "relative_bias", "quadratic": "quadratic_bias", "rotary": "rotary"}


def place_position(pos_embed: str, mixer: str, options: Arguments) -> tuple[Arguments, str]:
    """Return the mixer's options, with a position inside attention turned on, and the position to add."""
    if pos_embed in POSITIONS:
        return options, pos_embed
    if pos_embed not in _INSIDE:
        known = ", ".join((*POSITIONS, *_INSIDE))
        raise ValueError(f"pos_embed must be one of {known}; got {pos_embed!r}")
    option = _INSIDE[pos_embed]
    if option not in option_names(mixer):
        raise ValueError(
            f"pos_embed={pos_embed!r} works inside attention, but mixer {mixer!r} has no option {option}"
        )
    return {**options, option: True}, "none"
