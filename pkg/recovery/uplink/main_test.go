package uplink

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/iscsiroot/iscsiroot/pkg/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// journal is a log that several goroutines write.
type journal struct {
	mu  sync.Mutex
	log []string
}

func (j *journal) Errorf(format string, args ...any) { j.write("error: "+format, args...) }
func (j *journal) Warnf(format string, args ...any)  { j.write("warning: "+format, args...) }
func (j *journal) Infof(format string, args ...any)  { j.write("info: "+format, args...) }

func (j *journal) write(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log = append(j.log, fmt.Sprintf(format, args...))
}

// logged returns the log so far, a line each.
func (j *journal) logged() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.log, "\n")
}
