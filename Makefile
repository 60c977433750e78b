.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
UV := uv==0.13.9

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Install everything that the other targets need, into .venv

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check $(UV)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements.lock
	@touch $(READY)

.PHONY: rehearse
rehearse: $(READY) ## Play the whole story on this machine, without an AWS account
	@$(RUN) scripts.rehearse $(ARGS)

.PHONY: permissions
permissions: $(READY) ## Compare what the roles may do with what the last rehearsal needed
	@$(RUN) scripts.permissions $(ARGS)

.PHONY: test
test: $(READY) ## Run the tests
	@$(RUN) pytest -n auto --dist loadfile $(ARGS)

.PHONY: lint
lint: $(READY) ## Check templates, YAML and Python
	@$(VENV)/bin/cfn-lint
	@$(VENV)/bin/yamllint --strict .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

.PHONY: package
package: $(READY) ## Build the bundle in build/
	@$(RUN) scripts.package $(ARGS)

.PHONY: publish
publish: $(READY) ## Publish the bundle to Service Catalog, as environment.yaml says
	@$(RUN) scripts.publish $(ARGS)

.PHONY: accounts
accounts: $(READY) ## Deploy what the data science account and the target accounts need
	@$(RUN) scripts.accounts $(ARGS)

.PHONY: bench
bench: $(READY) ## Time packaging, publishing and every chapter of the rehearsal
	@$(RUN) benchmarks.bench $(ARGS)

.PHONY: lock
lock: $(READY) ## Pin what pyproject.toml asks for in requirements.lock
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --group pyproject.toml:dev pyproject.toml --output-file requirements.lock

.PHONY: clean
clean: ## Remove the build and every cache, not the environment file
	@rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
