// An active/passive service of the operating system: kardianos/service for Windows, systemd, launchd and others,
// with an election that decides which node is the active one.
//
// Try it in two terminals, as two nodes that share a directory, and press Ctrl-C in that of the active one:
//
//	go run ./service /tmp/active
//
// Install it as a service (this needs an administrator; build it first, because go run's binary goes away):
//
//	go build -o active ./service
//	./active -control install /var/lib/active
//	./active -control start
//	./active -control stop
//	./active -control uninstall
//
// Two nodes on two hosts need a store that both reach; a directory serves the processes of one host.
//
// What was this in Topshelf.Leader?
//
//	WhenStartedAsLeader; WhenStarted((service, token) => ...)  Election.Lead: ctx is the token, and says why it ended
//	WhenLeaderIsElected(isLeader => ...)                       events, see ../subscribe; Campaign.Status
//	WithHeartBeat(interval, (isLeader, token) => ...)          Election.Heartbeat, HeartbeatEvery
//	WhenStopped(service => ...)                                after Run has returned: in Stop
//	RenewLeaseEvery, AquireLeaseEvery, LeaseLength             Election.Timing: Renew, Poll, TTL
//	WithLeaseManager(...)                                      Config.Manager
//	SetNodeId(...)                                             Config.Name; unique if left empty
//
// One thing is different on purpose: the lease is released after the work has returned, not before.
//
// Look at program.go: how Stop waits for Run, and why it is done in time.
package main

import (
	"errors"
	"flag"
	"log"
	"os"
	"path/filepath"

	"github.com/kardianos/service"

	"github.com/go-tenure/tenure/lease/file"
)

func main() {
	control := flag.String("control", "", "install, uninstall, start, stop or restart the service instead of running it")
	flag.Parse()
	if err := run(*control, flag.Arg(0)); err != nil {
		log.Fatal("service: ", err)
	}
}

func run(control, dir string) error {
	if dir == "" && (control == "" || control == "install") {
		return errors.New("no directory is given; name the one that all nodes share, such as /var/lib/active")
	}
	dir, err := filepath.Abs(dir) // services do not start where you are
	if err != nil {
		return err
	}
	p := &program{failed: func(err error) {
		log.Print("service: ", err)
		os.Exit(1) // the service manager starts it anew, if it has been told to
	}}
	s, err := service.New(p, &service.Config{
		Name:        "tenure-active-passive",
		DisplayName: "Tenure active/passive example",
		Description: "Runs on every node and is active on one.",
		Arguments:   []string{dir},
	})
	if err != nil {
		return err
	}
	if control != "" {
		return service.Control(s, control)
	}
	logger, err := s.Logger(nil)
	if err != nil {
		return err
	}
	p.printf = func(format string, args ...any) { _ = logger.Infof(format, args...) }
	if p.store, err = file.New(file.Config{Dir: dir, Create: true}); err != nil {
		return err
	}
	return s.Run()
}
