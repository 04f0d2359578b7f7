package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// explanation is the output of explain.
type explanation struct {
	Boots    bool          `json:"boots"` // nothing is wrong or missing
	Plan     []settingJSON `json:"plan"`
	Errors   []string      `json:"errors"`
	Warnings []string      `json:"warnings"`
}

// settingJSON is bootspec.Setting.
type settingJSON struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"source"`
}

// print writes the explanation, and returns an error if a boot would fail.
func (e *explanation) print(w io.Writer, asJSON bool) error {
	e.Boots = len(e.Errors) == 0
	text := e.text()
	if asJSON {
		b, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return err
		}
		text = string(b) + "\n"
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if !e.Boots {
		return fmt.Errorf("a machine could not boot with it: %d things are wrong or missing", len(e.Errors))
	}
	return nil
}

// text returns the plan in columns, then errors and warnings.
func (e *explanation) text() string {
	var b strings.Builder
	width := 0
	for _, s := range e.Plan {
		width = max(width, len(s.What))
	}
	for _, s := range e.Plan {
		fmt.Fprintf(&b, "%-*s  %s  (%s)\n", width, s.What, s.Value, s.From)
	}
	for _, one := range e.Errors {
		fmt.Fprintf(&b, "error: %s\n", one)
	}
	for _, one := range e.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", one)
	}
	return b.String()
}
