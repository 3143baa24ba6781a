"""Every command on the project's pages exists, with its options, settings, extras, targets and scripts."""

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from code_blocks import PAGES, ROOT, blocks, commands
from hydra import compose, initialize_config_dir

from vision.cli.main import _parser  # pyright: ignore[reportPrivateUsage]
from vision.cli.train.path_arguments import quoted_paths
from vision.cli.train.schema import conf_folder, store_schema, to_run_config
from vision.cli.train.train import _register_plugins  # pyright: ignore[reportPrivateUsage]
from vision.config import RunConfig

EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
LAUNCHERS = {"torchrun", "srun", "nice"}  # of what follows them
OF_THE_SHELL = {"cd", "export", "source", "pre-commit"}
COMMANDS = [
    pytest.param(page, words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}")
    for page in PAGES
    for block in blocks(page)
    if not block.language
    for words in commands(block)
]


@pytest.fixture(scope="module")
def hydra_config() -> Iterator[None]:
    """Let `compose` find the package's settings."""
    store_schema()
    _register_plugins()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield


@pytest.mark.slow
@pytest.mark.parametrize(("page", "words"), COMMANDS)
def test_every_command_exists(page: Path, words: list[str], hydra_config: None) -> None:
    if words[0] in LAUNCHERS:
        words = words[next(i for i, word in enumerate(words) if word in ("vision", "python")) :]
    program, *rest = words
    if program == "vision":
        _check_vision(page, rest)
    elif program == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif re.fullmatch(r"(\.\S+/)?python[\d.]*", program):
        _check_python(rest)
    elif re.fullmatch(r"(\.\S+/)?pip", program):
        _check_pip(rest)
    else:
        assert program in OF_THE_SHELL


def test_blocks_are_commands_python_or_text() -> None:
    assert {block.language for page in PAGES for block in blocks(page)} == {"", "python", "text"}
    assert len(COMMANDS) > 40


def _check_vision(page: Path, words: list[str]) -> None:
    if words[0] != "train":
        _parser(words[0]).parse_args(words)  # or it exits
        return
    own = ROOT / "examples" / "own_parts" / "conf"
    settings, config_dir = [], False
    for word in words[1:]:
        if config_dir:
            settings.append(f"hydra.searchpath=[file://{own}]")
        elif "=" in word:
            if "(" not in word and not word.startswith("hydra/sweeper"):  # a search's own grammar
                settings.append(word)
        else:
            assert word in ("-m", "--config-dir"), word
        config_dir = word == "--config-dir"
    for chosen in _single(quoted_paths(settings)):
        assert isinstance(to_run_config(compose("train", overrides=chosen)), RunConfig)


def _single(settings: list[str]) -> Iterator[list[str]]:
    """Yield settings with one value each, so that each value of a sweep is there once."""
    several = [setting.partition("=")[0::2] for setting in settings]
    values = [[text] if "[" in text else text.split(",") for _, text in several]
    for number in range(max(map(len, values), default=1)):
        yield [
            f"{name}={choices[min(number, len(choices) - 1)]}"
            for (name, _), choices in zip(several, values, strict=True)
        ]


def _check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert words[1] in ("pip", "pytest", "venv")
        return
    script = ROOT / words[0]
    texts = [file.read_text() for file in (script, *script.with_suffix("").rglob("*.py"))]
    rooms = [file.read_text() for file in (ROOT / "scripts").rglob("*.py")]
    for word in words[1:]:
        assert not word.startswith("--") or any(f'"{word}"' in text for text in (*texts, *rooms)), word


def _check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    for named in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        assert set(named.split(",")) <= EXTRAS
    for option, file in pairwise(words):
        assert option != "-c" or (ROOT / file).is_file()
