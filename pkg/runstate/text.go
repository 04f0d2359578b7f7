package runstate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxText is how long a file may be, in bytes, to its writer and its reader.
const maxText = 256 << 10

// lines are those of a text of limit bytes at most. One that does not fit is left out.
type lines struct {
	strings.Builder
	limit int
}

func (l *lines) add(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); l.Len()+len(line) <= l.limit {
		l.WriteString(line)
	}
}

// upTo returns the first n.
func upTo[T any](n int, list []T) []T { return list[:min(n, len(list))] }

// version is the newest that is known.
const version = 1

// errVersion is the error of a file whose version is unknown.
var errVersion = errors.New("version is not known")

// checkVersion reads one.
func checkVersion(word string) error {
	if n, err := strconv.ParseUint(word, 10, 16); err != nil || n != version {
		return fmt.Errorf("%w: %q, and not %d", errVersion, word, version)
	}
	return nil
}

// none stands for an empty word.
const none = "-"

// word makes one of a text: blanks are between words.
func word(text string) string { return cmp.Or(joined(text), none) }

// joined is word for the last of a line, which may be empty.
func joined(text string) string { return strings.Join(strings.Fields(text), "_") }

// fields splits a line into words. What netip writes for an address that there is not, "invalid
// IP", is two words: they become none.
func fields(line string) []string {
	f := strings.Fields(line)
	for i := 0; i+1 < len(f); i++ {
		if f[i] == "invalid" && (f[i+1] == "IP" || f[i+1] == "Prefix" || f[i+1] == "AddrPort") {
			f[i] = none
			f = slices.Delete(f, i+1, i+2)
		}
	}
	return f
}

// pairs are the keys and values of a line, from its third word on.
type pairs []string

// text is a value; empty: it is not there.
func (p pairs) text(key string) string {
	for i := 0; i+1 < len(p); i += 2 {
		if p[i] == key && p[i+1] != none {
			return p[i+1]
		}
	}
	return ""
}

func (p pairs) number(key string) int {
	n, _ := strconv.ParseInt(p.text(key), 10, 32)
	return int(n)
}

func (p pairs) prefix(key string) netip.Prefix {
	a, _ := netip.ParsePrefix(p.text(key))
	return a
}

func (p pairs) seconds(key string) time.Duration { return seconds(p.text(key)) }

// maxSeconds is less than the longest time.Duration.
const maxSeconds = 9e9

// seconds reads a number of them, to the millisecond; 0: it is not one.
func seconds(text string) time.Duration {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= maxSeconds) {
		return 0
	}
	return time.Duration(math.Round(n*1000)) * time.Millisecond
}
