package verb

import (
	"fmt"
	"strings"
)

// Columns lays words out on a screen of that width.
func Columns(words []string, columns int) string {
	width := 0
	for _, w := range words {
		width = max(width, len(w)+2)
	}
	var out strings.Builder
	across := max(columns/width, 1)
	for i, w := range words {
		if (i+1)%across == 0 || i == len(words)-1 {
			out.WriteString(w + "\n")
		} else {
			fmt.Fprintf(&out, "%-*s", width, w)
		}
	}
	return out.String()
}
