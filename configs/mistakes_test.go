package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakes: what people write wrong is found in its line and column, and where
// there is an obvious remedy, it is told. remedy "" says that there is none.
func TestMistakes(t *testing.T) {
	told, remedies := 0, 0
	for _, tt := range []struct {
		text      string
		line, col int
		remedy    string
	}{
		{"train:\n\tsteps: 1", 2, 1, "want spaces"},
		{"data:\n  pictures: 96\n    size: 256\n  max_megapixels: 64", 3, 5, "want 2 spaces, as there"},
		{"data:\n  pictures: 96\n size: 256", 3, 2, "want 2 as pictures in line 2, or 0 as data"},
		{"  seed: 1\nscale: 2", 2, 1, "want 2 as seed in line 1"},
		{"seed: 1\n  scale: 2", 2, 3, "want 0 spaces, as there"},
		{"train:\n  steps 500\n  batch: 8", 2, 8, "write steps: 500"},
		{"train:\n  steps:500\n  batch: 8", 2, 9, "write steps: 500"},
		{"space:\n  widths: [8, 12\n  skip: true", 2, 11, "not closed before the next key"},
		{"space: {widths: [8]", 1, 8, "not closed"},
		{"space:\n  skip: \"true\"", 2, 9, "write true, without quotes"},
		{"space:\n  skip: yes", 2, 9, "write true"},
		{"space:\n  skip: 0", 2, 9, "write false"},
		{"space:\n  lean: True", 2, 9, "write true"},
		{"search:\n  objectives: [psnr, latency_ms]", 2, 16, "did you mean psnr_db?"},
		{"search:\n  objectives: [PSNR_dB, latency_ms]", 2, 16, "did you mean psnr_db?"},
		{"search:\n  objectives: [psnr_db, latency]", 2, 25, "did you mean latency_ms?"},
		{"search:\n  objectives: [psnr_db, param]", 2, 25, "did you mean params?"},
		{"search:\n  objectives: psnr_db", 2, 15, "write [psnr_db]"},
		{"search:\n  budget_ms: 8ms", 2, 14, "write 8"},
		{"search:\n  budget_ms: 8 ms", 2, 14, "write 8"},
		{"search:\n  budget_ms: \"8\"", 2, 14, "write 8"},
		{"search:\n  budget_ms: 0,5", 2, 14, "write 0.5"},
		{"search:\n  budget_ms: [8]", 2, 14, "write 8"},
		{"search:\n  budget_ms: soon", 2, 14, ""},
		{"search:\n  evaluations: 10,000", 2, 16, "write 10000"},
		{"search:\n  evaluations: 10_000", 2, 16, "write 10000"},
		{"search:\n  evaluations: 1e3", 2, 16, "write 1000"},
		{"search:\n  evaluations: 2k", 2, 16, "write 2000"},
		{"search:\n  evaluations: 800.0", 2, 16, "write 800"},
		{"search:\n  evaluations: +800", 2, 16, "write 800"},
		{"search:\n  evaluation: 800", 2, 3, "did you mean evaluations?"},
		{"search:\n  mode: jiont", 2, 9, "did you mean joint?"},
		{"serach:\n  evaluations: 800", 1, 1, "did you mean search?"},
		{"budget_ms: 8", 1, 1, "did you mean search.budget_ms?"},
		{"space:\n  ratios: [25%, 50%]", 2, 12, "write 0.25"},
		{"space:\n  ratios: [25, 50]", 2, 12, ""},
		{"space:\n  ratios: 0.5", 2, 11, "write [0.5]"},
		{"space:\n  ratios: [.5]", 2, 12, "write 0.5"},
		{"space:\n  widths: 16", 2, 11, "write [16]"},
		{"space:\n  widths: [16px]", 2, 12, "write 16"},
		{"space:\n  schemes: [block-4]", 2, 13, "did you mean block4?"},
		{"space:\n  schemes: [filters]", 2, 13, "did you mean filter?"},
		{"space:\n  schemes: block4", 2, 12, "write [block4]"},
		{"space:\n  activations: [Prelu]", 2, 17, "did you mean prelu?"},
		{"space:\n  width: [8]", 2, 3, "did you mean widths?"},
		{"space:\n  plain: 2", 2, 10, "write [2]"},
		{"space:\n  lean: [1]", 2, 9, ""},
		{"scale: x2", 1, 8, ""},
		{"scale: \"3\"", 1, 8, "write 3"},
		{"seed: 1\nseed: 2", 2, 1, "first in line 1"},
		{"train:\n  rate: 1,5e-3", 2, 9, "write 0.0015"},
		{"train:\n  steps:", 2, 9, "want a whole number"},
	} {
		_, err := Parse("my.yaml", []byte(tt.text))
		var faults *Faults
		if !errors.As(err, &faults) {
			t.Errorf("%q: %v, want faults", tt.text, err)
			continue
		}
		told++
		f := faults.List[0]
		if f.Line != tt.line || f.Col != tt.col || !strings.Contains(f.Message, tt.remedy) || strings.Contains(f.Message, "not YAML") {
			t.Errorf("%q: %v, want line %d, column %d and %q", tt.text, err, tt.line, tt.col, tt.remedy)
		}
		if !strings.Contains(faults.Long(), "^") {
			t.Errorf("%q: no caret in\n%s", tt.text, faults.Long())
		}
		if tt.remedy != "" {
			remedies++
		}
	}
	if told < 45 || remedies < told*9/10 {
		t.Errorf("%d mistakes with %d remedies", told, remedies)
	}
}

// TestLocate: what is wrong with a value only when it is used is told with its place.
func TestLocate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.yaml")
	if err := os.WriteFile(path, []byte("seed: 1\ndata:\n  train: DIV2K\nspace:\n  slots: 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := fmt.Errorf("the pictures cannot be used: %w", errors.Join(
		&KeyError{"data.train", errors.New("no such folder")}, fmt.Errorf("and: %w", &KeyError{"space.widths", errors.New("64, want 8")})))
	faults := Locate(path, err)
	if faults == nil || len(faults.List) != 2 {
		t.Fatalf("%v", faults)
	}
	if got := faults.Error(); got != path+":3:10: data.train: no such folder\n"+path+":5:3: space.widths: 64, want 8" {
		t.Errorf("%s", got)
	}
	if f := Locate(path, errors.New("something else")); f != nil {
		t.Errorf("%v", f)
	}
	if f := Locate(path+"x", err); f != nil {
		t.Errorf("of no file: %v", f)
	}
	if f := Locate("quickstart", &KeyError{"train.from", errors.New("x")}); f == nil || f.List[0].Line < 2 {
		t.Errorf("of a preset: %v", f)
	}
}
