package file

import "time"

// timed is the source for systems that do not tell of changes: its waits only end.
type timed struct{ woken chan struct{} }

func newTimed() *timed { return &timed{woken: make(chan struct{}, 1)} }

func (s *timed) wait(most time.Duration) ([]string, bool) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.woken:
	}
	return nil, false
}

func (s *timed) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it will end at once anyway
	}
}

func (s *timed) prompt() bool { return false }
func (s *timed) close()       {}
