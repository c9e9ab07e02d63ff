package main

import (
	"strings"
	"testing"
)

// TestModels: what is listed can be used by its name and is what the list says.
func TestModels(t *testing.T) {
	dir := t.TempDir()
	var list []modelJSON
	unmarshal(t, ok(t, dir, "models", "--json").stdout, &list)
	if len(list) < 2 {
		t.Fatalf("%d models", len(list))
	}
	for _, m := range list {
		u, err := openModel(m.Model, modelOptions{threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		macs, _ := u.Program().MACs()
		if u.Scale() != m.Scale || u.Program().Params() != m.Params || macs != m.MACs || m.Format != "float32" || m.Set5 < 28.5 || m.Set14 < 26.1 {
			t.Errorf("%+v is x%d with %d parameters and %d multiplications", m, u.Scale(), u.Program().Params(), macs)
		}
		u.Close()
	}
	if text := ok(t, dir, "models").stdout; !strings.Contains(text, list[0].Model) {
		t.Errorf("the table is %q", text)
	}
	if text := ok(t, dir, "version").stdout; text != ok(t, dir, "--version").stdout {
		t.Errorf("version says %q", text)
	}
	if r := evosr(t, dir, nil, "version", "x"); r.code != exitUsage || !strings.Contains(r.stderr, "want none") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

// TestSuggestions: what was probably meant is told.
func TestSuggestions(t *testing.T) {
	for line, want := range map[string]string{
		"evalu x":                               "did you mean eval?",
		"data chek":                             "did you mean check?",
		"eval --imgaes d x":                     "did you mean --images?",
		"run quikstart":                         "did you mean quickstart?",
		"prune x.onnx --scheme blok4 -o y.onnx": "did you mean block4?",
		"bench pretrainedx2":                    "did you mean pretrained:x2?",
		"frobnicate":                            `unknown command "frobnicate"; see`,
	} {
		r := evosr(t, t.TempDir(), nil, strings.Fields(line)...)
		if (r.code != exitUsage && r.code != exitData) || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit %d: %s", line, r.code, r.stderr)
		}
	}
}
