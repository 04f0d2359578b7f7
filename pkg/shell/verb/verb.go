package verb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/iscsiroot/iscsiroot/pkg/status"
)

// Group is a heading of help.
type Group string

// The groups, in the order of help.
const (
	Boot    Group = "this boot"
	Files   Group = "files"
	Text    Group = "text"
	System  Group = "system"
	Network Group = "network"
)

// Groups lists the groups in the order of help.
func Groups() []Group { return []Group{Boot, Files, Text, System, Network} }

// Verb is one command of the shell.
type Verb struct {
	Name  string
	Args  string // form of the arguments; may be empty
	Help  string // what it does, in one line
	More  string // what help VERB adds; may be empty
	Group Group
	// Complete, if set, lists the words that complete an argument, besides files.
	Complete func() []string
	// Run runs the verb. An error is shown after the verb's name; a *StatusError is not. Nil:
	// it is a builtin of the interpreter.
	Run func(context.Context, *Call) error
}

// Call is one run of a verb.
type Call struct {
	Name string
	Args []string // without the name
	Dir  string   // working directory, absolute
	In   io.Reader
	Out  io.Writer
	Err  io.Writer
	// Terminal is set if the output is a terminal.
	Terminal Terminal
}

// Path returns the path of an argument, relative to the working directory.
func (c *Call) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Dir, p)
}

// Printf writes to the call's output. Its error is that of the writer, which ends the verb.
func (c *Call) Printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format, args...)
	return err
}

// ErrLeave ends the shell.
var ErrLeave = errors.New("leave the shell")

// StatusError ends a verb with a status and without a message, as grep without a match.
type StatusError struct{ Status uint8 }

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d", e.Status) }

// UsageError reports arguments that a verb does not accept.
type UsageError struct{ Cause string }

// Error implements error.
func (e *UsageError) Error() string { return e.Cause }

// usage returns a *UsageError.
func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// options are the options that were given: a letter without a value has "".
type options map[byte]string

func (o options) has(letter byte) bool {
	_, ok := o[letter]
	return ok
}

// options removes the options from the arguments. known lists the letters, each followed by ":" if
// it has a value. "--" ends them, and so does the first other argument: "-" alone is a file.
func (c *Call) options(known string) (options, []string, error) {
	out := options{}
	args := c.Args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		arg := args[0][1:]
		args = args[1:]
		if arg == "-" {
			break
		}
		for arg != "" {
			letter := arg[0]
			arg = arg[1:]
			at := strings.IndexByte(known, letter)
			switch {
			case at < 0 || letter == ':':
				return nil, nil, usage("unknown option -%c", letter)
			case !strings.HasPrefix(known[at+1:], ":"):
				out[letter] = ""
				continue
			case arg == "" && len(args) == 0:
				return nil, nil, usage("option -%c needs a value", letter)
			case arg == "":
				arg, args = args[0], args[1:]
			}
			out[letter], arg = arg, ""
		}
	}
	return out, args, nil
}

// each calls f for each argument, and goes on after an error.
func each(ctx context.Context, args []string, f func(string) error) error {
	var errs []error
	for _, arg := range args {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, f(arg))
	}
	return errors.Join(errs...)
}

// All lists the verbs.
func All() []Verb {
	return []Verb{
		lsVerb(), catVerb(), cpVerb(), mvVerb(), rmVerb(), mkdirVerb(), touchVerb(), lnVerb(), findVerb(),
		moreVerb("more"), moreVerb("less"), grepVerb(), headVerb(), tailVerb(), wcVerb(), sortVerb(), hexdumpVerb(),
		dmesgVerb(), lsmodVerb(), modprobeVerb(), insmodVerb(), rmmodVerb(), mountVerb(), umountVerb(), blkidVerb(), lvsVerb(), mdstatVerb(), multipathVerb(status.KernelMaps),
		psVerb(), killVerb(), dfVerb(), freeVerb(), unameVerb(), dateVerb(), sleepVerb(), syncVerb(),
		ipVerb(), pingVerb(),
	}
}
