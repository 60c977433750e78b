.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
UV := uv==0.13.9
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
GROUPS := lint notebooks taskcat

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Install everything that the other targets need, into .venv

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check $(UV)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements.lock
	@touch $(READY)

# An environment of its own for each part whose packages are heavy or clash with ours: .venv-lint, …
.venv-%/.ready: requirements-%.lock $(READY)
	@$(VENV)/bin/uv venv --quiet --clear --python $(VENV)/bin/python .venv-$*
	@$(VENV)/bin/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r requirements-$*.lock
	@touch $@

.PHONY: rehearse
rehearse: $(READY) ## Play the whole story on this machine, without an AWS account
	@$(RUN) scripts.rehearse $(ARGS)

.PHONY: notebooks
notebooks: .venv-notebooks/.ready ## Run the notebooks on this machine, with the real SageMaker SDK
	@$(RUN) scripts.notebooks $(ARGS)

.PHONY: permissions
permissions: $(READY) ## Compare what the roles may do with what the last rehearsal needed
	@$(RUN) scripts.permissions $(ARGS)

.PHONY: test
test: $(READY) .venv-lint/.ready .venv-notebooks/.ready ## Run the tests
	@$(RUN) pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: .venv-lint/.ready ## Check templates, policies, YAML, Python and workflows
	@$(RUN) scripts.lint $(ARGS)

.PHONY: taskcat
taskcat: $(READY) .venv-taskcat/.ready ## Lint templates with taskcat, and test them where AWS credentials are there
	@$(RUN) scripts.taskcat $(ARGS)

.PHONY: package
package: $(READY) ## Build the bundle in build/
	@$(RUN) scripts.package $(ARGS)

.PHONY: doctor
doctor: $(READY) ## Examine the installation: what would stop a deployment, and what mends it
	@$(RUN) scripts.doctor $(if $(PROJECT),--project $(PROJECT)) $(ARGS)

.PHONY: publish
publish: $(READY) ## Publish the bundle as environment.yaml says, or TO=service-catalog, s3 or both
	@$(RUN) scripts.publish $(if $(TO),--to $(TO)) $(ARGS)

.PHONY: versions
versions: $(READY) ## List the published versions, and which one each project runs
	@$(RUN) scripts.versions $(ARGS)

.PHONY: diff
diff: $(READY) ## Show what a version changes in a project (PROJECT=), or between two (FROM= TO=)
	@$(RUN) scripts.diff $(if $(PROJECT),--project $(PROJECT)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(ARGS)

.PHONY: upgrade
upgrade: $(READY) ## Upgrade one project (PROJECT=) to the newest version, or TO= another
	@$(RUN) scripts.upgrade $(if $(PROJECT),--project $(PROJECT)) $(if $(TO),--to $(TO)) $(ARGS)

.PHONY: console-bundle
console-bundle: $(READY) package ## Write what somebody needs who publishes by clicking in the console
	@$(RUN) scripts.console_bundle $(ARGS)

.PHONY: accounts
accounts: $(READY) ## Deploy what the data science account and the target accounts need
	@$(RUN) scripts.accounts $(ARGS)

.PHONY: seed
seed: $(READY) package ## Seed a project's repositories at a git provider
	@$(RUN) scripts.seed $(if $(PROJECT),--project $(PROJECT)) $(ARGS)

.PHONY: status
status: $(READY) ## Show what is deployed where, and what waits or failed
	@$(RUN) scripts.status $(if $(PROJECT),--project $(PROJECT)) $(ARGS)

.PHONY: rollback
rollback: $(READY) ## Bring a stage back to an earlier version: PROJECT= STAGE=staging|prod
	@$(RUN) scripts.rollback $(if $(PROJECT),--project $(PROJECT)) $(if $(STAGE),--stage $(STAGE)) $(if $(VERSION),--version $(VERSION)) $(ARGS)

.PHONY: teardown
teardown: $(READY) ## Take a project down, or the whole kit: PROJECT= or EVERYTHING=1
	@$(RUN) scripts.teardown $(if $(PROJECT),--project $(PROJECT)) $(if $(EVERYTHING),--everything) $(ARGS)

.PHONY: bench
bench: $(READY) ## Time packaging, publishing and every chapter of the rehearsal
	@$(RUN) benchmarks.bench $(ARGS)

.PHONY: scale
scale: $(READY) ## Rehearse a deployment to 10, 100 and 1,000 accounts in two regions
	@$(RUN) benchmarks.scale $(ARGS)

.PHONY: lock
lock: $(READY) ## Pin what pyproject.toml asks for in requirements.lock and requirements-*.lock
	@$(COMPILE) --group pyproject.toml:dev pyproject.toml --output-file requirements.lock
	@for group in $(GROUPS); do $(COMPILE) --group pyproject.toml:$$group --output-file requirements-$$group.lock; done

.PHONY: clean
clean: ## Remove the build and every cache, not the environment file
	@rm -rf build $(VENV) $(addprefix .venv-,$(GROUPS)) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
