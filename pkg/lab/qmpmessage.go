package lab

import (
	"encoding/json"
	"errors"
	"fmt"
)

// qmpLineLimit bounds one message of QEMU's, in bytes. The longest that the lab requests have a few
// hundred.
const qmpLineLimit = 64 << 10

var (
	errQMPLong = fmt.Errorf("message longer than %d bytes", qmpLineLimit)
	errQMPKind = errors.New("message is neither greeting, answer nor event")
)

// qmpMessage is one line from QEMU: exactly one of its members is set (QEMU docs/interop/qmp-spec).
type qmpMessage struct {
	Greeting json.RawMessage `json:"QMP,omitempty"`
	Return   json.RawMessage `json:"return,omitempty"`
	Error    *QMPError       `json:"error,omitempty"`
	Event    string          `json:"event,omitempty"`
	Data     struct {
		Guest  bool   `json:"guest"`
		Reason string `json:"reason"`
		Status string `json:"status"`
	} `json:"data,omitzero"`
}

// QMPError is QEMU's refusal of a command.
type QMPError struct {
	// Class is "GenericError", "CommandNotFound" and the like.
	Class string `json:"class"`
	// Desc is text without a fixed form.
	Desc string `json:"desc"`
}

func (e *QMPError) Error() string { return e.Class + ": " + e.Desc }

// decodeQMP reads one line.
func decodeQMP(line []byte) (qmpMessage, error) {
	var m qmpMessage
	if len(line) > qmpLineLimit {
		return m, fmt.Errorf("decode qmp: %w", errQMPLong)
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return qmpMessage{}, fmt.Errorf("decode qmp: %w", err)
	}
	kinds := 0
	for _, set := range []bool{m.Greeting != nil, m.Return != nil, m.Error != nil, m.Event != ""} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return qmpMessage{}, fmt.Errorf("decode qmp: %w", errQMPKind)
	}
	return m, nil
}
