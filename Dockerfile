# syntax=docker/dockerfile:1
FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches ./benches
COPY crates ./crates
COPY src ./src
# The caches keep downloaded and compiled dependencies between builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/mongodbatlas-peering-exporter /usr/local/bin/

# The base image has CA certificates and no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/mongodbatlas-peering-exporter /usr/local/bin/
COPY LICENSE /usr/share/doc/mongodbatlas-peering-exporter/
USER 65532:65532
EXPOSE 10917
HEALTHCHECK --interval=30s --timeout=5s CMD ["/usr/local/bin/mongodbatlas-peering-exporter", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mongodbatlas-peering-exporter"]
CMD ["--config.file=/etc/mongodbatlas-peering-exporter/config.yaml"]
