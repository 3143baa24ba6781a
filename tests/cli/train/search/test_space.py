"""The space of a search, from Hydra's grammar."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from vision.cli.train.search.overrides import as_overrides
from vision.cli.train.search.space import ends, split_space


def space(*words: str):
    return split_space(OverridesParser.create().parse_overrides(list(words)))


@pytest.mark.parametrize(
    ("word", "distribution"),
    {
        "training.lr=interval(0.1,0.2)": FloatDistribution(0.1, 0.2),
        "training.lr=tag(log,interval(1e-4,1e-2))": FloatDistribution(1e-4, 1e-2, log=True),
        "+model.kwargs.depth=int(interval(1,6))": IntDistribution(1, 6),
        "training.batch_size=tag(log,int(interval(8,128)))": IntDistribution(8, 128, log=True),
        "training.batch_size=range(16,65,16)": IntDistribution(16, 64, step=16),
        "training.batch_size=range(3,0,-1)": IntDistribution(1, 3),
        "training.lr=range(0.1,0.6,0.2)": FloatDistribution(0.1, 0.5, step=0.2),
        "training.optimizer=adamw,sgd,adamw": CategoricalDistribution(["adamw", "sgd"]),
        "data.mean=choice([0.5],[0.4])": CategoricalDistribution(["[0.5]", "[0.4]"]),
    }.items(),
)
def test_each_way_of_giving_values_has_its_distribution(word, distribution):
    found, fixed = space(word)
    assert found == {word.partition("=")[0]: distribution} and fixed == []


def test_the_last_of_two_words_counts_and_seeds_belong_to_each_trial():
    found, fixed = space("training.lr=1,2", "seed=0,1", "training.lr=interval(0,1)", "model=vit")
    assert found == {"training.lr": FloatDistribution(0, 1)}
    assert [override.input_line for override in fixed] == ["seed=0,1", "model=vit"]


def test_the_ends_have_each_choice_and_both_ends_of_intervals():
    found, _ = space("training.lr=interval(0.1,0.2)", "training.optimizer=adamw,sgd,lion")
    assert [as_overrides(trial) for trial in ends(found)] == [
        ["training.lr=0.1", "training.optimizer=adamw"],
        ["training.lr=0.2", "training.optimizer=adamw"],
        ["training.lr=0.1", "training.optimizer=sgd"],
        ["training.lr=0.1", "training.optimizer=lion"],
    ]


@pytest.mark.parametrize(
    ("word", "told"),
    {
        "model=vit": "searches settings with several values, and there is none",
        "seed=0,1": "there is none",
        "seed=interval(0,9)": "seed cannot be searched",
        "train_size=20,40": "train_size cannot be searched: trials with other images",
        "data=digits,mnist": "data cannot be searched",
        "sweep=a,b": "sweep cannot be searched",
        "training.lr=tag(fast,interval(0,1))": "its tag must be log, got fast",
        "training.lr=interval(1,0.1)": "cannot be searched: ",
        "training.lr=tag(log,interval(0,1))": "cannot be searched: ",
        "training.batch_size=range(0,1000000000000)": "a range must have from 1 to 10,000 values",
        "training.batch_size=range(3,3)": "a range must have from 1 to 10,000 values",
    }.items(),
)
def test_what_cannot_be_searched_is_refused(word, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        space(word)
