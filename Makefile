# openhlc. Every target makes its own virtual environment in .venv; Python 3.11 or newer and make are all it needs.
# A C compiler with Python's headers makes the codec fast; without them the Python engine serves.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
JOBS ?= auto
SESSIONS ?= 10000
MATCHES ?= 10000
SEED ?=
SECONDS ?= 60
INPUT ?=

BIN := $(VENV)/bin
PARALLEL = --numprocesses $(JOBS) --dist worksteal
SOURCES := pyproject.toml setup.py $(wildcard src/native/*.c src/native/*.h)
STRICT := -O2 -std=c11 -Wall -Wextra -Werror
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench pictures soak sanitize fuzz fuzz-corpus install clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Variables: PYTHON=python3.12, ARGS='...' (handed on to hlc demo, pytest or the benchmarks), SESSIONS, MATCHES and SEED (soak),"
	@echo "             SECONDS and INPUT (fuzz), JOBS=0 (tests in one process; else in as many as there are cores)"

demo: $(VENV)/.installed ## charge a simulated car at a simulated station
	@$(BIN)/hlc demo $(ARGS)

test: $(VENV)/.tools ## run the tests
	@$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.tools ## check style and types, and compile the C engine with every warning an error
	@echo "ruff" && $(BIN)/ruff check && $(BIN)/ruff format --check
	@echo "mypy" && $(BIN)/mypy
	@echo "cc $(STRICT)" && $(MAKE) --no-print-directory .strict

format: $(VENV)/.tools ## put the source into its format
	@$(BIN)/ruff check --fix --select I && $(BIN)/ruff format

bench: $(VENV)/.installed ## measure the codec, a session and the station's latency
	@set -e; for script in benchmarks/*.py; do $(BIN)/python $$script $(ARGS); echo; done

pictures: $(VENV)/.tools ## draw the pictures of docs/captures.md again
	@mkdir -p build docs/pictures
	@$(BIN)/hlc demo --speed 0 --write build/dc.pcapng >/dev/null
	@$(BIN)/hlc demo --speed 0 --protocol iso15118-20 --mode dc_bpt --control dynamic --write build/bpt.pcapng >/dev/null
	@for name in dc bpt; do $(BIN)/hlc decode build/$$name.pcapng --plot docs/pictures/$$name.png; done

soak: $(VENV)/.installed ## simulate SESSIONS faulty sessions of every protocol and MATCHES faulty matchings; SEED=N repeats
	@$(BIN)/python -m hlc.sim.soak --sessions $(SESSIONS) $(if $(SEED),--seed $(SEED)) $(ARGS)
	@$(BIN)/python -m hlc.sim.matching --matches $(MATCHES) $(if $(SEED),--seed $(SEED))

sanitize: $(VENV)/.tools build/sanitize/.built ## run the codec's tests on a C engine built with ASan and UBSan
	@$(MAKE) --no-print-directory --jobs 2 --output-sync .sanitize-vectors .sanitize-others

fuzz: $(VENV)/.tools build/fuzz/target ## let a fuzzer look for input that breaks the codec, for SECONDS; INPUT=file repeats one
	@$(BIN)/python tests/fuzz/campaign.py $(if $(INPUT),--input $(INPUT),--seconds $(SECONDS))

fuzz-corpus: $(VENV)/.tools build/fuzz/target ## keep what make fuzz has found, minimised, in tests/fuzz/corpus
	@$(BIN)/python tests/fuzz/campaign.py --minimise

install: $(VENV)/.installed ## make .venv with hlc in it

clean: ## remove everything that make has made
	@rm -rf $(VENV) build dist src/*.egg-info src/exi/_native*.so .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment: made when missing or broken, filled again when what is installed has changed or the checkout has moved.

ifneq ($(shell cat $(VENV)/.installed 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.installed
endif

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): openhlc needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	    f"openhlc needs Python 3.11 or newer; this is {v[0]}.{v[1]}. Install one and say: make PYTHON=python3.12")'
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	    echo "Python could not make it; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# Compiled at once, as pip does with what it copies: the first start is as quick as the next, also for who may not write here.
$(VENV)/.installed: $(SOURCES) | $(BIN)/python
	@echo "Installing openhlc into $(VENV)"
	@rm -f src/exi/_native*.so
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q src
	@echo "$(CURDIR)" > $@
	@$(BIN)/python -c 'import exi; exi.engine == "native" or print("The C engine could not be built (it needs a C compiler \
	and Python headers): the Python engine serves, more slowly. After installing them: make clean")'

$(VENV)/.tools: pyproject.toml $(VENV)/.installed
	@echo "Installing the tools for tests and checks into $(VENV)"
	@$(BIN)/python -c 'import tomllib; e = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*e["test"], *e["lint"], sep="\n")' > $(VENV)/tools.txt
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --requirement $(VENV)/tools.txt
	@touch $@

# The C engine by hand: with every warning an error, and with the sanitizers.

INCLUDES = $$($(BIN)/python -c 'import sysconfig; print("-I" + sysconfig.get_path("include"))')
SUFFIX = $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')

.PHONY: .strict
.strict:
	@if command -v $(CC) >/dev/null; then \
	    for file in src/native/*.c; do $(CC) $(STRICT) -fPIC $(INCLUDES) -c $$file -o /dev/null || exit 1; done; \
	else echo "no C compiler: the C engine is not checked"; fi

VECTORS := tests/exi/test_vectors.py
SANITIZED = PYTHONPATH=build/sanitize OPENHLC_EXI=native PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
    LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) $(BIN)/python -m pytest -p no:cacheprovider $(ARGS)

.PHONY: .sanitize-vectors .sanitize-others
.sanitize-vectors: # half of the time, on one of two cores; status 5 where ARGS leave no test in this half
	@$(SANITIZED) $(VECTORS) || [ $$? = 5 ]
.sanitize-others:
	@$(SANITIZED) tests/exi --ignore $(VECTORS) || [ $$? = 5 ]

build/sanitize/.built: $(SOURCES) $(wildcard src/exi/*.py src/exi/messages/*.py src/exi/messages/*/*.py)
	@echo "Building the C engine with sanitizers"
	@rm -rf build/sanitize && mkdir -p build/sanitize && cp -r src/exi build/sanitize && rm -f build/sanitize/exi/_native*
	@$(CC) $(SANITIZE) -shared -fPIC $(INCLUDES) src/native/*.c -o build/sanitize/exi/_native$(SUFFIX)
	@touch $@

# The fuzzer: the C engine and tests/fuzz/target.c, which embeds Python. It needs clang, for its libFuzzer.

CLANG ?= $(firstword $(foreach name,clang $(addprefix clang-,22 21 20 19 18 17 16 15 14),$(shell command -v $(name))))
WATCHED := -fsanitize=fuzzer-no-link -include tests/fuzz/reached.h
EMBED = $$($(BIN)/python -c 'from sysconfig import get_config_var as v; \
    print("-L" + v("LIBDIR"), "-L" + v("LIBPL"), "-Wl,-rpath," + v("LIBDIR"), "-lpython" + v("LDVERSION"), v("LIBS"), v("SYSLIBS"))')

.PHONY: .clang
.clang:
	@echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | \
	    $(or $(CLANG),false) -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null || { \
	    echo "make fuzz needs clang with libFuzzer; on Debian and Ubuntu: apt install clang libclang-rt-dev" >&2; exit 1; }

build/fuzz/target: $(wildcard src/native/*.c src/native/*.h tests/fuzz/*.c tests/fuzz/*.h) | .clang $(VENV)/.installed
	@echo "Building the fuzzer"
	@mkdir -p build/fuzz
	@for file in src/native/*.c; do \
	    $(CLANG) $(SANITIZE) $(WATCHED) $(INCLUDES) -c $$file -o build/fuzz/$$(basename $$file .c).o || exit 1; done
	@$(CLANG) $(SANITIZE) -fsanitize=fuzzer -Wall -Wextra -rdynamic $(INCLUDES) -Isrc/native \
	    -DPYTHON='"$(abspath $(BIN)/python)"' tests/fuzz/target.c build/fuzz/*.o -o $@ $(EMBED)
