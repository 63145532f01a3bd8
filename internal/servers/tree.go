//go:build linux

package servers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// signalTree signals a process and all that descend from it. Parents come before their children, so that a stopped
// parent starts no child that is missed; the walk is repeated until it finds nobody new.
func signalTree(root int, sig syscall.Signal) error {
	done := map[int]bool{}
	for {
		found := false
		for _, pid := range tree(root) {
			if done[pid] {
				continue
			}
			done[pid], found = true, true
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("servers: signal %v to process %d: %w", sig, pid, err)
			}
		}
		if !found {
			return nil
		}
	}
}

// killTree kills a process and all that descend from it, and returns when none of them runs. All are stopped first: one
// that outlives its parent belongs to somebody else then, and would not be found. What a dead process had, such as
// shared memory and ports, is free again only when it is gone.
func killTree(root int) {
	_ = signalTree(root, syscall.SIGSTOP)
	pids := tree(root)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for end := time.Now().Add(10 * time.Second); slices.ContainsFunc(pids, runs) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// runs reports whether a process is there and not just waiting to be waited for.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	end := bytes.LastIndexByte(text, ')')
	return err == nil && end >= 0 && !bytes.HasPrefix(text[end+1:], []byte(" Z")) &&
		!bytes.HasPrefix(text[end+1:], []byte(" X"))
}

// tree returns root and its descendants, parents first.
func tree(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		if pid, parent, ok := readStat(name); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// readStat returns a process and its parent. The second field, the command, may hold anything; it ends with the last
// parenthesis.
func readStat(name string) (pid, parent int, ok bool) {
	text, err := os.ReadFile(name)
	end := bytes.LastIndexByte(text, ')')
	if err != nil || end < 0 {
		return 0, 0, false
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 2 {
		return 0, 0, false
	}
	pid, err1 := strconv.Atoi(filepath.Base(filepath.Dir(name)))
	parent, err2 := strconv.Atoi(string(fields[1]))
	return pid, parent, err1 == nil && err2 == nil
}
