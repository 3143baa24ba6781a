"""The study: which model is ahead at which training-set size, with its own recipe and trained long enough?

    nice -n 19 python scripts/study.py cifar10_jpeg --budget-seconds 7200 training.precision=float32
    python scripts/study.py cifar10_jpeg training.precision=float32 --list     what is done and what is left
    python scripts/study.py digits --plan tiny data.test_size=100              the same in a minute

A recipe is searched for each model first; see comparison/search.py. Then the runs are trained, the most
informative ones first; see comparison/plan.py. Run again, it goes on where it was. Records and recipes are
written to --tables as they come. With these files alone it goes on too, so they can be committed meanwhile.
"""

import argparse
import math
import os
import signal
import sys
from pathlib import Path

import yaml
from comparison.arguments import listed
from comparison.plan import PLANS, choose
from comparison.recipes import read_recipes
from comparison.study import Study
from comparison.workers import Costs, Workers
from gpu.log import Log
from gpu.process import Clock, kill_all

from vision.cli.train.old_names import current_overrides
from vision.cli.train.schema import conf_folder


def main() -> int:
    """Search and train as far as the time goes; returns 1 if a run failed."""
    options = _options()
    try:
        study = make_study(options)
        if options.list:
            print("\n".join(study.describe()))
            return 0
        _train(study)
    except ValueError as error:
        print(f"study.py: {error}", file=sys.stderr)
        return 2
    for table in sorted(study.tables.glob("*.csv")):
        print(f"the page of {table.stem}: vision report {table}")
    return int(study.workers.failed > 0)


def make_study(options: argparse.Namespace) -> Study:
    """Return the study that the options describe.

    Raises:
        ValueError: an option or a setting is wrong.
    """
    settings: list[str] = current_overrides(options.settings)
    given = {name: value for name, _, value in (setting.partition("=") for setting in settings)}
    default = "outputs/tiny" if options.plan == "tiny" else "outputs"
    folder = Path(given.get("output_dir", default)).absolute()
    name = f"study-{_data_name(options.data)}"
    log = Path(os.devnull) if options.list else folder / name / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    workers = Workers(
        common=(
            f"data={options.data}",
            "training.threads=1",
            "retry_failed=true",
            *settings,
            f"output_dir={folder}",
        ),
        clock=Clock(options.budget_seconds),
        log=Log(log),
        count=options.workers,
        costs=Costs(),
    )
    chosen = [block for block in PLANS[options.plan] if block.name in (options.blocks or [block.name])]
    return Study(
        blocks=[choose(block, options.models, options.sizes, options.seeds) for block in chosen],
        name=name,
        workers=workers,
        tables=(options.tables or folder / name).absolute(),
        recipes=read_recipes(options.recipes) if options.recipes else {},
    )


def _data_name(data: str) -> str:
    file = conf_folder() / "data" / f"{data}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(one.stem for one in file.parent.glob("[!_]*.yaml")))
        raise ValueError(f"data must be one of {known}; got {data!r}")
    return str(yaml.safe_load(file.read_text())["name"])


def _train(study: Study) -> None:
    """Run the study; a signal ends it, and what has finished until then is in the tables."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop(study))
    try:
        study.run()
    finally:
        study.workers.close()
        study.update()


def _stop(study: Study) -> None:
    study.workers.clock.stop()
    kill_all()
    raise SystemExit(130)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Which model is ahead at which training-set size?", epilog="see scripts/study.py itself"
    )
    blocks = sorted({block.name for plan in PLANS.values() for block in plan})
    models = sorted({model for plan in PLANS.values() for block in plan for model in block.models})
    parser.add_argument("data", help="a file of conf/data, such as cifar10_jpeg")
    parser.add_argument(
        "settings", nargs="*", help="settings of every run, such as training.precision=float32"
    )
    parser.add_argument("--plan", choices=tuple(PLANS), default="cpu", help="default: %(default)s")
    parser.add_argument("--budget-seconds", type=float, default=math.inf, help="default: until all is done")
    parser.add_argument("--workers", type=int, default=2, help="runs at once (default: %(default)s)")
    parser.add_argument(
        "--tables", type=Path, help="folder of records and recipes (default: the runs' folder)"
    )
    parser.add_argument("--recipes", type=Path, help="recipes of models, which are then not searched")
    parser.add_argument("--blocks", type=listed(blocks), help=f"of {', '.join(blocks)}")
    parser.add_argument("--models", type=listed(models), help="such as plain_cnn,vit")
    parser.add_argument("--sizes", type=listed(kind=int), help="such as 100,1000")
    parser.add_argument("--seeds", type=int, help="largest number of seeds of a size")
    parser.add_argument(
        "--list", action="store_true", help="say what is done and what is left; train nothing"
    )
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    sys.exit(main())
