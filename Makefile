# p2pbench: peer-to-peer DMA without struct pages, measured. Start with `make help`.

PYTHON  ?= /usr/bin/python3
VARIANT ?= page
FLAVOUR ?= bench
PROVIDER ?= bar
MATRIX  ?=
SEED    ?=
RESUME  ?=
BUDGET  ?=
RUN     ?=
A       ?=
B       ?=
POINTS  ?=
NAIVE   ?=
PYTEST_ARGS ?=

# Ours alone: a user's own paths and settings must not change what is measured.
export PYTHONPATH = $(CURDIR)/bench
export PYTHONDONTWRITEBYTECODE = 1
export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
PYTEST = $(PYTHON) -m pytest
CLI = $(PYTHON) -m p2pbench
BOOTS = $(PYTEST) -c bench/boots/pytest.ini --rootdir=bench/boots bench/boots \
	$(if $(MATRIX),--matrix='$(MATRIX)') $(if $(SEED),--seed='$(SEED)') \
	$(if $(BUDGET),--budget='$(BUDGET)') $(if $(RESUME),--resume='$(RESUME)')

help:
	@sed 's/^	//' bench/help.txt

deps:
	@bench/deps.sh install

bench: deps
	@$(BOOTS) $(PYTEST_ARGS)

plan: deps
	@$(BOOTS) --collect-only

test: deps
	@$(PYTEST) -c tests/pytest.ini --rootdir=tests tests $(PYTEST_ARGS)

linux: deps
	@$(CLI) linux --variant '$(VARIANT)' --flavour '$(FLAVOUR)'

tree: deps
	@$(CLI) tree --variant '$(VARIANT)'

series-export: deps
	@$(CLI) series-export --variant '$(VARIANT)'

series-check: deps
	@bench/deps.sh install series-check
	@$(CLI) series-check --variant '$(VARIANT)' --points '$(POINTS)'

naive: deps
	@$(PYTHON) tests/naive/run.py $(NAIVE)

shell: deps
	@$(CLI) shell --variant '$(VARIANT)' --flavour '$(FLAVOUR)' --provider '$(PROVIDER)'

report: deps
	@$(PYTHON) -m p2pbench.report 'results/$(or $(RUN),$(error which run? make report RUN=<directory in results/>))'

compare: deps
	@$(PYTHON) -m p2pbench.compare '$(or $(A),$(error which runs? make compare A=results/x B=results/y))' \
		'$(or $(B),$(error which runs? make compare A=results/x B=results/y))'

reference: deps
	@$(PYTHON) -m p2pbench.reference 'results/$(or $(RUN),$(error which run? make reference RUN=<directory in results/>))'

clean:
	@$(CLI) clean

.PHONY: help deps bench plan test linux tree series-export series-check naive shell report compare \
	reference clean
