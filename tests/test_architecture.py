"""The import rule: data flows down the page, imports never go up."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "vision"

# Each part of the package, and the parts it may import.
MAY_IMPORT = {
    "_current_folder": set(),
    "_lazy": set(),
    "_old_names": set(),
    "argument_types": set(),
    "dynamic": set(),
    "reference": set(),
    "_registration": {"entry_points"},
    "entry_points": {"dynamic", "models", "convert", "soften"},
    "config": {"argument_types", "dynamic", "reference"},
    "device_dtype": set(),
    "patches": {"argument_types", "device_dtype"},
    "tracing": set(),
    "text": set(),
    "saved_files": {"text"},
    "fields": {"argument_types", "dynamic", "patches", "reference", "tracing"},
    "positions": {"device_dtype", "patches", "fields", "tracing"},
    "attention": {"argument_types", "dynamic", "patches", "fields", "positions", "tracing"},
    "mixers": {
        *("argument_types", "dynamic", "device_dtype", "patches", "fields", "positions", "attention"),
        "tracing",
    },
    "models": {
        *("_old_names", "dynamic", "text", "saved_files", "device_dtype", "patches", "fields", "positions"),
        *("attention", "mixers", "argument_types"),
    },
    "convert": {
        *("_old_names", "dynamic", "device_dtype", "patches", "text", "tracing", "fields", "attention"),
        *("mixers", "models", "provenance", "argument_types"),
    },
    "soften": {
        *("dynamic", "device_dtype", "patches", "tracing", "fields", "attention", "models", "convert"),
        "argument_types",
    },
    "data": {"_old_names", "argument_types", "dynamic", "config", "text"},
    "training": {"_old_names", "argument_types", "dynamic", "config", "text"},
    "provenance": {"dynamic"},
    "results": {
        *("_lazy", "_old_names", "argument_types", "dynamic", "config", "text", "provenance", "saved_files")
    },
    "statistics": set(),
    "inspection": {
        *("dynamic", "text", "patches", "fields", "attention", "mixers", "models", "convert", "soften")
    },
    "robustness": {"dynamic", "patches", "data", "statistics"},
    "reuse": {"argument_types", "dynamic", "data", "models", "patches", "results", "text"},
    "plots": {"text"},
    "report": {"_lazy", "dynamic", "text", "results", "statistics", "plots", "provenance"},
    "checkpoints": {"dynamic", "config", "training", "results"},
    "experiment": {
        *("config", "data", "models", "soften", "inspection", "training", "provenance", "results"),
        *("checkpoints", "dynamic"),
    },
    "checks": {"dynamic", "config", "data", "models", "training", "results", "experiment", "text"},
    "cli": {
        *("text", "config", "patches", "data", "models", "convert", "soften", "provenance", "results"),
        *("statistics", "inspection", "reuse", "plots", "report", "experiment", "checks", "dynamic"),
        *("robustness", "training", "saved_files"),
    },
    "__main__": {"cli"},
}
# Libraries that only some parts may import.
ONLY_IN = {"matplotlib": {"plots", "report"}, "hydra": {"cli"}, "omegaconf": {"cli"}, "rich": {"cli"}}
TRAINERS = {"torch", "timm"}
NEVER_IN = {
    "results": TRAINERS,
    "plots": TRAINERS,
    "report": TRAINERS,
    "statistics": TRAINERS | {"matplotlib"},
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute names that a file imports, "from vision import results" as vision.results."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            whole = node.module or ""
            names |= {f"vision.{a.name}" for a in node.names} if whole == "vision" else {whole}
    return names


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def test_every_part_has_a_rule():
    assert {part_of(path) for path in FILES} == set(MAY_IMPORT)


def test_imports_never_go_up():
    assert len(FILES) > 100
    for path in FILES:
        part, where = part_of(path), path.relative_to(PACKAGE)
        for name in imports(path):
            library, _, rest = name.partition(".")
            if library == "vision" and rest:
                inner = rest.split(".")[0]
                assert inner == part or inner in MAY_IMPORT[part], f"{where} must not import vision.{inner}"
            assert part in ONLY_IN.get(library, {part}), f"{where} must not import {library}"
            assert library not in NEVER_IN.get(part, set()), f"{where} must not import {library}"


def test_the_rule_has_no_circle():
    for part, below in MAY_IMPORT.items():
        reached, todo = set(), set(below)
        while todo:
            one = todo.pop()
            reached.add(one)
            todo |= MAY_IMPORT[one] - reached
        assert part not in reached


def test_import_vision_loads_no_heavy_library():
    unwanted = {"torch", "timm", "matplotlib", "hydra", "omegaconf", "pandas"}
    code = f"import sys, vision; print(sorted({unwanted} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_no_name_that_is_imported_on_first_use_is_that_of_its_module():
    """Whoever imports the module first would get it in place of the name."""
    stubs = list(PACKAGE.rglob("__init__.pyi"))
    assert stubs
    for stub in stubs:
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.partition(".")[0] not in {alias.name for alias in node.names}, stub
