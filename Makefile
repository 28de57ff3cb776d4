# Every target sets up what it needs: .venv, once.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check data train bench bench-compare bench-accuracy bench-position bench-timexes report clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(STAMP) ## Make the environment (.venv) alone

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "yearmark needs Python 3.11 or later; give it as: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Tag the sample texts and show their years
	@mkdir -p runs
	@$(BIN)/yearmark tag data/samples --output runs/demo.jsonl --force
	@$(BIN)/yearmark tag data/samples --format text
	@echo "The same as JSON Lines: runs/demo.jsonl"

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest -m "not long"

test-all: $(STAMP) ## Run the tests, the long ones too
	$(BIN)/python -m pytest

check: $(STAMP) ## Lint, types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

data: $(STAMP) ## Write the generated training text to data/generated
	$(BIN)/yearmark data build configs/default.toml

train: $(STAMP) ## Train the published model anew, to runs/default
	$(BIN)/yearmark train configs/default.toml --output runs/default
	$(BIN)/yearmark train configs/timexes.toml --output runs/default/timexes

.venv/.bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: .venv/.bench ## Measure speed and memory, to docs/speed (alone on the machine)
	$(BIN)/python benchmarks/speed.py

bench-compare: .venv/.bench ## Measure, and say what changed against docs/speed
	$(BIN)/python benchmarks/speed.py --compare

bench-accuracy: .venv/.bench ## Score this tool and its peers, to docs/accuracy
	$(BIN)/python benchmarks/accuracy.py

bench-position: .venv/.bench ## Tag sentences alone and in neutral text, to docs/invariance/published.json
	$(BIN)/python benchmarks/position.py

bench-timexes: $(STAMP) ## Cross-validate the time expressions, to docs/accuracy (25 minutes)
	$(BIN)/python benchmarks/timexes.py

GOLD := $(wildcard ../shared/corpora/years-en.dev.jsonl ../shared/corpora/years-ko.dev.jsonl)

report: .venv/.bench ## Evaluate the published model on the development files, to docs/evaluation
	@test -n "$(GOLD)" || { echo "there is no ../shared/corpora/years-*.dev.jsonl to evaluate on" >&2; exit 1; }
	@mkdir -p runs
	$(BIN)/python benchmarks/predict.py en_core_web_sm $(GOLD) --output runs/en_core_web_sm.jsonl
	$(BIN)/yearmark evaluate $(GOLD) --baseline regex --context 20 --output docs/evaluation/regex
	$(BIN)/yearmark evaluate $(GOLD) --baseline runs/en_core_web_sm.jsonl --context 20 --output docs/evaluation/en_core_web_sm

clean: ## Remove what the other targets made, .venv too
	rm -rf .venv runs data/generated dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
