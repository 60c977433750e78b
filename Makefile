# The product's commands, and what they need. develop.mk adds what only a clone of the repository has.
.DEFAULT_GOAL := help
.NOTPARALLEL: # several targets run in the order in which they are named
PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/.ready
OURS := $(VENV)/.made-by-make
UV := requirements/uv.txt
LOCK := $(firstword $(wildcard requirements/dev.txt requirements/runtime.txt))

# ARGS reach one command only: the last target that is named. What runs before it runs without them.
LAST := $(or $(lastword $(MAKECMDGOALS)),help)
GIVEN = $(if $(filter $@,$(LAST)),$(ARGS))
ifneq ($(and $(ARGS),$(filter help setup clean,$(LAST))),)
$(error ARGS reach the last target that is named, and `make $(LAST)` takes none)
endif

##@ Set up

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo 'A command takes its options in ARGS: make accounts ARGS="--profile management --dry-run"'
	@echo 'What a command does and takes, with examples: make TARGET ARGS=--help'

.PHONY: setup
setup: $(READY) ## Install what the other targets need into .venv

# Always from an empty folder, which bears the kit's mark from its first moment: whatever was interrupted is put aside in
# one step and never used again. An environment that the kit did not make stays as it is.
$(READY): $(LOCK) $(UV)
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@[ ! -e $(VENV) ] || [ -e $(OURS) ] || [ -e $(READY) ] || { echo "$(VENV) was not made by make setup: rename it or delete it, then run make setup again" >&2; exit 1; }
	@rm -rf $(VENV)-old $(VENV)-new && mkdir $(VENV)-new && touch $(VENV)-new/$(notdir $(OURS))
	@[ ! -e $(VENV) ] || mv $(VENV) $(VENV)-old
	@mv $(VENV)-new $(VENV) && rm -rf $(VENV)-old
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $(UV)
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r $(LOCK)
	@touch $(READY)

.PHONY: clean
clean: ## Remove the build, the environments and every cache, not the environment file
	@rm -rf build dist $(addprefix $(VENV)-,old new cdk $(GROUPS)) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@[ -e $(VENV) ] && [ ! -e $(OURS) ] && [ ! -e $(READY) ] && echo "$(VENV) was not made by make setup: it stays" || rm -rf $(VENV)
	@find . -name '.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Install and publish

.PHONY: accounts
accounts: $(READY) ## Deploy what the data science account and the target accounts need
	@$(RUN) scripts.accounts $(GIVEN)

.PHONY: package
package: $(READY) ## Build the bundle in build/
	@$(RUN) scripts.package $(GIVEN)

.PHONY: publish
publish: $(READY) ## Publish the bundle as environment.yaml says, or TO=service-catalog, s3 or both
	@$(RUN) scripts.publish $(if $(TO),--to $(TO)) $(GIVEN)

.PHONY: console-bundle
console-bundle: package ## Write the files and the page for publishing by clicking in the console
	@$(RUN) scripts.console_bundle $(GIVEN)

.PHONY: doctor
doctor: $(READY) ## Check the installation: what would fail a deployment, and what fixes it
	@$(RUN) scripts.doctor $(if $(PROJECT),--project $(PROJECT)) $(GIVEN)

.PHONY: seed
seed: package ## Seed a project's repositories at a git provider
	@$(RUN) scripts.seed $(if $(PROJECT),--project $(PROJECT)) $(GIVEN)

.PHONY: project
project: $(READY) ## Create a project (PROJECT=) from the newest published version, without Studio
	@$(RUN) scripts.project $(if $(PROJECT),--project $(PROJECT)) $(GIVEN)

##@ Operate

.PHONY: versions
versions: $(READY) ## List the published versions, and which one each project runs
	@$(RUN) scripts.versions $(GIVEN)

.PHONY: diff
diff: $(READY) ## Show what a version changes in a project (PROJECT=), or between two (FROM= TO=)
	@$(RUN) scripts.diff $(if $(PROJECT),--project $(PROJECT)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(GIVEN)

.PHONY: upgrade
upgrade: $(READY) ## Upgrade one project (PROJECT=) to the newest version, or TO= another
	@$(RUN) scripts.upgrade $(if $(PROJECT),--project $(PROJECT)) $(if $(TO),--to $(TO)) $(GIVEN)

.PHONY: status
status: $(READY) ## Show what is deployed where, and what waits or failed
	@$(RUN) scripts.status $(if $(PROJECT),--project $(PROJECT)) $(GIVEN)

.PHONY: history
history: $(READY) ## Show what was deployed when, by whose approval: PROJECT=
	@$(RUN) scripts.history $(if $(PROJECT),--project $(PROJECT)) $(GIVEN)

.PHONY: rollback
rollback: $(READY) ## Bring a stage back to an earlier version: PROJECT= STAGE=staging|prod
	@$(RUN) scripts.rollback $(if $(PROJECT),--project $(PROJECT)) $(if $(STAGE),--stage $(STAGE)) $(if $(VERSION),--version $(VERSION)) $(GIVEN)

.PHONY: repair
repair: $(READY) ## Bring an endpoint back that is gone: PROJECT= ACCOUNT=, REGION= for one of several
	@$(RUN) scripts.repair $(if $(PROJECT),--project $(PROJECT)) $(if $(ACCOUNT),--account $(ACCOUNT)) $(if $(REGION),--endpoint-region $(REGION)) $(GIVEN)

.PHONY: teardown
teardown: $(READY) ## Take a project down, or the whole kit: PROJECT= or EVERYTHING=1
	@$(RUN) scripts.teardown $(if $(PROJECT),--project $(PROJECT)) $(if $(EVERYTHING),--everything) $(GIVEN)

-include develop.mk
