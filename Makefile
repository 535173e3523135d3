# The environment lives in .venv; every target creates it when it is missing or older than requirements.lock.
SHELL := /bin/bash
PY := .venv/bin/python
EEG := .venv/bin/eeg
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MPLBACKEND := agg
# Where a shell forbids bytecode, each process compiles its libraries anew, which takes half a minute.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help env git-repository demo demo-eeg demo-things demo-classes demo-trials repro static check test test-containers suites up down bench lint lock deps docs airflow mlflow sbom audit clean-work

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

env: .venv/.installed .venv/bin/eeg ## create .venv from requirements.lock, with the command eeg

# Nothing is installed whose SHA-256 is not in the lock.
HASHED := --no-deps --require-hashes --requirement
locked = sed -n '/^$(1)==/,/[^\\]$$/p' requirements.lock

.venv/bin/python:
	@echo "Making .venv with Python 3.12" >&2
	@for python in python3.12 python3 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then \
	    exec $$python -m venv .venv; fi; done; \
	with_pip() { "$$1" venv --quiet --python 3.12 .venv && "$$1" pip install --quiet --python $@ $(HASHED) <($(call locked,pip)); }; \
	command -v uv >/dev/null && with_pip uv && exit 0; \
	python3 -m venv .work/uv 2>/dev/null && .work/uv/bin/pip install --quiet $(HASHED) <($(call locked,uv)) 2>/dev/null \
	  && with_pip .work/uv/bin/uv && exit 0; \
	echo "Python 3.12 was not found: install it ('pyenv install 3.12' or your system's python3.12 with venv) and run make again." >&2; \
	exit 1

# uv, whose version the lock holds too, installs in a tenth of pip's time; pip does where uv finds no index. --no-deps: the
# lock is complete, and `pip check` proves it. What a package is built with is checked by its hash as well: uv takes it from
# the lock, and pip from the environment, where setuptools comes first.
.venv/.installed: requirements.lock | .venv/bin/python
	@echo "Installing uv" >&2
	@$(PY) -m pip install --quiet $(HASHED) <($(call locked,uv))
	@echo "Installing the $$(grep -c == $<) packages of $<, about 8 GB: minutes where they must be downloaded" >&2
	@[ -t 2 ] || quiet=--quiet; \
	  .venv/bin/uv pip install $$quiet --python $(PY) $(HASHED) $< --build-constraints $< \
	  || { echo "uv could not; installing them with pip" >&2; \
	       $(PY) -m pip install $$quiet $(HASHED) <($(call locked,setuptools)) \
	       && $(PY) -m pip install $$quiet --no-build-isolation --use-pep517 $(HASHED) $<; }
	@echo "Checking that the packages fit each other" >&2
	@$(PY) -m pip check
	@$(PY) -c 'import hashlib; print(hashlib.sha256(open("$<", "rb").read()).hexdigest())' > $@

# An environment that is another clone's, and linked here, keeps that clone's command.
.venv/bin/eeg: pyproject.toml | .venv/.installed
	@if [ -L .venv ]; then echo ".venv is linked: run \`python -m eegdiffusion.commands\` in place of \`eeg\`" >&2; else \
	  echo "Installing the command eeg, $@" >&2; \
	  $(PY) -m pip install --quiet --no-deps --no-build-isolation --editable . && touch $@; fi

# Before anything that takes long: DVC needs git, and git may have something against this folder.
git-repository:
	@git rev-parse --git-dir >/dev/null || { \
	  echo "make: $(CURDIR) must be a git repository that git accepts, see above; an archive that was downloaded is none" >&2; exit 1; }

# The last stages have the machine for themselves.
demo: env git-repository ## demo EEG, the whole pipeline, registered and gated models, report
	@$(MAKE) --no-print-directory --output-sync --jobs 2 demo-eeg demo-things demo-classes demo-trials
	$(EEG) repro --jobs 2 --alone reconstruct_sgdm reconstruct_condiffusion report
	$(EEG) register
	$(EEG) promote
	@printf '\n%s\n' "Report   $(CURDIR)/reports/report.html" "MLflow   make mlflow    (then open the address that it prints)" \
	  "Airflow  make airflow   (then open http://127.0.0.1:8080)" "Metrics  .venv/bin/dvc metrics show"

