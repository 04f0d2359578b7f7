package boot

import (
	"context"

	"github.com/iscsiroot/iscsiroot/pkg/shell/verb"
	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// session tells of the sessions, by what the kernel says of them in sysfs, and
// of the login's last error, by what PID 1 says.
func (a asker) session(_ context.Context, c *verb.Call) error {
	text := status.Sessions("/sys")
	if answer, err := a.Ask(askError, "login"); err == nil && answer.Text != "" {
		text += "last error of the login: " + answer.Text
	}
	return c.Printf("%s", text)
}
