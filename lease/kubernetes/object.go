package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// object is a Lease as the server holds it. What this package does not know is kept as it came, and written back.
type object struct {
	whole, meta, spec map[string]json.RawMessage
	annotations       map[string]string

	name, uid, version string // version is metadata.resourceVersion
	fields
}

// fields is the spec of a Lease, as far as an election goes. It is comparable. A field that is missing is zero.
type fields struct {
	holder      string
	seconds     int32
	acquired    string // as it was written, to the microsecond
	renewed     string
	transitions int32
	strategy    string
}

// microTime is how the server writes and reads instants.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// decodeObject reads a Lease. It is foreign data: what cannot be read is an error that says so, never a panic.
func decodeObject(data []byte) (object, error) {
	var o object
	if err := decodeAll(data, &o.whole); err != nil {
		return object{}, fmt.Errorf("the answer is no Lease: %w", err)
	}
	var meta struct {
		Name            string            `json:"name"`
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations"`
	}
	var spec struct {
		Holder      string `json:"holderIdentity"`
		Seconds     int32  `json:"leaseDurationSeconds"`
		Acquired    string `json:"acquireTime"`
		Renewed     string `json:"renewTime"`
		Transitions int32  `json:"leaseTransitions"`
		Strategy    string `json:"strategy"`
	}
	err := errors.Join(decodePart(o.whole["metadata"], &o.meta, &meta), decodePart(o.whole["spec"], &o.spec, &spec))
	switch {
	case err != nil:
		return object{}, fmt.Errorf("the answer is no Lease: %w", err)
	case meta.Name == "" || meta.ResourceVersion == "":
		return object{}, errors.New("the answer is no Lease: it has no name or no resourceVersion")
	}
	o.name, o.uid, o.version, o.annotations = meta.Name, meta.UID, meta.ResourceVersion, meta.Annotations
	o.fields = fields{spec.Holder, spec.Seconds, spec.Acquired, spec.Renewed, spec.Transitions, spec.Strategy}
	return o, nil
}

// decodePart reads one JSON object twice: as it came, and what is known of it. One that is missing is empty.
func decodePart(data json.RawMessage, raw *map[string]json.RawMessage, known any) error {
	if len(data) == 0 {
		return nil
	}
	return errors.Join(decodeAll(data, raw), json.Unmarshal(data, known))
}

func decodeAll(data []byte, into *map[string]json.RawMessage) error {
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	if *into == nil && !bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return errors.New("it is no JSON object")
	}
	return nil
}

// newObject returns a Lease that nobody has held and that no server has seen.
func newObject(name string, wall time.Time) object {
	at := wall.UTC().Format(microTime)
	o := object{
		whole: map[string]json.RawMessage{"apiVersion": quote("coordination.k8s.io/v1"), "kind": quote("Lease")},
		meta:  map[string]json.RawMessage{"name": quote(name)},
		name:  name,
	}
	o.fields = fields{seconds: 1, acquired: at, renewed: at}
	return o
}

// encode returns the Lease that has the fields and the annotations of o, and all that o was read with besides. All
// five fields of an election are written, those that are zero too.
func (o object) encode() []byte {
	whole, meta, spec := clone(o.whole), clone(o.meta), clone(o.spec)
	spec["holderIdentity"] = quote(o.holder)
	spec["leaseDurationSeconds"] = json.RawMessage(strconv.Itoa(int(o.seconds)))
	spec["acquireTime"] = quote(o.acquired)
	spec["renewTime"] = quote(o.renewed)
	spec["leaseTransitions"] = json.RawMessage(strconv.Itoa(int(o.transitions)))
	if len(o.annotations) > 0 {
		meta["annotations"] = encodeJSON(o.annotations)
	}
	whole["metadata"], whole["spec"] = encodeJSON(meta), encodeJSON(spec)
	return encodeJSON(whole)
}

// annotated returns o with one annotation set.
func (o object) annotated(name, text string) object {
	o.annotations = maps.Clone(o.annotations)
	if o.annotations == nil {
		o.annotations = map[string]string{}
	}
	o.annotations[name] = text
	return o
}

// known is everything that tells two sights of a record apart, except that somebody may change a label meanwhile.
func (o object) known() [3]any { return [3]any{o.uid, o.fields, o.annotations[markName]} }

func clone(m map[string]json.RawMessage) map[string]json.RawMessage {
	c := make(map[string]json.RawMessage, len(m)+5)
	maps.Copy(c, m)
	return c
}

func quote(s string) json.RawMessage { return encodeJSON(s) }

// encodeJSON encodes strings, numbers, and what was JSON before, which cannot fail.
func encodeJSON(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(buf.Bytes())
}
