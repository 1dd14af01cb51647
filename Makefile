# Everything that one does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PORT ?= 4566
ALLOWED_TARGETS ?=
export PORT ALLOWED_TARGETS

# Environments: each is made from a compiled requirements file and remade when that changes. MiniStack and
# aws-sam-cli pin a botocore of their own, so each has a place of its own.
UV := .local/bootstrap/bin/uv
DEV := .venv/.complete
MINISTACK := .local/ministack/.complete
SAM := .local/sam/.complete
PYTHON := PYTHONPATH=layers/ricochet .venv/bin/python

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(UV): requirements/bootstrap.txt
	@python3 -m venv .local/bootstrap
	@.local/bootstrap/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes -r $<
	@touch $@

define environment
	@echo "setting up $(@D)"
	@$(UV) venv --quiet --clear --python "$$(cat .python-version)" $(@D)
	@VIRTUAL_ENV=$(@D) $(UV) pip install --quiet --compile-bytecode --require-hashes -r $<
	@touch $@
endef

$(DEV): requirements/dev.txt $(UV)
	$(environment)
$(MINISTACK): requirements/ministack.txt $(UV)
	$(environment)
$(SAM): requirements/sam.txt $(UV)
	$(environment)

.PHONY: setup
setup: $(DEV) $(MINISTACK) $(SAM) ## the environments that everything else needs

.PHONY: run
run: setup ## the whole system on this machine, shown step by step; serves until Ctrl-C
	@$(PYTHON) -m local run

.PHONY: up
up: setup ## the same in the background (PORT=, ALLOWED_TARGETS=host:port,...); see .local/stack.json
	@$(PYTHON) -m local up

.PHONY: down
down: $(DEV) ## stops what `make up` started
	@$(PYTHON) -m local down

.PHONY: stop-partners start-partners
stop-partners: $(DEV) ## stops the demo's partners alone, to see what becomes of their deliveries
	@$(PYTHON) -m local stop-partners
start-partners: $(DEV) ## brings them back
	@$(PYTHON) -m local start-partners

.PHONY: ops
ops: $(DEV) ## the operator's command line: make ops ARGS="doctor" (ARGS="--help" lists what it can do)
	@$(PYTHON) -m ops $(ARGS)

.PHONY: lint
lint: $(DEV) $(SAM) ## format, lint, types, template
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PYTHON) -m local validate

.PHONY: test
test: setup lint ## lint and all tests
	@$(PYTHON) -m tests

.PHONY: check
check: lint ## lint and the tests that need no emulator
	@$(PYTHON) -m pytest tests/unit tests/template

.PHONY: bench
bench: setup ## calls, capacity, sizes and import costs against their goals; dollars (CONVERSION_RATE=0.05, PARTNERS=3)
	@$(PYTHON) -m tests.bench $(if $(CONVERSION_RATE),--conversion-rate $(CONVERSION_RATE)) \
		$(if $(PARTNERS),--partners $(PARTNERS))

.PHONY: format
format: $(DEV) ## rewrites the code in the one format
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

.PHONY: docs
docs: $(DEV) ## writes the API's description anew, as api_docs/ and the models have it
	@$(PYTHON) -m api_docs

.PHONY: lock
lock: $(UV) ## compiles requirements anew from their .in files
	@for name in bootstrap ministack sam; do \
		$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
			--python-version 3.13 requirements/$$name.in -o requirements/$$name.txt; done
	@for name in dependencies cryptography; do \
		$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
			--python-version 3.13 layers/$$name/requirements.in -o layers/$$name/requirements.txt; done
	@$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--python-version 3.13 requirements/dev.in -o requirements/dev.txt

.PHONY: deploy
deploy: setup ## to AWS, with your credentials; asks (ENVIRONMENT=, REGION=, STACK=, PARAMETERS="Name=value ...", YES=1, AT_ONCE=1)
	@$(PYTHON) -m local deploy-to-aws --environment "$(ENVIRONMENT)" --region "$(REGION)" --stack-name "$(STACK)" \
		--parameters '$(PARAMETERS)' $(if $(YES),--yes) $(if $(AT_ONCE),--at-once)
