package guard

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"syscall"
)

const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER

// adopt makes this process the parent of all descendants that lose theirs. Kernels older than 3.4 cannot; then what
// has left the group goes unseen.
func adopt() { syscall.RawSyscall6(syscall.SYS_PRCTL, setChildSubreaper, 1, 0, 0, 0, 0) }

// ownGroup makes a process the leader of a new group, and ends it with the thread that forks it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// strays lists the live children of this process that are not in the group. It lists none where /proc is missing.
func strays(group int) []int {
	var found []int
	for _, k := range kids() {
		if !k.dead && k.group != group {
			found = append(found, k.pid)
		}
	}
	return found
}

// pids lists the children of this process.
func pids() []int {
	var found []int
	for _, k := range kids() {
		found = append(found, k.pid)
	}
	return found
}

// sweep kills what a dead guardian left: all children of this process, which has adopted them, except those to
// spare. It reports whether nothing was left. Children cannot have given their process IDs away, because only we
// reap them.
func sweep(group int, spare []int) bool {
	clean := true
	for _, k := range kids() {
		if slices.Contains(spare, k.pid) {
			continue
		}
		// Even a dead one is a reason to look again: while we looked, it may have left us children that were not ours then.
		clean = false
		if k.dead {
			syscall.Wait4(k.pid, nil, syscall.WNOHANG, nil)
			continue
		}
		if k.group == group {
			syscall.Kill(-group, syscall.SIGKILL)
		}
		syscall.Kill(k.pid, syscall.SIGKILL)
	}
	return clean
}

type kid struct {
	pid, group int
	dead       bool
}

// kids lists the children of this process as /proc has them.
func kids() []kid {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var found []kid
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if parent, k, ok := kin(pid); ok && parent == os.Getpid() {
				found = append(found, k)
			}
		}
	}
	return found
}

// kin reads the parent, the group and the state of a process. It reports false if the process is gone.
func kin(pid int) (parent int, k kid, ok bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, kid{}, false
	}
	// The second field is the name in parentheses, which may contain anything: read on from the last parenthesis.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return 0, kid{}, false
	}
	parent, err1 := strconv.Atoi(string(fields[1]))
	group, err2 := strconv.Atoi(string(fields[2]))
	dead := fields[0][0] == 'Z' || fields[0][0] == 'X'
	return parent, kid{pid: pid, group: group, dead: dead}, err1 == nil && err2 == nil
}
