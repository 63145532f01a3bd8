module github.com/go-tenure/tenure/lease/kubernetes

go 1.26.0

replace github.com/go-tenure/tenure => ../..

require (
	github.com/benbjohnson/clock v1.3.5
	github.com/go-tenure/tenure v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
)
