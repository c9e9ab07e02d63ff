package serve

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/report"
	"evosr/rundir"
	"evosr/runner"
)

// paintLimit is far above what painting 10,000 evaluations takes (a second on two
// busy cores), ms.
const paintLimit = 4000

// TestBrowser drives the report and the live page in Chromium (make test-page).
// EVOSR_SHOTS names a folder for screenshots.
func TestBrowser(t *testing.T) {
	if os.Getenv("EVOSR_REQUIRE_BROWSER") == "" {
		t.Skip("make test-page runs it")
	}
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && browser == "" {
			browser = path
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed (Debian: chromium): the pages were not looked at")
	}
	dir := finishedRun(t)
	tmp := t.TempDir()
	copyOf := func(name string) string {
		to := filepath.Join(tmp, name)
		copyRun(t, dir, to)
		return to
	}
	live, many := copyOf("live"), copyOf("many")
	page, err := report.Write(copyOf("report"))
	if err != nil {
		t.Fatal(err)
	}
	grow(t, many, 10_000)
	manyPage, err := report.Write(many)
	if err != nil {
		t.Fatal(err)
	}
	photo := filepath.Join(tmp, "photo.png")
	text, err := io.ReadAll(picture(t, 64, 48))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(photo, text, 0o644); err != nil {
		t.Fatal(err)
	}
	compare := func(dirs []string) ([]byte, error) {
		c, err := runner.Compare(dirs, 0)
		if err != nil {
			return nil, err
		}
		return json.Marshal(c)
	}
	one := start(t, Options{Dirs: []string{live}})
	two := start(t, Options{Dirs: []string{dir, live}, Compare: compare})
	spec, err := json.Marshal(map[string]string{"report": page, "many": manyPage, "live": one.URL(), "runs": two.URL(), "picture": photo, "shots": os.Getenv("EVOSR_SHOTS")})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("browsercheck", "drive.mjs"), browser)
	cmd.Stderr = os.Stderr
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(to, "%s\n", spec)
	var result struct {
		Faults []string
		Facts  map[string]int
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		if lines.Text() == "grow" {
			grow(t, live, 1)
			fmt.Fprintln(to, "grown")
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &result); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", result.Facts)
	if result.Facts["evaluations"] < 10_000 || result.Facts["plots"] < 5 {
		t.Errorf("seen %v", result.Facts)
	}
	if ms := result.Facts["paint_ms"]; ms > paintLimit {
		t.Errorf("10,000 evaluations take %d ms to paint, want at most %d", ms, paintLimit)
	}
	if len(result.Faults) > 0 {
		t.Errorf("%d faults:\n%s", len(result.Faults), strings.Join(result.Faults, "\n"))
	}
}

// grow adds evaluations that lie near those of the run.
func grow(t *testing.T, dir string, n int) {
	t.Helper()
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Evaluations()
	var cfg *configs.Config = d.Config()
	d.Close()
	if err != nil {
		t.Fatal(err)
	}
	store, err := rundir.OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rng := rand.New(rand.NewPCG(5, uint64(len(all))))
	for i := range n {
		e := all[i%len(all)]
		g := cfg.Space.Random(rng)
		e.Index, e.ID, e.Genome = len(all)+i, g.ID(), g.String()
		e.PSNR -= 0.3 * rng.Float64()
		e.LatencyMS *= 1 + 0.3*rng.Float64()
		if err := store.AddEvaluation(e, 0); err != nil {
			t.Fatal(err)
		}
	}
}
