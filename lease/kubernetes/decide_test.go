package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-tenure/tenure/lease"
	"github.com/go-tenure/tenure/lease/register"
)

var (
	us   = lease.Holder{Name: "node-a", Incarnation: "1", Meta: "10.0.0.1"}
	noon = time.Date(2026, 5, 4, 12, 0, 0, 250_000_000, time.UTC)
)

// stored is o as a server has it under a version.
func stored(t *testing.T, o object, version int) object {
	t.Helper()
	o.meta = clone(o.meta)
	o.meta["resourceVersion"], o.meta["uid"] = quote(fmt.Sprint(version)), quote("uid")
	got, err := decodeObject(o.encode())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// alien is o after an elector of client-go has written its spec: the annotations stay.
func alien(t *testing.T, o object, version int, holder string, seconds, transitions int32) object {
	t.Helper()
	o.holder, o.seconds, o.transitions = holder, seconds, transitions
	o.renewed = noon.Add(time.Duration(version) * time.Hour).Format(microTime)
	return stored(t, o, version)
}

// held is a Lease that us holds for 10 s under term 7, at version 8.
func held(t *testing.T) object {
	t.Helper()
	o := stored(t, newObject("k", noon), 7)
	return stored(t, o.write("k", register.Body{Holder: us, Term: 7, TTL: 10 * time.Second, Nonce: "n"}, noon), 8)
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	for name, b := range map[string]register.Body{
		"held":     {Holder: us, Term: 7, Seq: 3, TTL: 10 * time.Second, Nonce: "n"},
		"released": {Term: 7, Seq: 4, Nonce: "n"},
	} {
		o := stored(t, newObject("k", noon), 1).write("k", b, noon)
		if v := (view{}).see(stored(t, o, 2), "k", time.Second, 0, 0); v.body != b || v.alien {
			t.Errorf("%s: %+v is read as %+v, alien: %t", name, b, v.body, v.alien)
		}
	}
}

func TestPeopleAndOtherElectorsSeeASensibleSpec(t *testing.T) {
	o := held(t)
	want := fields{
		holder: "node-a_1", seconds: 10, acquired: "2026-05-04T12:00:00.250000Z", renewed: "2026-05-04T12:00:00.250000Z",
		transitions: 1,
	}
	if o.fields != want {
		t.Errorf("the grant is written as %+v", o.fields)
	}
	b := register.Body{Holder: us, Term: 7, Seq: 1, TTL: 10*time.Second + 1, Nonce: "n"}
	renewed := o.write("k", b, noon.Add(3*time.Second))
	want.renewed, want.seconds = "2026-05-04T12:00:03.250000Z", 11
	if renewed.fields != want {
		t.Errorf("a renewal is written as %+v", renewed.fields)
	}
	released := renewed.write("k", register.Body{Term: 7, Seq: 2, Nonce: "n"}, noon.Add(4*time.Second))
	want.holder, want.seconds = "", 1
	want.acquired, want.renewed = "2026-05-04T12:00:04.250000Z", "2026-05-04T12:00:04.250000Z"
	if released.fields != want {
		t.Errorf("a release is written as %+v", released.fields)
	}
	var spec struct{ Spec map[string]any }
	if err := json.Unmarshal(released.encode(), &spec); err != nil || len(spec.Spec) != 5 {
		t.Errorf("all five fields are written, those that are zero too: %v, %v", spec.Spec, err)
	}
}

func TestWhatThisPackageDoesNotKnowIsWrittenBack(t *testing.T) {
	o, err := decodeObject([]byte(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","later":[1],"metadata":{
		"name":"k","resourceVersion":"5","uid":"u","labels":{"app":"<x>"},"annotations":{"mine":"yes"},
		"ownerReferences":[{"uid":"o"}]},
		"spec":{"holderIdentity":null,"future":{"a":9007199254740993}}}`))
	if err != nil {
		t.Fatal(err)
	}
	text := string(o.write("k", register.Body{Holder: us, Term: 5, TTL: time.Second}, noon).encode())
	for _, part := range []string{
		`"later":[1]`, `"labels":{"app":"<x>"}`, `"mine":"yes"`, `"ownerReferences":[{"uid":"o"}]`, `"resourceVersion":"5"`,
		`"uid":"u"`, `"future":{"a":9007199254740993}`, `"kind":"Lease"`, `"holderIdentity":"node-a_1"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is missing in %s", part, text)
		}
	}
}

// client-go compares records after it has cut renewTime to seconds. A renewal that it cannot tell from the one before
// is none for it.
func TestEveryRenewalMovesRenewTimeToAnotherSecond(t *testing.T) {
	o := held(t)
	for i, c := range []struct {
		wall time.Time
		want string
	}{
		{noon.Add(time.Second), "12:00:01.250000Z"},
		{noon.Add(749 * time.Millisecond), "12:00:01.000000Z"},
		{noon.Add(750 * time.Millisecond), "12:00:01.000000Z"},
		{noon, "12:00:01.000000Z"},
		{noon.Add(-time.Hour), "12:00:01.000000Z"}, // the clock was set back
	} {
		b := register.Body{Holder: us, Term: 7, Seq: 1, TTL: 10 * time.Second}
		if got := o.write("k", b, c.wall).renewed; !strings.HasSuffix(got, c.want) {
			t.Errorf("%d: renewed at %s", i, got)
		}
	}
	o.renewed = "yesterday"
	if got := o.write("k", register.Body{Holder: us, Term: 7, Seq: 1}, noon).renewed; !strings.HasSuffix(got, ".250000Z") {
		t.Errorf("after one that cannot be read: %s", got)
	}
}

