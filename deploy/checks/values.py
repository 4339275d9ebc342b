"""Values of the chart: every mode, and invalid values."""

MINIMAL = {
    "existingSecret": "atlas",
    "config": {"accounts": [{"client_id": "mdb_sa_id_0123456789abcdef01234567", "client_secret_file": "client-secret"}]},
}
SHARDS = {**MINIMAL, "shards": {"count": 3}}
ALL = {
    **MINIMAL,
    "config": {
        "poll": {"interval": "2m", "concurrency": 4, "containers": False},
        "accounts": [
            {
                "name": "production",
                "client_id_file": "client-id",
                "client_secret_file": "client-secret",
                "credential_expires": "2027-01-31",
                "proxy_url": "http://proxy.internal:3128",
                "discover": {
                    "include": [{"name": "shop-.*", "tags": {"env": "production|staging"}}],
                    "exclude": [{"id": "123456789012345678901234"}],
                },
            },
            {
                "name": "old",
                "api_version": "v1.0",
                "public_key": "abcdefgh",
                "private_key_file": "private-key",
                # Strings that YAML would read as numbers must stay strings.
                "groups": [{"id": "535682379478703713217012", "name": "1e3"}, {"id": "5356823794e9999999999990"}],
            },
        ],
    },
    "image": {"repository": "registry.example.com/exporter", "tag": "1.2.3", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 2,
    "log": {"level": "warn", "format": "text"},
    "telemetryPath": "/atlas/metrics",
    "service": {"port": 9000, "annotations": {"a": "b"}},
    "podLabels": {"team": "database"},
    "podAnnotations": {"a": "b"},
    "priorityClassName": "monitoring",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "relabelings": [{"targetLabel": "cluster", "replacement": "main"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "process_.*"}],
    },
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}], "egressPorts": [443, 3128]},
}
ALL_SHARDS = {**ALL, "replicas": 1, "shards": {"count": 3}}
SECURED = {
    **MINIMAL,
    "webConfig": {"existingSecret": "atlas-web"},
    "serviceMonitor": {
        "enabled": True,
        "scheme": "https",
        "tlsConfig": {
            "ca": {"configMap": {"name": "authorities", "key": "ca.crt"}},
            "cert": {"secret": {"name": "prometheus", "key": "tls.crt"}},
            "keySecret": {"name": "prometheus", "key": "tls.key"},
            "serverName": "atlas.monitoring.svc",
        },
        "basicAuth": {
            "username": {"name": "prometheus", "key": "user"},
            "password": {"name": "prometheus", "key": "password"},
        },
    },
}
PASSWORDS = {
    **SHARDS,
    "webConfig": {"existingSecret": "atlas-web"},
    "serviceMonitor": {"enabled": True, "basicAuth": SECURED["serviceMonitor"]["basicAuth"]},
}
OPTIONAL = ["NetworkPolicy", "PrometheusRule", "ServiceMonitor"]
MODES = {
    "minimal": (MINIMAL, ["ConfigMap", "Deployment", "Service"]),
    "shards": (SHARDS, ["ConfigMap", "Service", "StatefulSet"]),
    "all": (ALL, ["ConfigMap", "Deployment", "Service", *OPTIONAL]),
    "all with shards": (ALL_SHARDS, ["ConfigMap", "Service", "StatefulSet", *OPTIONAL]),
    "with TLS and passwords": (SECURED, ["ConfigMap", "Deployment", "Service", "ServiceMonitor"]),
    "with passwords and shards": (PASSWORDS, ["ConfigMap", "Service", "ServiceMonitor", "StatefulSet"]),
}


def account(**changes):
    return {**MINIMAL, "config": {"accounts": [{**MINIMAL["config"]["accounts"][0], **changes}]}}


def monitor(**changes):
    return {**SECURED, "serviceMonitor": {**SECURED["serviceMonitor"], **changes}}


# Invalid values, with a word that the error must contain.
INVALID = {
    "nothing": ({}, "existingSecret"),
    "no Secret": ({"config": MINIMAL["config"]}, "existingSecret"),
    "no account": ({"existingSecret": "atlas"}, "accounts"),
    "a secret": (account(client_secret="x"), "client_secret"),
    "a variable that cannot be set": (account(client_secret_env="X"), "client_secret_env"),
    "both kinds of credential": (account(private_key_file="x"), "oneOf|one and only one"),
    "an unknown key": ({**MINIMAL, "replicaCount": 2}, "replicaCount"),
    "an unknown key of the config": ({**MINIMAL, "config": {**MINIMAL["config"], "polls": {}}}, "polls"),
    "no shards": ({**MINIMAL, "shards": {"count": 0}}, "count"),
    "shards with replicas": ({**SHARDS, "replicas": 2}, "replicas"),
    "too many replicas": ({**MINIMAL, "replicas": 4}, "replicas"),
    "a label of the selector": ({**MINIMAL, "podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels"),
    "an unknown log level": ({**MINIMAL, "log": {"level": "trace"}}, "level"),
    "a metrics path that hides a probe": ({**MINIMAL, "telemetryPath": "/-/healthy"}, "telemetryPath"),
    "too short a grace period": ({**MINIMAL, "terminationGracePeriodSeconds": 5}, "terminationGracePeriod"),
    "TLS without a web config": ({**SECURED, "webConfig": {"existingSecret": ""}}, "webConfig.existingSecret"),
    "passwords without a web config": ({**PASSWORDS, "webConfig": {"existingSecret": ""}}, "webConfig.existingSecret"),
    "a client certificate without TLS": (monitor(scheme="http"), "serviceMonitor.scheme"),
    "an unknown scheme": (monitor(scheme="tls"), "serviceMonitor.scheme"),
    "a user without a password": (monitor(basicAuth={"username": {"name": "a", "key": "b"}}), "password"),
    "a password in the values": (monitor(basicAuth={"username": "a", "password": "b"}), "basicAuth.password"),
    "a web config in the values": ({**MINIMAL, "webConfig": {"basic_auth_users": {}}}, "basic_auth_users"),
    "an invalid port": ({**MINIMAL, "service": {"port": 0}}, "port"),
}
