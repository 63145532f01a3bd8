//go:build linux

package servers

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// owner returns which of the servers has the local end addr of a TCP connection, -1 if none has. All of them connect
// from 127.0.0.1, and what they say first differs from one kind of server to the next; so the kernel is asked: its
// table of connections names the socket, and the servers' open files name it too.
func owner(addr net.Addr, servers []*Server) int {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return -1
	}
	socket := socketOf(tcp)
	if socket == "" {
		return -1
	}
	for i, s := range servers {
		files, err := filepath.Glob("/proc/" + strconv.Itoa(s.Pid()) + "/fd/*")
		if err != nil {
			continue
		}
		for _, file := range files {
			if name, err := os.Readlink(file); err == nil && name == socket {
				return i
			}
		}
	}
	return -1
}

// socketOf returns the socket with that local address, as /proc shows an open one, and an empty string if there is
// none.
func socketOf(addr *net.TCPAddr) string {
	ip := addr.IP.To4()
	if ip == nil {
		return ""
	}
	// The kernel prints the address as a number of the machine's own byte order, and the port as a number.
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip), addr.Port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			// number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode
			f := strings.Fields(line)
			if len(f) > 9 && f[9] != "0" && strings.HasSuffix(f[1], local) {
				return "socket:[" + f[9] + "]"
			}
		}
	}
	return ""
}
