package configs

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"evosr/internal/spell"
)

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	realNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// kindOf names what stands at a node, for faults.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return "the text " + quote(n.Value)
	}
	return n.Value
}

func bare(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Style == 0 }

// number reads a plain decimal number; want describes the range in faults.
func number(n *yaml.Node, lo, hi float64, whole bool) (float64, error) {
	want := "a number"
	form := realNumber
	if whole {
		want, form = "a whole number", wholeNumber
	}
	switch {
	case lo < hi:
		want += fmt.Sprintf(" from %s to %s", short(lo), short(hi))
	case lo == hi:
		want = short(lo)
	}
	if !bare(n) || !form.MatchString(n.Value) {
		if whole && bare(n) && realNumber.MatchString(n.Value) {
			if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1e15 {
				return 0, fmt.Errorf("%s, want %s: write %s", kindOf(n), want, strconv.FormatFloat(f, 'f', 0, 64))
			}
		}
		hint := ""
		if w := meant(n, lo, hi, whole); w != "" {
			hint = ": write " + w
		}
		return 0, fmt.Errorf("%s, want %s%s", kindOf(n), want, hint)
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || !(f >= lo && f <= hi) {
		return 0, fmt.Errorf("%s, want %s", quoteNumber(n.Value), want)
	}
	return f, nil
}

// united is a number as people write it: with a unit, signs, or separators.
var united = regexp.MustCompile(`^([-+]?[0-9][0-9_,']*(?:\.[0-9]*)?|[-+]?\.[0-9]+)(?:[eE]([+-]?[0-9]+))?\s*(%|ms|s|sec|seconds|min|minutes|h|hours|px|pixels|dB|db|MB|GB|MP|M|k|K|x)?$`)

// meant guesses the number that somebody meant by what stands at a node, "" where it
// cannot be told or is out of range.
func meant(n *yaml.Node, lo, hi float64, whole bool) string {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	m := united.FindStringSubmatch(strings.TrimSpace(n.Value))
	if m == nil {
		return ""
	}
	digits := strings.NewReplacer("_", "", "'", "").Replace(m[1])
	switch whole3 := regexp.MustCompile(`,[0-9]{3}(,|$|\.)`); {
	case whole3.MatchString(digits):
		digits = strings.ReplaceAll(digits, ",", "") // 10,000
	case strings.Count(digits, ",") == 1 && !strings.Contains(digits, "."):
		digits = strings.Replace(digits, ",", ".", 1) // 0,5
	}
	if m[2] != "" {
		digits += "e" + m[2]
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return ""
	}
	switch m[3] {
	case "%":
		if hi <= 1 {
			f /= 100
		}
	case "k", "K":
		f *= 1000
	case "M":
		if hi > 1e6 {
			f *= 1e6
		}
	}
	if lo < hi && !(f >= lo && f <= hi) || whole && f != math.Trunc(f) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func quoteNumber(s string) string {
	if len(s) > 40 {
		return s[:37] + "..."
	}
	return s
}

func short(f float64) string { return strconv.FormatFloat(f, 'g', 9, 64) }

func unsigned(n *yaml.Node) (uint64, error) {
	if bare(n) && wholeNumber.MatchString(n.Value) {
		if u, err := strconv.ParseUint(n.Value, 10, 64); err == nil {
			return u, nil
		}
	}
	return 0, fmt.Errorf("%s, want a whole number from 0 to %d", kindOf(n), uint64(math.MaxUint64))
}

func boolean(n *yaml.Node) (bool, error) {
	if bare(n) {
		switch n.Value {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	if n.Kind == yaml.ScalarNode {
		quotes := ""
		if !bare(n) {
			quotes = ", without quotes"
		}
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on", "y", "1":
			return false, fmt.Errorf("%s, want true or false: write true%s", kindOf(n), quotes)
		case "false", "no", "off", "n", "0":
			return false, fmt.Errorf("%s, want true or false: write false%s", kindOf(n), quotes)
		}
	}
	return false, fmt.Errorf("%s, want true or false", kindOf(n))
}

// text reads a string; a bare word that YAML takes for something else must be
// quoted.
func text(n *yaml.Node, words []string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		want := "a text"
		if words != nil {
			want = oneOf(words)
		} else if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
			want += fmt.Sprintf(": write it in quotes, %q", n.Value)
		}
		return "", fmt.Errorf("%s, want %s", kindOf(n), want)
	}
	if words == nil {
		return n.Value, nil
	}
	for _, w := range words {
		if n.Value == w {
			return w, nil
		}
	}
	hint := ""
	if w := spell.Likely(n.Value, words); w != "" {
		hint = fmt.Sprintf(": did you mean %s?", w)
	}
	return "", fmt.Errorf("%s, want %s%s", quote(n.Value), oneOf(words), hint)
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// percent reads a pruned part and keeps it as a whole percent.
func percent(n *yaml.Node, lo, hi float64) (int, error) {
	f, err := number(n, lo, hi, false)
	if err != nil {
		return 0, fmt.Errorf("%w, the pruned part of a layer's weights", err)
	}
	p := math.Round(f * 100)
	if math.Abs(f*100-p) > 1e-6 {
		return 0, fmt.Errorf("%s, want whole percents: write %s", n.Value, percentText(int(p)))
	}
	return int(p), nil
}

func percentText(p int) string { return strconv.FormatFloat(float64(p)/100, 'f', -1, 64) }

// place makes a path of a file absolute, seen from the file's folder.
func place(value, folder string) (string, error) {
	if strings.ContainsRune(value, 0) {
		return "", fmt.Errorf("%s, want a path", quote(value))
	}
	if value == "" || value == Procedural || carried(value) || strings.HasPrefix(value, builtin) {
		return value, nil
	}
	if !filepath.IsAbs(value) {
		value = filepath.Join(folder, value)
	}
	return filepath.Clean(value), nil
}
