package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease/nats"
)

// natsParameters are what may stand behind the ? of an address.
var natsParameters = []string{"tls", "ca", "cert", "key", "creds", "domain", "create"}

// openNATS opens nats://USER:PASSWORD@HOST:PORT,HOST:PORT/BUCKET.
func openNATS(address string) (Manager, func() error, error) {
	servers, bucket, parameters, o, err := natsOptions(address)
	if err != nil {
		return nil, nil, err
	}
	domain, replicas := parameters.Get("domain"), 0
	switch create := parameters.Get("create"); create {
	case "":
	case "1", "3", "5":
		replicas = int(create[0] - '0')
	default:
		return nil, nil, fault("nats: create=%.40q is no number of replicas; write 1, or 3 or 5 on a cluster", create)
	}
	nc, err := natsio.Connect(servers, o...)
	if err != nil {
		return nil, nil, fmt.Errorf("nats: %w", err)
	}
	js, err := jetstream.New(nc)
	if domain != "" && err == nil {
		js, err = jetstream.NewWithDomain(nc, domain)
	}
	var m *nats.Manager
	if err == nil {
		m, err = nats.New(nats.Config{JetStream: js, Bucket: bucket})
	}
	if err != nil {
		nc.Close()
		return nil, nil, fault("nats: %v", err)
	}
	closer := func() error {
		nc.Close()
		return nil
	}
	if replicas == 0 {
		return m, closer, nil
	}
	create := func(ctx context.Context) error {
		_, err := js.KeyValue(ctx, bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			_, err = js.CreateKeyValue(ctx, nats.Bucket(bucket, replicas))
		}
		if err == nil || errors.Is(err, jetstream.ErrBucketExists) { // whether it is as it should be, Acquire says
			return nil
		}
		if last := nc.LastError(); !nc.IsConnected() && last != nil {
			err = fmt.Errorf("%w: %w", err, trust.Explain(last))
		}
		return fmt.Errorf("nats: make the bucket %s: %w", bucket, err)
	}
	return &creatingNATS{m, creation{create: create}}, closer, nil
}

func natsOptions(address string) (servers, bucket string, with url.Values, o []natsio.Option, err error) {
	bad := func(format string, args ...any) (string, string, url.Values, []natsio.Option, error) {
		return "", "", nil, nil, fault("nats: "+format, args...)
	}
	rest, ok := strings.CutPrefix(address, "nats://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, bucket, _ := strings.Cut(rest, "/")
	user, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, hosts = authority[:i+1], authority[i+1:]
	}
	if !ok || slices.Contains(strings.Split(hosts, ","), "") || bucket == "" {
		return bad("names no server or no bucket; write nats://HOST:PORT,HOST:PORT/BUCKET")
	}
	// A list of hosts is no host to package url, so each is looked at by itself.
	u, err := url.Parse("nats://" + user + "host")
	if err != nil {
		return bad("the user or the password cannot be read; write what is special in it as %%XX")
	}
	for _, host := range strings.Split(hosts, ",") {
		if h, err := url.Parse("nats://" + host); err != nil || h.Port() == "" || h.Hostname() == "" {
			return bad("%q is not HOST:PORT", host)
		}
	}
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return bad("what follows the ? cannot be read; write NAME=VALUE&NAME=VALUE")
	}
	for name, values := range parameters {
		if !slices.Contains(natsParameters, name) || len(values) != 1 || values[0] == "" {
			return bad("the parameter %q is unknown, empty or given twice; there are %s", name,
				strings.Join(natsParameters, ", "))
		}
	}
	o = []natsio.Option{
		natsio.Name("tenure"), natsio.RetryOnFailedConnect(true), natsio.MaxReconnects(-1),
		natsio.ReconnectWait(500 * time.Millisecond), natsio.PingInterval(2 * time.Second), natsio.MaxPingsOutstanding(2),
		natsio.IgnoreAuthErrorAbort(), // otherwise a password that is changed ends the connection for good
		// The server's complaints come with the calls that they are about, not to standard error.
		natsio.ErrorHandler(func(*natsio.Conn, *natsio.Subscription, error) {}),
	}
	if u.User != nil {
		password, has := u.User.Password()
		if u.User.Username() == "" || !has {
			return bad("a user needs a password, and a password a user; for a file of credentials give creds")
		}
		o = append(o, natsio.UserInfo(u.User.Username(), password))
	}
	files, err := natsFiles(parameters)
	if err != nil {
		return bad("%v", err)
	}
	servers = "nats://" + strings.ReplaceAll(hosts, ",", ",nats://")
	return servers, bucket, parameters, append(o, files...), nil
}

// natsFiles reads the files that the parameters name, so that a missing one is an error now and not at some later time.
// With TLS a server that does not speak it is refused.
func natsFiles(parameters url.Values) ([]natsio.Option, error) {
	var o []natsio.Option
	if v := parameters.Get("tls"); parameters.Has("tls") && v != "true" {
		return nil, fmt.Errorf("tls=%.40s is not known; write tls=true, or leave it out", v)
	}
	if parameters.Has("tls") || secured(parameters) {
		c, err := tlsConfig(parameters)
		if err != nil {
			return nil, err
		}
		if o = append(o, natsio.Secure(c)); parameters.Has("ca") {
			o = append(o, natsio.RootCAs(parameters.Get("ca"))) // read anew for each connection, too
		}
	}
	if creds := parameters.Get("creds"); creds != "" {
		if _, err := os.ReadFile(creds); err != nil {
			return nil, fmt.Errorf("creds: %w", err)
		}
		o = append(o, natsio.UserCredentials(creds))
	}
	return o, nil
}