demo-eeg:
	$(EEG) surrogate tuev --out data/raw/surrogate-tuev/edf
demo-things:
	$(EEG) surrogate things --concepts 40 --exemplars 6 --test-concepts 20
demo-classes:
	$(EEG) surrogate things --stimuli classes --subjects 2
demo-trials:
	$(EEG) example trials blink scp

repro: env git-repository ## run the pipeline on the corpora of params.yaml, or of TUEV_ROOT and THINGS_ROOT; JOBS=2: two stages at a time
	@if [ -n "$$TUEV_ROOT$$THINGS_ROOT" ]; then \
	  $(EEG) params corpora $${TUEV_ROOT:+--tuev "$$TUEV_ROOT"} $${THINGS_ROOT:+--things "$$THINGS_ROOT"}; fi
	$(EEG) repro $(if $(JOBS),--jobs $(JOBS))

static: env
	ruff check .
	ruff format --check --line-length 120 .
	codespell
	lint-imports
	mypy

check: static ## lint, format, types, spelling, import rules, fast tests
	$(PY) -m pytest --numprocesses 2 -m "unit and not slow" $(addprefix --ignore tests/,stages dags predict tracking e2e containers warm)

# Files go to processes whole, in the order of tests/conftest.py: the slowest first.
test: static ## what check does, with all tests
	$(PY) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --ignore tests/containers

test-containers: env ## build the images, bring all services up, run tasks in them; needs Docker, or its engine (docker.io) and debootstrap
	$(PY) -m pytest tests/containers

suites: env ## public benchmark suites' own checks of the modules, in an environment of their own: .work/suites
	.venv/bin/uv venv --quiet --allow-existing --python $(PY) .work/suites
	.venv/bin/uv pip install --quiet --python .work/suites/bin/python $(HASHED) benchmarks/public_suites.lock
	rm -rf .work/suites/wheel
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir .work/suites/wheel .
	.work/suites/bin/python -m zipfile --extract .work/suites/wheel/*.whl .work/suites/lib/python3.12/site-packages
	.work/suites/bin/python benchmarks/public_suites.py

lint: env ## ruff, with fixes
	ruff check --fix .
	ruff format --line-length 120 .

lock: env ## resolve pyproject.toml anew, keeping the versions of requirements.lock where they still fit
	.venv/bin/uv pip compile --quiet pyproject.toml --extra workflow --group stages --group airflow --group mlflow --group test --group docs --group audit --group drawing --python-version 3.12 \
	  --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate --no-header --no-emit-index-url --output-file requirements.lock
	.venv/bin/uv pip compile --quiet benchmarks/public_suites.in --python-version 3.12 --python-platform x86_64-manylinux_2_28 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --output-file benchmarks/public_suites.lock

# Nothing runs beside a benchmark: its threads may spin, where programs set them to sleep.
bench: export OMP_WAIT_POLICY := active
bench: env ## measure speed, memory and bytes; writes benchmarks/results.md
	$(PY) -m benchmarks

deps: env ## compute the code that each stage of dvc.yaml depends on, and the schema of params.yaml
	$(PY) -m eegdiffusion.commands.code_deps
	$(PY) -m eegdiffusion.commands params schema

docs: env ## write README's graph and scores, build the site of docs/ into site/
	$(PY) docs/hooks/stage_graph.py
	-$(PY) docs/hooks/demo_scores.py
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

airflow: env ## open a local Airflow on dags/; AIRFLOW_PORT (8080)
	$(EEG) airflow

up: env ## start Airflow, PostgreSQL, MLflow and an S3-compatible store in containers (docker/compose.yaml)
	set -a; eval "$$($(EEG) key where)"; docker/up.sh

down: ## stop them; data stay in their volumes
	docker/down.sh

sbom: env ## write bills of materials (CycloneDX) of .venv and of the images that are there into build/sbom
	docker/sbom.sh

audit: env ## look up known faults of the packages of requirements.lock; asks PyPI
	.venv/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

mlflow: env ## open the local MLflow server
	$(EEG) mlflow

clean-work: ## drop the checkpoints of unfinished runs
	rm -rf .work
