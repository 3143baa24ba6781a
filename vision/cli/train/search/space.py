"""The space of a search, from settings with several values in Hydra's grammar.

>>> from hydra.core.override_parser.overrides_parser import OverridesParser
>>> parse = OverridesParser.create().parse_overrides
>>> space, fixed = split_space(parse(["training.lr=tag(log,interval(1e-4,1e-2))", "seed=0,1"]))
>>> space["training.lr"]
FloatDistribution(high=0.01, log=True, low=0.0001, step=None)
>>> [override.input_line for override in fixed]
['seed=0,1']
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from vision.cli.train.search.overrides import Parameters
from vision.text import one_line

Space = Mapping[str, BaseDistribution]
LOG = "log"
MOST_VALUES = 10_000
EACH_TRIAL = "seed"  # several values of it do not span the space: each trial trains with all of them
# What decides which images are learned, and which of them judge, would be chosen by luck or by its ease.
NOT_SEARCHED = (
    *("train_size", "data", "data.name", "data.subset_seed", "data.val_fraction", "data.val_from"),
    *("sweep", "output_dir", "model.label"),
)


def split_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[Override]]:
    """Return the distribution of each searched setting, and the overrides of all trials.

    Raises:
        ValueError: nothing is searched, or a setting that cannot be.
    """
    space: dict[str, BaseDistribution] = {}
    fixed: list[Override] = []
    given = {override.get_key_element(): override for override in overrides}  # the last of a name counts
    for name, override in given.items():
        sweep = override.value()
        if name == EACH_TRIAL and not isinstance(sweep, IntervalSweep):
            fixed.append(override)
        elif isinstance(sweep, Sweep):
            space[name] = _distribution(override, sweep)
        else:
            fixed.append(override)
    if not space:
        raise ValueError(
            "hydra/sweeper=optuna searches settings with several values, and there is none; give one such as "
            "'training.lr=tag(log,interval(1e-4,1e-2))'"
        )
    return space, fixed


def ends(space: Space) -> Iterator[Parameters]:
    """Yield trials with which every choice, and the ends of every interval, occur once."""
    values = {name: _ends(distribution) for name, distribution in space.items()}
    first = {name: options[0] for name, options in values.items()}
    yield first
    for name, options in values.items():
        yield from ({**first, name: option} for option in options[1:])


def _distribution(override: Override, sweep: Sweep) -> BaseDistribution:
    name = override.key_or_group
    if name in NOT_SEARCHED or name == EACH_TRIAL:
        raise ValueError(
            f"{name} cannot be searched: trials with other images, or in other folders, do not compare; "
            f"give one value, got {override.input_line}"
        )
    if unknown := sorted(sweep.tags - {LOG}):
        got = ", ".join(unknown)
        raise ValueError(f"{override.input_line} cannot be searched: its tag must be {LOG}, got {got}")
    try:
        return _of_interval(sweep) if isinstance(sweep, IntervalSweep) else _of_values(override, sweep)
    except ValueError as error:
        raise ValueError(f"{override.input_line} cannot be searched: {one_line(error)}") from error


def _of_interval(sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, LOG in sweep.tags
    if isinstance(low, int) and isinstance(high, int):  # as in int(interval(1, 8))
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low or 0), float(high or 0), log=log)


def _of_values(override: Override, sweep: Sweep) -> BaseDistribution:
    if isinstance(sweep, RangeSweep):
        values = sorted(islice(sweep.range(), MOST_VALUES + 1))
        if not 0 < len(values) <= MOST_VALUES:
            raise ValueError(
                f"a range must have from 1 to {MOST_VALUES:,} values, got {'more' if values else 'none'}"
            )
        return _of_range(values, abs(sweep.step), log=LOG in sweep.tags)
    return CategoricalDistribution(list(dict.fromkeys(override.sweep_string_iterator())))


def _of_range(values: Sequence[float], step: float, *, log: bool) -> BaseDistribution:
    if log and step != 1:
        raise ValueError(f"with the tag {LOG}, the step of a range must be 1, got {step:g}")
    if all(isinstance(value, int) for value in values):
        return IntDistribution(int(values[0]), int(values[-1]), log=log, step=int(step))
    return FloatDistribution(values[0], values[-1], log=log, step=None if log else step)


def _ends(distribution: BaseDistribution) -> Sequence[object]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return list(dict.fromkeys((distribution.low, distribution.high)))
