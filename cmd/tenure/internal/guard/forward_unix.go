//go:build unix

package guard

import (
	"os"
	"os/signal"
	"syscall"
)

// forwarded lists the signals that are passed on to the command as they come.
func forwarded() []os.Signal {
	return []os.Signal{
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGQUIT, syscall.SIGCONT,
		syscall.SIGALRM, syscall.SIGINT, syscall.SIGTERM,
	}
}

// Forwarded lists the signals that tenure passes on to the command: those of [forwarded] that do not stop tenure
// itself, except those that this process was started to ignore, such as the hang-up under nohup.
func Forwarded() []os.Signal {
	var list []os.Signal
	for _, s := range forwarded() {
		if s != syscall.SIGINT && s != syscall.SIGTERM && !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}
