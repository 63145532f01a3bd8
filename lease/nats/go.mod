module github.com/go-tenure/tenure/lease/nats

go 1.26.0

replace github.com/go-tenure/tenure => ../..

require (
	github.com/go-tenure/tenure v0.0.0-00010101000000-000000000000
	github.com/nats-io/nats.go v1.55.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/benbjohnson/clock v1.3.5 // indirect
	github.com/klauspost/compress v1.20.0 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)
