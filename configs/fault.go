package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fault is one thing wrong with a file.
type Fault struct {
	File      string
	Line, Col int // from 1, in characters
	Message   string
	Source    string // the source line, shortened when long
}

// Faults is every fault of a file, in the order of its lines. Error gives one
// line for each; Long adds the source line and a caret.
type Faults struct {
	List []Fault
	More int // faults beyond those listed
}

const (
	maxFaults = 50  // listed; a file with more is not a config
	maxSource = 120 // characters of a source line
)

func (f *Faults) Error() string { return f.text(false) }

// Long is Error with the source line and a caret under every fault.
func (f *Faults) Long() string { return f.text(true) }

func (f *Faults) text(long bool) string {
	var b strings.Builder
	for i, ft := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d:%d: %s", ft.File, ft.Line, ft.Col, ft.Message)
		if long && ft.Source != "" {
			pad := []rune(ft.Source)
			pad = pad[:min(max(ft.Col-1, 0), len(pad))]
			for i, r := range pad {
				if r != '\t' {
					pad[i] = ' '
				}
			}
			fmt.Fprintf(&b, "\n    %s\n    %s^", ft.Source, string(pad))
		}
	}
	if f.More > 0 {
		fmt.Fprintf(&b, "\n%s: and %d more faults", f.List[0].File, f.More)
	}
	return b.String()
}

// collector gathers the faults of one text.
type collector struct {
	file  string
	lines []string
	list  []Fault
	more  int
}

func newCollector(file string, text []byte) *collector {
	return &collector{file: file, lines: strings.Split(string(text), "\n")}
}

func (c *collector) add(line, col int, format string, args ...any) {
	if len(c.list) >= maxFaults {
		c.more++
		return
	}
	f := Fault{File: c.file, Line: max(line, 1), Col: max(col, 1), Message: fmt.Sprintf(format, args...)}
	if f.Line <= len(c.lines) {
		f.Source = strings.TrimRight(c.lines[f.Line-1], "\r")
		if utf8.RuneCountInString(f.Source) > maxSource {
			f.Source = ""
		}
		if strings.ContainsFunc(f.Source, func(r rune) bool { return r == utf8.RuneError || r < ' ' && r != '\t' || r == 0x7f }) {
			f.Source = "" // would garble a terminal
		}
	}
	c.list = append(c.list, f)
}

// err gives the gathered faults sorted by place, or nil.
func (c *collector) err() error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return &Faults{List: c.list, More: c.more}
}

// quote shows a value that a user wrote, shortened.
func quote(s string) string {
	if r := []rune(s); len(r) > 40 {
		s = string(r[:37]) + "..."
	}
	return fmt.Sprintf("%q", s)
}
