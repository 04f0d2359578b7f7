package sequence

import (
	"errors"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// LogStack logs where a panic came from, line by line, for the report of the bug. Other errors log
// nothing.
func LogStack(log Logger, err error) {
	var p *contain.PanicError
	if !errors.As(err, &p) {
		return
	}
	log.Errorf("this is a bug in iscsiroot: please report it with the lines that follow")
	for line := range strings.SplitSeq(p.Stack, "\n") {
		log.Errorf("%s", strings.TrimSpace(line))
	}
}
