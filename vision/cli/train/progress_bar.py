"""The bar of a run on a terminal; lines that are told meanwhile appear above it.

>>> bar = RunBar("ViT n=500 seed=0")  # doctest: +SKIP
>>> bar.update(step=10, steps=300, figures="train_loss 2.1")  # doctest: +SKIP
"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vision.cli.stderr import printable


class RunBar:
    """A bar on standard error, which disappears at the end.

    Args:
        name: of the run.
    """

    def __init__(self, name: str) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeRemainingColumn(compact=True),
        )
        console = Console(stderr=True, markup=False, emoji=False)
        self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task(printable(name), total=None, figures="")
        self._bar.start()

    def update(self, *, step: int, steps: int, figures: str) -> None:
        """Show how far the run is."""
        self._bar.update(self._task, completed=step, total=steps, figures=figures)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()
