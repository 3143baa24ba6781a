"""The study itself: search a recipe for each model of a block, then train its runs; go on where it was.

>>> study = Study(PLANS["cpu"], "study-cifar10-jpeg", workers, Path("tables"))  # doctest: +SKIP
>>> study.run()  # doctest: +SKIP
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from comparison.configs import Configs
from comparison.plan import Block, Run, Settings, final_runs, search_runs, value
from comparison.recipes import read_recipes, write_recipes
from comparison.records import Records
from comparison.search import Point, best_point, next_trials
from comparison.workers import Workers
from vision.config import RunConfig


@dataclass
class Study:
    """Blocks of runs on one data set.

    Attributes:
        blocks: what is trained.
        name: of the study's folder below `outputs`.
        workers: the processes that train.
        tables: folder of the tables and recipes, one of each for a block.
        recipes: known recipes by model, which are not searched.
        on_update: called after the tables were brought up to date.
    """

    blocks: Sequence[Block]
    name: str
    workers: Workers
    tables: Path
    recipes: Mapping[str, Settings] = field(default_factory=dict)
    on_update: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self._configs = Configs(self.workers.common)
        self._records: dict[str, Records] = {}
        self.workers.on_runs = self.update

    def run(self) -> None:
        """Search and train as far as the time goes.

        Raises:
            ValueError: a setting is wrong; no run has begun.
        """
        runs = self.plan({block.name: {model: {} for model in block.models} for block in self.blocks})
        for run in runs:  # wrong settings are refused before any run
            self._config(run)
        runs = self.plan({block.name: self.find_recipes(block) for block in self.blocks})
        self.workers.train(self.missing(runs))

    def describe(self) -> list[str]:
        """Return what is done and what is left, one line for each block."""
        lines: list[str] = []
        for block in self.blocks:
            recipes = self._known_recipes(block)
            planned = {model: recipes.get(model, {}) for model in block.models}
            runs = self.plan({other.name: planned if other == block else {} for other in self.blocks})
            left = self.missing(runs)
            for run in set(runs) - set(left):
                if row := self._table(run).find(self._config(run)):
                    self.workers.costs.learn(run, float(row["train_seconds"]))
            hours = sum(map(self.workers.costs.expect, left)) / self.workers.count / 3600
            line = f"{block.name}: {len(runs) - len(left)} of {len(runs)} runs done"
            line += f", the others take about {hours:.1f} hours" if left else ""
            if unknown := [model for model in block.models if model not in recipes]:
                line += f"; first a recipe is searched for {', '.join(unknown)}"
            lines.append(line)
        return lines

    def plan(self, recipes: Mapping[str, Mapping[str, Settings]]) -> list[Run]:
        """Return the final runs of all blocks, given their recipes; most valuable first."""
        runs = (run for block in self.blocks for run in final_runs(block, recipes[block.name]))
        return sorted((replace(run, sweep=f"{self.name}/{run.sweep}") for run in runs), key=value)

    def missing(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that have neither finished nor diverged."""
        return [run for run in runs if self._accuracy(run, "test_accuracy") is None]

    def update(self) -> None:
        """Add what has finished to the tables."""
        for records in self._records.values():
            records.update()
        self.on_update()

    def find_recipes(self, block: Block) -> dict[str, Settings]:
        """Return the recipe of each model of a block; models whose search is not over are left out."""
        known = self._known_recipes(block)
        scores = self._search(block, [model for model in block.models if model not in known])
        known |= {model: best_point(points).settings for model, points in scores.items()}
        if scores:
            write_recipes(self._recipe_file(block), known, note=_note(block, scores))
        return {model: known[model] for model in block.models if model in known}

    def _known_recipes(self, block: Block) -> dict[str, Settings]:
        """Return the recipes that need no search: given ones, or those of a search that is over."""
        if block.recipe is not None:
            return dict.fromkeys(block.models, block.recipe)
        file = self._recipe_file(block)
        written = read_recipes(file) if file.exists() else {}
        return dict(written if set(block.models) <= set(written) else self.recipes)

    def _recipe_file(self, block: Block) -> Path:
        return self.tables / f"{block.name}-recipes.yaml"

    def _search(self, block: Block, models: Sequence[str]) -> dict[str, dict[Point, float]]:
        """Run trials until the grids need no more; return all scores, or none where time ran out."""
        scores: dict[str, dict[Point, float]] = {model: {} for model in models}
        while any(trials := next_trials(scores).values()):
            runs = {
                (model, point): self._trial(block, model, point)
                for model, points in zip(scores, trials, strict=True)
                for point in points
            }
            missing = self.missing([run for trial in runs.values() for run in trial])
            self.workers.train(sorted(missing, key=lambda run: -run.seconds))
            for (model, point), trial in runs.items():
                accuracies = [self._accuracy(run, "val_accuracy") for run in trial]
                known = [accuracy for accuracy in accuracies if accuracy is not None]
                if len(known) < len(trial):
                    self.workers.log.say("study", f"the search of {block.name} is not over; run this again")
                    return {}
                scores[model][point] = sum(known) / len(known)
        return scores

    def _trial(self, block: Block, model: str, point: Point) -> list[Run]:
        runs = search_runs(block, model, point.name, point.settings)
        return [replace(run, sweep=f"{self.name}/{run.sweep}") for run in runs]

    def _accuracy(self, run: Run, name: str) -> float | None:
        """Return a figure of a finished run, 0 if it diverged, and None if it is still to do."""
        config = self._config(run)
        records = self._table(run)
        if row := records.find(config):
            return float(row[name])
        return 0.0 if records.diverged(config) else None

    def _config(self, run: Run) -> RunConfig:
        return self._configs.compose(run.overrides)

    def _table(self, run: Run) -> Records:
        """Return the table of the run's sweep: that of its block, or that of the block's search."""
        sweep = run.sweep.split("/")[1]
        if sweep not in self._records:
            folder = Path(self._config(run).output_dir) / self.name / sweep
            self._records[sweep] = Records(self.tables / f"{sweep}.csv", folder)
        return self._records[sweep]


def _note(block: Block, scores: Mapping[str, Mapping[Point, float]]) -> str:
    """Return how the recipes were found, in lines of text."""
    sizes = " and ".join(f"{size:,}" for size in block.search.sizes)
    lines = [
        f"Recipes of models with {block.params or 'all their'} parameters, for scripts/study.py --recipes.",
        f"Each was chosen by its mean validation accuracy with {sizes} training images, one seed each;",
        "the validation images are outside the subsets. No neighbour of it on the grid is better.",
    ]
    for model, points in scores.items():
        lines.append(f"{model}: {100 * points[best_point(points)]:.2f}% in validation, {len(points)} trials")
    return "\n".join(lines)
