# syntax=docker/dockerfile:1

FROM node:20-bookworm-slim AS console
WORKDIR /source/console
COPY console .
RUN npm ci --ignore-scripts && npm run build

# Debian 12 on both sides: a binary that is linked on a newer C library does not start on an older one.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
COPY --from=console /source/console/dist console/dist
# Downloads and compiled crates stay in the builder's cache, so that a change to our own code compiles our own code.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked -p grok2api \
    && install -D target/release/grok2api /image/usr/local/bin/grok2api \
    && install -D -m 644 LICENSE /image/usr/share/doc/grok2api/LICENSE \
    && mkdir /image/data

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="grok2api" \
      org.opencontainers.image.description="A self-hosted, OpenAI-compatible gateway in front of a pool of your own Grok accounts." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/usr /usr
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /image/data /data
ENV GROK2API_DATA_DIR=/data \
    GROK2API_LISTEN=0.0.0.0:8000
# By number, so that an orchestrator can tell that it is not root.
USER 65532:65532
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=8s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/grok2api", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/grok2api"]
CMD ["serve"]
