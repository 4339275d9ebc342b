# Every way to build, run and check the exporter. Needs Rust, as https://rustup.rs installs it, and a C compiler.

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo test tools check-web-config bench image

# The exporter on top of a simulated Atlas, without any credential.
demo:
	cargo run --release --locked -- demo

# Format, lints and every test; installs the programs that the tests run.
test: tools
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked

# rustfmt and clippy, where Rust was installed without them, and what Debian has that the tests run: prometheus with its promtool,
# curl, systemd-socket-activate, and a browser with its driver.
tools:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || \
		rustup component add rustfmt clippy
	@command -v prometheus >/dev/null && command -v promtool >/dev/null && command -v curl >/dev/null && \
		command -v systemd-socket-activate >/dev/null && \
		command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends \
			prometheus curl systemd chromium chromium-driver; }

# Whether Prometheus's exporter-toolkit itself accepts and refuses the web configs that the tests say; needs Go.
check-web-config:
	cd tests/toolkit && go run .

# The oldest Helm that the chart is for: newer ones take what it takes, and Debian's Go can build it.
HELM := target/helm-v3.12.3/helm

.PHONY: check-deploy

# What deploy/ holds, by systemd-analyze, a real helm, promtool and the exporter. Needs Go, for Helm, the first time.
check-deploy: tools $(HELM)
	@/usr/bin/python3 -c 'import yaml' 2>/dev/null && command -v systemd-analyze >/dev/null || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q --no-install-recommends python3-yaml systemd; }
	cargo build --locked
	/usr/bin/python3 deploy/check.py $(HELM) target/debug/mongodbatlas-peering-exporter

$(HELM):
	GOBIN=$(abspath $(@D)) go install helm.sh/helm/v3/cmd/helm@v3.12.3

# What a scrape and a poll cost at 12,500 peerings; prints the machine and the spread.
bench:
	cargo bench --locked --bench load

# The container image, with docker, podman or buildah.
image:
	$(or $(CONTAINER_TOOL),docker) build -t mongodbatlas-peering-exporter .