func TestALengthIsRoundedUpAndNeverZero(t *testing.T) {
	for ttl, want := range map[time.Duration]int32{
		0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, 3 * time.Second: 3, 3*time.Second + time.Millisecond: 4,
		1 << 62: 1<<31 - 1,
	} {
		if got := seconds(ttl); got != want {
			t.Errorf("%v is written as %d s, want %d", ttl, got, want)
		}
	}
}

func TestTransitionsCountEveryGrantAndNothingElse(t *testing.T) {
	o := held(t)
	for _, c := range []struct {
		b    register.Body
		from int32
		want int32
	}{
		{register.Body{Holder: us, Term: 9, TTL: time.Second}, 4, 5},
		{register.Body{Holder: us, Term: 9, Seq: 1, TTL: time.Second}, 4, 4},
		{register.Body{Term: 9, Seq: 1}, 4, 4},
		{register.Body{Holder: us, Term: 9, TTL: time.Second}, 1<<31 - 1, 1<<31 - 1},
		{register.Body{Holder: us, Term: 9, TTL: time.Second}, -5, 1},
	} {
		o.transitions = c.from
		if got := o.write("k", c.b, noon).transitions; got != c.want {
			t.Errorf("%+v after %d: %d, want %d", c.b, c.from, got, c.want)
		}
	}
}

func TestAnotherElectorIsJudgedByItsOwnLengthAndTheGuard(t *testing.T) {
	o := held(t)
	for name, c := range map[string]struct {
		o    object
		want register.Body
	}{
		"it took over": {alien(t, o, 9, "pod_x", 15, 2),
			register.Body{Holder: lease.Holder{Name: "pod_x"}, Term: 8, TTL: 17 * time.Second}},
		"three took over since": {alien(t, o, 9, "pod_x", 15, 4),
			register.Body{Holder: lease.Holder{Name: "pod_x"}, Term: 10, TTL: 17 * time.Second}},
		"it does not count transitions": {alien(t, o, 9, "pod_x", 15, 1),
			register.Body{Holder: lease.Holder{Name: "pod_x"}, Term: 8, TTL: 17 * time.Second}},
		"it has set them back": {alien(t, o, 9, "pod_x", 15, 0),
			register.Body{Holder: lease.Holder{Name: "pod_x"}, Term: 8, TTL: 17 * time.Second}},
		"it took over and released": {alien(t, o, 9, "", 1, 2), register.Body{Term: 8}},
		"it does not say how long": {alien(t, o, 9, "pod_x", 0, 2),
			register.Body{Holder: lease.Holder{Name: "pod_x"}, Term: 8, TTL: 17 * time.Second}},
		"its name is odd": {alien(t, o, 9, "a\n\x7fé", 1, 2),
			register.Body{Holder: lease.Holder{Name: "a???"}, Term: 8, TTL: 3 * time.Second}},
		"our name, but a transition": {alien(t, o, 9, "node-a_1", 15, 2),
			register.Body{Holder: lease.Holder{Name: "node-a_1"}, Term: 8, TTL: 17 * time.Second}},
	} {
		if got := (view{}).see(c.o, "k", 2*time.Second, 0, 0); got.body != c.want || !got.alien {
			t.Errorf("%s: %+v, alien: %t", name, got.body, got.alien)
		}
	}
}

// An elector of client-go that slept through its lease may release the one that we have taken since.
func TestALeaseThatSomebodyElseEmptiedIsKeptFromOthersUntilItsEnd(t *testing.T) {
	o := alien(t, held(t), 9, "", 1, 1)
	v := view{}.see(o, "k", 2*time.Second, 0, time.Second)
	want := register.Body{Holder: lease.Holder{Name: "nobody, after node-a"}, Term: 8, TTL: 12 * time.Second}
	if v.body != want {
		t.Fatalf("%+v", v.body)
	}
	renewal := register.Call{Op: register.Renew, Holder: us, Term: 7, TTL: 10 * time.Second}
	if _, move := renewal.Next(v.sight(), register.Now{}); move.Step != register.Refused {
		t.Errorf("the holder may %v; want it refused: its lease is gone (R3)", move)
	}
	if left := v.sight().Remaining(register.Now{Local: 12 * time.Second}, 0); left != time.Second {
		t.Errorf("%v left after 11 of 12 s", left)
	}
}

