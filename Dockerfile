# One image for the six services, the signing workers, migrations and topics: the sub-command picks the role.
# BASE_IMAGE is any image with Python 3.11 on glibc; pin it by digest where images are promoted.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/hocba /opt/build
# The lock changes rarely and the code often, so the lock is a layer of its own. Wheels only: nothing is compiled here,
# and every file must have a hash that the lock names.
COPY requirements.lock requirements-dev.lock ./
RUN /opt/hocba/bin/pip install --require-hashes --no-deps --only-binary=:all: --requirement requirements.lock
# The build back end comes out of the development lock, with its hashes, and stays in this stage.
RUN awk '/^[^ #]/ { wanted = $0 ~ /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted && !/^ *#/' requirements-dev.lock > build.lock \
    && /opt/build/bin/pip install --require-hashes --no-deps --only-binary=:all: --requirement build.lock
COPY pyproject.toml README.md LICENSE ./
COPY protos/hocba protos/hocba
COPY protos/examples/record protos/examples/record
COPY protos/examples/sheet protos/examples/sheet
COPY services services
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /src/dist \
    && /opt/hocba/bin/pip install --no-deps --no-index /src/dist/*.whl \
    && /opt/hocba/bin/pip check \
    && /opt/hocba/bin/hocba --help > /dev/null \
    && /opt/hocba/bin/pip uninstall --yes --quiet pip setuptools

FROM ${BASE_IMAGE} AS runtime
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="hocba" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Root owns the code and the user can't write it; a numeric user is what Kubernetes' runAsNonRoot can check.
RUN groupadd --gid 10001 hocba \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hocba \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/hocba
COPY --from=build /opt/hocba /opt/hocba
# Nothing is written outside /tmp and /var/lib/hocba, so the root file system may be mounted read-only.
ENV PATH=/opt/hocba/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    MALLOC_ARENA_MAX=2 \
    HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/hocba
ENTRYPOINT ["hocba"]
CMD ["--help"]
