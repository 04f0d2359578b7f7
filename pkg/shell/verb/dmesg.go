package verb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func dmesgVerb() Verb {
	return Verb{Name: "dmesg", Args: "[-w]", Help: "show the log of the kernel and of iscsiroot; -w: wait for more", Group: System, Run: func(ctx context.Context, c *Call) error {
		o, _, err := c.options("w")
		if err != nil {
			return err
		}
		fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open /dev/kmsg: %w", err)
		}
		defer func() { _ = unix.Close(fd) }()
		buf := make([]byte, 8192) // a record is at most that long (kernel/printk/printk.c: PRINTK_MESSAGE_MAX)
		for ctx.Err() == nil {
			n, err := unix.Read(fd, buf)
			switch {
			case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR): // the oldest records were overwritten
			case errors.Is(err, unix.EAGAIN) && o.has('w'):
				_ = sleepVerb().Run(ctx, &Call{Args: []string{"0.2"}})
			case errors.Is(err, unix.EAGAIN):
				return nil
			case err != nil:
				return fmt.Errorf("read /dev/kmsg: %w", err)
			default:
				if err := c.Printf("%s\n", formatRecord(string(buf[:n]))); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	}}
}

// formatRecord writes a record of /dev/kmsg as dmesg does: "LEVEL,NUMBER,MICROSECONDS,FLAGS;TEXT\n
// KEY=VALUE\n" (Documentation/ABI/testing/dev-kmsg).
func formatRecord(record string) string {
	head, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	f := strings.Split(head, ",")
	if len(f) < 3 {
		return text
	}
	us, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return text
	}
	at := time.Duration(us) * time.Microsecond
	return fmt.Sprintf("[%12.6f] %s", at.Seconds(), text)
}
