package onnx

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"evosr/internal/check"
)

// checker is run by Debian's Python, which has python3-onnx. Shape inference
// runs too, strictly: it holds every value against the declared output.
const checker = `
import sys, onnx
for path in sys.argv[1:]:
    model = onnx.load(path)
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as fault:
        sys.exit("%s: %s" % (path, fault))
`

// TestChecker asks ONNX's own checker about every form of network at every
// operator set that it knows.
func TestChecker(t *testing.T) {
	const python = "/usr/bin/python3"
	probe := exec.CommandContext(t.Context(), python, "-c", "import onnx; print(onnx.defs.onnx_opset_version())")
	known, err := probe.Output()
	if err != nil {
		t.Skip("python3-onnx is not installed: ONNX's own checker is left out")
	}
	newest, err := strconv.Atoi(string(known[:len(known)-1]))
	if err != nil {
		t.Fatal(err)
	}
	rng := check.Rand(t)
	dir := t.TempDir()
	args := []string{"-c", checker}
	for opset := MinOpset; opset <= min(MaxOpset, newest); opset++ {
		net := randomNet(rng, 2+opset%3, 1)
		all := forms(5, 4)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			o := all[name]
			o.Opset = opset
			path := filepath.Join(dir, strconv.Itoa(opset)+" "+name+".onnx")
			if err := os.WriteFile(path, export(t, net, o), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
	}
	if talk, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, talk)
	}
	t.Logf("%d files, operator sets %d to %d", len(args)-2, MinOpset, min(MaxOpset, newest))
}
