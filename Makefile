# `make demo` and `make test` each work on a fresh clone with git, make and Python >= 3.11: they create .venv and
# install what constraints.txt names. A second call installs nothing; an interrupted installation is completed.

VENV := .venv
BIN  := $(VENV)/bin

# The interpreter that .venv is made from: `make test PYTHON=/path/to/python3.12`; otherwise the first that is new enough.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
# On matrices as small as the tests', two threads wait for each other longer than they work, above all on a busy machine.
ONE_THREAD := OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1}
# Tests run in two processes, the tests of a file in one of them: `make test ARGS="-n 0 --pdb"` for none but pytest's own.
TWO_AT_ONCE := -n 2 --dist loadfile
# More arguments for pytest or the benchmarks: `make test ARGS="-k fusion -x"`.
ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:   # two installations at once would write to one .venv
.PHONY: help demo test slow check format bench docs

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## */\1|/p' Makefile | while IFS='|' read -r name text; do printf '%-8s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.installed-test  ## simulate four modalities, fit, embed, translate, impute; writes demo/
	$(ONE_THREAD) $(BIN)/multiome demo --out demo

test: $(VENV)/.installed-test  ## run the tests (without those marked slow)
	$(ONE_THREAD) $(BIN)/python -m pytest $(TWO_AT_ONCE) $(ARGS)

slow: $(VENV)/.installed-test  ## run the tests marked slow
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow $(ARGS)

check: $(VENV)/.installed-dev  ## lint, format, types, import rule
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(VENV)/.installed-dev  ## let ruff rewrite what it can
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench: $(VENV)/.installed-bench  ## score the tasks on real data (MULTIOME_BENCH_DATA)
	$(BIN)/python -m tests.benchmarks.run $(ARGS)

docs: $(VENV)/.installed-test  ## check the links of README.md and docs/, and run what they show
	$(ONE_THREAD) $(BIN)/python -m pytest -q tests/test_docs_links.py tests/test_docs_run.py

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# pip writes a package's RECORD last, yet takes a package without one for installed: drop what was cut off half-way.
SITE := $(VENV)/lib/python3*/site-packages
$(VENV)/.installed-%: pyproject.toml constraints.txt
	@find $(SITE) -maxdepth 1 '(' -name '~*' -o -name '*.dist-info' ! -exec test -e '{}/RECORD' ';' ')' \
	  -exec rm -rf '{}' + 2>/dev/null || true
	@test -x $(BIN)/pip && $(BIN)/python -c "import importlib.metadata as m; m.version('pip'); $(NEW_ENOUGH)" 2>/dev/null || { \
	  for candidate in $(PYTHONS); do \
	    if "$$candidate" -c "$(NEW_ENOUGH)" >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "multiome needs Python 3.11 or later, and found none as: $(PYTHONS)." >&2; \
	    echo "Say where it is: make <target> PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$found ($$("$$found" --version))"; \
	  "$$found" -m venv --clear $(VENV) || { \
	    echo "\`$$found -m venv\` failed. On Debian and Ubuntu, \`apt install python3-venv\` provides it." >&2; exit 1; }; \
	}
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
