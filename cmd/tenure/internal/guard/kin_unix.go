//go:build unix && !linux

package guard

import "syscall"

func adopt() {}

// ownGroup makes a process the leader of a new group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// strays lists nothing: without adoption, what has left the group is out of sight.
func strays(int) []int { return nil }

// pids lists nothing: this process cannot come by children that it did not start.
func pids() []int { return nil }

// sweep kills what a dead guardian left of the group, if it lived to tell which that is. It reports whether nothing
// is left.
func sweep(group int, _ []int) bool {
	return group == 0 || syscall.Kill(-group, syscall.SIGKILL) == syscall.ESRCH
}
