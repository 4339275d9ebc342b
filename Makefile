# Build, run and check the exporter. Needs Rust (https://rustup.rs), make and a C compiler.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo drill test lint setup toolchain check-msrv check-dependencies check-web-config bench bench-isolation check-attacks image

# The exporter on top of a simulated Atlas; needs no credential.
demo:
	cargo run --release --locked -- demo

# Breaks a peering in the demo and follows the alert through Debian's Prometheus and Alertmanager, with shorter times.
drill: setup
	cargo test --locked --test alerts -- --nocapture drill

# Format, lints, documentation and every test.
test: setup lint
	cargo test --workspace --locked

lint: toolchain
	cargo fmt --all --check
	cargo clippy --workspace --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --locked --no-deps --document-private-items

toolchain:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup toolchain install

# Installs what `make test` runs: the toolchain of rust-toolchain.toml, and from Debian prometheus, alertmanager, curl,
# systemd-socket-activate and chromium with its driver.
setup: toolchain
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v curl >/dev/null && \
		command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null && \
		command -v systemd-socket-activate >/dev/null && \
		command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends \
			prometheus prometheus-alertmanager curl systemd chromium chromium-driver; }

# The oldest Rust that Cargo.toml states.
MSRV := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# Whether that Rust compiles the workspace. Needs rustup, which downloads it.
check-msrv:
	rustup run $(MSRV) cargo --version >/dev/null 2>&1 || rustup toolchain install --profile minimal $(MSRV)
	cargo +$(MSRV) check --workspace --locked --target-dir target/msrv

CARGO_DENY := target/cargo-deny-0.20.2/bin/cargo-deny
DENY := bans licenses sources

# Licences and sources of the dependencies, and banned crates; see deny.toml. With DENY=advisories it fetches
# RustSec's database from GitHub.
check-dependencies: $(CARGO_DENY)
	$(CARGO_DENY) --locked check $(DENY)

$(CARGO_DENY):
	cargo install --locked --debug --no-default-features --root target/cargo-deny-0.20.2 cargo-deny@0.20.2

# The web configs and the client certificates of the tests, judged by Prometheus's exporter-toolkit itself. Needs Go 1.25.
check-web-config:
	CLIENT_CERTIFICATES=$(CLIENT_CERTIFICATES) cargo test --locked -p web-config --lib -- --ignored write_for_the_toolkit
	cd tests/toolkit && go run . $(CLIENT_CERTIFICATES)

CLIENT_CERTIFICATES := $(abspath target/client-certificates.json)

# The oldest Helm that the chart supports; Debian's Go can build it.
HELM := target/helm-v3.12.3/helm
# The newest that Debian's Go can build.
ACTIONLINT := target/actionlint-v1.7.7/actionlint
CHART_READER := target/chart-reader/chart
CARGO_DEB := target/cargo-deb-3.8.0/bin/cargo-deb

.PHONY: check-deploy deb

# The units, package, chart and workflows, checked by the programs that read them. Needs Go, for Helm and actionlint.
check-deploy: setup $(HELM) $(ACTIONLINT) $(CHART_READER) $(CARGO_DEB)
	@/usr/bin/python3 -c 'import yaml' 2>/dev/null && command -v systemd-analyze >/dev/null && \
		command -v dpkg-shlibdeps >/dev/null && command -v shellcheck >/dev/null || \
		{ $(SUDO) apt-get update -q && \
		$(SUDO) apt-get install -y -q --no-install-recommends python3-yaml systemd dpkg-dev shellcheck; }
	shellcheck .ci/run
	$(ACTIONLINT)
	cargo build --locked
	/usr/bin/python3 -B deploy/check.py $(HELM) $(CHART_READER) $(CARGO_DEB) \
		target/debug/mongodbatlas-peering-exporter

$(HELM):
	GOBIN=$(abspath $(@D)) go install helm.sh/helm/v3/cmd/helm@v3.12.3

$(ACTIONLINT):
	GOBIN=$(abspath $(@D)) go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

$(CHART_READER): $(wildcard tests/chart/*)
	cd tests/chart && go build -o $(abspath $@) .

# Without optimization and liblzma it builds in seconds, and calls xz.
$(CARGO_DEB):
	cargo install --locked --debug --no-default-features --root target/cargo-deb-3.8.0 cargo-deb@3.8.0

# A Debian package in dist/. TARGET is the platform, such as x86_64-unknown-linux-musl.
deb: $(CARGO_DEB)
	cargo build --release --locked $(if $(TARGET),--target $(TARGET))
	$(CARGO_DEB) --no-build $(if $(TARGET),--target $(TARGET)) --output dist/

# Grafana's SDK for the oldest supported version of Grafana, and the newest SDK.
GRAFANA_SDKS := 1769699998!10.1.0 0.0.21

.PHONY: check-grafana

# The dashboards, checked against the types of Grafana's SDK from PyPI. Needs Python 3.11.
check-grafana:
	@/usr/bin/python3 -m pip --version >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends python3-pip; }
	for sdk in $(GRAFANA_SDKS); do \
		folder="target/grafana-foundation-sdk-$${sdk#*!}" && \
		{ [ -d "$$folder" ] || \
			/usr/bin/python3 -m pip install -q --root-user-action=ignore --no-deps --target "$$folder" "grafana-foundation-sdk==$$sdk"; } && \
		PYTHONPATH="$$folder" /usr/bin/python3 -B grafana/check.py || exit 1; \
	done

# The cost of a scrape and of a poll at 12,500 peerings, with the machine and the spread.
bench:
	cargo bench --locked --bench load

# How old the data of healthy listings becomes while others hang or fail: a table, in a quarter of an hour.
bench-isolation:
	cargo test --locked --release --test it isolation::matrix -- --ignored --nocapture --exact

# Whether scrapes, the status page and health checks work while other clients attack: a table, in four minutes.
check-attacks:
	cargo test --locked --release --test it attacks::matrix -- --ignored --nocapture --exact

# The container image, with docker, podman or buildah.
image:
	$(or $(CONTAINER_TOOL),docker) build -t mongodbatlas-peering-exporter .
