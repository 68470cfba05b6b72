# The commands of this project. `make install` is a part of the others and costs nothing once done.
SHELL := /bin/bash
VENV ?= .venv
PYTEST_ARGS ?=
export VENV

.PHONY: install demo test lint format docs lock

install: ## the pinned stack and this package into .venv: about 12 minutes on two cores, seconds when done
	@bash requirements/install.sh

demo: install ## train, test and compare detection, segmentation and classification on generated data
	$(VENV)/bin/python tools/make_digit_scenes.py
	$(VENV)/bin/python tools/benchmark.py run configs/suites/demo.yml

test: install ## everything that needs neither a GPU nor a data set
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --durations=15 $(PYTEST_ARGS)

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: install ## after a change in layers or docstrings: their pages, the README's tables, and the checks, which take minutes
	$(VENV)/bin/python .dev_scripts/make_docs.py
	$(VENV)/bin/python .dev_scripts/update_readme.py
	OMP_NUM_THREADS=1 $(VENV)/bin/python -W ignore .dev_scripts/check_layers.py

lock: ## after a change in requirements/: pins every version anew, for every supported Python
	echo '# Every version of the tested stack, for Python 3.10 to 3.12. Written by `make lock`; used as constraints by install.sh.' \
		> requirements/lock.new
	VIRTUAL_ENV=$(VENV) uv pip compile requirements/{build,mmcv,onedl,runtime,dev}.txt --universal --python-version 3.10 \
		--no-build-isolation --no-annotate --no-header --quiet >> requirements/lock.new
	mv requirements/lock.new requirements/lock.txt
