# What a developer of the kit needs besides: the rehearsal, tests, checks, lock files and the release.
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --constraints requirements/constraints.in --custom-compile-command "make lock" $(GIVEN)
GROUPS := cli lint notebooks release sam sdk2 taskcat uv
# One worker more than there are cores: a test waits for what it started about a seventh of its time.
PYTEST = $(RUN) pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile --no-loadscope-reorder

# An environment of its own for each group whose packages are heavy or clash with ours: .venv-lint, …
.venv-%/.ready: requirements/%.txt $(READY)
	@$(VENV)/bin/uv venv --quiet --clear --python $(VENV)/bin/python .venv-$*
	@$(VENV)/bin/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r requirements/$*.txt
	@touch $@

# The same for the packages of npm that `make clients` runs.
.venv-cdk/.ready: requirements/cdk/package-lock.json
	@rm -rf .venv-cdk && cp -r requirements/cdk .venv-cdk && npm ci --prefix .venv-cdk --ignore-scripts --no-audit --no-fund --silent
	@touch $@

##@ Rehearse on this machine

.PHONY: rehearse
rehearse: $(READY) ## Play the whole story on this machine, without an AWS account
	@$(RUN) scripts.rehearse $(GIVEN)

.PHONY: permissions
permissions: $(READY) ## Compare what the roles may do with what the last rehearsal needed
	@$(RUN) scripts.permissions $(GIVEN)

.PHONY: notebooks
notebooks: .venv-notebooks/.ready ## Run the notebooks on this machine, with the real SageMaker SDK (installs 1 GB)
	@$(RUN) scripts.notebooks $(GIVEN)

##@ Develop

.PHONY: check
check: .venv-lint/.ready ## Lint and run the quick tests, in less than a minute
	@start=$$(date +%s); $(RUN) scripts.lint && $(PYTEST) -m "not slow and not notebooks" $(GIVEN) && echo "checked in $$(($$(date +%s) - start)) s"

.PHONY: lint
lint: .venv-lint/.ready ## Check templates, policies, YAML, Python and workflows
	@$(RUN) scripts.lint $(GIVEN)

.PHONY: test
test: .venv-lint/.ready .venv-release/.ready ## Run the tests, except those of the notebooks
	@$(PYTEST) -m "not notebooks" $(GIVEN)

.PHONY: test-notebooks
test-notebooks: .venv-notebooks/.ready ## Run the tests of the notebooks (installs 1 GB)
	@$(PYTEST) -m notebooks tests/rehearsal/test_notebooks.py $(GIVEN)

.PHONY: fuzz
fuzz: $(READY) ## Feed the kit inputs at random and count what fails: ARGS="--minutes 10"
	@$(RUN) tests.properties.fuzz $(GIVEN)

.PHONY: probe
probe: $(READY) ## Settle open questions about AWS by experiments in a sandbox account
	@$(RUN) scripts.probe $(GIVEN)

.PHONY: acceptance
acceptance: $(READY) ## Play the story on a real organization, with a project of its own (costs money; asks first)
	@$(RUN) scripts.acceptance $(GIVEN)

.PHONY: fidelity
fidelity: $(READY) ## Compare the policy evaluator with an independent one on 20,000 random cases (needs Node.js)
	@$(RUN) tests.fidelity $(GIVEN)

.PHONY: taskcat
taskcat: .venv-taskcat/.ready ## Lint templates with taskcat, and test them where AWS credentials are available
	@$(RUN) scripts.taskcat $(GIVEN)

.PHONY: clients
clients: .venv-cli/.ready .venv-sam/.ready .venv-sdk2/.ready .venv-notebooks/.ready .venv-taskcat/.ready .venv-cdk/.ready ## Run the AWS CLI, SDKs, CDK, SAM, taskcat and git on a rehearsal (installs 2 GB, needs Node.js)
	@$(RUN) tests.clients $(GIVEN)

.PHONY: release
release: .venv-release/.ready ## Build the release in dist/: the zip to install from, its SBOM and checksums
	@$(RUN) scripts.release $(GIVEN)

.PHONY: bench
bench: $(READY) ## Time the commands as whole processes, beside taskcat and the AWS CLI
	@$(RUN) benchmarks.bench $(GIVEN)

.PHONY: load
load: $(READY) ## Send a kept rehearsal requests from 50 threads for two minutes, while its endpoint is updated
	@$(RUN) benchmarks.load $(GIVEN)

.PHONY: scale
scale: $(READY) ## Rehearse a deployment to 10, 100 and 1,000 accounts in two Regions
	@$(RUN) benchmarks.scale $(GIVEN)

.PHONY: sweep
sweep: $(READY) ## Try every template of a folder on the embedded AWS: ARGS=../aws-cloudformation-templates
	@$(RUN) benchmarks.sweep $(GIVEN)

.PHONY: supported
supported: $(READY) ## Write docs/generated/supported.md: what the embedded AWS supports
	@$(RUN) scripts.supported $(GIVEN)

.PHONY: lock
lock: $(READY) ## Pin what pyproject.toml asks for in requirements/; ARGS=--upgrade takes the newest versions
	@mkdir -p build/lock && cp -p requirements/*.txt build/lock
	@$(COMPILE) --group pyproject.toml:dev pyproject.toml --output-file requirements/dev.txt
	@$(COMPILE) --constraints requirements/dev.txt pyproject.toml --output-file requirements/runtime.txt
	@for group in $(GROUPS); do $(COMPILE) --group pyproject.toml:$$group --output-file requirements/$$group.txt || exit 1; done
	@for file in requirements/*.txt; do ! cmp -s $$file build/lock/$${file##*/} || touch -r build/lock/$${file##*/} $$file; done # so that no environment is made again for an unchanged file
	@$(RUN) scripts.kit.lint.wheels
