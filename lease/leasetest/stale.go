package leasetest

import (
	"errors"

	"github.com/go-tenure/tenure/lease"
)

// imposture is a lease that differs in one thing from the one that is held.
type imposture struct {
	why string
	l   lease.Lease
}

func impostures(s *scene, l lease.Lease) []imposture {
	other, incarnation, older, newer, key := l, l, l, l, l
	other.Holder = s.holder("other")
	incarnation.Holder.Incarnation = lease.NewIncarnation()
	older.Term--
	newer.Term++
	key.Key = s.key()
	swapped := l
	swapped.Holder.Name, swapped.Holder.Incarnation = l.Holder.Incarnation, l.Holder.Name
	return []imposture{
		{"another holder has it", other},
		{"R6: another incarnation has it", incarnation},
		{"name and incarnation are swapped", swapped},
		{"the term at the store is greater", older},
		{"the term at the store is smaller", newer},
		{"that key was never held", key},
		{"nobody is not the holder", lease.Lease{Key: l.Key, Term: l.Term}},
	}
}

func onlyHolderRenews(s *scene) {
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	l = s.grant(s.a, l.Key, l.Holder, s.long) // so that there is an older term
	for i, wrong := range impostures(s, l) {
		s.notRenewed(s.side(i), wrong.l, wrong.why)
		s.refused(s.side(i), s.holder("other"), l, "the refused Renew changed nothing")
		s.renewed(s.a, l, s.long, "the refused Renew changed nothing")
	}
}

func onlyHolderReleases(s *scene) {
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	l = s.grant(s.a, l.Key, l.Holder, s.long)
	for i, wrong := range impostures(s, l) {
		s.notReleased(s.side(i), wrong.l, wrong.why)
		s.refused(s.side(i), s.holder("other"), l, "the refused Release changed nothing")
		s.renewed(s.a, l, s.long, "the refused Release changed nothing")
	}
}

func releasedIsOver(s *scene) {
	l := s.grant(s.a, s.key(), s.holder("holder"), s.long)
	s.released(s.a, l)
	s.notRenewed(s.a, l, "it has been released")
	s.notRenewed(s.b, l, "it has been released")
	other := s.grant(s.b, l.Key, s.holder("other"), s.long)
	s.notRenewed(s.a, l, "it has been released and another has the key")
	s.renewed(s.b, other, s.long, "stale renewals change nothing")
}

func releaseRepeated(s *scene) {
	h := s.holder("holder")
	l := s.grant(s.a, s.key(), h, s.long)
	s.released(s.a, l)
	repeat := func(when string) {
		s.Helper()
		for i := range 2 {
			if err := s.side(i).Release(s.Context(), l); err != nil && !errors.Is(err, lease.ErrLost) {
				s.Errorf("Release(%s) once more, %s = %v; want nil or ErrLost", show(l), when, err)
			}
		}
	}
	repeat("right after the first")
	again := s.grant(s.a, l.Key, h, s.long)
	s.rising("released twice, then taken by the same", l.Term, again.Term)
	repeat("while its holder has the key again")
	s.renewed(s.a, again, s.long, "R5: a repeated Release of an older term changes nothing")
	s.refused(s.b, s.holder("other"), again, "R5: a repeated Release of an older term changes nothing")
	s.released(s.a, again)
	other := s.grant(s.b, l.Key, s.holder("other"), s.long)
	repeat("while another has the key")
	s.renewed(s.b, other, s.long, "R5: a repeated Release of an older term changes nothing")
	s.refused(s.a, h, other, "R5: a repeated Release of an older term changes nothing")
}

func nobodysLease(s *scene) {
	l := lease.Lease{Key: s.key(), Holder: s.holder("holder"), Term: 1}
	s.notRenewed(s.a, l, "the key was never held")
	s.notReleased(s.b, l, "the key was never held")
	s.grant(s.a, l.Key, s.holder("first"), s.long)
}

func otherIncarnation(s *scene) {
	h := s.holder("twin")
	twin := h
	twin.Incarnation = lease.NewIncarnation()
	l := s.grant(s.a, s.key(), h, s.long)
	s.refused(s.b, twin, l, "R6: another incarnation of the same name is somebody else")
	stolen := l
	stolen.Holder = twin
	s.notRenewed(s.b, stolen, "R6: another incarnation has it")
	s.notReleased(s.b, stolen, "R6: another incarnation has it")
	s.renewed(s.a, l, s.long, "its twin has been refused")
	s.released(s.a, l)
	next := s.grant(s.b, l.Key, twin, s.long)
	s.rising("released, then taken by another incarnation", l.Term, next.Term)
	s.refused(s.a, h, next, "R6: another incarnation of the same name is somebody else")
}

// namesNotJoined has pairs of holders stand that are the same once name and incarnation are written one after the
// other.
func namesNotJoined(s *scene) {
	for _, sep := range []string{"", "/", ":", "-", " ", ",", "|", "\x22,\x22", "%2F"} {
		h := lease.Holder{Name: "a" + sep + "b", Incarnation: "c"}
		o := lease.Holder{Name: "a", Incarnation: "b" + sep + "c"}
		l := s.grant(s.a, s.key(), h, s.long)
		s.refused(s.b, o, l, "R6: holders with another name and another incarnation are different")
		wrong := l
		wrong.Holder = o
		s.notRenewed(s.b, wrong, "R6: another holder has it")
		s.released(s.a, l)
	}
}
