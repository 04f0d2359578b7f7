package faultproxy

import (
	"fmt"
	"time"
)

// Direction is the way that a PDU goes.
type Direction int

// The two directions.
const (
	ToTarget Direction = iota
	ToInitiator
)

// String implements fmt.Stringer.
func (d Direction) String() string {
	return [...]string{"to target", "to initiator"}[d]
}

// Action is what is done to a PDU.
type Action int

// The actions. After Reset, Close and Truncate the connection is over; after BlackHole it stays
// open and nothing passes in either direction.
const (
	Delay     Action = iota // the PDU waits for the fault's Pause
	Drop                    // the PDU is left out
	Reset                   // RST to both sides in place of the PDU
	Close                   // FIN to both sides in place of the PDU
	Truncate                // half of the PDU's header, then FIN to both sides
	BlackHole               // the PDU and all that follows it, both ways, is left out
	Bytewise                // the PDU goes one byte at a time, with the fault's Pause in between
)

// Actions returns all actions.
func Actions() []Action {
	return []Action{Delay, Drop, Reset, Close, Truncate, BlackHole, Bytewise}
}

// String implements fmt.Stringer.
func (a Action) String() string {
	return [...]string{"delay", "drop", "reset", "close", "truncate", "black hole", "one byte at a time"}[a]
}

// Fault is an action at one PDU of a connection.
type Fault struct {
	Direction Direction
	// PDU counts from 1 in its direction.
	PDU    int
	Action Action
	// Pause is for Delay and Bytewise.
	Pause time.Duration
	// From and Until select the connections, counted from 0: From is the first with the fault,
	// Until the first without it again; 0: there is none.
	From, Until int
	// Call, if set, is called when the fault is injected, before the action.
	Call func()
}

func (f Fault) applies(connection int) bool {
	return connection >= f.From && (f.Until == 0 || connection < f.Until)
}

// String implements fmt.Stringer.
func (f Fault) String() string {
	return fmt.Sprintf("%v of PDU %d %v", f.Action, f.PDU, f.Direction)
}
