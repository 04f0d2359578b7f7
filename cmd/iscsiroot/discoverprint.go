package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/discovery"
	"github.com/iscsiroot/iscsiroot/pkg/iscsi"
)

// discovered is what the portals answered.
type discovered struct {
	Initiator string       `json:"initiator"`
	Portals   []portalJSON `json:"portals"`
}

// portalJSON is a portal that was queried.
type portalJSON struct {
	Asked    string       `json:"asked"`
	Answered string       `json:"answered"` // differs after a redirect; empty with an error
	Targets  []targetJSON `json:"targets"`
	Warnings []string     `json:"warnings"`
	Error    string       `json:"error"`
	Hint     string       `json:"hint"`
}

// targetJSON is a target that it has.
type targetJSON struct {
	Name    string        `json:"name"`
	Portals []addressJSON `json:"portals"`
}

// addressJSON is a portal of a target.
type addressJSON struct {
	Address string  `json:"address"`
	Port    uint16  `json:"port"`
	Group   *uint16 `json:"portal_group"` // null if the target did not name one
}

// newPortal takes an answer over, or the error instead.
func newPortal(a discovery.Result, err error) portalJSON {
	p := portalJSON{Asked: a.Path[0].String(), Targets: []targetJSON{}, Warnings: append([]string{}, a.Warnings...)}
	if err != nil {
		p.Error, p.Hint = err.Error(), hintOf(err)
		return p
	}
	p.Answered = a.Path[len(a.Path)-1].String()
	for _, t := range a.Targets {
		one := targetJSON{Name: t.Name, Portals: []addressJSON{}}
		for _, at := range t.Addresses {
			j := addressJSON{Address: at.Host, Port: at.Port}
			if at.HasTPGT {
				j.Group = &at.TPGT
			}
			one.Portals = append(one.Portals, j)
		}
		p.Targets = append(p.Targets, one)
	}
	return p
}

// hintOf returns what to do about an error; empty if there is nothing to do.
func hintOf(err error) string {
	var advised interface{ Hint() string }
	if errors.As(err, &advised) {
		return advised.Hint()
	}
	return ""
}

// print writes all of it; what has an error is left out of the text, which is for people.
func (d discovered) print(w io.Writer, asJSON bool) error {
	text := d.text()
	if asJSON {
		b, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		text = string(b) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// text shows portals, targets and their portals, each indented below the other.
func (d discovered) text() string {
	var b strings.Builder
	for _, p := range d.Portals {
		if p.Error != "" {
			continue
		}
		at := p.Asked
		if p.Answered != p.Asked {
			at += ", redirected to " + p.Answered
		}
		if len(p.Targets) == 0 {
			fmt.Fprintf(&b, "%s: no target for %s; an access list may hide some\n", at, d.Initiator)
		} else {
			fmt.Fprintf(&b, "%s: targets for %s\n", at, d.Initiator)
		}
		for _, t := range p.Targets {
			fmt.Fprintf(&b, "  %s\n", t.Name)
			for _, a := range t.Portals {
				fmt.Fprintf(&b, "    %s\n", a)
			}
		}
		for _, w := range p.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", w)
		}
	}
	return b.String()
}

// String is a line for people.
func (a addressJSON) String() string {
	s := iscsi.TargetAddress{Host: a.Address, Port: a.Port}.String()
	if a.Group != nil {
		s += fmt.Sprintf(", portal group %d", *a.Group)
	}
	return s
}
