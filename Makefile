# The two commands to know: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SWEEP := sweeps/quickstart.yaml
JOBS ?= 2

.PHONY: demo test test-all chaos tools check format clean

demo: $(VENV)/.installed
	$(BIN)/mgsweep run $(SWEEP)
	$(BIN)/mgsweep figures $(SWEEP)

# A file's tests stay in one process, for they share what is dear: a browser, a run to compare with.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m ""

# The report's page is tested in a real browser, tables by TeX itself; where they are absent, those tests are skipped.
tools:
	{ command -v chromium && command -v pdflatex; } >/dev/null || \
		(apt-get update && apt-get install --yes --no-install-recommends chromium texlive-latex-recommended)

# Crash points, power cuts, errors, bit flips; then kills at random, and the same against plain Ray Tune. 15 minutes.
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m "" --durations=0 tests/test_crashes.py tests/test_store_damage.py
	PYTHONPATH=benchmarks:. $(BIN)/python tests/support/ballistic.py 50

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Installed again only when what is to be installed changes: the second `make` costs a second.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

# Dependency groups need pip 25.1.
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV) results figures .mypy_cache .pytest_cache .ruff_cache .hypothesis
