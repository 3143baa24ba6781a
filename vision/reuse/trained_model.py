"""A trained model with the names of its classes and its preprocessing.

>>> trained = vision.load("outputs/demo/CNN/n1200/s0")  # doctest: +SKIP
>>> [str(each) for each in trained.predict(["a.png", "b.png"], top=1)]  # doctest: +SKIP
['7 0.981', '3 0.655']
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, cast, overload

import torch
from PIL import Image
from timm.data.transforms_factory import create_transform  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn
from torchvision.transforms import Compose  # pyright: ignore[reportMissingTypeStubs]

from vision.argument_types import checked
from vision.data.augmentation import Normalize
from vision.data.image_shape import central_square, fit, to_channels
from vision.dynamic import JsonObject
from vision.models.modes import evaluating
from vision.models.saved import EVALUATION
from vision.reuse.prediction import Prediction, ranked
from vision.reuse.reading import Reading, as_array, is_several


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model, and what is needed to use it.

    Attributes:
        model: the network, in evaluation mode.
        class_names: the names of its classes, in the order of its outputs.
        config: timm's data config: input_size (C, H, W), mean, std, interpolation, crop_pct and crop_mode.
        reading: how images are brought to 8 bits and to grey or colour.
    """

    model: nn.Module
    class_names: tuple[str, ...]
    config: JsonObject
    reading: Reading

    @cached_property
    def transform(self) -> Callable[[Image.Image], Tensor]:
        """timm's transform for evaluation: a PIL image -> (C, H, W), for a data loader of your own.

        The image is read and cropped as in training, and becomes grey or colour, as the model needs. It is
        resized with Pillow. `predict` resizes as training did, which may differ by one level of 256.
        """
        transform = cast(Any, create_transform)(**self.config, is_training=False)
        channels = self.config["input_size"][0]
        read = partial(_read, self.reading, channels, square=self._evaluates_as_a_run)
        return Compose([read, transform]) if channels in (1, 3) else transform

    @overload
    def predict(
        self, images: str | Path | Image.Image, *, top: int | None = None, batch_size: int = 64
    ) -> Prediction: ...

    @overload
    def predict(
        self, images: Sequence[Any], *, top: int | None = None, batch_size: int = 64
    ) -> list[Prediction]: ...

    @overload
    def predict(self, images: Any, *, top: int | None = None, batch_size: int = 64) -> Any: ...

    @checked
    def predict(self, images: Any, *, top: int | None = None, batch_size: int = 64) -> Any:
        """Classify one image or several.

        Images are read, resized and normalized as those that the model was trained and tested on.

        Args:
            images: a path, a PIL image, or an array or tensor (H, W), (C, H, W) or (H, W, C). Its numbers are
                from 0 to 255 or in [0, 1], before any normalization. Or a list of these, or a batch with 4
                axes.
            top: how many classes to return for each image; None is all.
            batch_size: images that go through the model at once.

        Returns:
            A `Prediction` for one image, and a list of them for several.

        Raises:
            ValueError: something is not an image; the message names it.
        """
        found = list(self.predictions(images, top=top, batch_size=batch_size))
        return found if is_several(images) else found[0]

    @checked
    def predictions(
        self, images: Any, *, top: int | None = None, batch_size: int = 64
    ) -> Iterator[Prediction]:
        """Yield the predictions of `predict` one after another, so that many images need little memory."""
        if top is not None and top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        prepared = (self.prepare(image) for image in self.reading.read(images, self.config["input_size"][0]))
        while batch := list(islice(prepared, batch_size)):
            yield from self.classify(batch, top=top)

    def prepare(self, image: Tensor) -> Tensor:
        """uint8 (1 or 3 or in_chans, any height, any width) -> (C, H, W), resized and normalized.

        Raises:
            ValueError: the image has other channels than the model.
        """
        channels, height, width = self.config["input_size"]
        if len(image) != channels and {len(image), channels} != {1, 3}:
            raise ValueError(f"the model takes images of {channels} channels, got one of {len(image)}")
        image = to_channels(image, channels)
        if channels not in (1, 3) or self._evaluates_as_a_run:
            normalize = Normalize(list(self.config["mean"]), list(self.config["std"]))
            return normalize(fit(image, height, width)[None])[0]
        return self.transform(Image.fromarray(as_array(image)))

    @property
    def _evaluates_as_a_run(self) -> bool:
        return all(self.config[key] == value for key, value in EVALUATION.items())

    @torch.no_grad()
    def classify(self, images: Sequence[Tensor], *, top: int | None = None) -> list[Prediction]:
        """Classify images (C, H, W) that `prepare` returned, together, in evaluation mode."""
        if not images:
            return []
        weight = next(self.model.parameters())
        with evaluating(self.model):
            logits: Tensor = self.model(torch.stack(list(images)).to(weight))
        if logits.shape[1:] != (len(self.class_names),):
            raise ValueError(
                f"a model predicts with a number for each class, got {tuple(logits.shape[1:])} for "
                f"{len(self.class_names)} classes; load it with num_classes and a global_pool"
            )
        return [ranked(each, self.class_names, top=top) for each in logits.float().softmax(dim=1).cpu()]


def _read(reading: Reading, channels: int, image: Image.Image, *, square: bool) -> Image.Image:
    """Return an image as it is read for training, in grey (1) or in colour (3), or its central square."""
    (pixels,) = reading.read(image)
    pixels = to_channels(pixels, channels)
    return Image.fromarray(as_array(central_square(pixels) if square else pixels))
