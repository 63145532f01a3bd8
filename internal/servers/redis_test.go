//go:build linux

package servers

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// redisSays sends one line and returns the first line of the answer.
func redisSays(t *testing.T, s *Server, line string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

func TestRedisAndValkeyForgetUnlessTheyAreToldToKeep(t *testing.T) {
	for name, spec := range map[string]func(...string) Spec{"redis": Redis, "valkey": Valkey} {
		for want, options := range map[string][]string{
			"$-1": nil, "$1": {"--appendonly", "yes", "--appendfsync", "always"},
		} {
			s := Test(t, spec(options...))
			redisSays(t, s, "SET a 1")
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := redisSays(t, s, "GET a"); got != want {
				t.Errorf("%s killed and restarted with %q answers %q; want %q", name, options, got, want)
			}
		}
	}
}

func TestAServerOfAClusterSaysThatItIsOne(t *testing.T) {
	s := Test(t, RedisCluster())
	if got := redisSays(t, s, "SET a 1"); got != "-CLUSTERDOWN Hash slot not served" {
		t.Errorf("without slots it answers %q", got)
	}
}
