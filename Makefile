# The commands of this project. `make install` is a part of the others and costs nothing once done.
SHELL := /bin/bash
# The stack, a folder of requirements/: onedl, the maintained family of OpenMMLab releases, or upstream.
STACK ?= onedl
VENV ?= $(if $(filter upstream,$(STACK)),.venv-upstream,.venv)
# An environment of its own for the website, which needs nothing of the stack.
DOCS_VENV ?= .venv-docs
PYTEST_ARGS ?=
# A folder or page with built wheels, mmcv's above all, which are then not compiled.
export WHEELS
# What a project on the upstream family uses of this one, and the costs, which lean on torch's inner workings.
UPSTREAM_TESTS ?= tests/layers tests/official tests/distillation/losses tests/ops tests/insertion tests/models tests/test_configs.py tests/test_registry.py \
	tests/test_readme.py tests/cli/test_openmmlab_tools.py tests/cost tests/gates tests/datasets tests/training tests/cli/test_mistakes.py tests/cli/test_exact_resume.py

.PHONY: install demo test test-upstream lint format docs site lock

install: ## the pinned stack and this package into .venv: about 4 minutes on two cores, half of them mmcv's compile; a second when done
	@STACK=$(STACK) VENV=$(VENV) bash requirements/install.sh

demo: install ## three tasks with and without attention, three seeds, on generated data, compared: ten minutes on two cores
	$(VENV)/bin/python tools/make_digit_scenes.py --root data/digit_scenes_900_160_64px --train 900 --val 160 --size 64
	$(VENV)/bin/python tools/benchmark.py run configs/suites/demo.yml

test: install ## everything that needs neither a GPU nor a data set
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist worksteal --durations=15 $(PYTEST_ARGS)

test-upstream: ## the same layers, insertion, configs and README blocks on the upstream family, in .venv-upstream
	@$(MAKE) --no-print-directory test STACK=upstream PYTEST_ARGS="$(UPSTREAM_TESTS) $(PYTEST_ARGS)"

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/mypy

format: install
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: install ## after a change in layers, docstrings or configs: pages, metafiles, tables, and the checks; takes minutes
	$(VENV)/bin/python -W ignore .dev_scripts/update_metafiles.py
	$(VENV)/bin/python .dev_scripts/make_docs.py
	$(VENV)/bin/python .dev_scripts/update_readme.py
	OMP_NUM_THREADS=1 $(VENV)/bin/python -W ignore .dev_scripts/check_layers.py

site: $(DOCS_VENV)/installed ## the documentation as a website in site/; a broken link or anchor is an error; seconds
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict # --quiet would hide the warnings from --strict too

$(DOCS_VENV)/installed: requirements/docs.lock.txt
	$(or $(wildcard $(VENV)/bin/python),python3) -m venv --clear $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

lock: ## after a change in requirements/: pins every version of STACK anew, for every supported Python
	echo '# Every version of the $(STACK) stack. Written by `make lock STACK=$(STACK)`; used as constraints by install.sh.' \
		> requirements/$(STACK)/lock.new
	VIRTUAL_ENV=$(VENV) uv pip compile requirements/$(STACK)/{build,mmcv,libraries}.txt requirements/{runtime,dev}.txt \
		--universal --python-version 3.10 --no-build-isolation --no-annotate --no-header --quiet >> requirements/$(STACK)/lock.new
	mv requirements/$(STACK)/lock.new requirements/$(STACK)/lock.txt
	{ echo '# Every version that `make site` installs. Written by `make lock`.'; \
		VIRTUAL_ENV=$(VENV) uv pip compile requirements/docs.txt --universal --python-version 3.10 --no-annotate --no-header --quiet; \
	} > requirements/docs.lock.new
	mv requirements/docs.lock.new requirements/docs.lock.txt
