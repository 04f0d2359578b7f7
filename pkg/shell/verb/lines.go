package verb

import (
	"bufio"
	"errors"
	"io"
)

// maxLine is the length in bytes at which a longer line is split.
const maxLine = 1 << 20

// eachLine calls f for each line, without its newline, until f returns false.
func eachLine(r io.Reader, f func(line string) (more bool, err error)) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadSlice('\n')
		text := string(line)
		for errors.Is(err, bufio.ErrBufferFull) && len(text) < maxLine {
			line, err = br.ReadSlice('\n')
			text += string(line)
		}
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if n := len(text); n > 0 && text[n-1] == '\n' {
			text = text[:n-1]
		} else if n == 0 {
			return nil
		}
		if more, ferr := f(text); ferr != nil || !more {
			return ferr
		}
	}
}
