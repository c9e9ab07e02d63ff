package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"evosr/network"
	"evosr/runner"
	"evosr/space"
	"evosr/supernet"
)

// testSupernet is a file of untrained weights.
func testSupernet(t testing.TB, path string, scale int) *supernet.Supernet {
	t.Helper()
	sp := &space.Space{Scale: scale, Colors: 1, Widths: []int{8, 16}, Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
		Slots: []space.Slot{{Skip: true, Blocks: space.Blocks{space.Wide: {2}}}, {Skip: true, Blocks: space.Blocks{space.Lean: space.Once()}}}}
	net := supernet.New(sp, 3)
	if err := net.Save(path, map[string]string{"data": "drawings"}); err != nil {
		t.Fatal(err)
	}
	return net
}

// TestSupernetFiles takes weights out, in, and in the compact form.
func TestSupernetFiles(t *testing.T) {
	dir := t.TempDir()
	net := testSupernet(t, filepath.Join(dir, "a.safetensors"), 2)
	show := func(name string) (s supernetJSON) {
		t.Helper()
		unmarshal(t, ok(t, dir, "supernet", "show", name, "--json").stdout, &s)
		return s
	}
	a := show("a.safetensors")
	if a.Hash != net.Hash() || a.Scale != 2 || a.Slots != 2 || a.Weights != net.Weights() || a.Meta["data"] != "drawings" ||
		a.Best != "w16;head;wide2;lean;tail" || a.Params == 0 || a.MACs == 0 {
		t.Errorf("show says %+v", a)
	}
	if text := ok(t, dir, "supernet", "show", "a.safetensors").stdout; !strings.Contains(text, a.Best) || !strings.Contains(text, "drawings") {
		t.Errorf("show prints %s", text)
	}
	if r := ok(t, dir, "supernet", "export", "a.safetensors", "-o", "b.safetensors"); r.stdout != "b.safetensors\n" {
		t.Errorf("export prints %q", r.stdout)
	}
	if b := show("b.safetensors"); b.Hash != a.Hash {
		t.Errorf("exported: hash %s, want %s", b.Hash, a.Hash)
	}
	ok(t, dir, "supernet", "import", "b.safetensors", "-o", "c.evon", "--pretrained", "--note", "steps=7", "--note", "genome=w8;head;skip;lean;tail")
	c := show("c.evon")
	if c.Meta["steps"] != "7" || c.Meta["data"] != "drawings" || c.Best != "w8;head;skip;lean;tail" || c.Weights != a.Weights {
		t.Errorf("imported: %+v", c)
	}
	ok(t, dir, "supernet", "import", "b.safetensors", "-o", "d.safetensors", "--note", "data=")
	if _, has := show("d.safetensors").Meta["data"]; has {
		t.Error("an empty note stays")
	}
	big, errA := os.Stat(filepath.Join(dir, "b.safetensors"))
	small, errB := os.Stat(filepath.Join(dir, "c.evon"))
	if errA != nil || errB != nil || small.Size() > big.Size()*2/3 {
		t.Errorf("%v and %v bytes, %v, %v, want the compact file to be much smaller", big.Size(), small.Size(), errA, errB)
	}
	// What the compact file holds goes out again.
	ok(t, dir, "supernet", "export", "c.evon", "-o", "d.safetensors")
	if d := show("d.safetensors"); d.Hash != c.Hash {
		t.Errorf("exported from the compact file: hash %s, want %s", d.Hash, c.Hash)
	}
}

func TestSupernetRefuses(t *testing.T) {
	dir := t.TempDir()
	testSupernet(t, filepath.Join(dir, "a.safetensors"), 2)
	write(t, filepath.Join(dir, "bad.evon"), []byte("\x89EVON\r\n\x1a and more that is no supernet"))
	write(t, filepath.Join(dir, "empty", "x.txt"), nil)
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"show none", exitData, "no such file"},
		{"show bad.evon", exitData, "version"},
		{"show empty", exitUsage, "no run directory"},
		{"show pretrained:x5", exitUsage, "want pretrained:x2 or pretrained:x4"},
		{"export a.safetensors", exitUsage, "-o is missing"},
		{"extract a.safetensors", exitUsage, "-o is missing"},
		{"extract a.safetensors -o b --genome w99;head;tail", exitUsage, "--genome"},
		{"extract none.safetensors -o b", exitData, "no such file"},
		{"extract a.safetensors -o b --config quickstart", exitUsage, "not asked for"},
		{"extract a.safetensors -o b --refit --config none.yaml", exitUsage, "none.yaml"},
		{"import a.safetensors -o b --note steps", exitUsage, `"steps", want KEY=VALUE`},
		{"import a.safetensors -o b --note genome=w99;head;tail", exitUsage, "its best network"},
		{"export a.safetensors -o none/b", exitData, "no folder"},
		{"show", exitUsage, "want SUPERNET"},
	} {
		r := evosr(t, dir, nil, append([]string{"supernet"}, strings.Fields(tt.args)...)...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("supernet %s: exit %d, %s, want %d and %q", tt.args, r.code, r.stderr, tt.code, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "b")); err == nil {
		t.Error("a refused import left its file")
	}
}

// TestPretrainedModel runs what the binary carries, and wants a sentence where
// it carries nothing.
func TestPretrainedModel(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "a.png"), testColour(24, 20, false))
	for scale, name := range map[int]string{2: "pretrained:x2", 3: "pretrained:x3", 4: "pretrained:x4"} {
		_, _, err := supernet.Pretrained(scale)
		r := evosr(t, dir, nil, "upscale", "-m", name, "a.png", "b.png")
		switch {
		case err != nil && (r.code != exitUsage || !strings.Contains(r.stderr, "carries no weights")):
			t.Errorf("%s: exit %d, %s, want a sentence", name, r.code, r.stderr)
		case err == nil && r.code != 0:
			t.Errorf("%s: exit %d, %s", name, r.code, r.stderr)
		}
	}
	if r := evosr(t, dir, nil, "eval", "pretrained:huge", "--images", "."); r.code != exitUsage || !strings.Contains(r.stderr, "pretrained:x2") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
}

