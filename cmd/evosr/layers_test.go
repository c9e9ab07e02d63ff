package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// killLayer gives all biases of a tensor in a safetensors file a value far below
// zero, and leaves out what says that evosr wrote the file.
func killLayer(t *testing.T, from, to, tensor string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	size := binary.LittleEndian.Uint64(text)
	var header map[string]json.RawMessage
	var meta map[string]string
	var place struct {
		Type    string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	unmarshal(t, string(text[8:8+size]), &header)
	unmarshal(t, string(header["__metadata__"]), &meta)
	unmarshal(t, string(header[tensor+".bias"]), &place)
	data := text[8+size:]
	for i := place.Offsets[0]; i < place.Offsets[1]; i += 4 {
		binary.LittleEndian.PutUint32(data[i:], math.Float32bits(-1000))
	}
	delete(meta, "evosr.format")
	delete(meta, "evosr.checksum")
	if header["__metadata__"], err = json.Marshal(meta); err != nil {
		t.Fatal(err)
	}
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...))
}

// TestShowLayers looks into a network of a file, as text and as JSON, on drawn
// pictures and on those of a folder.
func TestShowLayers(t *testing.T) {
	dir := t.TempDir()
	testSupernet(t, filepath.Join(dir, "a.safetensors"), 2)
	killLayer(t, filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors"), "slot1/wide/expand")
	writePNG(t, filepath.Join(dir, "set", "one.png"), testColour(64, 48, false))
	writePNG(t, filepath.Join(dir, "tiny", "one.png"), testColour(64, 15, false))
	show := func(args ...string) (s supernetJSON) {
		t.Helper()
		unmarshal(t, ok(t, dir, append([]string{"supernet", "show", "--json"}, args...)...).stdout, &s)
		return s
	}
	a := show("a.safetensors")
	var names []string
	for _, l := range a.Layers {
		names = append(names, l.Name)
		if math.Abs(l.Growth-1) > 0.4 || l.Rank < 1 || l.Activated && l.Active == 0 {
			t.Errorf("untrained: %+v", l)
		}
	}
	if got := strings.Join(names, " "); got != "skip head slot1/expand slot1/reduce slot1/conv slot2/conv tail" || a.Network != a.Best {
		t.Errorf("layers %s of %s", got, a.Network)
	}
	const dead = "slot1/expand is dead: none of its 32 channels is ever above zero"
	for _, args := range [][]string{{"b.safetensors"}, {"b.safetensors", "--images", "set"}} {
		if b := show(args...); len(b.Warnings) != 2 || b.Warnings[0] != dead || b.Layers[2].Dead != 32 || b.Layers[2].Active != 0 {
			t.Errorf("%v: warnings %q, layer %+v", args, b.Warnings, b.Layers[2])
		}
	}
	// Another network of the same weights, which leaves the dead block out.
	if g := show("b.safetensors", "--genome", "w8;head;skip;lean;tail"); len(g.Layers) != 4 || g.Network != "w8;head;skip;lean;tail" || g.Best != a.Best || g.Layers[2].Channels != 8 || g.Layers[2].Died() {
		t.Errorf("of a genome: %+v", g)
	}
	text := ok(t, dir, "supernet", "show", "b.safetensors").stdout
	for _, want := range []string{"layers of w16;head;wide2;lean;tail\n", "channels   active   dead", "warning: " + dead + "\n", fmt.Sprintf("%s         32    0.0 %%     32", "slot1/expand")} {
		if !strings.Contains(text, want) {
			t.Errorf("show prints %s, want %q", text, want)
		}
	}
	if strings.Contains(text, "update") {
		t.Errorf("a file knows of no update: %s", text)
	}
	for _, tt := range []struct{ args, want string }{
		{"--genome w99;head;tail", "--genome"}, {"--images none", "no such file"}, {"--images tiny", "want at least 16 a side"},
	} {
		r := evosr(t, dir, nil, append([]string{"supernet", "show", "a.safetensors"}, strings.Fields(tt.args)...)...)
		if r.code == 0 || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%s: exit %d, %s", tt.args, r.code, r.stderr)
		}
	}
}

// TestTrainLayers trains on from weights of which a layer is dead: it is said once
// while it trains, and stands in the table, in the JSON and in the diary.
func TestTrainLayers(t *testing.T) {
	dir := t.TempDir()
	ok(t, dir, "init", "--preset", "smoke")
	path := filepath.Join(dir, "smoke.yaml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, bytes.Replace(config, []byte("steps: 600"), []byte("steps: 3"), 1))
	ok(t, dir, "train", "smoke.yaml", "--dir", "run")
	killLayer(t, filepath.Join(dir, "run", "supernet.safetensors"), filepath.Join(dir, "dead.safetensors"), "slot2/plain/conv1")
	write(t, path, bytes.Replace(config, []byte("steps: 600"), []byte("from: dead.safetensors\n  steps: 5"), 1))
	first := ok(t, dir, "train", "smoke.yaml", "--dir", "next")
	const dead = "slot2/conv1 is dead: none of its 8 channels is ever above zero"
	if n := strings.Count(first.stderr, "warning: after step 1 "+dead+"\n"); n != 1 {
		t.Errorf("%d warnings on standard error: %s", n, first.stderr)
	}
	for _, want := range []string{"update", "warning: " + dead} {
		if strings.Count(first.stdout, want) != 1 {
			t.Errorf("train prints %s, want %q once", first.stdout, want)
		}
	}
	var got trainingJSON
	again := ok(t, dir, "train", "smoke.yaml", "--dir", "next", "--json")
	unmarshal(t, again.stdout, &got)
	if len(got.Looks) != 5 || got.Looks[4].Step != 5 || len(got.Warnings) == 0 || got.Warnings[0] != dead || strings.Contains(again.stderr, "warning") {
		t.Errorf("train says %+v and %s", got, again.stderr)
	}
	for _, l := range got.Looks[4].Layers {
		// What reads the dead layer learns as little as it does.
		if l.Died() != (l.Name == "slot2/conv1") || (l.Update < 1e-9) != strings.HasPrefix(l.Name, "slot2/") {
			t.Errorf("%+v", l)
		}
	}
}
