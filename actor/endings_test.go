package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-tenure/tenure/fsm"
	"github.com/go-tenure/tenure/lease/leasetest"
)

type ctx = context.Context

// scene is one node with one election on a store with faults.
type scene struct {
	w *world
	n *node
	c *Campaign
	m *leasetest.Faulty
}

// endings are the ways in which a term can end.
var endings = map[string]struct {
	reason  fsm.Reason
	returns bool  // the work does, at once, with
	work    error // which it returns as well
	do      func(s scene)
}{
	"resigned":    {reason: fsm.Resigned, do: func(s scene) { _ = s.c.Resign() }},
	"handed over": {reason: fsm.HandedOver, do: func(s scene) { _ = s.c.HandOver() }},
	"paused":      {reason: fsm.Paused, do: func(s scene) { _ = s.c.Pause() }},
	"withdrawn":   {reason: fsm.Stopped, do: func(s scene) { _ = s.c.Withdraw() }},
	"stopped":     {reason: fsm.Stopped, do: func(s scene) { s.n.cancel() }},
	"stopped with a dead store": {reason: fsm.Stopped, do: func(s scene) {
		s.m.Plan = leasetest.Script(fault(0, 0, leasetest.LostRequest))
		s.n.cancel()
	}},
	"lost by a watch": {reason: fsm.Lost, do: func(s scene) {
		s.w.store.Assign("billing", "")
	}},
	"lost during a pause": {reason: fsm.Paused, do: func(s scene) {
		_ = s.c.Pause()
		s.w.store.Assign("billing", "")
	}},
	"expired": {reason: fsm.Expired, do: func(s scene) {
		s.m.Plan = leasetest.Script(fault(leasetest.Renew, 0, leasetest.LostRequest))
	}},
	"woken late": {reason: fsm.Expired, do: func(s scene) {
		s.w.leap(time.Minute)
	}},
	"finished":      {reason: fsm.Finished, returns: true},
	"failed":        {reason: fsm.Finished, work: errors.New("out of paper")},
	"over":          {reason: fsm.Finished, work: ErrOver},
	"over, and why": {reason: fsm.Finished, work: fmt.Errorf("no more paper: %w", ErrOver)},
}
