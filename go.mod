module github.com/go-tenure/tenure

go 1.25.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/benbjohnson/clock v1.3.5
	github.com/looplab/fsm v1.0.3
	go.uber.org/goleak v1.3.0
)