// TestTrain trains alone and hands the weights on to another config.
func TestTrain(t *testing.T) {
	dir := t.TempDir()
	text := ok(t, dir, "init", "--preset", "smoke").stdout
	path := filepath.Join(dir, strings.TrimSpace(text))
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if config = bytes.Replace(config, []byte("steps: 600"), []byte("steps: 30"), 1); !bytes.Contains(config, []byte("steps: 30")) {
		t.Fatal("the smoke preset has no 600 steps")
	}
	write(t, path, config)
	var got trainingJSON
	unmarshal(t, ok(t, dir, "train", "smoke.yaml", "--dir", "run", "--json").stdout, &got)
	if n := len(got.Curve); got.Steps != 30 || n != 30 || got.Curve[n-1].Step != 30 || math.Abs(got.Curve[n-1].PSNR-30) > 10 || got.Curve[n-1].Pruned == 0 {
		t.Errorf("train says %+v", got)
	}
	if again := ok(t, dir, "train", "smoke.yaml", "--dir", "run").stdout; !strings.Contains(again, "largest network") || !strings.Contains(again, "half pruned") {
		t.Errorf("the finished training prints %s", again)
	}
	ok(t, dir, "supernet", "export", "run", "-o", "w.safetensors")
	next := bytes.Replace(config, []byte("steps: 30"), []byte("from: w.safetensors\n  steps: 0"), 1)
	write(t, filepath.Join(dir, "next.yaml"), next)
	ok(t, dir, "train", "next.yaml")
	var a, b supernetJSON
	unmarshal(t, ok(t, dir, "supernet", "show", "run", "--json").stdout, &a)
	unmarshal(t, ok(t, dir, "supernet", "show", filepath.Join("runs", "next"), "--json").stdout, &b)
	if a.Hash != b.Hash {
		t.Errorf("taken as they are the weights have hash %s, want %s", b.Hash, a.Hash)
	}
	// Cut out, a network is the one that the supernet names, or that of a genome.
	writePNG(t, filepath.Join(dir, "a.png"), testColour(24, 20, false))
	genome := a.Best[:strings.Index(a.Best, ";")] + ";head" + strings.Repeat(";skip", a.Slots) + ";tail"
	best, small := filepath.Join(dir, "best.onnx"), filepath.Join(dir, "small.onnx")
	if got := ok(t, dir, "supernet", "extract", "run", "-o", best).stdout; !strings.Contains(got, fmt.Sprintf("%d parameters", a.Params)) {
		t.Errorf("extract prints %s, want %d parameters", got, a.Params)
	}
	ok(t, dir, "supernet", "extract", "run", "--genome", genome, "-o", small)
	plain, err := os.ReadFile(small)
	if err != nil {
		t.Fatal(err)
	}
	refitted := filepath.Join(dir, "refitted.onnx")
	ok(t, dir, "supernet", "extract", "run", "--genome", genome, "--refit", "-o", refitted)
	if fitted, err := os.ReadFile(refitted); err != nil || len(fitted) != len(plain) || bytes.Equal(fitted, plain) {
		t.Errorf("refitted: %d bytes, %v, want other weights in %d", len(fitted), err, len(plain))
	}
	for _, net := range []string{best, small, refitted} {
		ok(t, dir, "upscale", "-m", net, "a.png", "b.png")
	}
	large, errLarge := os.Stat(best)
	little, errLittle := os.Stat(small)
	if errLarge != nil || errLittle != nil || large.Size() <= little.Size() {
		t.Errorf("the best network's file is no larger than the smallest's (%v, %v)", errLarge, errLittle)
	}
	if r := evosr(t, dir, nil, "train", "none.yaml"); r.code != exitUsage {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
}

// TestRankCommand ranks the networks of a run and of a file.
func TestRankCommand(t *testing.T) {
	dir := t.TempDir()
	ok(t, dir, "init", "--preset", "smoke")
	path := filepath.Join(dir, "smoke.yaml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, bytes.Replace(config, []byte("steps: 600"), []byte("steps: 5"), 1))
	ok(t, dir, "train", "smoke.yaml", "--dir", "run")
	var r runner.Ranking
	unmarshal(t, ok(t, dir, "supernet", "rank", "run", "--genomes", "3", "--short", "1", "--long", "2", "--json").stdout, &r)
	if len(r.Networks) != 3 || r.Long["inherited"].Kendall == 0 || r.Profile == "" {
		t.Errorf("rank says %+v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, "run", "rank.jsonl")); err != nil {
		t.Error(err)
	}
	ok(t, dir, "supernet", "export", "run", "-o", "w.safetensors")
	text := ok(t, dir, "supernet", "rank", "w.safetensors", "--config", "smoke.yaml", "--genomes", "3", "--short", "1", "--long", "2").stdout
	for _, w := range []string{"3 networks, the slowest", "inherited weights", "parameters", "multiplications", "tau", "Spearman"} {
		if !strings.Contains(text, w) {
			t.Errorf("rank prints %s, want %q", text, w)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "w.safetensors.rank.jsonl")); err != nil {
		t.Error(err)
	}
	if e := evosr(t, dir, nil, "supernet", "rank", "w.safetensors", "--short", "9", "--long", "2"); e.code != exitUsage {
		t.Errorf("exit %d, %s", e.code, e.stderr)
	}
}
