# make demo: from nothing to accuracy curves. make test: the whole test suite. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint benchmark clean

demo: $(READY)
	$(BIN)/vision train -m experiment=demo hydra/launcher=local
	$(BIN)/vision plot outputs/demo
	$(BIN)/vision report outputs/demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

benchmark: $(READY)
	$(BIN)/python scripts/benchmark.py

$(READY): pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv
