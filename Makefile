# What a person runs, and CI runs the same. Needs python3 (3.11 or newer) with pip or venv, and nothing else.
PYTHON = .venv/bin/python
RECORDINGS =

.PHONY: demo test check judge lock tools

demo: ; @./fletcher demo

test: tools ; @$(PYTHON) -m pytest

check: tools
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy
	@$(PYTHON) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	@$(PYTHON) tests/check_house.py

# Judges every recording under RECORDINGS with the judge that lies beside them: make judge RECORDINGS=dir
judge: tools
	@test -n "$(RECORDINGS)" || { echo "make judge RECORDINGS=DIR: which recordings?" >&2; exit 2; }
	@$(PYTHON) "$(RECORDINGS)/../tools/judge.py" "$(RECORDINGS)" --fletcher ./fletcher --min-right 100

# The checkout's environment with the tools for tests and checks.
tools:
	@./fletcher --version >/dev/null
	@$(PYTHON) -I bot/install.py --tools

# For maintainers: pin anew what pyproject.toml allows, for every platform and without any address.
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --upgrade pyproject.toml
lock: tools
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraints requirements.lock --output-file tests/requirements.lock

# The real stack (docs/stack.md): a LiveKit server, a worker and what they need, made on this machine.
.PHONY: stack-up stack-down test-real
stack-up: tools ; @$(PYTHON) -m tests.stack up

stack-down: tools ; @$(PYTHON) -m tests.stack down

# Every incident once for real. What each phase took is printed as it ends, and its log is in build/stack/logs.
test-real: tools ; @FLETCHER_REAL=1 $(PYTHON) -m pytest tests/live --capture=no --verbose

# Killed with -9 before and after every recorded point of a run that succeeds and of one that is taken back; then the same
# with the runs in PostgreSQL, at every sixth point.
.PHONY: test-crash
test-crash: tools
	@FLETCHER_CRASH=1 $(PYTHON) -m pytest tests/engine/test_crash.py --capture=no --verbose
	@FLETCHER_CRASH=6 $(PYTHON) -m tests.postgres $(PYTHON) -m pytest tests/engine/test_crash.py --capture=no --verbose

# Several machines: three processes on a PostgreSQL that is made for it, of which some are killed and frozen; and what the
# engine does on a file, on PostgreSQL too.
.PHONY: test-probes
test-probes: tools
	@$(PYTHON) -m tests.postgres
	@FLETCHER_REPLICAS=1 $(PYTHON) -m pytest tests/replicas --capture=no --verbose
	@$(PYTHON) -m tests.postgres $(PYTHON) -m pytest tests/engine/test_store.py tests/engine/test_runs.py tests/engine/test_switch.py

# The Slack door, judged by what Slack published and an emulator that is not ours (docs/slack.md); they go into build/slack.
.PHONY: test-slack
test-slack: tools
	@$(PYTHON) -m tests.slack.full.parts
	@FLETCHER_SLACK=1 $(PYTHON) -m pytest tests/slack/full --verbose

# The alerts and the figures (docs/metrics.md), checked by Prometheus' own program, which goes into build/prometheus.
.PHONY: test-rules test-probes
test-rules: tools
	@$(PYTHON) -m tests.rules.promtool
	@FLETCHER_RULES=1 $(PYTHON) -m pytest tests/rules --verbose
test-probes: test-rules

# The package with the oldest and with the newest versions of what it needs, as pyproject.toml allows them.
.PHONY: test-bounds
test-bounds: tools ; @$(PYTHON) -m tests.bounds
