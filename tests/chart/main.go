// Parses the rendered chart with the types of Kubernetes and the Prometheus Operator, and rejects unknown fields, which
// they would silently drop.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	operator "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var kinds = map[meta.TypeMeta]func() any{
	{APIVersion: "v1", Kind: "ConfigMap"}:                            func() any { return new(core.ConfigMap) },
	{APIVersion: "v1", Kind: "Service"}:                              func() any { return new(core.Service) },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                      func() any { return new(apps.Deployment) },
	{APIVersion: "apps/v1", Kind: "StatefulSet"}:                     func() any { return new(apps.StatefulSet) },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:      func() any { return new(networking.NetworkPolicy) },
	{APIVersion: "monitoring.coreos.com/v1", Kind: "PrometheusRule"}: func() any { return new(operator.PrometheusRule) },
	{APIVersion: "monitoring.coreos.com/v1", Kind: "ServiceMonitor"}: func() any { return new(operator.ServiceMonitor) },
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	check("standard input", err)
	objects := strings.Split("\n"+string(text), "\n---\n")[1:]
	if len(objects) == 0 {
		check("standard input", fmt.Errorf("no objects"))
	}
	for number, object := range objects {
		var kind meta.TypeMeta
		check(fmt.Sprint("object ", number), yaml.Unmarshal([]byte(object), &kind))
		newObject, known := kinds[kind]
		if !known {
			check(fmt.Sprint("object ", number), fmt.Errorf("unknown kind: %v", kind))
		}
		check(kind.Kind, yaml.UnmarshalStrict([]byte(object), newObject()))
	}
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}
