package simulate

import (
	"errors"
	"time"

	"github.com/go-tenure/tenure/actor"
)

// fault begins or ends a fault, for the machines and the nodes.
func (w *World) fault(it item) {
	s := &w.world
	f := s.sc.Faults[it.call]
	begins := it.do == begin
	var stands [MaxNodes]bool
	for i := range s.sc.Nodes {
		stands[i] = s.nodes[i].up && s.nodes[i].paused <= s.now && w.procs[i] != nil
	}
	before := len(w.trace.Entries)
	s.happen(it)
	w.meddle()
	if len(w.trace.Entries) == before { // it hit nobody
		return
	}
	i := max(w.trace.Entries[before].Node, 0)
	p := w.procs[i]
	if shapes[f.Kind].store || p == nil {
		return
	}
	w.syncClock(p)
	if !stands[i] {
		return
	}
	var err error
	switch {
	case f.Kind == Leave && begins:
		p.cancel()
	case f.Kind == Resign && begins:
		err = p.campaign.Resign()
	case f.Kind == Hand && begins:
		err = p.campaign.HandOver()
	case f.Kind == Cordon && begins:
		err = p.campaign.Pause()
	case f.Kind == Cordon:
		err = p.campaign.Resume()
	case f.Kind == Drift, f.Kind == Forward:
		w.tick(uint8(i))
	}
	if err != nil && !errors.Is(err, actor.ErrStopped) {
		w.disagree("n%d: %v: %v", i, f.Kind, err)
	}
}

// heal ends all faults, for the machines and the nodes.
func (w *World) heal(it item) {
	var resumed []*process
	for i := range w.world.sc.Nodes {
		if n := &w.world.nodes[i]; n.up && n.machine.Paused() && w.procs[i] != nil {
			resumed = append(resumed, w.procs[i])
		}
	}
	w.world.happen(it)
	w.meddle()
	for _, p := range w.procs {
		if p != nil {
			w.unhang(p)
		}
	}
	for _, p := range resumed {
		if err := p.campaign.Resume(); err != nil && !errors.Is(err, actor.ErrStopped) {
			w.disagree("n%d: %v", p.number, err)
		}
	}
}

// unhang has the clients of p that hang return, if they get no answer soon.
func (w *World) unhang(p *process) {
	s := &w.world
	for _, c := range p.calls {
		if c.hangs {
			s.check.prompt = false // until it has returned, the node may have no call left to make
			s.push(item{
				at: s.now + int64(20*time.Millisecond), do: giveUp, node: p.number, inc: p.inc, call: c.number, op: c.op,
			})
		}
	}
}
