# The way in: `make demo` on a fresh clone. Everything that is installed goes into .venv; `make clean` removes it.
.DEFAULT_GOAL := help
.PHONY: help venv demo test test-cluster lint bench clean
PYTHON := .venv/bin/python

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

.venv/.installed: pyproject.toml tools/setup.sh
	tools/setup.sh
	@touch $@

venv: .venv/.installed ## install mlpde and its tools into .venv

demo: venv ## compare RFM and PINN with finite elements on a plate with holes
	.venv/bin/mlpde compare plate_with_holes --solver rfm --solver pinn --set rfm.tolerance=1e-7 --out runs/demo
	@echo "The report: $(CURDIR)/runs/demo/report.html"

# Two processes with one thread each beat one process with two threads; a file's tests stay together and share its fixtures.
# Many tests start processes: where Python may not keep what it compiles, each of them takes seconds more.
test: venv ## run the quick tests (ARGS="-m slow" runs the slow ones, ARGS=tests/geometry a part)
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --max-worker-restart 0 $(ARGS)

test-cluster: venv ## build the container and run the job scripts on a Slurm of one node (root, Debian; README)
	tests/cluster/run.sh

lint: venv ## check style, types, and which package imports which
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest --quiet tests/test_layers.py

bench: venv ## measure one of the benchmarks: make bench NAME=...
	@test -n "$(NAME)" || { echo "make bench needs the benchmark's name, as in: make bench NAME=helmholtz_1d" >&2; exit 2; }
	.venv/bin/mlpde bench $(NAME)

clean: ## remove .venv, caches and build output (runs/ stays)
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
