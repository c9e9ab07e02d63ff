package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"evosr/onnx"
	"evosr/rundir"
	"evosr/sparse"
	"evosr/supernet"
)

// TestRunDirectory runs the smoke config once and looks at all that it leaves.
func TestRunDirectory(t *testing.T) {
	cfg := smoke(t, "")
	dir := filepath.Join(t.TempDir(), "run")
	stages := map[string]bool{}
	watched := false
	want := mustRun(t, cfg, dir, Options{Workers: 2, Report: func(p Progress) {
		stages[p.Stage] = true
		if p.Done < 0 || p.Done > p.Total || p.Left < 0 {
			t.Errorf("progress %+v", p)
		}
		if p.Stage == rundir.StageSearch && p.Done > 50 && !watched {
			watched = true
			lookInto(t, dir)
		}
	}})
	for _, s := range []string{rundir.StageData, rundir.StageSupernet, rundir.StageSearch, rundir.StageWinners} {
		if !stages[s] {
			t.Errorf("no progress of stage %s", s)
		}
	}
	if !watched {
		t.Error("the search was never looked into")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, wanted := names, []string{rundir.FileConfig, rundir.FileFront, rundir.FileProfile, rundir.FileStore, rundir.FileSupernet, rundir.DirWinners}; !slices.Equal(got, wanted) {
		t.Errorf("the directory holds %v, want %v", got, wanted)
	}

	var front rundir.Front
	if err := json.Unmarshal(want, &front); err != nil {
		t.Fatal(err)
	}
	for i, p := range front.Points[1:] {
		if q := front.Points[i]; p.LatencyMS <= q.LatencyMS || p.PSNR <= q.PSNR {
			t.Errorf("front.json: point %d does not give more quality for more time:\n%s", i+1, want)
		}
	}
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !reflect.DeepEqual(d.Config(), cfg) {
		t.Errorf("Config is %+v, want %+v", d.Config(), cfg)
	}
	if s, err := d.Status(); err != nil || s != (rundir.Status{Stage: rundir.StageDone, TrainStep: 600, TrainSteps: 600, Evaluations: 240, Budget: 240, SearchEnd: "evaluations spent", Winners: 2, WinnersWant: 2}) {
		t.Errorf("Status = %+v, %v", s, err)
	}
	all, err := d.Evaluations()
	if err != nil || len(all) != 240 {
		t.Errorf("%d evaluations, %v", len(all), err)
	}
	curve, err := d.Training()
	if err != nil || len(curve) != curvePoints || curve[len(curve)-1].Step != 600 {
		t.Fatalf("a training curve of %d points, %v", len(curve), err)
	}
	mean := func(points []rundir.TrainPoint) (m float64) {
		for _, p := range points {
			m += p.Loss / float64(len(points))
		}
		return m
	}
	if early, late := mean(curve[:50]), mean(curve[150:]); !(late < 0.95*early) {
		t.Errorf("the loss went from %v to %v", early, late)
	}
	if p, err := d.Profile(); err != nil || p.Threads != 1 {
		t.Errorf("profile %+v, %v", p, err)
	}
	if reason, volume, err := d.SearchEnd(); err != nil || reason == "" || !(volume > 0) {
		t.Errorf("search end %q, %v, %v", reason, volume, err)
	}
	if events, err := d.Events(); err != nil || len(events) < 5 {
		t.Errorf("events %v, %v", events, err)
	}
	pairs, err := d.Validation()
	if err != nil || len(pairs) != 4 || pairs[0].HR.W != 64 {
		t.Errorf("%d validation pairs, %v", len(pairs), err)
	}
	cards(t, d)
}

// lookInto reads a run while it is going on.
func lookInto(t *testing.T, dir string) {
	d, err := rundir.Open(dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer d.Close()
	s, err := d.Status()
	if err != nil || !s.Running || s.Stage != rundir.StageSearch || s.Evaluations < 40 {
		t.Errorf("status during the search: %+v, %v", s, err)
	}
	if _, err := d.Front(); err == nil {
		t.Error("a front before the search has ended")
	}
}

// cards holds the winners' files against their cards and against each other.
func cards(t *testing.T, d *rundir.Dir) {
	list, err := d.Winners()
	if err != nil || len(list) != 2 {
		t.Fatalf("%d winners, %v", len(list), err)
	}
	front, err := d.Front()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		i := slices.IndexFunc(front.Points, func(p rundir.Point) bool { return p.ID == c.ID })
		if i < 0 || front.Points[i].PSNR != c.Inherited.PSNR {
			t.Errorf("%s begins with %v dB, which is not what the search scored", c.ID, c.Inherited.PSNR)
		}
		var onDisk rundir.Card
		text, err := os.ReadFile(d.File(c.ID, rundir.FileCard))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &onDisk); err != nil || !reflect.DeepEqual(onDisk, c) {
			t.Errorf("card.json differs from the database: %v\n%s", err, text)
		}
		if c.Finetuned.PSNR < c.Inherited.PSNR || c.Bicubic.PSNR < 20 || c.Dense.PSNR < c.Bicubic.PSNR {
			t.Errorf("qualities %+v", c)
		}
		if !(c.Latency.MedianMS > 0) || c.Latency.P90MS < c.Latency.MedianMS || !(c.Latency.PredictedMS > 0) || c.Latency.Stale == "" {
			t.Errorf("latency %+v", c.Latency)
		}
		if len(c.Layers) < 2 || c.Layers[0].Name == "" || !(c.Layers[0].MedianMS > 0) || c.MACs > c.DenseMACs {
			t.Errorf("layers %+v", c.Layers)
		}
		for name, want := range c.Files {
			if got, err := rundir.HashFile(d.File(c.ID, name)); err != nil || got != want {
				t.Errorf("%s: hash %s, card says %s, %v", name, got, want, err)
			}
		}
		agree(t, d, c)
	}
}

