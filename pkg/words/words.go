// Package words reads lines of values. Package fmt's scanning does as much and far more, which
// makes init 50 KB larger.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Read reads the values of a line, separated by blanks, into the variables that into points to:
// integers, booleans, and text, plain or quoted by %q.
func Read(line string, into ...any) error {
	for i, to := range into {
		word, rest, err := cut(strings.TrimLeft(line, " "))
		if err == nil {
			err = set(to, word)
		}
		if err != nil { // strconv's shows the value
			return fmt.Errorf("value %d of a line is not a %T", i+1, to)
		}
		line = rest
	}
	if strings.Trim(line, " ") != "" {
		return fmt.Errorf("more than %d values in a line", len(into))
	}
	return nil
}

// cut splits a line after its first value.
func cut(line string) (word, rest string, err error) {
	if !strings.HasPrefix(line, `"`) {
		word, rest, _ = strings.Cut(line, " ")
		if word == "" || strings.Contains(word, `"`) {
			err = strconv.ErrSyntax
		}
		return word, rest, err
	}
	quoted, err := strconv.QuotedPrefix(line)
	if err != nil {
		return "", "", err
	}
	word, err = strconv.Unquote(quoted)
	return word, line[len(quoted):], err
}

// set stores a value in the variable that to points to.
func set(to any, word string) (err error) {
	switch to := to.(type) {
	case *string:
		*to = word
	case *bool:
		*to, err = strconv.ParseBool(word)
	case *int:
		*to, err = strconv.Atoi(word)
	case *time.Duration:
		var n int64
		n, err = strconv.ParseInt(word, 10, 64)
		*to = time.Duration(n)
	case *uint32:
		var n uint64
		n, err = strconv.ParseUint(word, 10, 32)
		*to = uint32(n)
	case *uint64:
		*to, err = strconv.ParseUint(word, 10, 64)
	default:
		err = fmt.Errorf("no reader of %T", to)
	}
	return err
}
