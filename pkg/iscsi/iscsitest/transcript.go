package iscsitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// Transcript is a recorded login: the PDUs of both sides in the order in which they crossed the
// wire.
type Transcript []*iscsi.PDU

// ParseTranscript reads PDUs that follow each other without a gap. The opcode determines which side
// sent each of them.
func ParseTranscript(b []byte) (Transcript, error) {
	var t Transcript
	pipe := iscsi.NewTCPPipe(reader{bytes.NewReader(b)})
	for {
		p, err := pipe.Receive(context.Background())
		switch {
		case errors.Is(err, io.EOF):
			return t, nil
		case err != nil:
			return t, fmt.Errorf("transcript: PDU %d: %w", len(t)+1, err)
		}
		t = append(t, p)
	}
}

// FromTarget reports whether the target sends PDUs of that kind.
func FromTarget(op iscsi.Opcode) bool { return op >= iscsi.OpNOPIn }

// Script replays the target's side of the transcript, without regard to what the initiator sends.
func (t Transcript) Script() Script {
	var s Script
	for _, p := range t {
		if FromTarget(p.Opcode()) {
			s = append(s, func(conn net.Conn, _ *iscsi.PDU) error { return Write(conn, p) })
		}
	}
	return s
}

// reader is a connection from which fixed bytes are read.
type reader struct{ io.Reader }

func (reader) Write(b []byte) (int, error) { return len(b), nil }
func (reader) SetDeadline(time.Time) error { return nil }

// Replay returns a connection whose far end sends b and then closes, for any bytes that are written
// to it: for fuzzing.
func Replay(b []byte) iscsi.Conn { return reader{bytes.NewReader(b)} }
