# One image for server, worker and bulk job. Weights are mounted at /models, results at /data.
# Not built here: the machine this was written on has neither Docker nor a GPU.
FROM nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04

ENV DEBIAN_FRONTEND=noninteractive PYTHONUNBUFFERED=1 PATH=/opt/worldgen/bin:$PATH
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/worldgen && /opt/worldgen/bin/pip install --no-cache-dir uv

WORKDIR /src
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN uv pip install --no-cache -p /opt/worldgen/bin/python -r requirements.txt
COPY worldgen ./worldgen
COPY serving ./serving
COPY cluster ./cluster
COPY configs ./configs
COPY checkpoints ./checkpoints
RUN uv pip install --no-cache -p /opt/worldgen/bin/python --no-deps --no-build-isolation .

RUN useradd --create-home --uid 10001 worldgen && mkdir -p /data /models && chown worldgen /data /models
USER worldgen
ENV WORLDGEN_WEIGHTS=/models RAY_AUTH_MODE=token
VOLUME ["/data", "/models"]
EXPOSE 8000
ENTRYPOINT ["worldgen"]
CMD ["serve", "--host", "0.0.0.0", "--out", "/data"]
