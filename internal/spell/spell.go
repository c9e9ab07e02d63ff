// Package spell guesses which of some words somebody meant.
package spell

import "strings"

// Likely is the word that somebody meant: but for case and dashes the same, the only
// one that begins like it or that it begins with, or a typing error or two away.
func Likely(name string, words []string) string {
	same := func(s string) string {
		return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
	}
	plain := same(name)
	var near []string
	for _, w := range words {
		switch {
		case same(w) == plain:
			return w
		case len(plain) >= 3 && (strings.HasPrefix(same(w), plain) || strings.HasPrefix(plain, same(w))):
			near = append(near, w)
		}
	}
	if len(near) == 1 {
		return near[0]
	}
	return Nearest(name, words)
}

// Nearest gives the word of the list that is a typing error or two away from
// name, or "".
func Nearest(name string, list []string) string {
	if len(name) > 40 {
		return ""
	}
	best, found := 1+max(1, (len(name)+2)/3), "" // two swapped letters are two errors
	for _, w := range list {
		if d := distance(name, w); d < best {
			best, found = d, w
		}
	}
	return found
}

// distance is Levenshtein's: the least number of inserted, deleted and replaced
// bytes that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			was := row[j+1]
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, was+1, row[j]+1)
			diagonal = was
		}
	}
	return row[len(b)]
}
