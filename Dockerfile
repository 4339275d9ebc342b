# syntax=docker/dockerfile:1
FROM rust:1-bookworm AS build
WORKDIR /src

# The dependencies in a layer of their own: they are compiled anew only when the lock file changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches \
    && echo 'fn main() {}' > src/main.rs && touch src/lib.rs && echo 'fn main() {}' > benches/load.rs \
    && cargo build --release --locked

COPY src ./src
# cargo goes by the time of a file, and the files above may be newer.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

# Has the CA certificates and no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/mongodbatlas-peering-exporter /usr/local/bin/
COPY LICENSE /usr/share/doc/mongodbatlas-peering-exporter/
USER 65532:65532
EXPOSE 10917
HEALTHCHECK --interval=30s --timeout=5s CMD ["/usr/local/bin/mongodbatlas-peering-exporter", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mongodbatlas-peering-exporter"]
CMD ["--config.file=/etc/mongodbatlas-peering-exporter/config.yaml"]
