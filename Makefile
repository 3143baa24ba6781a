PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test test-fast format check docs benchmark clean

help:  # show the targets; each one sets up .venv first if it needs it
	@sed -n 's/^\([a-z-]*\):.*# \(.*\)/make \1\t\2/p' Makefile | expand -t 20

demo: $(READY)  # from nothing to accuracy curves on digits, about 3 minutes on 2 cores
	$(BIN)/vision train -m experiment=demo hydra/launcher=local
	$(BIN)/vision plot outputs/demo
	$(BIN)/vision report outputs/demo

# Three processes for 2 cores: the slow tests also wait, for runs to be killed and for launchers.
test: $(READY)  # the whole test suite
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-fast: $(READY)  # the test suite without its slow tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

format: $(READY)  # format the code and apply safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: $(READY)  # lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: $(READY)  # the documentation site, in outputs/site
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	$(BIN)/mkdocs build --quiet

benchmark: $(READY)  # what each part costs, as ratios
	$(BIN)/python scripts/benchmark.py

clean:  # remove .venv
	rm -rf .venv

$(READY): pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
