# Everything runs in a virtual environment of its own; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
D4RL := $(VENV)-d4rl
ROBOTS := $(VENV)-robots
OGBENCH := $(VENV)-ogbench
PEERS := $(VENV)-peers
DOCS := $(VENV)-docs
LEROBOT := $(VENV)-lerobot
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-all test-d4rl robots ogbench peers lerobot test-faults soak mutate check fix bench bench-quick bench-all ablations tables drawings docs clean

help:  ## show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 12

demo: $(VENV)/installed  ## install, then score the bundled weights on maze2d-large
	$(BIN)/dfplan eval env=maze2d-large

# As many files at a time as there are processors, each of one thread; tests of a file may go by what others have left.
SIDE_BY_SIDE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist loadfile

test: $(VENV)/installed-dev  ## install, then the fast tests
	$(SIDE_BY_SIDE)

test-all: $(VENV)/installed-dev  ## all tests, the slow ones too; the soak comes last, alone
	$(SIDE_BY_SIDE) -m "(slow or not slow) and not alone"
	$(BIN)/python -m pytest -m alone

test-d4rl: $(D4RL)/installed  ## the mazes against the original d4rl package, which gets a virtual environment of its own
	$(D4RL)/bin/python -m pytest tests/envs/test_against_d4rl.py

robots: $(ROBOTS)/installed  ## MuJoCo's robots, Gymnasium-Robotics and Meta-World, which get a virtual environment of their own, and their tests
	$(ROBOTS)/bin/python -m pytest -m "slow or not slow" tests/domains/test_gymnasium.py tests/domains/test_scripted.py tests/domains/test_metaworld.py tests/domains/test_pusht.py tests/test_any_robot_benchmark.py

ogbench: $(OGBENCH)/installed  ## OGBench itself in a virtual environment of its own, and the tests of its mazes
	$(OGBENCH)/bin/python -m pytest -m "slow or not slow" tests/domains/test_ogbench.py

peers: $(PEERS)/installed  ## d3rlpy beside MuJoCo's robots, in a virtual environment of its own, and the tests of what it trains
	$(PEERS)/bin/python -m pytest -m "slow or not slow" tests/test_offline_rl.py

# LeRobot needs Python 3.12; one that pyenv keeps is found as well.
PYTHON312 ?= $(shell for each in python3.12 $(HOME)/.pyenv/versions/3.12.*/bin/python3.12; do $$each -c '' 2>&- && echo $$each && break; done)
lerobot:  ## LeRobot itself (Python 3.12), in a virtual environment of its own, and the tests of our plug-in and data in it
	@if [ -z "$(PYTHON312)" ]; then \
		echo "SKIPPED: make lerobot needs Python 3.12, and none was found; name one with: make lerobot PYTHON312=python3.12"; \
	else \
		$(MAKE) --no-print-directory $(LEROBOT)/installed PYTHON312="$(PYTHON312)" && OMP_NUM_THREADS=1 $(LEROBOT)/bin/python -m pytest \
			-m "slow or not slow" tests/integrations/test_lerobot_policy.py tests/integrations/test_lerobot_itself.py tests/models/test_hub.py; \
	fi

test-faults: $(VENV)/installed-dev  ## kill, fill, break, damage and attack all that reads or writes files (about ten minutes)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/faults/run.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow or not slow" tests/faults \
		--deselect tests/faults/test_file_faults.py --deselect tests/faults/test_soak.py

.PHONY: test-mujoco release
test-mujoco: $(VENV)/installed-dev  ## the mazes on the oldest and the newest MuJoCo that are supported: tests and scores
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/releases/mujoco_versions.py

release: $(VENV)/installed-release  ## build wheel and source distribution, and run both on every Python that is found, or PYTHONS="3.11 3.12"
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/releases/run.py $(if $(PYTHONS),--pythons $(PYTHONS))

soak: $(VENV)/installed-dev  ## five minutes of the control loop by the wall clock, without a missed tick
	$(BIN)/python -m pytest -m slow tests/faults/test_soak.py

mutate: $(VENV)/installed-dev  ## change the code in small ways and see whether the tests notice (about half an hour)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutation/run.py coverage
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/mutation/run.py mutants --minutes 30

check: $(VENV)/installed-dev  ## style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev  ## mend what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

WEIGHTS ?= bundled
bench: $(VENV)/installed-dev  ## measure again the scores of the mazes, of WEIGHTS='bundled seed1=FOLDER …' (about an hour)
	$(BIN)/python benchmarks/maze_scores/run.py --weights $(WEIGHTS)
	$(BIN)/python benchmarks/maze_scores/bounds.py
	$(MAKE) tables

bench-quick: $(VENV)/installed-dev  ## agents side by side with Diffuser, a few episodes of six tasks (under ten minutes)
	$(BIN)/python benchmarks/side_by_side/run.py --quick

bench-all: $(VENV)/installed-dev  ## measure again what stands side by side with Diffuser (about two hours, most of them Diffuser's)
	$(BIN)/python benchmarks/side_by_side/run.py
	$(MAKE) tables

ablations: $(VENV)/installed-dev  ## measure again which part of the method earns what (about two hours)
	$(BIN)/python benchmarks/ablations/run.py
	$(BIN)/python benchmarks/ablations/run.py --training
	$(BIN)/python benchmarks/ablations/report.py

tables: $(VENV)/installed-dev  ## write the tables of all documents from the result files
	$(BIN)/python benchmarks/maze_tables.py
	$(BIN)/python benchmarks/maze_scores/summary.py
	$(BIN)/python benchmarks/any_robot/summary.py
	$(BIN)/python benchmarks/world_tables.py
	$(BIN)/python benchmarks/metaworld/summary.py
	$(BIN)/python benchmarks/what_earns_what/summary.py
	$(BIN)/python benchmarks/decisions/report.py
	$(BIN)/python benchmarks/delay/report.py
	$(BIN)/python benchmarks/side_by_side/tables.py
	$(BIN)/python benchmarks/control_tables.py
	$(BIN)/python benchmarks/ablations/report.py
	$(BIN)/python benchmarks/constraints/tables.py
	$(BIN)/python benchmarks/pixel_maze/run.py --table
	$(BIN)/python benchmarks/pixel_latents/run.py --table
	$(BIN)/python benchmarks/swap/run.py --table
	$(BIN)/python benchmarks/video/run.py --table
	$(BIN)/python benchmarks/memory/tables.py
	$(BIN)/python benchmarks/diffuser_length/run.py --table
	$(BIN)/python benchmarks/latency/run.py --table
	$(BIN)/python benchmarks/scale/run.py --table
	$(BIN)/python benchmarks/repa/run.py --table
	$(BIN)/python benchmarks/tokenizers/run.py --table
	$(BIN)/python benchmarks/threads/run.py --table
	$(BIN)/python benchmarks/tree/run.py --table
	$(BIN)/python benchmarks/visual_shift/run.py --table
	$(BIN)/python benchmarks/world_model/report.py
	$(BIN)/python benchmarks/training/model_card.py
	$(BIN)/python benchmarks/cross/run.py --table
	$(BIN)/python benchmarks/unseen_maps/run.py --table
	$(BIN)/python benchmarks/self_evolution/run.py --table
	$(BIN)/python benchmarks/movers/run.py --table
	$(BIN)/python benchmarks/series/run.py --table
	$(BIN)/python benchmarks/readme_tables.py
	$(BIN)/python docs/site/indexes.py
	$(BIN)/python benchmarks/releases/tables.py
	$(BIN)/python benchmarks/redesign/run.py --table

drawings: $(VENV)/installed-dev  ## draw again the pictures of the documentation, from the bundled weights
	set -e; for each in docs/drawings/*.py; do $(BIN)/python $$each; done

docs: $(DOCS)/installed  ## build the site of the documents into build/site, strictly; it opens without a network
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) $(D4RL) $(ROBOTS) $(PEERS) $(DOCS) $(LEROBOT) build/site .pytest_cache .ruff_cache .import_linter_cache

$(VENV)/python-ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "dfplan needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing dfplan into $(VENV) (about a minute)"
	$(PIP) .
	@touch $@

$(VENV)/installed-dev: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing dfplan and its development tools into $(VENV) (one to two minutes)"
	$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/installed

$(VENV)/installed-release: $(VENV)/installed-dev
	$(PIP) -e ".[release]"
	@touch $@

$(D4RL)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing the original d4rl package into $(D4RL) (one to two minutes)"
	$(PYTHON) -m venv $(D4RL)
	$(D4RL)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[d4rl]" pytest
	@touch $@

# Fetch and FrankaKitchen do not run on the MuJoCo that all else is tested with.
$(ROBOTS)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing Gymnasium-Robotics, Meta-World and an older MuJoCo into $(ROBOTS) (one to two minutes)"
	$(PYTHON) -m venv $(ROBOTS)
	grep -v '^mujoco==' constraints.txt > $(ROBOTS)/constraints.txt
	$(ROBOTS)/bin/python -m pip install --quiet --disable-pip-version-check -c $(ROBOTS)/constraints.txt -e ".[robots,metaworld,minari,pusht]" pytest
	@touch $@

$(OGBENCH)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing OGBench into $(OGBENCH) (one to two minutes)"
	$(PYTHON) -m venv $(OGBENCH)
	$(OGBENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[ogbench]" pytest
	@touch $@

# d3rlpy asks for a Gymnasium that dfplan is too new for, and runs on ours; and for a Gym that d4rl is too old for.
$(PEERS)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing d3rlpy, Gymnasium-Robotics and an older MuJoCo into $(PEERS) (one to two minutes)"
	$(PYTHON) -m venv $(PEERS)
	grep -v -e '^mujoco==' -e '^gym==' constraints.txt > $(PEERS)/constraints.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c $(PEERS)/constraints.txt -e ".[robots,peers]" pytest
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c $(PEERS)/constraints.txt --no-deps d3rlpy
	@touch $@

# The names of dfplan are read off its sources; nothing of it is installed.
$(DOCS)/installed: $(VENV)/python-ready pyproject.toml constraints.txt
	@echo "installing MkDocs into $(DOCS) (half a minute)"
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		$$($(DOCS)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	@touch $@

# LeRobot is older than ours in four packages, and torch comes with gigabytes for GPUs here: uv unpacks them in a minute.
$(LEROBOT)/installed: pyproject.toml constraints.txt integrations/lerobot_policy_dfplan/pyproject.toml
	@echo "installing LeRobot and the PyTorch that it takes into $(LEROBOT) (two to three minutes, five gigabytes)"
	$(PYTHON312) -m venv $(LEROBOT)
	grep -v -e '^torch==' -e '^numpy==' -e '^pillow==' -e '^huggingface_hub==' constraints.txt > $(LEROBOT)/constraints.txt
	$(LEROBOT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(LEROBOT)/bin/uv pip install --quiet --no-cache --python $(LEROBOT)/bin/python -c $(LEROBOT)/constraints.txt \
		torch==2.11.0 "lerobot[evaluation,pusht]" -e ".[pusht,lerobot,hub]" -e integrations/lerobot_policy_dfplan pytest
	@touch $@
