package manual

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// gap is how many columns are between two cells.
const gap = 2

// layout returns the lines of a table whose first row is its head, in so many columns if its words
// are short enough. Cells that are too long have several lines.
func layout(rows [][]string, columns int) []string {
	cells, count := wordsOf(rows)
	widths := columnWidths(cells, count, columns)
	var out []string
	tall := false
	for i, row := range cells {
		lines := rowLines(row, widths)
		switch {
		case i == 0 && strings.Join(row, "") == "":
			continue
		case i == 0:
			var rule []string
			for _, w := range widths {
				rule = append(rule, strings.Repeat("-", w))
			}
			out = append(append(out, lines...), strings.Join(rule, strings.Repeat(" ", gap)))
			continue
		case i > 1 && (tall || len(lines) > 1):
			out = append(out, "")
		}
		tall = len(lines) > 1
		out = append(out, lines...)
	}
	return out
}

// wordsOf leaves the marks of literal text out, and counts the columns.
func wordsOf(rows [][]string) (cells [][]string, count int) {
	for _, row := range rows {
		count = max(count, len(row))
	}
	for _, row := range rows {
		out := make([]string, count)
		for i, cell := range row {
			out[i] = unmarked(cell)
		}
		cells = append(cells, out)
	}
	return cells, count
}

// columnWidths gives each column what its longest cell needs, and takes from the widest ones what
// is too much.
func columnWidths(cells [][]string, count, columns int) []int {
	widths := make([]int, count)
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for total(widths)+gap*(count-1) > columns {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= 1 {
			break
		}
		widths[widest]--
	}
	return widths
}

func total(widths []int) int {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	return sum
}

// rowLines sets the cells of a row beside each other.
func rowLines(row []string, widths []int) []string {
	var parts [][]string
	height := 0
	for i, cell := range row {
		parts = append(parts, wrap(cell, widths[i]))
		height = max(height, len(parts[i]))
	}
	var out []string
	for n := range height {
		line := ""
		for i, part := range parts {
			text := ""
			if n < len(part) {
				text = part[n]
			}
			line += text + strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(text))+gap)
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}
