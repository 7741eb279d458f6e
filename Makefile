# make run and make test do all the set-up themselves; make alone lists what there is.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
SHELL := /bin/bash
.PHONY: help run stop reset doctor test test-long check bench messages

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run:  ## the panel, its worker, a private mail host and name servers, until Ctrl-C
	@sh deploy/trial/bootstrap.sh run
	@exec $(PYTHON) deploy/trial/run.py

stop:  ## stop what make run started
	@/usr/bin/python3 -B deploy/trial/stop.py

reset:  ## remove the trial's data, mail and log-ins (asks first)
	@/usr/bin/python3 -B deploy/trial/reset.py

doctor:  ## say what is missing, and how to get it
	@/usr/bin/python3 -B deploy/trial/doctor.py

check: .venv/ready-for-tests  ## format, lint, types, import contracts, migrations, languages
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run

test:  ## everything but the long tests; skips nothing
	@sh deploy/trial/bootstrap.sh test
	@$(MAKE) --no-print-directory check
	@$(PYTHON) deploy/trial/test.py

test-long:  ## random faults, the full matrix of pages
	@sh deploy/trial/bootstrap.sh test
	@$(PYTHON) deploy/trial/test.py --long

bench:  ## speed, as a table and var/bench/latest.json; ONLY=name runs one
	@sh deploy/trial/bootstrap.sh test
	@$(PYTHON) -m tests.bench.run $(if $(ONLY),--only $(ONLY))

messages:  ## collect the texts to translate
	$(PYTHON) manage.py makemessages -l de --no-obsolete --no-location --ignore=.venv --ignore=var

.PHONY: .venv/ready-for-tests
.venv/ready-for-tests:
	@sh deploy/trial/bootstrap.sh test
