# Two commands are enough: `make demo` and `make test`. Both set up what they need.
PY := .venv/bin/python
PORT ?= 8000
UV_VERSION := 0.13.9
export UV_COMPILE_BYTECODE := 1
export UV_LINK_MODE := copy

.PHONY: demo serve test check bench lock clean

demo: .venv/.stamp  ## a demo market: simulate, import, train, plan, serve
	$(PY) -m serving.cli demo --port $(PORT)

serve: .venv/.stamp
	$(PY) -m serving.cli serve --port $(PORT)

test: .venv/.stamp .venv/.chromium
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/.stamp
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry .

bench: .venv/.stamp
	$(PY) -m benchmarks

.venv/.stamp: requirements.lock pyproject.toml
	python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/bin/uv pip sync --quiet --require-hashes requirements.lock
	.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# Browser tests drive Debian's Chromium; where there is none and we may, install it.
.venv/.chromium: .venv/.stamp
	./.ci/chromium
	touch $@

lock:
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras --group pyproject.toml:dev --group pyproject.toml:bench pyproject.toml build.in -o requirements.lock
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint requirements.lock --extra train --extra dedupe pyproject.toml build.in -o requirements-serve.lock

clean:
	rm -rf .venv .rightrep build dist
