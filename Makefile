# walconsole's commands. `make help` lists them; nothing but python3 >= 3.11, make and git is needed to begin.

VENV = .venv
BIN = $(VENV)/bin
PYTHON ?=
SCENARIO =
DEMO_ARGS =
ARGS =

.PHONY: help venv demo test test-all lint format bench wheel pictures docs tested-failures deaths walks key-matrix test-vm clean
.DEFAULT_GOAL := help

help:
	@echo "make demo      open the console on an embedded droplet (SCENARIO=incident, healthy, key-403 …: see walconsole demo --help)"
	@echo "make test      install what the tests need where possible, and run everything (ARGS='-k proxy' for pytest)"
	@echo "make test-all  also what takes long (half an hour on 2 cores)"
	@echo "make lint      ruff, mypy and the import contracts alone"
	@echo "make format    let ruff format the sources"
	@echo "make bench     measure against the budgets and against other consoles"
	@echo "make wheel     build the package into dist/"
	@echo "make pictures  take the README's pictures of the running demo"
	@echo "make docs      write docs/failures, findings, the tables of docs/verdicts.md, docs/commands.md and the man page"
	@echo "make walks     follow every scenario of the demo to its end, by keys alone"
	@echo "make tested-failures  bring every failure about, count the cases of each kind, and write docs/tested-failures.md"
	@echo "make deaths    kill drills and recoveries at forty random moments, and base backups at thirty (30 min)"
	@echo "make key-matrix  lose the answers to creates in real time, by every way out, and look for the keys (4 min)"
	@echo "make test-vm   try everything on two virtual Debian 13 with systemd (root, 15 min, 4 GB), and write docs/tested-hosts.md"
	@echo "make clean     remove what the other commands made (.venv too)"

# The stamps remember which pyproject.toml was installed. PYTHON=/path/to/python chooses the interpreter.
$(VENV)/.demo-installed: pyproject.toml scripts/install.sh
	@PYTHON='$(PYTHON)' sh scripts/install.sh $(VENV) demo

$(VENV)/.dev-installed: pyproject.toml scripts/install.sh
	@PYTHON='$(PYTHON)' sh scripts/install.sh $(VENV) dev

$(VENV)/.bench-installed: pyproject.toml scripts/install.sh
	@PYTHON='$(PYTHON)' sh scripts/install.sh $(VENV) bench

venv: $(VENV)/.dev-installed

demo: $(VENV)/.demo-installed
	@$(BIN)/walconsole demo $(if $(SCENARIO),--scenario '$(SCENARIO)') $(DEMO_ARGS)

test:
	@sh scripts/test-servers.sh
	@$(MAKE) --no-print-directory $(VENV)/.dev-installed
	@ARGS='$(ARGS)' sh scripts/run-tests.sh $(BIN)

test-all:
	@EVERYTHING=yes $(MAKE) --no-print-directory test

lint: $(VENV)/.dev-installed
	@sh scripts/lint.sh $(BIN)

format: $(VENV)/.dev-installed
	@$(BIN)/ruff check --fix-only . && $(BIN)/ruff format .

bench: $(VENV)/.bench-installed
	@$(BIN)/python -m benchmarks $(ARGS)

wheel: $(VENV)/.dev-installed
	@$(BIN)/python -m build --no-isolation

pictures: $(VENV)/.dev-installed
	@$(BIN)/python -m benchmarks.pictures docs/pictures

docs: $(VENV)/.dev-installed
	@$(BIN)/python scripts/write_failure_pages.py
	@$(BIN)/python scripts/write_reference.py
	@$(BIN)/python scripts/write_verdict_page.py
	@$(BIN)/python scripts/write_stores_page.py
	@$(BIN)/python scripts/write_tools_table.py

tested-failures: $(VENV)/.dev-installed
	@$(BIN)/pytest -q -n 2 --dist loadfile -m 'cases or server' tests/integration/test_failures_*.py tests/unit \
		--failure-table docs/tested-failures.md

deaths: $(VENV)/.dev-installed
	@$(BIN)/pytest -v -n 2 --dist loadfile --every-death tests/integration/test_deaths_drill.py \
		tests/integration/test_deaths_recovery.py tests/integration/test_cuts_recovery.py \
		tests/integration/test_droplet_base_backup_faults.py -k 'moment or death or cut'

walks: $(VENV)/.dev-installed
	@$(BIN)/pytest -v -n 2 tests/integration/test_sandbox_walk.py --every-walk

key-matrix: $(VENV)/.dev-installed
	@$(BIN)/python scripts/key_matrix.py

test-vm:
	@sh scripts/test-servers.sh vm
	@$(MAKE) --no-print-directory -j 2 $(VENV)/.dev-installed .vm-cache/made
	@$(BIN)/pytest -v -n 2 --dist loadfile -o cache_dir=.pytest_cache/vm tests/vm \
		--tested-hosts docs/tested-hosts.md $(ARGS)

# The image of the virtual droplets, made while pip installs: the script itself knows whether it is there.
.vm-cache/made: tests/vm/image.sh
	@echo "walconsole: making the image of the virtual droplets in .vm-cache (one to two minutes)"
	@mkdir -p .vm-cache && { bash $< .vm-cache >.vm-cache/build.log 2>&1 && touch $@ || \
		{ tail -n 20 .vm-cache/build.log >&2; exit 1; }; }

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .vm-cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
