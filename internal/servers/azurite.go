//go:build linux

package servers

import (
	"context"
	"net"
	"strconv"
)

// azuriteVersion is what internal/servers/programs/azurite pins.
const azuriteVersion = "3.35.0"

// AzuriteAccount and AzuriteKey are the account that Azurite always has, with the key that its documentation names.
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite is the blob service of Azurite, which keeps its blobs in files; it is reached at http://Addr/AzuriteAccount.
func Azurite() Spec {
	return Spec{Name: "azurite", Ready: azuriteReady, Command: func(i Instance) ([]string, error) {
		node, err := Debian("nodejs", "node")
		if err != nil {
			return nil, err
		}
		program, err := Program("azurite-" + azuriteVersion + "/node_modules/azurite/dist/src/blob/main.js")
		return []string{
			node, program, "--blobHost", "127.0.0.1", "--blobPort", strconv.Itoa(i.Ports[0]), "--location", i.Dir,
			"--skipApiVersionCheck", "--disableTelemetry", "--silent",
		}, err
	}}
}

// azuriteReady waits for an answer of any kind: nobody is allowed to ask for the root.
func azuriteReady(ctx context.Context, i Instance) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", i.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if end, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(end)
	}
	if _, err = c.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err == nil {
		_, err = c.Read(make([]byte, 64))
	}
	return err
}
