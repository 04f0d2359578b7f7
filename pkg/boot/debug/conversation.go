package debug

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/boot/sequence"
	"github.com/iscsiroot/iscsiroot/pkg/bootspec"
	"github.com/iscsiroot/iscsiroot/pkg/shell/control"
	"github.com/iscsiroot/iscsiroot/pkg/shell/crypt"
)

// The requests of the shell's verbs.
const (
	requestSteps    = "steps"
	requestExplain  = "explain"
	requestError    = "error" // of a step's last attempt
	requestRetry    = "retry" // "STEP" or "", parameters
	requestLogin    = "login" // parameters
	requestReboot   = "reboot"
	requestPowerOff = "poweroff"
)

// Limits of what one shell can store in process 1.
const (
	maxHistory  = 100 // lines of history
	maxAttempts = 3   // at the password
)

// conversation is PID 1's side of one shell. Only its goroutine uses it until the shell has ended.
type conversation struct {
	m        Machine
	greeting string
	step     string // at which the shell was opened
	locked   bool
	attempts int
	history  control.Typed
	resume   sequence.Resume
	acted    bool
}

func (s *Shell) newConversation(greeting, step string) *conversation {
	return &conversation{m: s.m, greeting: greeting, step: step, history: s.history, locked: s.m.Plan.Policy.Password.Given()}
}

// answer answers a request. Only requests that end the shell, such as retry, change the boot.
func (c *conversation) answer(r control.Request) control.Answer {
	if c.locked && r[0] != control.Password {
		return control.Answer{Kind: control.Locked, Text: "iscsiroot: the shell of this image has a password\n"}
	}
	text, err := c.do(r[0], r[1:])
	switch {
	case errors.Is(err, errWrong):
		return control.Answer{Kind: control.Locked, Text: "iscsiroot: wrong password\n"}
	case err != nil:
		return control.Answer{Kind: control.Failed, Text: err.Error()}
	case c.acted:
		return control.Answer{Kind: control.Leave, Text: text}
	}
	return control.Answer{Kind: control.OK, Text: text}
}

func (c *conversation) do(verb string, args []string) (string, error) {
	switch verb {
	case control.Hello:
		return c.greeting, nil
	case control.Password:
		return c.greeting, c.unlock(strings.Join(args, " "))
	case control.Remember:
		c.remember(strings.Join(args, " "))
		return "", nil
	case control.History:
		return c.history.String(), nil
	case requestSteps:
		return c.m.Progress.String(), nil
	case requestExplain:
		return explain(*c.m.Plan), nil
	case requestError:
		return c.lastError(strings.Join(args, " ")), nil
	case requestRetry:
		return c.retry(args)
	case requestLogin:
		return c.login(args)
	case requestReboot:
		return "", c.power(bootspec.Reboot, args)
	case requestPowerOff:
		return "", c.power(bootspec.PowerOff, args)
	}
	return "", fmt.Errorf("unknown request %.20q", verb)
}

var errWrong = errors.New("wrong password")

// unlock checks the password. After three that are wrong it ends the shell.
func (c *conversation) unlock(word string) error {
	if !c.locked {
		return nil
	}
	hash, err := crypt.Parse(string(c.m.Plan.Policy.Password.V))
	if err == nil && hash.Matches(strings.TrimRight(word, "\r\n")) {
		c.locked = false
		return nil
	}
	c.attempts++
	if c.attempts >= maxAttempts {
		c.m.Log.Warnf("shell: wrong password, %d times: the boot continues without a shell", c.attempts)
		return errors.New("wrong password: the boot continues without a shell")
	}
	return errWrong
}

func (c *conversation) remember(line string) {
	c.history = c.history.Add(line)
	c.history = c.history[max(0, len(c.history)-maxHistory):]
}

func (c *conversation) lastError(step string) string {
	if err := c.m.Progress.Failure(step); err != nil {
		return err.Error() + "\n"
	}
	return ""
}

// power ends the machine; "-f" does so without writing anything back.
func (c *conversation) power(action bootspec.Emergency, args []string) error {
	c.m.Log.Errorf("shell: %s", action)
	if len(args) > 0 && args[0] == "-f" {
		return c.m.PowerNow(action)
	}
	c.m.Power(action)
	return nil
}

// retry requests that a step is repeated, and with it those that the parameters change.
func (c *conversation) retry(args []string) (string, error) {
	step, params := "", args
	if len(args) > 0 && args[0] != "" && !strings.Contains(args[0], "=") && slices.Contains(c.m.Progress.All(), args[0]) {
		step, params = args[0], args[1:]
	} else if len(args) > 0 && args[0] == "" {
		params = args[1:]
	} else if len(args) > 0 && !strings.Contains(args[0], "=") {
		return "", fmt.Errorf("no such step %s: the steps are %s", args[0], strings.Join(c.m.Progress.All(), ", "))
	}
	return c.resumeAt(step, "", params)
}

// login requests that the login is repeated and the shell opened after it.
func (c *conversation) login(params []string) (string, error) {
	return c.resumeAt("login", "disk", params)
}

// explain returns the plan and its warnings, as iscsiroot explain prints them.
func explain(plan bootspec.Plan) string {
	lines := plan.Explain()
	for _, w := range plan.Warnings {
		lines = append(lines, "warning: "+w)
	}
	return strings.Join(lines, "\n") + "\n"
}
