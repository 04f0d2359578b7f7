package debug

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// Verbs are the commands of the shell that send requests to PID 1; they run in the shell.
func Verbs(c *control.Client) []verb.Verb {
	v := client{c}
	return []verb.Verb{
		{Name: "session", Help: "the state of the iSCSI sessions", Group: verb.Boot, Run: v.session},
		{Name: "steps", Help: "what ran, how long it took, what waits for what", Group: verb.Boot, Run: v.query(requestSteps)},
		{Name: "explain", Help: "the plan of this boot, each value with its source", Group: verb.Boot, Run: v.query(requestExplain)},
		{
			Name: "retry", Args: "[STEP] [NAME=VALUE...]", Help: "repeat a step, and all that need it", Group: verb.Boot, Complete: v.steps,
			More: "without STEP: what failed, and what the parameters change\nparameters are those of the kernel command line and override it\nthe shell ends; after a break it opens again where it was",
			Run:  func(_ context.Context, call *verb.Call) error { return v.leave(call, requestRetry, call.Args...) },
		},
		{
			Name: "login", Args: "[ADDRESS[:PORT] [TARGET]]", Help: "log in, again or elsewhere, and come back here", Group: verb.Boot,
			More: "the shell ends, and opens again when the login is done",
			Run:  v.login,
		},
		{Name: "reboot", Args: "[-f]", Help: "write everything back and reboot; -f: immediately", Group: verb.Boot, Run: v.query(requestReboot)},
		{Name: "poweroff", Args: "[-f]", Help: "write everything back and switch off; -f: immediately", Group: verb.Boot, Run: v.query(requestPowerOff)},
	}
}

// client sends requests to PID 1: *control.Client.
type client struct{ *control.Client }

// query makes a verb that shows PID 1's answer.
func (a client) query(request string) func(context.Context, *verb.Call) error {
	return func(_ context.Context, c *verb.Call) error { return a.leave(c, request, c.Args...) }
}

// leave shows the answer, and ends the shell if the answer is control.Leave.
func (a client) leave(c *verb.Call, request string, args ...string) error {
	answer, err := a.Ask(append([]string{request}, args...)...)
	switch {
	case err != nil:
		return err
	case answer.Kind == control.Leave:
		_ = c.Printf("%s", answer.Text)
		return verb.ErrLeave
	case answer.Kind != control.OK:
		return errors.New(strings.TrimSpace(answer.Text))
	}
	return c.Printf("%s", answer.Text)
}

// steps lists the steps, for completion.
func (a client) steps() []string {
	answer, err := a.Ask(requestSteps)
	if err != nil || answer.Kind != control.OK {
		return nil
	}
	var out []string
	for line := range strings.Lines(answer.Text) {
		if f := strings.Fields(line); len(f) > 0 {
			out = append(out, f[0])
		}
	}
	return out
}

// login turns its arguments into parameters.
func (a client) login(_ context.Context, c *verb.Call) error {
	var params []string
	for i, arg := range c.Args {
		switch {
		case strings.Contains(arg, "="):
			params = append(params, arg)
		case i == 0:
			params = append(params, portalParams(arg)...)
		case i == 1:
			params = append(params, "iscsi_t="+arg)
		default:
			return &verb.UsageError{Cause: "too many arguments"}
		}
	}
	return a.leave(c, requestLogin, params...)
}

// portalParams returns the parameters of a portal, always with a port, so that they override the
// one of the command line.
func portalParams(portal string) []string {
	if ap, err := netip.ParseAddrPort(portal); err == nil {
		return []string{"iscsi_a=" + ap.Addr().String(), fmt.Sprintf("iscsi_p=%d", ap.Port())}
	}
	return []string{"iscsi_a=" + portal}
}

// session shows the sessions as sysfs has them, and the login's last error from PID 1.
func (a client) session(_ context.Context, c *verb.Call) error {
	text := status.Sessions("/sys")
	if answer, err := a.Ask(requestError, "login"); err == nil && answer.Text != "" {
		text += "last error of the login: " + answer.Text
	}
	return c.Printf("%s", text)
}