func TestOnlyAChangeOfTheRecordStartsItsLengthAnew(t *testing.T) {
	first := alien(t, held(t), 9, "pod_x", 15, 2)
	v := view{}.see(first, "k", 0, 0, 3*time.Second)
	labelled := first
	labelled.meta = clone(first.meta)
	labelled.meta["labels"] = json.RawMessage(`{"a":"b"}`)
	v = v.see(stored(t, labelled, 10), "k", 0, 0, 9*time.Second)
	if v.since != 3*time.Second || v.object.version != "10" || v.body.Term != 8 {
		t.Errorf("after a label: since %v, version %s, %+v", v.since, v.object.version, v.body)
	}
	renewed := v.object
	renewed.renewed = "2026-05-04T12:00:00.000001Z"
	v = v.see(stored(t, renewed, 11), "k", 0, 0, 11*time.Second)
	if v.since != 11*time.Second {
		t.Errorf("after a renewal: since %v", v.since)
	}
}

func TestTheTermOfAStrangerStaysThroughItsRenewalsAndIsGreaterThanAllBefore(t *testing.T) {
	for transitions := range int32(3) {
		o := alien(t, newObject("k", noon), 5, "pod_x", 15, transitions)
		if v := (view{}).see(o, "k", 0, 0, 0); v.body.Term != lease.Term(transitions)+1 {
			t.Errorf("the holder after %d transitions is shown under term %d", transitions, v.body.Term)
		}
	}
	bare := alien(t, newObject("k", noon), 5, "pod_x", 15, 0) // no mark: the object was deleted and made anew
	v := view{}.see(bare, "k", 0, 40, 0)
	if v.body.Term != 41 {
		t.Fatalf("after term 40 it is shown under term %d", v.body.Term)
	}
	v = v.see(alien(t, v.object, 6, "pod_x", 15, 0), "k", 0, 41, 0)
	if v.body.Term != 41 {
		t.Errorf("its renewal is shown under term %d", v.body.Term)
	}
	v = v.see(alien(t, v.object, 7, "pod_y", 15, 1), "k", 0, 41, 0)
	if v.body.Term != 42 {
		t.Errorf("the next one is shown under term %d", v.body.Term)
	}
	v = v.see(alien(t, v.object, 8, "", 1, 1), "k", 0, 42, 0)
	if v.body != (register.Body{Term: 42}) {
		t.Errorf("its release is shown as %+v", v.body)
	}
}

func TestTheNextTermIsTheVersionThatItReplaces(t *testing.T) {
	for version, want := range map[string]lease.Term{"1": 0, "8": 7, "9007199254740992": 1<<53 - 1} {
		o := object{version: version}
		if got, ok := (view{object: o}).floor(); !ok || got != want {
			t.Errorf("version %s: greater than %d, %t", version, got, ok)
		}
	}
	for _, version := range []string{"", "0", "-1", "abc", "9007199254740993", "18446744073709551616"} {
		if _, ok := (view{object: object{version: version}}).floor(); ok {
			t.Errorf("version %q counts", version)
		}
	}
}

func TestAMarkThatIsDamagedOrOfAnotherKeyIsNone(t *testing.T) {
	o := held(t)
	sound := o.annotations[markName]
	for name, text := range map[string]string{
		"another key": strings.Replace(sound, `"key":"k"`, `"key":"j"`, 1), "another format": `{"tenure":2}`, "no JSON": "x",
		"no term":          strings.Replace(sound, `"term":7`, `"term":0`, 1),
		"no term at all":   strings.Replace(sound, `"term":7,`, "", 1),
		"too great a term": strings.Replace(sound, `"term":7`, `"term":9007199254740993`, 1),
		"a bad name":       strings.Replace(sound, `"node-a"`, `"a\u0007"`, 1),
		"no length":        strings.Replace(sound, `"seconds":10,`, "", 1),
	} {
		if text == sound {
			t.Fatalf("%s: the mark is not damaged: %s", name, text)
		}
		v := view{}.see(stored(t, o.annotated(markName, text), 9), "k", 0, 0, 0)
		if !v.alien || v.body.Holder.Is(us) || v.body.Nonce != "" {
			t.Errorf("%s: %+v", name, v.body)
		}
	}
}

func FuzzALeaseFromOutsideIsReadOrRefused(f *testing.F) {
	o := newObject("k", noon).write("k", register.Body{Holder: us, Term: 7, TTL: time.Second, Nonce: "n"}, noon)
	o.meta["resourceVersion"] = quote("5")
	f.Add([]byte(o.encode()))
	f.Add([]byte(`{"metadata":{"name":"k","resourceVersion":"1"},"spec":{"holderIdentity":null}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeObject(data)
		if err != nil {
			return
		}
		v := view{}.see(o, "k", time.Second, 0, 0)
		if v.body.TTL < 0 || v.body.Holder.IsZero() != (v.body.TTL == 0) {
			t.Fatalf("%s is read as %+v", data, v.body)
		}
		b := register.Body{Holder: us, Term: 9, TTL: time.Second, Nonce: "n"}
		again, err := decodeObject(o.write("k", b, noon).encode())
		if err != nil {
			t.Fatalf("%s cannot be read after it was written to: %v", data, err)
		}
		if v := (view{}).see(again, "k", time.Second, 0, 0); v.body != b {
			t.Fatalf("%s: %+v is read as %+v", data, b, v.body)
		}
	})
}
