# Two commands: `make run` starts minidns on the demo, `make test` runs every check that CI runs.
VENV := .venv
BIN := $(VENV)/bin

# Who may have the zones, and is told of changes: the servers of config/secondaries/, which may be there or not.
# Of reverse zones they get 10.0.0.0/8 and fd00::/8: with more, Unbound, a resolver, would hide everybody else's names.
# What they have is kept, so that they get what has changed since when minidns is back.
SECONDARIES := --transfer 127.0.0.2:1153 --transfer 127.0.0.3:1253 --transfer 127.0.0.1:1353 \
	--zone cluster.local --zone 10.in-addr.arpa --zone d.f.ip6.arpa

.PHONY: run test tools lint bench soak images clean

$(BIN)/minidns: pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

run: $(BIN)/minidns
	@echo 'Try, in another terminal:'
	@echo '  dig @127.0.0.1 -p 1053 mysql-svc.default.svc.cluster.local SRV'
	@echo '  dig @127.0.0.1 -p 1053 nginx.default.svc.cluster.local'
	@echo '  dig @127.0.0.1 -p 1053 my-headless-service.default.svc.cluster.local'
	@echo
	$(BIN)/minidns serve --manifests config/demo --ttl 30 $(SECONDARIES) --state $(VENV)/demo

lint: $(BIN)/minidns
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tools:
	tests/tools

test: tools lint
	$(BIN)/pytest -q -n 2 --cov --cov-report=term

bench: $(BIN)/minidns
	$(BIN)/python -m benchmarks

# Everything that can go wrong at once: make soak MINUTES=120 SEED=...
MINUTES := 4
SEED :=
soak: $(BIN)/minidns
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed '$(SEED)'

# The pictures of the page in docs/images/.
images: tools $(BIN)/minidns
	$(BIN)/python -m tests.support.pictures

clean:
	rm -rf $(VENV) *.egg-info
