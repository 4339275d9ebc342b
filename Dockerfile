# Digests belong to the tags beside them, as several public repositories pin them. They have not been compared with the
# registry yet: `docker buildx imagetools inspect IMAGE:TAG` shows the current one. Renovate updates them.
FROM rust:1-bookworm@sha256:93ce27a88655056a51dbdd8f5f2d7ddc071c7b0070fb288a37b5a285fc83971e AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches ./benches
COPY crates ./crates
COPY src ./src
# The caches keep downloaded and compiled dependencies between builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/mongodbatlas-peering-exporter /usr/local/bin/

# The base image has CA certificates and no shell.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
COPY --from=build /usr/local/bin/mongodbatlas-peering-exporter /usr/local/bin/
COPY LICENSE /usr/share/doc/mongodbatlas-peering-exporter/
USER 65532:65532
EXPOSE 10917
HEALTHCHECK --interval=30s --timeout=5s CMD ["/usr/local/bin/mongodbatlas-peering-exporter", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mongodbatlas-peering-exporter"]
CMD ["--config.file=/etc/mongodbatlas-peering-exporter/config.yaml"]
