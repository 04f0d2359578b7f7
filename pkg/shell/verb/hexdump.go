package verb

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
)

func hexdumpVerb() Verb {
	return Verb{Name: "hexdump", Args: "[-s OFFSET] [-n BYTES] [FILE...]", Help: "show bytes, as hexdump -C does", Group: Text, Run: func(ctx context.Context, c *Call) error {
		o, args, err := c.options("Cs:n:")
		if err != nil {
			return err
		}
		numbers := map[byte]int64{'s': 0, 'n': 1 << 62}
		for letter := range numbers {
			if o.has(letter) {
				n, err := strconv.ParseInt(o[letter], 0, 64)
				if err != nil || n < 0 {
					return usage("-%c %s: not a number of bytes", letter, o[letter])
				}
				numbers[letter] = n
			}
		}
		return c.inputs(ctx, args, func(_ string, r io.Reader) error {
			if err := skip(r, numbers['s']); err != nil {
				return err
			}
			d := hex.Dumper(c.Out)
			_, err := io.Copy(d, io.LimitReader(r, numbers['n']))
			return errors.Join(err, d.Close())
		})
	}}
}

// skip skips n bytes, by seeking where that works.
func skip(r io.Reader, n int64) error {
	if cr, ok := r.(*contextReader); ok {
		if s, ok := cr.r.(io.Seeker); ok {
			if _, err := s.Seek(n, io.SeekStart); err == nil {
				return nil
			}
		}
	}
	_, err := io.CopyN(io.Discard, r, n)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
