package file

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// local reports whether a file system is one that a single kernel has mounted, so that whoever sees the directory
// shares the boot clock. The numbers are those of statfs(2).
func local(fileSystem uint32) bool {
	switch fileSystem {
	case 0xEF53, // ext2, ext3, ext4
		0x58465342, // xfs
		0x9123683E, // btrfs
		0x2FC12FC1, // zfs
		0xF2F52010, // f2fs
		0xCA451A4E, // bcachefs
		0x3153464A, // jfs
		0x794C7630, // overlay
		0x01021994, // tmpfs
		0x858458F6: // ramfs
		return true
	}
	return false
}

// bootDomain names the boot clock if all who see the directory at path share it, else it returns "".
func bootDomain(path string) string {
	var st syscall.Statfs_t
	if syscall.Statfs(path, &st) != nil || !local(uint32(st.Type)) {
		return ""
	}
	if !commonTime("/proc/self") {
		return ""
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if id = bytes.TrimSpace(id); err != nil || len(id) != 36 {
		return ""
	}
	return string(id)
}

// commonTime reports whether this process reads the host's own boot clock and not one that a time namespace shifts.
func commonTime(proc string) bool {
	mine, err := os.Readlink(proc + "/ns/time")
	if os.IsNotExist(err) {
		return true // a kernel without time namespaces
	}
	children, err2 := os.Readlink(proc + "/ns/time_for_children")
	offsets, err3 := os.ReadFile(proc + "/timens_offsets")
	if err != nil || err2 != nil || err3 != nil || mine != children {
		return false
	}
	for line := range strings.Lines(string(offsets)) {
		f := strings.Fields(line)
		if len(f) == 3 && (f[0] == "boottime" || f[0] == "7") {
			return f[1] == "0" && f[2] == "0"
		}
	}
	return false
}

// bootClock is the time since boot, suspend included.
func bootClock() (time.Duration, bool) {
	const clockBoottime = 7
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano()), errno == 0
}

// lockHolder returns the process that has the file at path locked, and the letter of its state; 0 if that is unknown.
func lockHolder(path string) (pid int, state string) {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return 0, ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0, ""
	}
	dev := uint64(st.Dev)
	major, minor := dev>>8&0xfff|dev>>32&^uint64(0xfff), dev&0xff|dev>>12&^uint64(0xff)
	id := fmt.Sprintf("%02x:%02x:%d", major, minor, st.Ino)
	for line := range strings.Lines(string(locks)) { // 1: FLOCK ADVISORY WRITE 4711 fe:00:131075 0 EOF
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != id {
			continue
		}
		if pid, err = strconv.Atoi(f[4]); err != nil || pid <= 0 {
			return 0, ""
		}
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // 4711 (name) T ...
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) {
			state = string(stat[i+2])
		}
		return pid, state
	}
	return 0, ""
}
