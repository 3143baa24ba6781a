"""The settings of the images: where they come from, how they are prepared and changed at random."""

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from vision.argument_types import check_type
from vision.config.keywords import settings
from vision.config.renamed import DISTANCE, OLD_DISTANCE
from vision.dynamic import Arguments


@settings("data.augment")
@dataclass(kw_only=True, slots=True)
class AugmentConfig:
    """Random changes to a training batch, drawn for every image; all off by default.

    Attributes:
        crop_padding: pixels of zeros around the image before a random crop of the original size.
        flip: mirror left to right with probability 0.5.
        mixup: alpha of Mixup's beta distribution (Zhang et al., 2018); 0 is off.
        cutmix: alpha of CutMix's beta distribution (Yun et al., 2019); 0 is off.
        random_erasing: probability of random erasing (Zhong et al., 2020).
        policy: randaugment (Cubuk et al., 2020), trivialaugment (Müller and Hutter, 2021), autoaugment (Cubuk
            et al., 2019, the policy of CIFAR-10), of torchvision; or MODULE:NAME, a function of your own that
            takes and returns one image, uint8 (C, H, W), or a class of such functions; or null.
        policy_options: arguments of torchvision's class, such as {num_ops: 2, magnitude: 9}, or of yours.
    """

    crop_padding: int = 0
    flip: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    random_erasing: float = 0.0
    policy: str | None = None
    policy_options: Arguments = field(default_factory=Arguments)


@settings("data")
@dataclass(kw_only=True, slots=True)
class DataConfig:
    """Where the images come from and how they are prepared.

    Attributes:
        name: the name of the data set in records and plots; empty means the name of the folder `root` for
            image_folder and parquet, or else of the data set.
        source: the kind of source: digits, torchvision, image_folder, parquet, huggingface, far_marker
            (synthetic), or one that `module` registers.
        module: a Python module to import first, for sources of your own.
        dataset: which data set of the source: a class of torchvision, or a data set id on the Hugging Face
            Hub.
        options: further options of the source, such as distance for far_marker.
        root: folder that holds the files, or where they are downloaded to.
        download: whether the source downloads what is missing.
        img_size: side in pixels to which the central square of every image is resized; null keeps images of
            one size as they are.
        channels: auto, 1 (grey) or 3 (colour) for all images; auto is 3 if any image is in colour.
        background: the colour behind transparent pixels: a name, or #rrggbb.
        on_error: what to do with an image that cannot be read: raise an error, or skip and count it.
        on_constant: error refuses images whose pixels are all equal, and splits whose images are all equal;
            warn names them.
        allow_outside_root: read images outside of `root` too, to which a link or a path in a table leads.
        val_from: where validation images come from: subset, so that fewer than `train_size` images are
            trained on, or rest, the images outside the subset.
        val_fraction: fraction of the subset or of the rest that is held out for validation.
        test_size: number of test images that are scored, stratified and the same for every run; null is all.
        fit_sizes: a train_size or test_size of one of these values is brought into the range that the data
            allow; for debug=tiny.
        subset_seed: seed of the training subset and of the validation split.
        train_sizes: training-set sizes of a sweep over them, comma-separated.
        mean: mean of each channel for normalization, in [0, 1]; null measures it on the training subset.
        std: standard deviation of each channel, in [0, 1]; null measures it on the training subset.
        max_memory_fraction: fraction of the free memory that images may fill; larger data sets are streamed.
        num_workers: processes that load streamed images.
        augment: random changes to training batches.
    """

    name: str = ""
    source: str
    module: str | None = None
    dataset: str | None = None
    options: Arguments = field(default_factory=Arguments)
    root: str = "data"
    download: bool = True
    img_size: int | None = None
    channels: str = "auto"
    background: str = "white"
    on_error: str = "raise"
    on_constant: str = "error"
    allow_outside_root: bool = False
    val_from: str = "subset"
    val_fraction: float = 0.1
    test_size: int | None = None
    fit_sizes: list[int] = field(default_factory=list[int])
    subset_seed: int = 0
    train_sizes: str = "100,1000"
    mean: list[float] | None = None
    std: list[float] | None = None
    max_memory_fraction: float = 0.5
    num_workers: int = 2
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        for name in ("name", "source", "root"):
            check_type(f"data.{name}", getattr(self, name), str)
        check_type("data.dataset", self.dataset, str | None)
        if self.source == "far_marker" and (self.dataset or "").isdecimal():
            warnings.warn(f"{OLD_DISTANCE} of far_marker is now {DISTANCE}", DeprecationWarning, stacklevel=4)
            self.options = {**self.options, DISTANCE.rpartition(".")[2]: int(self.dataset or "")}
            self.dataset = None
        if not self.name:
            folder = Path(os.path.abspath(self.root)).name  # also of .. and of x/..
            of_files = self.source in ("image_folder", "parquet")
            self.name = folder if of_files else (self.dataset or self.source).rpartition("/")[2]
