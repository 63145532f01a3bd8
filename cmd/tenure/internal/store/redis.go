package store

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/go-tenure/tenure/lease/redis"
)

// openRedis opens redis://[USER:PASSWORD@]HOST[:PORT][/DB], and rediss:// for TLS. Further servers of a cluster, or
// Sentinels, are each an addr=HOST:PORT.
func openRedis(address string) (Manager, func() error, error) {
	o, c, err := redisOptions(address)
	if err != nil {
		return nil, nil, err
	}
	logging.Disable() // what goes wrong is returned, and said once by whoever asked
	var client goredis.UniversalClient
	switch {
	case o.MasterName != "":
		client = goredis.NewFailoverClient(o.Failover())
	case o.IsClusterMode:
		client = goredis.NewClusterClient(o.Cluster())
	default:
		client = goredis.NewClient(o.Simple())
	}
	c.Client = client
	m, err := redis.New(c)
	if err != nil {
		_ = client.Close()
		return nil, nil, fault("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return m, sync.OnceValue(client.Close), nil
}

// redisOptions reads an address. It may hold a password, so that no error quotes it.
func redisOptions(address string) (*goredis.UniversalOptions, redis.Config, error) {
	var c redis.Config
	const form = "redis://[USER:PASSWORD@]HOST[:PORT][/DB]"
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, c, fault("that is no address of Redis; write %s, with characters such as @ and / in a password as %%40 "+
			"and %%2F", form)
	}
	if u.Hostname() == "" {
		return nil, c, fault("%s: names no host; write %s", u.Scheme, form)
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	o := &goredis.UniversalOptions{
		Addrs: []string{net.JoinHostPort(u.Hostname(), port)}, Username: u.User.Username(), ClientName: "tenure",
		ContextTimeoutEnabled: true, DialerRetries: 1, // whoever asked asks again, and wants to know why it failed
	}
	o.Password, _ = u.User.Password()
	if db := strings.Trim(u.Path, "/"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return nil, c, fault("%s: the database %q is no number; write %s", u.Scheme, db, form)
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, c, fault("%s: what follows the ? is not NAME=VALUE&NAME=VALUE", u.Scheme)
	}
	for name, values := range query {
		if err := redisParameter(o, &c, name, values); err != nil {
			return nil, c, err
		}
	}
	if u.Scheme == "rediss" { // each server is known by its own name, also those found later
		if o.TLSConfig, err = tlsConfig(query); err != nil {
			return nil, c, fault("rediss: %v", err)
		}
	}
	switch {
	case u.Scheme == "redis" && secured(query):
		return nil, c, fault("redis: ca, cert and key are for TLS; write rediss://")
	case o.IsClusterMode && (o.MasterName != "" || o.DB != 0):
		return nil, c, fault("%s: a cluster has no Sentinels and no databases", u.Scheme)
	case len(o.Addrs) > 1 && !o.IsClusterMode && o.MasterName == "":
		return nil, c, fault("%s: several servers are a cluster (cluster=true) or Sentinels (sentinel=NAME)", u.Scheme)
	}
	return o, c, nil
}

func redisParameter(o *goredis.UniversalOptions, c *redis.Config, name string, values []string) error {
	value := values[0]
	if len(values) > 1 && name != "addr" {
		return fault("redis: %s is given %d times", name, len(values))
	}
	var err error
	switch name {
	case "ca", "cert", "key": // see tlsConfig
	case "addr":
		for _, addr := range values {
			if _, _, err := net.SplitHostPort(addr); err != nil {
				return fault("redis: addr=%q is no HOST:PORT", addr)
			}
		}
		o.Addrs = slices.Concat(o.Addrs, values)
	case "cluster":
		if o.IsClusterMode, err = strconv.ParseBool(value); err != nil {
			return fault("redis: cluster=%q is not true or false", value)
		}
	case "sentinel":
		o.MasterName = value
	case "prefix":
		c.Prefix = value
	case "replicas":
		if c.Replicas, err = strconv.Atoi(value); err != nil {
			return fault("redis: replicas=%q is no number", value)
		}
	default:
		return fault("redis: the parameter %.40q is unknown; known: addr, ca, cert, cluster, key, prefix, "+
			"replicas, sentinel", name)
	}
	return nil
}
