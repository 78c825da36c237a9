# p2pbench: peer-to-peer DMA without struct pages, measured. Start with `make help`.

# The variables of each target. They are given behind `make`, as in `make bench MATRIX=smoke`.
VARIABLES_bench = MATRIX SEED BUDGET RESUME PYTEST_ARGS
VARIABLES_plan = $(VARIABLES_bench)
VARIABLES_test = TESTS PYTEST_ARGS
VARIABLES_test-full = PYTEST_ARGS
VARIABLES_check = PYTEST_ARGS
VARIABLES_linux = VARIANT FLAVOUR
VARIABLES_tree = VARIANT
VARIABLES_series-export = VARIANT
VARIABLES_series-check = VARIANT POINTS
VARIABLES_naive = NAIVE
VARIABLES_shell = VARIANT FLAVOUR PROVIDER
VARIABLES_report = RUN
VARIABLES_compare = A B
VARIABLES_reference = RUN
VARIABLES_cache = LIMIT
TARGETS = help deps bench plan test test-full check linux tree series-export series-check naive shell \
	report compare reference cache clean
.PHONY: $(TARGETS)

# What gets through from a user's shell: where things are, what the terminal can do, how apt gets
# out, and what bench/help.txt names. Nothing else can change what is measured.
LET_THROUGH = PATH HOME TMPDIR XDG_CACHE_HOME CCACHE_DIR CCACHE_MAXSIZE CCACHE_DISABLE \
	ACCEL P2PBENCH_CACHE P2PBENCH_RESULTS P2PBENCH_BASE \
	TERM COLORTERM COLUMNS LINES NO_COLOR FORCE_COLOR \
	http_proxy https_proxy ftp_proxy no_proxy APT_CONFIG
from = $(foreach name,$(.VARIABLES),$(if $(findstring $1,$(origin $(name))),$(name)))
unexport $(filter-out $(LET_THROUGH),$(call from,environment) $(call from,command line))
# A make that something here starts has its own variables, not those of this one.
MAKEOVERRIDES =

# What nobody knows is refused, as it would be ignored in silence: `make bench matrix=full` would
# run another matrix.
GOALS := $(or $(MAKECMDGOALS),help)
KNOWN := $(sort $(foreach goal,$(GOALS),$(VARIABLES_$(goal))))
UNKNOWN := $(firstword $(filter-out $(KNOWN) $(LET_THROUGH) PYTHON MAKEFLAGS,\
	$(call from,command line)))
SHELLS := $(firstword $(foreach name,$(filter $(KNOWN),$(call from,environment)),\
	$(if $($(name)),$(name))))
quoted = '$(subst ','\'',$1)'
near = $(shell /usr/bin/python3 -ISc 'import difflib, sys; \
	print("".join(difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1)))' $(call quoted,$1) $(KNOWN))
hint = $(if $1,; did you mean $1?)
strangers := $(filter-out $(TARGETS),$(GOALS))
$(if $(strangers),$(error $(firstword $(strangers)): no such target (there are: $(TARGETS))))
$(if $(UNKNOWN),$(error make $(GOALS) has no variable $(UNKNOWN)$(call hint,$(call \
	near,$(UNKNOWN))) (it has: $(or $(KNOWN),none))))
