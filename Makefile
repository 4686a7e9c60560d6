# The two commands are `make demo` and `make test`; everything else is for working on worldgen.
.PHONY: demo test test-all test-gpu check fix bench clean
VENV := .venv
PY := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
STAMP := $(VENV)/.made

$(STAMP): requirements.txt pyproject.toml
ifeq ($(UV),)
	python3 -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check uv
	$(PY) -m uv pip install -q -p $(PY) -r requirements.txt
	$(PY) -m uv pip install -q -p $(PY) --no-deps --no-build-isolation -e .
else
	uv venv -q --allow-existing $(VENV)
	uv pip install -q -p $(PY) -r requirements.txt
	uv pip install -q -p $(PY) --no-deps --no-build-isolation -e .
endif
	@touch $(STAMP)

demo: $(STAMP)  ## record a proving-ground drive, make six judged variants, write the report
	$(VENV)/bin/worldgen demo

# The page tests drive a real browser, in a process of their own: beside Ray and many files, on a full
# machine, Playwright was once seen to spin without end, and a timeout by signal does not reach it there.
test: $(STAMP)  ## the tests that need no GPU, no account and no network
	$(PY) -m pytest -q tests/web
	$(PY) -m pytest -q -n auto --dist loadfile -m "not bench and not slow and not gpu" --ignore=tests/web

test-all: $(STAMP)
	$(PY) -m pytest -q tests/web
	$(PY) -m pytest -q -n auto --dist loadfile -m "not bench and not gpu" --ignore=tests/web

test-gpu: $(STAMP)  ## the tests that need an NVIDIA GPU
	$(PY) -m pytest -q -m gpu tests/gpu

check: $(STAMP)  ## format, lint, types, imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fix: $(STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(STAMP)  ## print the figures of the README
	$(VENV)/bin/worldgen bench physics
	$(VENV)/bin/worldgen bench critic
	$(VENV)/bin/worldgen bench engine

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
