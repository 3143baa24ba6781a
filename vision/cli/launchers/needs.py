"""What each launcher needs to be installed.

>>> check_launcher(["hydra/launcher=basic"])
"""

from collections.abc import Sequence
from importlib.util import find_spec

# The module that a launcher needs, and the extra of this package that installs it.
NEEDED = {
    "local": ("hydra_plugins.hydra_joblib_launcher", "launchers"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "launchers"),
    "submitit_slurm": ("hydra_plugins.hydra_submitit_launcher", "launchers"),
    "ray": ("ray", "ray"),
}


def check_launcher(arguments: Sequence[str]) -> None:
    """Refuse a launcher, in the arguments of `vision train`, whose package is not installed.

    Raises:
        ValueError: the message says what to install.
    """
    for argument in arguments:
        setting, _, name = argument.partition("=")
        if setting == "hydra/launcher" and name in NEEDED and not _is_installed(NEEDED[name][0]):
            raise ValueError(f"{argument} needs: pip install 'vit-vs-cnn[{NEEDED[name][1]}]'")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that should contain it
        return False
