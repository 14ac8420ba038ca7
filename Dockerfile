# Two stages: packages and compiled kernels are made in the first, the second runs them
# as an unprivileged user.
FROM python:3.11-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy NUMBA_CACHE_DIR=/app/.numba
WORKDIR /app
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir uv==0.13.9
COPY requirements-serve.lock pyproject.toml README.md ./
RUN .venv/bin/uv pip sync --no-cache --require-hashes requirements-serve.lock
COPY rightrep rightrep
COPY features features
COPY training training
COPY optimizer optimizer
COPY experiments experiments
COPY serving serving
RUN .venv/bin/uv pip install --no-cache --no-deps --no-build-isolation -e . \
 && .venv/bin/rightrep warm

FROM python:3.11-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 rightrep \
 && mkdir /data && chown rightrep /data
COPY --from=build --chown=rightrep /app /app
WORKDIR /app
USER rightrep
ENV PATH=/app/.venv/bin:$PATH NUMBA_CACHE_DIR=/app/.numba RIGHTREP_HOME=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["rightrep", "serve", "--host", "0.0.0.0"]
