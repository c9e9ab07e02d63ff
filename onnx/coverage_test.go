package onnx

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// coverage is what the tests say of one operator.
type coverage struct {
	sets    map[int]bool    // operator sets at which a network with it is imported
	becomes map[string]bool // operations of network.Graph
	folds   bool            // worked out where its inputs are constants
	refused []string
}

// TestCoverage writes docs/operators.md from the cases of TestImport and
// TestRefused, or holds it against them: EVOSR_WRITE=1 go test ./onnx -run
// Coverage writes it anew. Every operator that is taken has a case.
func TestCoverage(t *testing.T) {
	rng := check.Rand(t)
	list := map[string]*coverage{}
	of := func(op string) *coverage {
		if list[op] == nil {
			list[op] = &coverage{sets: map[int]bool{}, becomes: map[string]bool{}}
		}
		return list[op]
	}
	for _, c := range importCases() {
		for _, set := range c.sets {
			m := newMaker(rng, set, c.colors, c.h, c.w)
			back, err := Decode(m.file(c.build(m)))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			im, err := newImporter(back)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for i := range back.graph.nodes {
				n := &back.graph.nodes[i]
				was := len(im.graph.Nodes)
				if err := im.node(n); err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				k := of(n.op)
				k.sets[set] = true
				v := im.values[n.outputs[0]]
				k.folds = k.folds || v.constant()
				for j := was; j < len(im.graph.Nodes); j++ {
					k.becomes[im.graph.Nodes[j].Op.String()] = true
				}
			}
		}
	}
	for _, c := range refusedCases() {
		k := of(c.op)
		why := strings.ReplaceAll(strings.TrimSuffix(c.want, ", want"), "|", "/")
		if !slices.Contains(k.refused, why) {
			k.refused = append(k.refused, why)
		}
	}
	for _, op := range slices.Concat(slices.Collect(maps.Keys(operators())), slices.Collect(maps.Keys(folders())), []string{"Constant", "Shape"}) {
		if k := list[op]; k == nil || len(k.sets) == 0 {
			t.Errorf("%s is taken, but no case of TestImport has it", op)
		}
	}
	text := operatorTable(list)
	path := filepath.Join("..", "docs", "operators.md")
	if os.Getenv("EVOSR_WRITE") != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, text) {
		t.Errorf("%s is not what the cases say: EVOSR_WRITE=1 go test ./onnx -run Coverage", path)
	}
}

func operatorTable(list map[string]*coverage) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Operators

What evosr takes of ONNX networks from elsewhere (`+"`onnx.Model.Graph`"+`, and every command that reads a MODEL), operator
sets %d to %d. Written by the tests of `+"`onnx`"+` from their cases (`+"`EVOSR_WRITE=1 go test ./onnx -run Coverage`"+`); each
case is also run by ONNX Runtime and agrees within %g.

An operator is worked out at import where all its inputs are constants or sizes and the column says so. Reshape,
Transpose, Squeeze, Unsqueeze and Identity move no values: what they do is followed until it is (1, channels, height,
width) again or a pixel shuffle. The last column has reasons for which a node is refused, as the tests ask for them;
the message names the node, its operator and the operator set.

Networks are taken at any size, also where the file names one, with one picture in and one out, of 1 or 3 colors,
colors first or last, enlarged a whole number of times up to 8.

| operator | tried at sets | becomes | constants | refused, for example |
|---|---|---|---|---|
`, minReadOpset, maxReadOpset, agreement)
	for _, op := range slices.Sorted(maps.Keys(list)) {
		k := list[op]
		if len(k.sets) == 0 {
			continue
		}
		sets := strings.Trim(strings.ReplaceAll(fmt.Sprint(slices.Sorted(maps.Keys(k.sets))), " ", ", "), "[]")
		becomes := strings.Join(slices.Sorted(maps.Keys(k.becomes)), ", ")
		if becomes == "" {
			becomes = "-"
		}
		folds := ""
		if k.folds {
			folds = "worked out"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", op, sets, becomes, folds, strings.Join(k.refused, "; "))
	}
	var never []string
	for _, op := range slices.Sorted(maps.Keys(list)) {
		if len(list[op].sets) == 0 {
			never = append(never, op)
		}
	}
	fmt.Fprintf(&b, "\nAll others are refused; the tests try %s.\n", strings.Join(never, ", "))
	return b.Bytes()
}
