package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
)

// A client with a certificate, and whether the exporter admits it.
type client struct {
	Name string
	// The contents of client_ca_file.
	Listed      string
	AllowedSANs []string
	Chain       [][]byte
	Key         []byte
	Accepted    bool
	// Why the exporter rejects a client that the toolkit accepts; empty if both decide alike.
	Difference string
}

// Compares the toolkit with the exporter and returns the number of clients for which they differ, except where the
// exporter is the stricter one and the documentation says why.
func checkClients(folder, path string) int {
	text, err := os.ReadFile(path)
	check(err)
	var clients []client
	check(json.Unmarshal(text, &clients))
	page, err := os.ReadFile("../../docs/web.md")
	check(err)
	config := filepath.Join(folder, "web.yaml")
	write(config, clients[0])
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	flags := &web.FlagConfig{WebConfigFile: &config}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)}
	go web.Serve(listener, server, flags, logger)
	counts := map[string]int{}
	differ := 0
	for _, client := range clients {
		// The toolkit reads its files again for each connection.
		write(config, client)
		refusal := client.connect(listener.Addr().String())
		if refusal != nil && strings.Contains(refusal.Error(), "internal error") {
			check(fmt.Errorf("the toolkit cannot serve %s: %w", client.Name, refusal))
		}
		accepted := refusal == nil
		switch {
		case client.Difference == "" && accepted == client.Accepted:
			counts[fmt.Sprintf("accepted: %v", accepted)]++
		case client.Difference != "" && accepted && !client.Accepted && strings.Contains(string(page), client.Difference):
			counts["stricter: "+client.Difference]++
		default:
			differ++
			fmt.Printf("%s\nthe exporter accepts it: %v (difference: %q), the toolkit: %v\n\n",
				client.Name, client.Accepted, client.Difference, refusal)
		}
	}
	fmt.Printf("the exporter admits the clients that the toolkit admits, or fewer as documented, with %d of %d\n",
		len(clients)-differ, len(clients))
	for count, number := range counts {
		fmt.Printf("  %5d %s\n", number, count)
	}
	return differ
}

func write(config string, client client) {
	cas := filepath.Join(filepath.Dir(config), "clients.pem")
	check(os.WriteFile(cas, []byte(client.Listed), 0o600))
	sans := ""
	if client.AllowedSANs != nil {
		list, err := json.Marshal(client.AllowedSANs)
		check(err)
		sans = ", client_allowed_sans: " + string(list)
	}
	yaml := "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: clients.pem, " +
		"client_auth_type: RequireAndVerifyClientCert" + sans + "}"
	check(os.WriteFile(config, []byte(yaml), 0o600))
}

// Sends a request. An error means that the server refused the client.
func (client client) connect(address string) error {
	key, err := x509.ParsePKCS8PrivateKey(client.Key)
	check(err)
	certificate := tls.Certificate{Certificate: client.Chain, PrivateKey: key}
	config := &tls.Config{
		InsecureSkipVerify: true,
		// Sends the certificate even if no CA of the server has the name of its issuer.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil },
	}
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	check(err)
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	stream := tls.Client(connection, config)
	if err = stream.Handshake(); err != nil {
		return err
	}
	if _, err = io.WriteString(stream, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	// With TLS 1.3 the refusal comes after the client's handshake.
	response, err := io.ReadAll(stream)
	if err == nil && !strings.HasPrefix(string(response), "HTTP/1.0 404") {
		err = fmt.Errorf("%q is not the expected response", response)
	}
	return err
}
