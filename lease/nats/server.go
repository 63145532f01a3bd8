package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/go-tenure/tenure/lease"
)

const (
	operation    = "KV-Operation" // says that a message is the end of a key
	markerReason = "Nats-Marker-Reason"
	purge        = "PURGE"
)

// errConflict means that the last message of the key is another than was said.
var errConflict = errors.New("nats: the lease has changed meanwhile")

// over reports whether a message ends a key.
func over(h nats.Header) bool { return h.Get(operation) != "" || h.Get(markerReason) != "" }

// look returns what the bucket has of key. It asks the leader of the stream: any other replica may lag behind.
func (m *Manager) look(ctx context.Context, key string) (sight, error) {
	var answer struct {
		Error   *jetstream.APIError
		Message *struct {
			Seq  uint64
			Hdrs []byte
			Data []byte
			Time time.Time
		}
	}
	question, _ := json.Marshal(map[string]string{"last_by_subj": m.subject(key)})
	if err := m.ask(ctx, "STREAM.MSG.GET."+m.stream(), question, &answer); err != nil {
		return sight{}, err
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return sight{Lease: lease.Lease{Key: key}}, nil
	case answer.Error != nil:
		return sight{}, answer.Error
	case answer.Message == nil:
		return sight{}, errors.New("the server answered with neither a message nor an error")
	}
	h, err := header(answer.Message.Hdrs)
	if err != nil {
		return sight{}, err
	}
	s, err := m.sight(key, answer.Message.Seq, over(h), answer.Message.Data)
	s.at, s.endless = answer.Message.Time, h.Get(jetstream.MsgTTLHeader) == ""
	return s, err
}

func header(text []byte) (nats.Header, error) {
	if len(text) == 0 {
		return nil, nil
	}
	h, err := nats.DecodeHeadersMsg(text)
	if err != nil {
		return nil, fmt.Errorf("the server answered with headers that cannot be read: %w", err)
	}
	return nats.Header(textproto.MIMEHeader(h)), nil
}

// ask makes a request to the API of JetStream.
func (m *Manager) ask(ctx context.Context, what string, question []byte, answer any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	msg, err := m.js.Conn().RequestWithContext(ctx, m.api()+what, question)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(msg.Data, answer); err != nil {
		return fmt.Errorf("the server answered with something that cannot be read: %w", err)
	}
	return nil
}

// api returns what the subjects of requests begin with, with a dot at the end.
func (m *Manager) api() string {
	switch o := m.js.Options(); {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	}
	return jetstream.DefaultAPIPrefix
}

// state is what the server says of the bucket as a whole.
type state struct {
	epoch    uint64    // when the bucket was made, in microseconds
	position uint64    // epoch and the sequence of the last message: greater after each write
	now      time.Time // the server's clock
}

// inspect reads how the bucket is set up, and refuses one in which leases could end early, or not at all.
func (m *Manager) inspect(ctx context.Context, ttl time.Duration) (state, error) {
	var answer struct {
		Error *jetstream.APIError
		jetstream.StreamInfo
	}
	if err := m.ask(ctx, "STREAM.INFO."+m.stream(), nil, &answer); err != nil {
		return state{}, err
	}
	if answer.Error != nil {
		return state{}, answer.Error
	}
	if err := suitable(answer.Config, ttl); err != nil {
		return state{}, lease.Permanent(fmt.Errorf("the bucket %s cannot keep leases: %w", m.bucket, err))
	}
	s := state{epoch: uint64(max(0, answer.Created.UnixMicro())), now: answer.TimeStamp}
	s.position = s.epoch + answer.State.LastSeq
	return s, nil
}

func suitable(c jetstream.StreamConfig, ttl time.Duration) error {
	switch {
	case !c.AllowMsgTTL:
		return errors.New("its messages have no time to live of their own, so a lease would never end: the server is older " +
			"than 2.11, or the bucket was made without LimitMarkerTTL")
	case c.SubjectDeleteMarkerTTL <= 0:
		return errors.New("it does not tell of messages whose time is over; set LimitMarkerTTL")
	case c.MaxAge > 0 && c.MaxAge < ttl:
		return fmt.Errorf("its TTL of %v ends leases of %v early; leave the TTL of the bucket out", c.MaxAge, ttl)
	case c.MaxMsgsPerSubject != 1:
		return fmt.Errorf("its history is %d, so that what was written before comes up again when a lease ends; "+
			"set History to 1", c.MaxMsgsPerSubject)
	case c.Discard != jetstream.DiscardNew && (c.MaxMsgs > 0 || c.MaxBytes > 0):
		return errors.New("it throws old messages away when it is full; make it as a bucket, which refuses new ones")
	case c.Storage != jetstream.FileStorage:
		return errors.New("it is kept in memory, so terms would start over with the server; set Storage to file")
	case c.Mirror != nil || len(c.Sources) > 0:
		return errors.New("it is a copy of another; use that one")
	}
	return nil
}

// write appends a message for key if the last one is still seq, and returns its sequence. ttl is how long it lives.
func (m *Manager) write(ctx context.Context, key string, seq uint64, ttl time.Duration, text []byte, end bool,
) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	msg := nats.NewMsg(m.subject(key))
	if api := m.api(); api != jetstream.DefaultAPIPrefix { // another domain or account
		msg.Subject = api + msg.Subject
	}
	msg.Data = text
	if end {
		msg.Header.Set(operation, purge)
	}
	ack, err := m.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(seq), jetstream.WithMsgTTL(ttl),
		jetstream.WithExpectStream(m.stream()))
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return 0, errConflict
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}
