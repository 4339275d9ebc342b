# Turns minutes into seconds and hours into minutes, so that alerts fire quickly in drills and tests:
# sed -E -f prometheus/faster.sed prometheus/rules.yaml
s/\b([0-9]+)m\b/\1s/g
s/\b([0-9]+)h\b/\1m/g
# In the examples: the scrape and evaluation intervals of Prometheus, and the `group_wait` of Alertmanager.
s/: 30s$/: 1s/
