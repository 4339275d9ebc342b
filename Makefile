# Every way to build, run and check the exporter. Needs Rust, as https://rustup.rs installs it, and a C compiler.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo drill test tools check-web-config bench image

# The exporter on top of a simulated Atlas, without any credential.
demo:
	cargo run --release --locked -- demo

# A peering of the demo breaks, and the page for it arrives: with Debian's Prometheus and Alertmanager, and faster rules.
drill: tools
	cargo test --locked --test alerts -- --nocapture drill

# Format, lints and every test; installs the programs that the tests run.
test: tools
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked

# rustfmt and clippy, where Rust was installed without them, and what Debian has that the tests run: prometheus and
# alertmanager with their tools, curl, systemd-socket-activate, and a browser with its driver.
tools:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || \
		rustup component add rustfmt clippy
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v curl >/dev/null && \
		command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null && \
		command -v systemd-socket-activate >/dev/null && \
		command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends \
			prometheus prometheus-alertmanager curl systemd chromium chromium-driver; }

# Whether Prometheus's exporter-toolkit itself accepts and refuses the web configs that the tests say; needs Go.
check-web-config:
	cd tests/toolkit && go run .

# The oldest Helm that the chart is for: newer ones take what it takes, and Debian's Go can build it.
HELM := target/helm-v3.12.3/helm
# Newer ones need a newer Go than Debian's.
ACTIONLINT := target/actionlint-v1.7.7/actionlint
CHART_READER := target/chart-reader/chart
CARGO_DEB := target/cargo-deb-3.8.0/bin/cargo-deb

.PHONY: check-deploy deb

# What deploy/ and .github/ hold, by the programs that read it. Needs Go, for Helm and actionlint.
check-deploy: tools $(HELM) $(ACTIONLINT) $(CHART_READER) $(CARGO_DEB)
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

# Without optimization and liblzma: seconds in place of minutes, and it calls xz.
$(CARGO_DEB):
	cargo install --locked --debug --no-default-features --root target/cargo-deb-3.8.0 cargo-deb@3.8.0

# A Debian package in dist/; TARGET is what to build for, such as x86_64-unknown-linux-musl.
deb: $(CARGO_DEB)
	cargo build --release --locked $(if $(TARGET),--target $(TARGET))
	$(CARGO_DEB) --no-build $(if $(TARGET),--target $(TARGET)) --output dist/

# Grafana's schema of the oldest version that the dashboards are for, and the newest there is.
GRAFANA_SDKS := 1769699998!10.1.0 0.0.21

.PHONY: check-grafana

# Whether the dashboards are as Grafana's own SDK says; it comes from PyPI. Needs Python 3.11.
check-grafana:
	@/usr/bin/python3 -m pip --version >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends python3-pip; }
	for sdk in $(GRAFANA_SDKS); do \
		folder="target/grafana-foundation-sdk-$${sdk#*!}" && \
		{ [ -d "$$folder" ] || \
			/usr/bin/python3 -m pip install -q --root-user-action=ignore --no-deps --target "$$folder" "grafana-foundation-sdk==$$sdk"; } && \
		PYTHONPATH="$$folder" /usr/bin/python3 -B grafana/check.py || exit 1; \
	done

# What a scrape and a poll cost at 12,500 peerings; prints the machine and the spread.
bench:
	cargo bench --locked --bench load

# The container image, with docker, podman or buildah.
image:
	$(or $(CONTAINER_TOOL),docker) build -t mongodbatlas-peering-exporter .
