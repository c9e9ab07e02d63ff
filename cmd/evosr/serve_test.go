package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"evosr/configs"
)

// TestServeCommand: the first line is the address, which answers while a run goes on
// beside it, and Ctrl-C ends serve alone.
func TestServeCommand(t *testing.T) {
	dir := t.TempDir()
	smokeWith(t, filepath.Join(dir, "small.yaml"), func(c *configs.Config) {
		c.Train.Steps, c.Train.Checkpoint, c.Search.Evaluations, c.Search.Population, c.Winners.Finetune, c.Winners.MeasureRuns = 40, 20, 40, 8, 4, 3
	})
	if got := evosr(t, dir, nil, "serve"); got.code != exitUsage || !strings.Contains(got.stderr, "no run below runs/") {
		t.Errorf("serve without a run: %+v", got)
	}
	if got := evosr(t, dir, nil, "serve", "small.yaml"); got.code != exitUsage {
		t.Errorf("serve of a file: %+v", got)
	}
	run := ok(t, dir, "run", "small.yaml", "--dir", "runs/r", "--serve")
	first, rest, _ := strings.Cut(run.stdout, "\n")
	if address := regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[-_A-Za-z0-9]{32}/$`); !address.MatchString(first) {
		t.Errorf("first line %q, want %s", first, address)
	}
	if !strings.Contains(rest, "report   runs/r/report.html") || !strings.Contains(run.stderr, "next: evosr upscale -m runs/r@") {
		t.Errorf("after the run: %q, %q", rest, run.stderr)
	}
	ok(t, dir, "run", "small.yaml", "--dir", "alone")
	served, alone := read(t, filepath.Join(dir, "runs/r/front.json")), read(t, filepath.Join(dir, "alone/front.json"))
	if served != alone {
		t.Error("a run that is served has another front")
	}
	if got := evosr(t, dir, nil, "serve", "runs/r", "--listen", "nowhere.invalid:1"); got.code != exitUsage || !strings.Contains(got.stderr, "want HOST:PORT") {
		t.Errorf("serve on another machine: %+v", got)
	}
	c := command(t, dir, "serve")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(page), `id="front"`) {
		t.Errorf("%v, %d, %d bytes", err, res.StatusCode, len(page))
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
