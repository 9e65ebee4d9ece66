# make demo           a plan on screen, then a live prediction from the same spec
# make test           lint, types and tests
# make test-imports   imports from PyTorch, TensorFlow, Keras and MLflow: some gigabytes, an environment of their own
# make test-torchserve  a real TorchServe takes what Slipform writes: Java, and the environment of test-imports
# make test-servers   real MLflow and BentoML servers, in an environment of their own
# make scale          many models on a real control plane and engine: time and memory, bench/scale
# make test-cluster   the tests that need a control plane or an image builder (built or found first)

PYTHON ?= python3
VENV := .venv
IMPORTS := .venv-imports
SERVERS := .venv-servers
# What the cluster tests start; found on PATH, or built once and kept outside the repository.
TOOLS := etcd promtool kube-apiserver kube-controller-manager kube-scheduler kwok pulumi pulumi-language-python argo-rollouts \
	prometheus prometheus-adapter keda-operator keda-adapter
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test lint format schema constraints test-cluster test-imports test-torchserve test-servers tools scale clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' $(MAKEFILE_LIST)

setup: $(READY)

# Hashes pin what is installed; the two packages of this repository are then added as they lie here.
$(READY): constraints.txt pyproject.toml runtime/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what is pinned in constraints.txt (a minute or two, after the downloads) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e runtime -e .
	@touch $@

demo: $(READY)
	@$(BIN)/python tools/demo.py

# In CI every test that can run does: so a real Triton is there too, where its wheel installs, and TensorFlow Serving's
# own protobufs.
test: lint $(READY)
	$(if $(CI),-$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/engines/triton.txt)
	$(if $(CI),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/engines/tfserving.txt)
	$(BIN)/python -m pytest -m "not cluster"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/slipform schema --check
	$(BIN)/slipform validate
	$(BIN)/python tools/instance_types.py --check
	$(BIN)/python tools/prices.py --check
	$(BIN)/python model_specs/train/iris.py --check
	$(BIN)/python tools/reference.py --check

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY)
	$(BIN)/slipform schema
	$(BIN)/python tools/reference.py

tools: $(READY)
	$(BIN)/python -m tests.cluster.tools $(TOOLS)

test-cluster: tools
	$(BIN)/python -m pytest tests/cluster tests/image -m cluster

test-imports:
	@test -x $(IMPORTS)/bin/python || $(PYTHON) -m venv $(IMPORTS)
	$(IMPORTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r runtime/constraints/imports.txt
	SLIPFORM_IMPORTS=1 PYTHONPATH=$(CURDIR)/runtime $(IMPORTS)/bin/python -m pytest runtime/tests/build/test_frameworks.py

test-torchserve: $(READY)
	@command -v java >/dev/null || { echo "TorchServe needs Java: apt-get install openjdk-17-jre-headless"; exit 1; }
	@test -x $(IMPORTS)/bin/python || $(PYTHON) -m venv $(IMPORTS)
	$(IMPORTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r runtime/constraints/imports.txt -r tests/engines/torchserve.txt
	SLIPFORM_TORCHSERVE=$(IMPORTS)/bin/torchserve $(BIN)/python -m pytest tests/engines/test_real_torchserve.py

test-servers: $(READY)
	@test -x $(SERVERS)/bin/python || $(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tests/engines/servers.txt
	SLIPFORM_SERVERS=$(abspath $(SERVERS)) $(BIN)/python -m pytest tests/engines/test_real_mlflow.py tests/engines/test_real_bentoml.py

scale: tools
	$(BIN)/python -m bench.scale

# One file for Python 3.11 to 3.13 on every system, with hashes and no address.
constraints: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade \
		--extra aws --group dev --output-file constraints.txt pyproject.toml runtime/pyproject.toml
	PATH="$(abspath $(BIN)):$$PATH" runtime/constraints/renew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade --output-file tests/engines/servers.txt tests/engines/servers.in

clean:
	rm -rf $(VENV) $(IMPORTS) $(SERVERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis
