"""Load weights from a file into a model, and describe where they do not fit.

>>> mismatch({"fc.weight": (10, 64)}, {"fc.weight": (1000, 64)})
'1 of another shape: fc.weight is (10, 64) in the model and (1000, 64) in the file'
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from timm.models import load_state_dict
from torch import Tensor, nn

from vision.text import first_few, first_line

Shapes = Mapping[str, Sequence[int]]
SHOWN = 5


def load_checkpoint(model: nn.Module, file: str | Path) -> None:
    """Load the weights of a .safetensors, .pth or .pt file into a model, in place.

    Files are read with weights_only, so that they cannot run code. The weights may be inside a training
    checkpoint, under state_dict_ema, model_ema, state_dict or model, tried in this order, and may have the
    prefix "module." of DistributedDataParallel. Parts that the model was built without, such as auxiliary
    heads, are skipped.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file has no weights, or those of another model; the message names the keys.
    """
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"the checkpoint {path} is not a file; give a .safetensors, .pth or .pt file")
    state = {name: value for name, value in read_weights(path).items() if not _left_out(model, name)}
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if wrong := mismatch(own, given):
        raise ValueError(
            f"the weights in {path} do not fit {type(model).__name__}: {wrong}{_hint(own, given)}"
        )
    model.load_state_dict(state)


def mismatch(own: Shapes, given: Shapes) -> str | None:
    """Describe which keys of a file do not fit a model, or return None if all do.

    Args:
        own: the shape of each tensor of the model.
        given: the shape of each tensor of the file.
    """
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    shapes = [
        f"{name} is {tuple(own[name])} in the model and {tuple(given[name])} in the file"
        for name in own
        if name in given and tuple(own[name]) != tuple(given[name])
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    parts = [f"{len(keys)} {kind}: {first_few(keys, SHOWN)}" for kind, keys in kinds.items() if keys]
    return "; ".join(parts) or None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a .safetensors, .pth or .pt file by name, with weights_only.

    Raises:
        ValueError: the file cannot be read, or holds something else.
    """
    try:
        state = load_state_dict(str(path), weights_only=True)
    except Exception as error:
        reason = first_line(error)
        save = "safetensors.torch.save_file" if path.suffix == ".safetensors" else "torch.save"
        raise ValueError(
            f"{path} cannot be read as weights; save them with {save}(model.state_dict(), FILE) "
            f"({type(error).__name__}: {reason})"
        ) from error
    other = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if other or not state:
        raise ValueError(
            f"{path} must hold a state_dict, tensors by name, "
            f"got {first_few(other, SHOWN) or 'nothing'} besides"
        )
    return state


def _left_out(model: nn.Module, name: str) -> bool:
    """Return whether a key belongs to a part that the model has an attribute for, but was built without."""
    first = name.partition(".")[0]
    return hasattr(model, first) and getattr(model, first) is None


def _hint(own: Shapes, given: Shapes) -> str:
    """Return advice for the error message if only the number of classes differs."""
    differ = [name for name in own if name in given and tuple(own[name]) != tuple(given[name])]
    firsts = {given[name][0] for name in differ if own[name][1:] == given[name][1:] and len(own[name]) > 0}
    if own.keys() != given.keys() or len(firsts) != 1 or len(differ) > 4:
        return ""
    return f". The file has {firsts.pop()} classes: give --classes N, or num_classes=N, that number"
