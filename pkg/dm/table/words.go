package table

import "strconv"

// words are parameters of a target, with a space behind each.
type words struct {
	text  []byte
	count int
}

func (w *words) word(s string) {
	w.text = append(append(w.text, s...), ' ')
	w.count++
}

func (w *words) number(n uint64) { w.word(strconv.FormatUint(n, 10)) }

func (w *words) dev(n Number) { w.word(n.String()) }

// option adds a word and its argument, unless that is 0.
func (w *words) option(word string, n uint64) {
	if n != 0 {
		w.word(word)
		w.number(n)
	}
}

func (w *words) append(other words) {
	w.text = append(w.text, other.text...)
	w.count += other.count
}

// String returns the words without the last space.
func (w *words) String() string {
	if len(w.text) == 0 {
		return ""
	}
	return string(w.text[:len(w.text)-1])
}
