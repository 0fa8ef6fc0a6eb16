# The commands of the house. Each begins with `setup`, which costs nothing once .venv agrees with pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.agrees-with-pyproject
DBT := tests/clients/dbt/.venv/.agrees-with-requirements

.PHONY: setup broker test demo bench openapi clients kerberos

setup: $(READY)

$(READY): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing what pyproject.toml names into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -e '.[dev]'
	@touch $@

# dbt in an environment of its own, for its pins would hold back ours.
$(DBT): tests/clients/dbt/requirements.txt
	@$(PYTHON) -m venv $(@D)
	@echo "installing dbt into $(@D) ..."
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -r $<
	@touch $@

# The clients that no Python package brings, openssl for the certificates of the TLS tests, a PostgreSQL server for
# tests/postgres, a Kerberos server for tests/kafka and what speaking to it is compiled with. Without them (and without
# root) tests/wire and tests/console fail and say so, tests/postgres and tests/kafka/test_kerberos.py are skipped.
clients: $(DBT)
	@{ command -v psql && command -v chromium && command -v openssl && command -v docker-compose && \
		command -v krb5-config && command -v cc && test -x /usr/sbin/krb5kdc && \
		ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1 || \
		test "$$(id -u)" != 0 || \
		{ apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql postgresql-client chromium openssl \
				docker-compose krb5-kdc krb5-admin-server libkrb5-dev gcc libc6-dev; } >/dev/null

kerberos: setup clients
	@$(BIN)/python -c 'import gssapi' 2>/dev/null || ! command -v krb5-config >/dev/null || \
		{ echo "compiling gssapi into .venv (40 s) ..." && \
			$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -e '.[kerberos]'; }

# The broker of tests/kafka, from Maven. Without Java and Maven those tests are skipped, and say so; in CI they fail.
broker: setup
	@test -z "$$(command -v java)" || test -z "$$(command -v mvn)" || $(BIN)/python -m tests.kafka.broker

test: setup clients kerberos broker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/app/test_schemathesis.py
	$(BIN)/pytest tests/app/test_schemathesis.py # all its tests have one id, of which two processes would run one test

demo: setup
	@$(BIN)/tailrace demo

# The same with Kafka: a broker of its own on this machine (Java and Maven), a shop that streams into it, views over it.
demo-kafka: setup
	@$(BIN)/python -m examples.shop

bench: setup
	$(BIN)/python -m benchmarks

openapi: setup
	$(BIN)/tailrace openapi > openapi/openapi.json
	$(BIN)/tailrace openapi --messages > openapi/asyncapi.yaml