$(if $(SHELLS),$(error $(SHELLS) is set in the shell's environment, where it is not looked for: \
	unset it, or write $(SHELLS)=... behind make))

# A line of a recipe would end there, and the shell would read half a value.
define newline


endef
$(foreach name,$(KNOWN),$(if $(findstring $(newline),$(value $(name))),\
	$(error $(name) has a line break, which make cannot pass on: give it as one line)))

# The same characters as in p2pbench/base/paths.py. A colon would split PYTHONPATH.
UNFIT := $(shell pwd -P | LC_ALL=C tr -d 'A-Za-z0-9/_.+@~\200-\377-')
ifneq ($(UNFIT),)
$(error the checkout is in "$(CURDIR)": make and the kernel's Kbuild take no "$(UNFIT)" in a path; \
	move the checkout)
endif

# Everything is found from the checkout, wherever its Makefile was found from.
ifneq ($(realpath $(dir $(lastword $(MAKEFILE_LIST)))),$(realpath $(CURDIR)))
$(error the Makefile is not in "$(CURDIR)": write make -C and the checkout, in place of make -f)
endif

PYTHON = /usr/bin/python3
VARIANT = page
FLAVOUR = bench
PROVIDER = bar
TESTS =
MATRIX =
SEED =
RESUME =
BUDGET =
RUN =
A =
B =
POINTS =
NAIVE =
LIMIT =
PYTEST_ARGS =

export PYTHONPATH = $(CURDIR)/bench
export PYTHONDONTWRITEBYTECODE = 1
export PYTHONNOUSERSITE = 1
export PYTHONSAFEPATH = 1
export PYTHONUTF8 = 1
export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
# A user's own settings for plots are there, otherwise.
export MPLCONFIGDIR = $(CURDIR)/build/matplotlib
PYTEST = $(PYTHON) -m pytest
CLI = $(PYTHON) -m p2pbench
option = $(if $(value $2),--$1=$(call quoted,$(value $2)))
RUN_OPTIONS = $(call option,matrix,MATRIX) $(call option,seed,SEED) \
	$(call option,budget,BUDGET) $(call option,resume,RESUME)
which = $(error which runs? make compare A=<run> B=<run>)
# A guest keeps one core busy, so there are as many workers as cores, each with its own guests. A
# file stays with one of them, for its tests share a run.
RUN_TESTS = $(PYTEST) -p xdist.plugin -n auto --maxprocesses=4 --dist=loadfile -c tests/pytest.ini --rootdir=tests

# What a target needs is there before it runs: Python, packages by the groups of bench/deps.sh, and
# what a package cannot bring.
define needs
@! command -v $(PYTHON) >/dev/null || $(PYTHON) -c 'import p2pbench'
@bench/deps.sh install $1
@$(PYTHON) -m p2pbench preflight $(or $2,$1)
endef

help:
	@sed 's/^	//' bench/help.txt

deps:
	$(call needs,python build guest source)

bench:
	$(call needs,python build guest source)
	@$(CLI) bench $(RUN_OPTIONS) -- $(PYTEST_ARGS)

plan:
	$(call needs,python)
	@$(CLI) plan $(RUN_OPTIONS) -- $(PYTEST_ARGS)

ELSEWHERE := $(filter-out tests% ./tests% $(CURDIR)/tests% 'tests% "tests%,$(firstword $(TESTS)))
$(if $(ELSEWHERE),$(error TESTS=$(ELSEWHERE): tests are below tests/, for instance TESTS=tests/unit))

# Which kernels tests need, and so the base's source, is known only when they are collected.
test:
	$(call needs,python build guest source test,python build guest test)
	@$(RUN_TESTS) $(if $(TESTS),$(TESTS),tests -m "not full") $(PYTEST_ARGS)

test-full:
	$(call needs,python build guest source test,python build guest test)
	@$(RUN_TESTS) tests $(PYTEST_ARGS)

check:
	$(call needs,python build guest source test)
	@$(RUN_TESTS) tests/unit tests/agent tests/style $(PYTEST_ARGS)

linux:
	$(call needs,build source)
	@$(CLI) linux $(call option,variant,VARIANT) $(call option,flavour,FLAVOUR)

tree:
	$(call needs,build source)
	@$(CLI) tree $(call option,variant,VARIANT)

series-export:
	$(call needs,build source)
	@$(CLI) series-export $(call option,variant,VARIANT)

series-check:
	$(call needs,python build guest source series-check)
	@$(CLI) series-check $(call option,variant,VARIANT) $(call option,points,POINTS)

naive:
	$(call needs,python build guest source test)
	@$(PYTHON) tests/naive/run.py $(NAIVE)

shell:
	$(call needs,python build guest source)
	@$(CLI) shell $(call option,variant,VARIANT) $(call option,flavour,FLAVOUR) \
		$(call option,provider,PROVIDER)

report:
	$(call needs,python)
	@$(CLI) report -- $(call quoted,$(or $(value RUN),$(error which run? make report RUN=<run>)))

compare:
	$(call needs,python)
	@$(CLI) compare -- $(call quoted,$(or $(value A),$(which))) \
		$(call quoted,$(or $(value B),$(which)))

reference:
	$(call needs,python)
	@$(CLI) reference -- $(call quoted,$(or $(value RUN),$(error which run? make reference RUN=<run>)))

cache:
	@$(CLI) cache $(call option,limit,LIMIT)

clean:
	@$(CLI) clean
