package verb

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxSort is how much is sorted at most, in bytes.
const maxSort = 64 << 20

func sortVerb() Verb {
	return Verb{
		Name: "sort", Args: "[-nru] [FILE...]", Help: "sort lines", Group: Text,
		More: "-n by leading number, -r in reverse, -u without repeats",
		Run: func(ctx context.Context, c *Call) error {
			o, args, err := c.options("nru")
			if err != nil {
				return err
			}
			var lines []string
			size := 0
			err = c.inputs(ctx, args, func(_ string, r io.Reader) error {
				return eachLine(r, func(line string) (bool, error) {
					if size += len(line); size > maxSort {
						return false, usage("more than %d MiB", maxSort>>20)
					}
					lines = append(lines, line)
					return true, nil
				})
			})
			if err != nil {
				return err
			}
			order(lines, o)
			if o.has('u') {
				lines = slices.Compact(lines)
			}
			for _, line := range lines {
				if err := c.Printf("%s\n", line); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func order(lines []string, o options) {
	slices.SortStableFunc(lines, func(a, b string) int {
		d := 0
		if o.has('n') {
			d = cmp.Compare(leadingNumber(a), leadingNumber(b))
		}
		if d == 0 {
			d = strings.Compare(a, b)
		}
		if o.has('r') {
			d = -d
		}
		return d
	})
}

func leadingNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && s[0] == '-') {
		end++
	}
	n, _ := strconv.ParseFloat(s[:end], 64)
	return n
}

func wcVerb() Verb {
	return Verb{Name: "wc", Args: "[-lwc] [FILE...]", Help: "count lines, words and bytes", Group: Text, Run: func(ctx context.Context, c *Call) error {
		o, args, err := c.options("lwc")
		if err != nil {
			return err
		}
		return c.inputs(ctx, args, func(name string, r io.Reader) error {
			var n [3]int
			if err := count(r, &n); err != nil {
				return err
			}
			var out []string
			for i, letter := range []byte("lwc") {
				if len(o) == 0 || o.has(letter) {
					out = append(out, strconv.Itoa(n[i]))
				}
			}
			if name != "-" {
				out = append(out, name)
			}
			return c.Printf("%s\n", strings.Join(out, " "))
		})
	}}
}

// count counts lines, words and bytes.
func count(r io.Reader, n *[3]int) error {
	br := bufio.NewReader(r)
	inWord := false
	for {
		ch, size, err := br.ReadRune()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		n[2] += size
		if ch == '\n' {
			n[0]++
		}
		if space := unicode.IsSpace(ch); !space && !inWord {
			n[1]++
			inWord = true
		} else if space {
			inWord = false
		}
	}
}
