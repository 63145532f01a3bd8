//go:build linux

package servers

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Redis is Redis from Debian, which keeps nothing on disk. The arguments are options of redis-server, such as
// --appendonly yes; they come last.
func Redis(options ...string) Spec {
	return redisSpec("redis", options, func() ([]string, error) {
		path, err := Debian("redis-server", "redis-server")
		return []string{path}, err
	})
}

func redisSpec(name string, options []string, program func() ([]string, error)) Spec {
	return Spec{Name: name, Ready: redisReady, Command: func(i Instance) ([]string, error) {
		args, err := program()
		if err != nil {
			return nil, err
		}
		args = append(args, "--bind", "127.0.0.1", "--port", strconv.Itoa(i.Ports[0]), "--dir", i.Dir, "--save", "",
			"--repl-diskless-sync-delay", "0")
		return append(args, options...), nil
	}}
}

// redisReady asks for a sign of life. A server that loads its data, or wants a password, says so.
func redisReady(ctx context.Context, i Instance) error {
	c, err := i.dial(ctx, 0)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	if _, err := fmt.Fprint(c, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}

// RedisCluster is Redis that wants to be part of a cluster. It has no slots yet. Its second port is for the other
// servers.
func RedisCluster() Spec {
	s := Redis()
	plain := s.Command
	s.Name, s.Ports = "redis-cluster", 2
	s.Command = func(i Instance) ([]string, error) {
		args, err := plain(i)
		return append(args, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(i.Ports[1]),
			"--cluster-node-timeout", "2000"), err
	}
	return s
}

// Valkey is Valkey 8, installed or unpacked by .ci/setup, with the options of [Redis].
func Valkey(options ...string) Spec {
	return redisSpec("valkey", options, func() ([]string, error) {
		if path, err := exec.LookPath("valkey-server"); err == nil {
			return []string{path}, nil
		}
		path, err := Program("valkey-8.1/valkey-server")
		if err != nil {
			return nil, err
		}
		// It is of a later release than the system may be, so that it brings its own loader and libraries.
		lib := filepath.Join(filepath.Dir(path), "lib")
		loader, err := filepath.Glob(filepath.Join(lib, "ld-linux*.so.*"))
		if err != nil || len(loader) == 0 {
			return nil, fmt.Errorf("%s has no loader: remove %s and run .ci/setup", lib, filepath.Dir(path))
		}
		return []string{loader[0], "--library-path", lib, path}, nil
	})
}
