package supernet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRestoreRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "training.safetensors")
	tr := trainer(t, waves{2, 1}, options(20))
	run(t, tr, 2)
	if err := tr.Save(path); err != nil {
		t.Fatal(err)
	}
	o := options(20)
	o.Rate /= 2
	if err := trainer(t, waves{2, 1}, o).Restore(path); err == nil || !strings.Contains(err.Error(), "options") {
		t.Errorf("other options: %v, want an error that names them", err)
	}
	other, err := NewTrainer(New(smallSpace(3, 1), 3), waves{3, 1}, options(20))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Restore(path); err == nil || !strings.Contains(err.Error(), "space") {
		t.Errorf("another space: %v, want an error that names it", err)
	}
	// Numbers of updates that no training has.
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tensors, meta, err := decodeTensors(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []stored
	for _, s := range tensors {
		list = append(list, s)
	}
	good := meta[metaTraining]
	for _, bad := range []string{strings.Replace(good, `"moves":[2`, `"moves":[-2`, 1), strings.Replace(good, `"moves":[2`, `"moves":[3`, 1), strings.Replace(good, `"moves":[2`, `"moves":[2,2`, 1)} {
		meta[metaTraining] = bad
		if err := writeTensors(path, list, meta); err != nil {
			t.Fatal(err)
		}
		if err := tr.Restore(path); bad == good || err == nil || !strings.Contains(err.Error(), "updates") {
			t.Errorf("%.300s: %v, want an error about the updates", bad, err)
		}
	}
	if err := New(smallSpace(2, 1), 3).Save(path, nil); err != nil {
		t.Fatal(err)
	}
	if err := tr.Restore(path); err == nil || !strings.Contains(err.Error(), "format") {
		t.Errorf("a file of weights: %v, want an error that names the format", err)
	}
}