// agree runs both files of a winner on the same picture.
func agree(t *testing.T, d *rundir.Dir, c rundir.Card) {
	f, err := os.Open(d.File(c.ID, rundir.FileONNX))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	net, meta, err := onnx.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if meta["genome"] != c.Genome || meta["scale"] != "2" || meta["config_hash"] != d.Config().Hash() || meta["psnr_db"] == "" {
		t.Errorf("metadata %v", meta)
	}
	p, err := os.Open(d.File(c.ID, rundir.FileProgram))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	prog, err := sparse.Decode(p)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	for k, v := range prog.Meta() { // the ONNX file says more
		if meta[k] != v {
			t.Errorf("the program says that %s is %q, the ONNX file %q", k, v, meta[k])
		}
	}
	const w, h = 13, 9
	src := make([]float32, w*h)
	for i := range src {
		src[i] = float32(i*37%220+16) / 255
	}
	got := make([]float32, 4*w*h)
	if err := prog.Upscale(got, src, w, h); err != nil {
		t.Fatal(err)
	}
	want, err := net.Reference(src, w, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if d := got[i] - v; d > 1e-4 || d < -1e-4 {
			t.Fatalf("pixel %d: program %v, ONNX file %v", i, got[i], v)
		}
	}
}

func TestResumeRefusesAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	want := mustRun(t, smoke(t, ""), dir, Options{})
	refuse := func(change string, wantErr error, words ...string) {
		t.Helper()
		err := Run(t.Context(), smoke(t, change), dir, Options{})
		if !errors.Is(err, wantErr) {
			t.Errorf("%s: %v, want %v", change, err, wantErr)
			return
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", change, err, w)
			}
		}
	}
	refuse("seed=7\nsteps=601", rundir.ErrIntegrity, "seed was 1, is 7", "train.steps was 600, is 601")

	// What changes no result may change, and a lost file comes back.
	if err := os.Remove(filepath.Join(dir, rundir.FileFront)); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, smoke(t, "checkpoint=20"), dir, Options{Workers: 3}); !bytes.Equal(got, want) {
		t.Error("a finished run gives another front")
	}

	// A winner whose file was damaged is made again.
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.Winners()
	if err != nil {
		t.Fatal(err)
	}
	model := d.File(list[0].ID, rundir.FileONNX)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(model, []byte("rubbish"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, smoke(t, ""), dir, Options{})
	if got, err := rundir.HashFile(model); err != nil || got != list[0].Files[rundir.FileONNX] {
		t.Errorf("the winner made again has hash %s, want %s (%v)", got, list[0].Files[rundir.FileONNX], err)
	}

	// Two runs cannot work in one directory.
	release, err := rundir.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	refuse("", rundir.ErrUsage, "another run")
	if err := release(); err != nil {
		t.Fatal(err)
	}

	// A supernet of other weights, and a broken one.
	path := filepath.Join(dir, rundir.FileSupernet)
	net, notes, err := supernet.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := supernet.New(net.Space, 99).Save(path, notes); err != nil {
		t.Fatal(err)
	}
	refuse("", rundir.ErrIntegrity, rundir.FileSupernet, "weights")
	if err := os.WriteFile(path, []byte("rubbish"), 0o644); err != nil {
		t.Fatal(err)
	}
	refuse("", rundir.ErrIntegrity, rundir.FileSupernet)

	// A database of rubbish.
	if err := os.WriteFile(filepath.Join(dir, rundir.FileStore), bytes.Repeat([]byte("rubbish "), 2000), 0o644); err != nil {
		t.Fatal(err)
	}
	refuse("", rundir.ErrIntegrity, rundir.FileStore)
	if _, err := rundir.Open(dir); !errors.Is(err, rundir.ErrIntegrity) {
		t.Errorf("Open of rubbish: %v", err)
	}
	if _, err := rundir.Open(t.TempDir()); !errors.Is(err, rundir.ErrUsage) {
		t.Errorf("Open of an empty folder: %v", err)
	}
}

// TestFoldersAreHeldTo runs on pictures of a folder and then changes one.
func TestFoldersAreHeldTo(t *testing.T) {
	folder := t.TempDir()
	for i, name := range []string{"a.png", "b.png"} {
		if err := os.WriteFile(filepath.Join(folder, name), picture(t, 80, uint64(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "run")
	change := "steps=20\nfinetune=5\ntrain=" + folder
	mustRun(t, smoke(t, change), dir, Options{})
	if err := os.WriteFile(filepath.Join(folder, "b.png"), picture(t, 80, 9), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), smoke(t, change), dir, Options{}); !errors.Is(err, rundir.ErrIntegrity) || !strings.Contains(err.Error(), "training pictures") {
		t.Errorf("after a picture changed: %v", err)
	}

	dir = filepath.Join(t.TempDir(), "run")
	change = "steps=20\nfinetune=0\nmode=random\nvalidation=" + folder
	mustRun(t, smoke(t, change), dir, Options{})
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if pairs, err := d.Validation(); err != nil || !strings.HasPrefix(pairs[1].Name, "b.png@") {
		t.Errorf("validation pairs %v, %v", pairs, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.png"), picture(t, 80, 5), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Validation(); !errors.Is(err, rundir.ErrData) {
		t.Errorf("changed validation pictures: %v", err)
	}
}
