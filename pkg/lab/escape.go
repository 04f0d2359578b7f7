package lab

// escapes takes the control sequences out of a terminal's bytes (ECMA-48 5.4: CSI, parameters, a
// final byte). SeaBIOS moves the cursor in the middle of words.
type escapes struct{ state escapeState }

type escapeState int

const (
	outside escapeState = iota
	afterESC
	insideCSI
)

// strip returns p without the sequences; one may begin in one call and end in another.
func (e *escapes) strip(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		switch e.state {
		case afterESC:
			e.state = outside
			if b == '[' {
				e.state = insideCSI
			}
		case insideCSI:
			if b >= 0x40 && b <= 0x7e {
				e.state = outside
			}
		default:
			if b == 0x1b {
				e.state = afterESC
			} else {
				out = append(out, b)
			}
		}
	}
	return out
}
