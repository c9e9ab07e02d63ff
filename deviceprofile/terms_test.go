package deviceprofile

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evosr/network"
	"evosr/sparse"
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
	for _, f := range frameTable {
		if !strings.Contains(section, "`"+f.name+"`") {
			t.Errorf("docs/formats.md does not name %s", f.name)
		}
	}
}

// TestTermsAreCounted: every term of a table is counted in some layer, on a picture
// that leaves the caches.
func TestTermsAreCounted(t *testing.T) {
	var layers []sparse.LayerInfo
	for _, kernel := range []int{1, 3, 5} {
		for _, channels := range []int{6, 16, 30, 64} {
			for _, act := range []network.Act{network.ActReLU, network.ActPReLU, network.ActSiLU} {
				layers = append(layers, sparse.LayerInfo{
					In: channels, Out: channels, Kernel: kernel, Blocks: [4]int{1, 2, 3, 4}, BlockTaps: [4]int{9, 18, 27, 36},
					Residual: true, Resident: 1 << 12, Act: act.String(), ReLU: act == network.ActReLU,
				})
			}
		}
	}
	dense := layers[len(layers)-1]
	dense.Method = sparse.MethodWinograd
	first := sparse.LayerInfo{In: 24, Out: 24, Kernel: 1, Blocks: [4]int{3: 3}, BlockTaps: [4]int{3: 72}}
	second := first
	first.Chained = true
	pool, resize := first, first
	pool.Op, pool.Chained, pool.Level, resize.Op, resize.Chained = network.OpAvgPool.String(), false, 4, network.OpResize.String(), false
	layers = append(layers, dense, first, second, pool, resize)
	for _, table := range []table{kernelTable("avx2"), graphTable()} {
		rows := table.features(layers, 3840, 2160, 2)
		for i, term := range table.layer {
			if !slices.ContainsFunc(rows, func(r []float64) bool { return r[i] > 0 }) {
				t.Errorf("%s.%s is counted nowhere", term.Family, term.Name)
			}
		}
	}
}
