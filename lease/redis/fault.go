package redis

import (
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/go-tenure/tenure/internal/trust"
	"github.com/go-tenure/tenure/lease"
)

// remedy is what to do about an error of the server that begins with code.
type remedy struct {
	code      string
	permanent bool // trying again soon is no use
	advice    string
}

// remedies are looked through in order. Those that are not permanent mend themselves as a rule, within seconds: a
// failover, a restart, a burst of writes.
var remedies = []remedy{
	{"WRONGPASS", true, "set the client's user and password right"},
	{"NOAUTH", true, "the server wants a password: set the client's"},
	{"Protocol error: unauthenticated", true, "the server wants a password: set the client's"},
	{"NOPERM", true, "give the user what docs/stores/redis.md lists"},
	{"The user executing the script can't", true, "give the user what docs/stores/redis.md lists"},
	{"ACL failure in script", true, "give the user what docs/stores/redis.md lists"},
	{"DENIED", true, "the server is in protected mode: set a password, or bind it to where its clients are"},
	{"WRONGTYPE", true, "something else uses that name: choose another Config.Prefix"},
	{"MOVED", true, "the server is part of a cluster: use a redis.ClusterClient"},
	{"CROSSSLOT", true, "the server is part of a cluster: use a redis.ClusterClient"},
	{"MISCONF", true, "the server cannot write to its disk: make room or repair it"},
	{"READONLY", false, "the server is a replica: if it stays one, point the client at the server that takes writes"},
	{"LOADING", false, "the server is starting: wait"},
	{"MASTERDOWN", false, "the server is a replica that has lost the one it follows: see to the failover"},
	{"CLUSTERDOWN", false, "the cluster does not serve that slot: see to its servers"},
	{"TRYAGAIN", false, "the slot is being moved: wait"},
	{"NOREPLICAS", false, "the server has too few replicas to take writes: see to them"},
	{"OOM", false, "the server's memory is full: raise maxmemory or delete something"},
	{"BUSY", false, "another script keeps the server busy"},
	{"unknown command", true, "the server must have EVAL and EVALSHA, and their names"},
}

// explain adds the remedy to an error of the server, and marks those that last. What it leaves as it is, such as a
// broken connection, passes.
func explain(err error, record string) error {
	if errors.Is(err, lease.ErrPermanent) { // a record that is unusable
		return fmt.Errorf("%w (record %s)", err, record)
	}
	if errors.Is(err, goredis.ErrClosed) {
		return fmt.Errorf("%w; keep it open for as long as the Manager is used", oneLine{err})
	}
	var refusal goredis.Error
	if !errors.As(err, &refusal) {
		return oneLine{trust.Explain(err)}
	}
	for _, r := range remedies {
		if !says(refusal.Error(), r.code) {
			continue
		}
		err := fmt.Errorf("%w; %s (record %s)", oneLine{err}, r.advice, record)
		if r.permanent {
			return lease.Permanent(err)
		}
		return err
	}
	return oneLine{err}
}

// says reports whether an error has the code: at its beginning, or, where a script ran into it and the server is of
// a version that puts its own words first, after a colon.
func says(text, code string) bool {
	text = strings.TrimPrefix(text, "ERR ")
	return strings.HasPrefix(text, code) || strings.Contains(text, ": "+code+" ")
}
