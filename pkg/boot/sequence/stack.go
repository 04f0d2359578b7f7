package sequence

import (
	"errors"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/contain"
)

// LogStack logs the stack of a panic, line by line, for a bug report. Of other errors it logs
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
