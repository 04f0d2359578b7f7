package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Lengths are in pixels.
const (
	width, left, right = 1040, 150, 390
	rowHeight          = 26
	barHeight          = 16
	titleHeight        = 44
	axisHeight         = 34
)

// Colours of the picture: ours, the others, the kernel's time.
const (
	colourOurs   = "#1f6f8b"
	colourOther  = "#b9b4a7"
	colourKernel = "#e6e2d8"
	colourText   = "#222"
	colourGrid   = "#ddd"
)

// picture draws from top to bottom.
type picture struct {
	b strings.Builder
	y float64
}

// svg is the report as a picture: for each configuration the times of all, then our steps and the
// limit's.
func (r *Report) svg() string {
	p := &picture{}
	for _, c := range r.Configs {
		title := fmt.Sprintf("%s, %s, linux %s", c.NIC, processors(c.CPUs), r.Kernel)
		p.times(title, c)
		end := 0.0
		for _, res := range c.Results {
			for _, s := range res.Steps {
				end = max(end, s.End)
			}
		}
		for _, res := range c.Results {
			if len(res.Steps) > 0 {
				p.steps(fmt.Sprintf("%s: steps of %s in one boot, since /init", c.NIC, res.Name), end, res)
			}
		}
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"13\" fill=\"%s\">\n"+
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s</svg>\n", width, p.y, colourText, p.b.String())
}

// times draws a bar for each initramfs: the kernel's time, then init's, with the range of the sum.
func (p *picture) times(title string, c Config) {
	end := 0.0
	for _, r := range c.Results {
		end = max(end, r.Total.Max)
	}
	s := p.begin(title+": the kernel's time, then init's", end, len(c.Results))
	for _, r := range c.Results {
		colour := colourOther
		if r.Name == ours {
			colour = colourOurs
		}
		run := r.Total.Median - r.Init.Median
		p.label(r.Name)
		p.bar(s, 0, run, colourKernel)
		p.bar(s, run, r.Total.Median, colour)
		p.whisker(s, r.Total)
		p.value(s(r.Total.Max)+8, fmt.Sprintf("init %.2f s, in all %.2f s, image %.1f MiB, host cpu %.1f s, free %.0f MiB",
			r.Init.Median, r.Total.Median, float64(r.Bytes)/(1<<20), r.CPU.Median, r.available()))
		p.y += rowHeight
	}
	p.y += axisHeight
}

// steps draws each step where it lies in time. The axis goes to end, the same for all that are to
// be compared.
func (p *picture) steps(title string, end float64, r Result) {
	x := p.begin(title, end, len(r.Steps))
	colour := colourOther
	if r.Name == ours {
		colour = colourOurs
	}
	for _, s := range r.Steps {
		p.label(s.Name)
		p.bar(x, s.Begin, s.End, colour)
		p.value(x(s.End)+6, fmt.Sprintf("%.0f ms", (s.End-s.Begin)*1000))
		p.y += rowHeight
	}
	p.y += axisHeight
}

// begin draws a title and a grid for so many rows, and returns where a value lies.
func (p *picture) begin(title string, end float64, rows int) func(float64) float64 {
	p.text(left, p.y+28, "font-weight=\"bold\"", title)
	p.y += titleHeight
	scale := func(v float64) float64 { return left + v/max(end, 1e-9)*(width-left-right) }
	step := gridStep(end)
	bottom := p.y + float64(rows*rowHeight)
	for i := 0; float64(i)*step <= end*1.0001; i++ {
		v := float64(i) * step
		fmt.Fprintf(&p.b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", scale(v), p.y, scale(v), bottom, colourGrid)
		p.text(scale(v), bottom+16, "text-anchor=\"middle\" font-size=\"11\"", fmt.Sprintf("%.4g s", v))
	}
	return scale
}

// gridStep is 1, 2 or 5 times a power of ten, for 3 to 8 lines.
func gridStep(end float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(end, 1e-6)/3)))
	for _, n := range []float64{5, 2} {
		if end/(n*power) >= 3 {
			return n * power
		}
	}
	return power
}

func (p *picture) label(text string) {
	p.text(left-8, p.y+barHeight-2, "text-anchor=\"end\"", text)
}

func (p *picture) value(x float64, text string) {
	p.text(x, p.y+barHeight-2, "font-size=\"12\"", text)
}

func (p *picture) bar(x func(float64) float64, from, to float64, colour string) {
	fmt.Fprintf(&p.b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
		x(from), p.y+2, max(1, x(to)-x(from)), barHeight, colour)
}

func (p *picture) whisker(x func(float64) float64, s Spread) {
	middle := p.y + 2 + barHeight/2.0
	fmt.Fprintf(&p.b, "<path d=\"M%.1f %.1fv8m0 -4H%.1fm0 -4v8\" stroke=\"%s\"/>\n", x(s.Min), middle-4, x(s.Max), colourText)
}

func (p *picture) text(x, y float64, attributes, text string) {
	fmt.Fprintf(&p.b, "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", x, y, attributes, html.EscapeString(text))
}
