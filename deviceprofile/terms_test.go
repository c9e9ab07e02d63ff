package deviceprofile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTermsAreDocumented: docs/formats.md names every term of both kinds of
// profile.
func TestTermsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Device profile")
	for _, external := range []bool{false, true} {
		seen := map[string]bool{}
		for _, term := range Terms(external) {
			base, _, _ := strings.Cut(term.Name, "_b")
			if strings.HasPrefix(term.Name, "mac_") {
				base = term.Name
			}
			if !strings.Contains(section, term.Family) || !regexp.MustCompile(`[.`+"`"+` ]`+base+`[,_`+"`"+` ]`).MatchString(section) {
				t.Errorf("docs/formats.md does not name %s.%s", term.Family, term.Name)
			}
			if key := term.Family + "." + term.Name; seen[key] || term.Doc == "" {
				t.Errorf("%s stands there twice or says nothing", key)
			} else {
				seen[key] = true
			}
		}
	}
	for _, name := range frameTerms() {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("docs/formats.md does not name %s", name)
		}
	}
}
