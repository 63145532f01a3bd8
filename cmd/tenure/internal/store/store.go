// Package store turns what people write after --store into a lease manager. It does the dialling that the packages
// below lease leave to their callers. Each kind of store is one file and one line of the table schemes.
package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-tenure/tenure/lease"
)

// scheme is one kind of store.
type scheme struct {
	name string // what stands before the colon
	form string // how its addresses are written
	what string // what it is
	// open opens the store that an address names; the address begins with the name of a scheme.
	open func(address string) (Manager, func() error, error)
}

// schemes is every kind of store, in the order of the help, which has a line for each way to write an address.
var schemes = []scheme{
	{"azblob", azureForm, "Azure Blob Storage; ?prefix, mode, endpoint, key-file", openAzureBlob},
	{"etcd", "etcd://HOST:PORT,.../PREFIX", "an etcd cluster; ?tls, ca, cert, key", openEtcd},
	{"file", "file:DIR", "a directory that all processes of one host share", openFile},
	{"kubernetes", "kubernetes:[NAMESPACE]", "Leases of Kubernetes, from within a pod; ?guard", openKubernetes},
	{"kubernetes", "kubernetes://HOST:PORT/NAMESPACE", "the same from elsewhere; ?guard, ca-file, token-file",
		openKubernetes},
	{"mysql", mysqlForm, "MySQL or MariaDB; ?table, poll, tls, ca, relaxed, create", openMySQL},
	{"nats", "nats://HOST:PORT,.../BUCKET", "NATS JetStream; ?tls, ca, creds, domain, create", openNATS},
	{"postgres", "postgres://USER@HOST/DATABASE", "a table of PostgreSQL; ?table, create, listen, sslmode, ...",
		openPostgres},
	{"redis", "redis://HOST[:PORT][/DB]", "Redis or Valkey; ?addr, cluster, prefix, replicas, sentinel", openRedis},
	{"rediss", "rediss://HOST[:PORT][/DB]", "the same over TLS; ?ca, cert, key", openRedis},
	{"s3", "s3://BUCKET[/PREFIX]", "S3 or its like; ?endpoint, path-style, region, credentials, ca", openS3},
	{"sqlite", sqliteForm, "a database file on one host; ?table, poll, relaxed", openSQLite},
}

// Help lists the ways to write the address of a store, a line for each. Lines end before column 100.
func Help() string {
	width := 0
	for _, s := range schemes {
		width = max(width, len(s.form))
	}
	var b strings.Builder
	for _, s := range schemes {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, s.form, s.what)
	}
	return b.String()
}

// ErrURL marks errors of Open that are about what was written, not about the store.
var ErrURL = errors.New("store address")

// Manager is what every store offers. Some are a [lease.Watcher] or a [lease.Limiter], too: ask the Manager inside a
// Store, not the Store.
type Manager interface {
	lease.Manager
	lease.Reader
}

// Store is an open store.
type Store struct {
	Manager
	// Close gives up the connections. Closing twice does no harm.
	Close func() error
}

// Open opens the store that address names. Errors about the address are [ErrURL]; all others mean that the store
// cannot be used. An address may hold a password, so no error quotes more of it than [Redact] leaves.
func Open(address string) (*Store, error) {
	name, _, ok := strings.Cut(address, ":")
	if !ok {
		return nil, fault("%q has no scheme; for a directory write file:%s", Redact(address), Redact(address))
	}
	if name == "memory" {
		return nil, fault("memory: reaches no other process, so everybody would lead; use file:DIR")
	}
	if spills(address) {
		return nil, fault("%s: there is an @ behind the host; write what is special in a user or a password as %%XX, "+
			"such as @ as %%40 and / as %%2F", name)
	}
	for _, s := range schemes {
		if s.name != name {
			continue
		}
		m, closer, err := s.open(address)
		if err != nil {
			return nil, err
		}
		if closer == nil {
			closer = func() error { return nil }
		}
		return &Store{Manager: m, Close: closer}, nil
	}
	return nil, fault("the scheme %q is unknown; known: %s", name, names())
}

func names() string {
	var all []string
	for _, s := range schemes {
		all = append(all, s.name)
	}
	return strings.Join(slices.Compact(all), ", ") + "; \"tenure help\" shows how each is written"
}

func fault(format string, args ...any) error {
	return &addressError{fmt.Sprintf(format, args...)}
}

type addressError struct{ text string }

func (e *addressError) Error() string        { return "store: " + e.text }
func (e *addressError) Is(target error) bool { return target == ErrURL }

// Redact leaves out of an address what may be a secret: whatever stands before an @ or behind a ?.
func Redact(address string) string {
	name, rest, ok := strings.Cut(address, ":")
	switch {
	case !strings.ContainsAny(address, "@?"):
		return address
	case !ok || strings.ContainsAny(name, "@?"):
		return "..."
	}
	rest, _, asked := strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = "//..." + rest[i:]
	}
	if asked {
		rest += "?..."
	}
	return name + ":" + rest
}

// spills reports whether address seems to hold a password with a / or ? in it, which ends the host for whoever reads
// it: what follows would be taken for a path or a parameter, and be quoted in errors. S3 has no users, and @ in its
// paths.
func spills(address string) bool {
	name, rest, ok := strings.Cut(address, "://")
	if !ok || name == "file" || name == "sqlite" || name == "s3" {
		return false
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 || strings.Contains(rest[:end], "@") {
		return false
	}
	path, query, _ := strings.Cut(rest[end:], "?")
	parameter, _, _ := strings.Cut(query, "=")
	return strings.Contains(path+parameter, "@")
}

// Secret reports whether address seems to hold a password, which must not stand where every user of the host can read
// it.
func Secret(address string) bool {
	_, rest, _ := strings.Cut(address, ":")
	user, _, ok := strings.Cut(rest, "@")
	if ok && strings.Contains(user, ":") {
		return true
	}
	_, query, _ := strings.Cut(strings.ToLower(rest), "?")
	for _, word := range []string{"password", "secret", "token=", "accountkey", "sig="} {
		if strings.Contains(query, word) {
			return true
		}
	}
	return false
}
