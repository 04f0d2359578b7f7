package agent

import "fmt"

// lines is a log.
type lines []string

func (l *lines) Errorf(format string, args ...any) {
	*l = append(*l, "error: "+fmt.Sprintf(format, args...))
}

func (l *lines) Warnf(format string, args ...any) {
	*l = append(*l, "warning: "+fmt.Sprintf(format, args...))
}

func (l *lines) Infof(format string, args ...any) {
	*l = append(*l, "info: "+fmt.Sprintf(format, args...))
}

// silent is a log that several goroutines write and no test reads.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Infof(string, ...any)  {}
