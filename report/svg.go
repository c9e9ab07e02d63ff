package report

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// frontSVG draws the front as a picture of its own, for READMEs and for
// readers without scripts. Its colours suit light and dark pages.
func frontSVG(v *view) string {
	const w, h, left, right, top, bottom = 760.0, 440.0, 68.0, 24.0, 28.0, 56.0
	c := &v.Charts
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="13">`,
		w, h, html.EscapeString(fmt.Sprintf("%s against %s: %d points on the front of %d networks", c.Y.Name, c.X.Name, len(c.Front), len(c.Evaluations))))
	b.WriteString(`<style>.bg{fill:#fff}.t{fill:#43505e}.g{stroke:#e3e8ee}.e{fill:#8794a3}.f{stroke:#2457d6}.p{fill:#2457d6}.w{fill:#d9480f}.n{fill:#17212c}` +
		`@media(prefers-color-scheme:dark){.bg{fill:#161d26}.t{fill:#a4b1be}.g{stroke:#2a3542}.e{fill:#6d7a88}.f{stroke:#82aaff}.p{fill:#82aaff}.w{fill:#ff9f5a}.n{fill:#e8edf2}}</style>`)
	fmt.Fprintf(&b, `<rect class="bg" width="%g" height="%g" rx="10"/>`, w, h)
	if len(c.Evaluations) == 0 {
		fmt.Fprintf(&b, `<text class="t" x="%g" y="%g" text-anchor="middle">No network has been scored yet.</text></svg>`, w/2, h/2)
		return b.String()
	}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	see := func(x, y float64) {
		x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
	}
	for _, e := range c.Evaluations {
		see(e.X, e.Y)
	}
	if c.Bicubic > 0 {
		y0, y1 = min(y0, c.Bicubic), max(y1, c.Bicubic)
	}
	if c.Dense != nil {
		see(c.Dense.X, c.Dense.Y)
	}
	xs, ys := ticks(0, x1*1.04, 6), ticks(y0-0.08*(y1-y0), y1+0.08*(y1-y0), 5)
	y0, y1 = y0-0.08*(y1-y0), y1+0.08*(y1-y0)
	along := func(x float64) float64 { return x }
	if c.X.Log {
		along, xs = math.Log2, octaves(x0, x1)
		x0, x1 = x0/1.2, x1*1.2
	} else {
		x0, x1 = 0, x1*1.04
	}
	px := func(x float64) string {
		return coord(left + (along(x)-along(x0))/span(along(x0), along(x1))*(w-left-right))
	}
	py := func(y float64) string { return coord(h - bottom - (y-y0)/span(y0, y1)*(h-top-bottom)) }
	for _, t := range xs {
		fmt.Fprintf(&b, `<path class="g" d="M%s %gV%g"/><text class="t" x="%s" y="%g" text-anchor="middle">%s</text>`, px(t), top, h-bottom, px(t), h-bottom+20, tickLabel(t))
	}
	for _, t := range ys {
		fmt.Fprintf(&b, `<path class="g" d="M%g %sH%g"/><text class="t" x="%g" y="%s" dy=".35em" text-anchor="end">%s</text>`, left, py(t), w-right, left-8, py(t), tickLabel(t))
	}
	fmt.Fprintf(&b, `<text class="t" x="%g" y="%g" text-anchor="middle">%s</text>`, (left+w-right)/2, h-12, html.EscapeString(c.X.label()))
	fmt.Fprintf(&b, `<text class="t" x="%g" y="%g">%s</text>`, 12.0, top-10, html.EscapeString(c.Y.label()))
	if c.Bicubic > 0 {
		fmt.Fprintf(&b, `<path class="f" stroke-dasharray="4 5" opacity=".7" d="M%g %sH%g"/><text class="t" x="%g" y="%s" dy="-6" text-anchor="end">bicubic</text>`, left, py(c.Bicubic), w-right, w-right-4, py(c.Bicubic))
	}
	b.WriteString(`<g class="e" opacity=".45">`)
	seen := map[string]bool{} // thousands of dots lie on each other
	for _, e := range c.Evaluations {
		dot := fmt.Sprintf(`<circle cx="%s" cy="%s" r="2.6"/>`, px(e.X), py(e.Y))
		if !seen[dot] {
			b.WriteString(dot)
			seen[dot] = true
		}
	}
	b.WriteString(`</g>`)
	for i, p := range c.Front {
		if i == 0 {
			fmt.Fprintf(&b, `<path class="f" fill="none" stroke-width="2" stroke-linejoin="round" d="M%s %s`, px(p.X), py(p.Y))
		} else {
			fmt.Fprintf(&b, "H%sV%s", px(p.X), py(p.Y))
		}
	}
	if len(c.Front) > 0 {
		b.WriteString(`"/>`)
	}
	for _, p := range c.Front {
		fmt.Fprintf(&b, `<circle class="p" cx="%s" cy="%s" r="3.6"/>`, px(p.X), py(p.Y))
	}
	for _, p := range c.Winners {
		fmt.Fprintf(&b, `<circle class="w" cx="%s" cy="%s" r="7"/><text class="n" x="%s" y="%s" dy="-12" text-anchor="middle" font-weight="600">%s</text>`, px(p.X), py(p.Y), px(p.X), py(p.Y), html.EscapeString(p.Letter))
	}
	if c.Dense != nil {
		fmt.Fprintf(&b, `<path class="n" transform="translate(%s %s)" d="M-6 5L0 -6L6 5Z"/><text class="t" x="%s" y="%s" dy="20" text-anchor="end">largest, dense</text>`, px(c.Dense.X), py(c.Dense.Y), px(c.Dense.X), py(c.Dense.Y))
	}
	b.WriteString(`</svg>`)
	return b.String()
}

func (a axis) label() string {
	if a.Unit == "" {
		return a.Name
	}
	return a.Name + ", " + a.Unit
}

func span(lo, hi float64) float64 {
	if hi > lo {
		return hi - lo
	}
	return 1
}

func coord(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

func tickLabel(x float64) string {
	if math.Abs(x) >= 10_000 {
		return short(x)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// octaves gives the powers of two inside [lo, hi], or lo.
func octaves(lo, hi float64) []float64 {
	var out []float64
	for e := math.Ceil(math.Log2(lo)); math.Exp2(e) <= hi; e++ {
		out = append(out, math.Exp2(e))
	}
	if len(out) == 0 {
		return []float64{lo}
	}
	return out
}

// ticks gives about n round numbers inside [lo, hi], at least one.
func ticks(lo, hi float64, n int) []float64 {
	if !(hi > lo) {
		return []float64{lo}
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, m := range []float64{2, 5, 10} {
		if (hi-lo)/step > float64(n)+1 {
			step *= m / map[float64]float64{2: 1, 5: 2, 10: 5}[m]
		}
	}
	var out []float64
	for i := math.Ceil(lo / step); i*step <= hi; i++ {
		out = append(out, i*step)
	}
	if len(out) == 0 {
		return []float64{lo}
	}
	return out
}
