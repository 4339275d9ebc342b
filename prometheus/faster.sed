# Makes seconds of minutes and minutes of hours, so that a drill and the tests see an alert soon:
# sed -E -f prometheus/faster.sed prometheus/rules.yaml
s/\b([0-9]+)m\b/\1s/g
s/\b([0-9]+)h\b/\1m/g
# Of the examples for Prometheus and Alertmanager: how often it looks, and how long it waits before it tells.
s/: 30s$/: 1s/
