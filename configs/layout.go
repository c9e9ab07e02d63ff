package configs

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	keyLine   = regexp.MustCompile(`^( *)((?:- +)*)([A-Za-z_][A-Za-z0-9_]*):(?:\s+(.*))?$`)
	glued     = regexp.MustCompile(`^ *(?:- +)*([A-Za-z_][A-Za-z0-9_]*):(\S.*)$`)
	colonLess = regexp.MustCompile(`^ *(?:- +)*([A-Za-z_][A-Za-z0-9_]*)\s+([^\s:#][^:#]*?)\s*(?:#.*)?$`)
)

// A level is a mapping that is open where a line begins.
type level struct {
	indent int
	key    string // the last one
	line   int
	holds  bool // the last key has a value in its line
}

// layout finds what people do wrong with the lines of a text that is not YAML: tabs,
// indentation, a colon or a space that is missing, brackets that are not closed.
// It is asked only where the YAML reader gave up, and finds nothing (line 0) where
// it is not sure.
func layout(lines []string) (line, col int, what string) {
	var open []level
	var bracket [2]int // line and column of the outermost bracket that is open
	depth := 0
	for i, text := range lines {
		text = strings.TrimRight(text, "\r")
		body := strings.TrimLeft(text, " \t")
		lead := len(text) - len(body)
		if body == "" || strings.HasPrefix(body, "#") {
			continue
		}
		if at := strings.IndexByte(text[:lead], '\t'); at >= 0 {
			return i + 1, at + 1, "a tab, want spaces: YAML takes no tabs for indentation"
		}
		m := keyLine.FindStringSubmatch(text)
		if depth > 0 && m != nil {
			return bracket[0], bracket[1], "a bracket that is not closed before the next key"
		}
		if depth == 0 {
			switch g, n := glued.FindStringSubmatch(text), colonLess.FindStringSubmatch(text); {
			case m != nil:
				if col, what := indentation(&open, m, i+1); what != "" {
					return i + 1, col, what
				}
			case g != nil:
				return i + 1, strings.Index(text, g[1]+":") + len(g[1]) + 2, fmt.Sprintf("no space behind the colon, want one: write %s: %s", g[1], short40(g[2]))
			case n != nil:
				return i + 1, strings.Index(text, n[1]) + len(n[1]) + 1, fmt.Sprintf("no colon behind %s, want one: write %s: %s", short40(n[1]), short40(n[1]), short40(n[2]))
			}
		}
		for at, c := range outside(text) {
			switch c {
			case '[', '{':
				if depth == 0 {
					bracket = [2]int{i + 1, at + 1}
				}
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
		}
	}
	if depth > 0 {
		return bracket[0], bracket[1], "a bracket that is not closed"
	}
	return 0, 0, ""
}

// indentation holds a line with a key against the mappings that are open, and
// says what is wrong.
func indentation(open *[]level, m []string, line int) (col int, what string) {
	indent := len(m[1]) + len(m[2])
	value, _, _ := strings.Cut(" "+m[4], " #")
	now := level{indent, m[3], line, strings.TrimSpace(value) != ""}
	stack := *open
	for len(stack) > 0 && stack[len(stack)-1].indent > indent {
		stack = stack[:len(stack)-1]
	}
	if len(stack) == 0 {
		if len(*open) > 0 && (*open)[0].indent != indent {
			return indent + 1, fmt.Sprintf("indented by %s, want %d as %s in line %d", spaces(indent), (*open)[0].indent, (*open)[0].key, (*open)[0].line)
		}
		*open = append(stack, now)
		return 0, ""
	}
	top := &stack[len(stack)-1]
	switch {
	case top.indent == indent:
		*top = now
		*open = stack
	case len(*open) > len(stack): // less than what was open, more than what is left
		was := (*open)[len(stack)]
		return indent + 1, fmt.Sprintf("indented by %s, want %d as %s in line %d, or %d as %s", spaces(indent), was.indent, was.key, was.line, top.indent, top.key)
	case top.holds:
		return indent + 1, fmt.Sprintf("indented deeper than %s in line %d, which has a value: want %s, as there", top.key, top.line, spaces(top.indent))
	default:
		*open = append(stack, now)
	}
	return 0, ""
}

func spaces(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}

// outside ranges over the characters of a line that are in no quotes and no comment.
func outside(text string) func(func(int, byte) bool) {
	return func(yield func(int, byte) bool) {
		quoted := byte(0)
		for i := range len(text) {
			c := text[i]
			switch {
			case quoted != 0:
				if c == quoted {
					quoted = 0
				}
				continue
			case c == '"' || c == '\'':
				quoted = c
				continue
			case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
				return
			}
			if !yield(i, c) {
				return
			}
		}
	}
}

// short40 is a text of at most 40 characters.
func short40(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:37]) + "..."
	}
	return s
}
