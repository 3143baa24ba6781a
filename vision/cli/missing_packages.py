"""What to install where a package is missing that a command needs.

>>> advice("datasets")
"needs the package datasets, which is not installed: pip install 'vit-vs-cnn[huggingface]'"
>>> advice("sklearn.metrics")
'needs the package scikit-learn, which is not installed: pip install scikit-learn'
"""

import re
from importlib.metadata import PackageNotFoundError, requires

PROJECT = "vit-vs-cnn"
# Packages that are not called as their module is.
NAMES = {"sklearn": "scikit-learn", "hydra": "hydra-core", "omegaconf": "hydra-core", "yaml": "pyyaml"}
NOT_FOR_USERS = ("all", "dev", "docs")


def advice(module: str) -> str:
    """Return what follows "vision COMMAND" in the message about a module that cannot be imported."""
    top = module.partition(".")[0]
    package = NAMES.get(top, top)
    extra = _extra_of(package)
    install = f"'{PROJECT}[{extra}]'" if extra else package
    return f"needs the package {package}, which is not installed: pip install {install}"


def _extra_of(package: str) -> str | None:
    """Return the extra of this project that the package belongs to."""
    try:
        lines = requires(PROJECT) or []
    except PackageNotFoundError:  # the package's folder on PYTHONPATH
        return None
    for line in lines:
        name, extra = re.match(r"[\w.-]+", line), re.search(r"extra == ['\"](\w+)", line)
        if name and extra and name[0].lower() == package and extra[1] not in NOT_FOR_USERS:
            return extra[1]
    return None
