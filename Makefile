# The commands of this repository. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PORT ?= 4566
ALLOWED_TARGETS ?=
export PORT ALLOWED_TARGETS

# Virtual environments, each rebuilt when its lock file changes. MiniStack and aws-sam-cli pin their own versions of
# botocore, so each has its own environment.
UV := .local/bootstrap/bin/uv
DEV := .venv/.complete
MINISTACK := .local/ministack/.complete
SAM := .local/sam/.complete
PYTHON := PYTHONPATH=layers/ricochet .venv/bin/python

.PHONY: help
help: ## list the commands
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
setup: $(DEV) $(MINISTACK) $(SAM) ## create the environments that the other commands need

.PHONY: run
run: setup ## run the whole system on this machine with a demo, until Ctrl-C
	@$(PYTHON) -m local run

.PHONY: up
up: setup ## run it in the background (PORT=, ALLOWED_TARGETS=host:port,...); see .local/stack.json
	@$(PYTHON) -m local up

.PHONY: down
down: $(DEV) ## stop what `make up` started
	@$(PYTHON) -m local down

.PHONY: stop-partners start-partners
stop-partners: $(DEV) ## stop only the demo's partners, to see what happens to their deliveries
	@$(PYTHON) -m local stop-partners
start-partners: $(DEV) ## start them again
	@$(PYTHON) -m local start-partners

.PHONY: ops
ops: $(DEV) ## the operator's command line: make ops ARGS="doctor" (ARGS="--help" lists its commands)
	@$(PYTHON) -m ops $(ARGS)

.PHONY: lint
lint: $(DEV) $(SAM) ## check format, lint, types and template
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(PYTHON) -m local validate

.PHONY: test
test: setup lint ## run lint and all tests
	@$(PYTHON) -m tests

.PHONY: check
check: lint ## run lint and the tests that need no emulator
	@$(PYTHON) -m pytest tests/unit tests/template

.PHONY: bench
bench: setup ## measure calls, capacity, sizes and import times against their limits, and costs (CONVERSION_RATE=0.05, PARTNERS=3)
	@$(PYTHON) -m tests.bench $(if $(CONVERSION_RATE),--conversion-rate $(CONVERSION_RATE)) \
		$(if $(PARTNERS),--partners $(PARTNERS))

.PHONY: format
format: $(DEV) ## format the code
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

.PHONY: docs
docs: $(DEV) ## write the API's description again from api_docs/ and the models
	@$(PYTHON) -m api_docs

.PHONY: lock
lock: $(UV) ## compile the lock files again from their .in files
	@for name in bootstrap ministack sam; do \
		$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
			--python-version 3.13 requirements/$$name.in -o requirements/$$name.txt; done
	@for name in dependencies cryptography; do \
		$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
			--python-version 3.13 layers/$$name/requirements.in -o layers/$$name/requirements.txt; done
	@$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--python-version 3.13 requirements/dev.in -o requirements/dev.txt

.PHONY: deploy
deploy: setup ## deploy to AWS with your credentials; asks for parameters (ENVIRONMENT=, REGION=, STACK=, PARAMETERS="Name=value ...", YES=1, AT_ONCE=1)
	@$(PYTHON) -m local deploy-to-aws --environment "$(ENVIRONMENT)" --region "$(REGION)" --stack-name "$(STACK)" \
		--parameters '$(PARAMETERS)' $(if $(YES),--yes) $(if $(AT_ONCE),--at-once)
