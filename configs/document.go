package configs

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of a file. They are far above what people write and keep the reader's
// time and memory small.
const (
	maxConfig  = 1 << 20 // bytes
	maxProfile = 4 << 20 // bytes
	maxDepth   = 32      // nested lists and mappings
)

// document reads the one YAML document of text into nodes, whose number is
// bounded by the text's length because aliases are refused. nil stands for an
// empty file; faults go to c.
func document(c *collector, text []byte, limit int) *yaml.Node {
	if len(text) > limit {
		c.add(1, 1, "the file has %d bytes, want at most %d", len(text), limit)
		return nil
	}
	if line, col, what := foreign(text); what != "" {
		c.add(line, col, "%s, want UTF-8 text", what)
		return nil
	}
	if line, col := deep(text); line > 0 {
		c.add(line, col, "lists and mappings are nested too deep, want at most %d levels", maxDepth)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := decode(dec, &doc); err != nil {
		if !errors.Is(err, io.EOF) {
			syntaxFault(c, err)
		}
		return nil
	}
	switch err := decode(dec, &second); {
	case err == nil:
		c.add(second.Line, second.Column, "a second document, want one document in a file")
	case !errors.Is(err, io.EOF):
		syntaxFault(c, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if !plainTree(c, root, 1) {
		return nil
	}
	return root
}

// decode keeps a panic of the YAML package, which reads what a user gave, from
// ending the program.
func decode(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("yaml: the text cannot be read as YAML")
		}
	}()
	return dec.Decode(n)
}

var yamlLine = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

func syntaxFault(c *collector, err error) {
	if line, col, what := layout(c.lines); line > 0 {
		c.add(line, col, "%s", what)
		return
	}
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		c.add(1, 1, "not YAML: %s", err)
		return
	}
	line, convErr := strconv.Atoi(m[1])
	if convErr != nil {
		line = 1
	}
	c.add(line, 1, "not YAML: %s", m[2])
}

// foreign finds the first byte that is not text.
func foreign(text []byte) (line, col int, what string) {
	line, col = 1, 1
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return line, col, "a byte that is not UTF-8"
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return line, col, "a control character"
		case r == '\n':
			line, col = line+1, 0
		}
		col, i = col+1, i+n
	}
	return 0, 0, ""
}

// deep finds where a text nests deeper than maxDepth by a look at its brackets
// and its leading spaces, dashes and question marks. It may overlook nesting
// that plainTree then finds, and cannot be fooled into slow parsing.
func deep(text []byte) (line, col int) {
	flow := 0
	for n, row := range bytes.Split(text, []byte("\n")) {
		lead, dashes := true, 0
		for i, b := range row {
			switch b {
			case '[', '{':
				flow++
			case ']', '}':
				flow = max(0, flow-1)
			case '-', '?':
				if lead {
					dashes++
				}
			}
			lead = lead && (b == ' ' || b == '-' || b == '?' || b == '\t')
			if flow > maxDepth || dashes > maxDepth && !bytes.HasPrefix(row, []byte("---")) {
				return n + 1, i + 1
			}
		}
	}
	return 0, 0
}

// plainTree refuses what a config has no use for: anchors and aliases (a few
// bytes of which can stand for gigabytes), tags, and deep nesting.
func plainTree(c *collector, n *yaml.Node, depth int) bool {
	switch {
	case depth > maxDepth:
		c.add(n.Line, n.Column, "lists and mappings are nested too deep, want at most %d levels", maxDepth)
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		c.add(n.Line, n.Column, "anchors and aliases are not allowed, want the value written out")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		c.add(n.Line, n.Column, "the tag %s is not allowed, want the bare value", quote(n.Tag))
		return false
	}
	ok := true
	for _, child := range n.Content {
		ok = plainTree(c, child, depth+1) && ok
	}
	return ok
}
