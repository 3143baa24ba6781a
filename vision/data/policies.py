"""Changes of single images by torchvision's policies, or by a function of the user's.

>>> image = torch.zeros(3, 8, 8, dtype=torch.uint8)
>>> create_policy(AugmentConfig(policy="trivialaugment"))(image).shape
torch.Size([3, 8, 8])
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from vision.argument_types import unknown_argument
from vision.config import AugmentConfig, import_named
from vision.dynamic import Arguments


def create_policy(config: AugmentConfig) -> Callable[[Tensor], Tensor]:
    """Return a function of one image, uint8 (C, H, W), that changes it by operations drawn for it.

    Raises:
        ValueError: the class does not accept an option, or there is no such function.
    """
    policy, options = str(config.policy), config.policy_options
    if ":" in policy:
        return _OwnPolicy(policy, options)
    from torchvision.transforms import v2  # pyright: ignore[reportMissingTypeStubs]

    kinds = {
        "randaugment": v2.RandAugment,
        "trivialaugment": v2.TrivialAugmentWide,
        "autoaugment": partial(v2.AutoAugment, v2.AutoAugmentPolicy.CIFAR10),
    }
    try:
        return kinds[policy](**options)
    except TypeError as error:
        unknown = unknown_argument(kinds[policy], options)
        raise ValueError(
            f"data.augment.policy={policy} cannot be made with data.augment.policy_options={options}: "
            f"{f'it {unknown}' if unknown else error}"
        ) from error


class _OwnPolicy:
    """A function or class of the user's: one image, uint8 (C, H, W), to one of the same size."""

    def __init__(self, name: str, options: Arguments) -> None:
        own = import_named("data.augment.policy", name)
        self._name, self._change = name, own(**options) if isinstance(own, type) else partial(own, **options)

    def __call__(self, image: Tensor) -> Tensor:
        changed: object = self._change(image)
        if not isinstance(changed, Tensor) or (changed.shape, changed.dtype) != (image.shape, image.dtype):
            raise ValueError(
                f"data.augment.policy={self._name} must return an image of {image.dtype} "
                f"{tuple(image.shape)}, got {getattr(changed, 'dtype', type(changed).__name__)} "
                f"{tuple(getattr(changed, 'shape', ()))}"
            )
        return changed
