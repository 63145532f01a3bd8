module github.com/go-tenure/tenure/examples

go 1.26.0

require (
	github.com/benbjohnson/clock v1.3.5
	github.com/go-co-op/gocron/v2 v2.21.2
	github.com/go-tenure/tenure v0.0.0
	github.com/kardianos/service v1.3.0
	github.com/robfig/cron/v3 v3.0.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jonboulle/clockwork v0.5.0 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
	golang.org/x/sys v0.34.0 // indirect
)

replace github.com/go-tenure/tenure => ../
