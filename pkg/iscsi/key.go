package iscsi

import (
	"fmt"
	"strconv"
	"strings"
)

// function is how the result of a key follows from both sides' values (RFC 7143 6.2, 13).
type function uint8

const (
	declare function = iota // no result: one side informs the other
	list                    // the first of the offer that the other side accepts
	and                     // Yes only if both say Yes
	or                      // Yes if one says Yes
	minimum
	maximum
	obsolete // may be offered by an old target; answered with Reject (13.25)
	proof    // a step of an authentication, processed by its stage
)

// sender is who may send a key first.
type sender uint8

const (
	initiator sender = 1 << iota
	target
	both = initiator | target
)

// stages is a set of stages in which a key may occur.
type stages uint8

const (
	security    stages = 1 << StageSecurity
	operational stages = 1 << StageOperational
	anyStage           = security | operational
)

func (s stages) has(x Stage) bool { return s&(1<<x) != 0 }

// key is one row of the table: the properties of a text key.
type key struct {
	name    string
	section string // of RFC 7143
	sender  sender
	stages  stages
	fn      function
	// discovery is set if the key is used in discovery sessions too.
	discovery bool
	// def is the RFC's default, and the preferred value if only the target offers the key.
	def string
	// lo and hi bound a number; hi 0 means that a declared value is text.
	lo, hi uint32
	// offer returns the value that is offered; nil: the key is never offered.
	offer func(*LoginConfig) string
	// set stores a result; nil: it is not needed.
	set func(*Result, value)
}

// value is a parsed value; which field is set depends on the key.
type value struct {
	text string
	num  uint32
	yes  bool
}

// parse reads a value of the key and verifies type and range.
func (k *key) parse(s string) (value, error) {
	v := value{text: s}
	if len(s) > maxValueLen {
		return v, fmt.Errorf("%d bytes, limit %d", len(s), maxValueLen)
	}
	switch {
	case k.fn == and || k.fn == or:
		v.yes = s == valueYes
		if !v.yes && s != valueNo {
			return v, fmt.Errorf("want Yes or No")
		}
	case k.hi > 0:
		n, err := parseNumber(s)
		if err != nil {
			return v, err
		}
		if n < uint64(k.lo) || n > uint64(k.hi) {
			return v, fmt.Errorf("want %d to %d", k.lo, k.hi)
		}
		v.num = uint32(n)
	}
	return v, nil
}

// legal reports whether answer is a possible result of an offer.
func (k *key) legal(offer, answer value) bool {
	switch k.fn {
	case list:
		return inList(offer.text, answer.text)
	case and:
		return offer.yes || !answer.yes
	case or:
		return !offer.yes || answer.yes
	case minimum:
		return answer.num <= offer.num
	case maximum:
		return answer.num >= offer.num
	}
	return true
}

// combine returns the result of the target's offer and the preferred value, as text. For a list
// without a common item it is Reject.
func (k *key) combine(offer, want value) string {
	switch k.fn {
	case list:
		for item := range strings.SplitSeq(offer.text, ",") {
			if inList(want.text, item) {
				return item
			}
		}
		return valueReject
	case and:
		return yesNo(offer.yes && want.yes)
	case or:
		return yesNo(offer.yes || want.yes)
	case minimum:
		return number(min(offer.num, want.num))
	case maximum:
		return number(max(offer.num, want.num))
	}
	return valueReject
}

// settled reports whether an offer alone decides the result, so that no answer is required (RFC
// 7143 6.2.2).
func (k *key) settled(offer value) bool {
	return k.fn == and && !offer.yes || k.fn == or && offer.yes
}

func inList(list, item string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if s == item {
			return true
		}
	}
	return false
}

func yesNo(yes bool) string {
	if yes {
		return valueYes
	}
	return valueNo
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func findKey(name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}
