// Asks Prometheus's exporter-toolkit itself what it does with every web config of cases.txt, and with the clients of the
// file in the first argument.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

func main() {
	text, err := os.ReadFile("cases.txt")
	check(err)
	folder, err := os.MkdirTemp("", "web-config")
	check(err)
	defer os.RemoveAll(folder)
	writeKeys(folder)
	differ := 0
	cases := strings.Split("\n"+string(text), "\n=== ")[1:]
	for number, one := range cases {
		expected, yaml, _ := strings.Cut(one, "\n")
		yaml = strings.ReplaceAll(yaml, "{TLS", "{cert_file: server.crt, key_file: server.key")
		refusal := serve(filepath.Join(folder, fmt.Sprintf("%d.yaml", number)), yaml)
		if (refusal == nil) != strings.HasPrefix(expected, "accepted") {
			differ++
			fmt.Printf("expected: %s\n%s\nbut: %v\n\n", expected, yaml, refusal)
		}
	}
	fmt.Printf("the toolkit does as expected with %d of %d web configs\n", len(cases)-differ, len(cases))
	differ += checkClients(folder, os.Args[1])
	if differ > 0 {
		os.Exit(1)
	}
}

// Starts a server and ends it; the toolkit refuses at once or not at all.
func serve(path, yaml string) error {
	check(os.WriteFile(path, []byte(yaml), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: http.NotFoundHandler()}
	flags := &web.FlagConfig{WebConfigFile: &path}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener, server, flags, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	select {
	case err = <-ended:
	case <-time.After(100 * time.Millisecond):
		check(server.Shutdown(context.Background()))
		err = <-ended
	}
	listener.Close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func writeKeys(folder string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	write := func(name, kind string, der []byte) {
		check(os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write("server.crt", "CERTIFICATE", certificate)
	for name, key := range map[string]*ecdsa.PrivateKey{"server.key": key, "other.key": other} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		check(err)
		write(name, "PRIVATE KEY", der)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
