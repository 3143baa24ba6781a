"""ciFAIR: CIFAR with new test images in place of those that have near-duplicates elsewhere in CIFAR.

Barz and Denzler, Do We Train on Test Data? Purging CIFAR of Near-Duplicates, Journal of Imaging 6(6), 2020.
Its archives have CIFAR's format, and its training images are CIFAR's.
"""

# torchvision has no types.
# pyright: reportMissingTypeStubs=false

from torchvision.datasets import CIFAR10, CIFAR100

RELEASE = "https://github.com/cvjena/cifair/releases/download/v1.0"


class ciFAIR10(CIFAR10):
    """CIFAR-10 with 325 of its 10,000 test images replaced."""

    base_folder = "ciFAIR-10"
    filename = "ciFAIR-10.zip"
    url = f"{RELEASE}/{filename}"
    tgz_md5 = "ca08fd390f0839693d3fc45c4e49585f"
    test_list = [["test_batch", "01290e6b622a1977a000eff13650aca2"]]  # noqa: RUF012 (as torchvision has it)


class ciFAIR100(CIFAR100):
    """CIFAR-100 with a tenth of its 10,000 test images replaced."""

    base_folder = "ciFAIR-100"
    filename = "ciFAIR-100.zip"
    url = f"{RELEASE}/{filename}"
    tgz_md5 = "ddc236ab4b12eeb8b20b952614861a33"
    test_list = [["test", "8130dae8d6fc6a436437f0ebdb801df1"]]  # noqa: RUF012
