package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"evosr/configs"
	"evosr/rundir"
	"evosr/runner"
)

// finished is a small finished run, made once; tests only read it.
var finished = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "evosr-serve-*")
	if err != nil {
		return "", err
	}
	text, err := configs.Preset("smoke")
	if err != nil {
		return dir, err
	}
	cfg, err := configs.Parse("smoke.yaml", text)
	if err != nil {
		return dir, err
	}
	cfg.Train.Steps, cfg.Train.Checkpoint, cfg.Search.Evaluations, cfg.Search.Population, cfg.Winners.Finetune, cfg.Winners.MeasureRuns = 40, 20, 40, 8, 4, 3
	return dir, runner.Run(context.Background(), cfg, filepath.Join(dir, "run"), runner.Options{})
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := finished(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func finishedRun(t *testing.T) string {
	t.Helper()
	dir, err := finished()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "run")
}

// start serves until the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.every == 0 {
		o.every = 20 * time.Millisecond
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request with headers, "Host" among them.
func ask(t *testing.T, method, url string, body io.Reader, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r) // follows nothing
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestServe(t *testing.T) {
	dir := finishedRun(t)
	s := start(t, Options{Dirs: []string{dir}})
	code, h, text := ask(t, "GET", s.URL(), nil)
	if code != 200 || !strings.Contains(text, `id="front"`) || !strings.Contains(text, `id="try"`) {
		t.Fatalf("%d, %d bytes", code, len(text))
	}
	if strings.Contains(text, "<style>") || strings.Contains(text, "<script>") {
		t.Error("the live page has a style sheet or a script in it, which its policy forbids")
	}
	if p := h.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "script-src 'unsafe") {
		t.Errorf("policy %q", p)
	}
	for _, name := range []string{"page.css", "page.js", "point.js", "pictures.js", "live.js", "runs.js", "echarts.common.min.js"} {
		if code, _, text := ask(t, "GET", s.URL()+"asset/"+name, nil); code != 200 || len(text) < 1000 {
			t.Errorf("%s: %d, %d bytes", name, code, len(text))
		}
	}
}

// TestAttacks: requests that are refused, and what is never in an answer.
func TestAttacks(t *testing.T) {
	dir := finishedRun(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(filepath.Join(filepath.Dir(other), "secret"), []byte("SECRET"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Dirs: []string{dir, other}, Compare: func([]string) ([]byte, error) { return []byte("{}"), nil }})
	addr := s.from.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	tests := []struct {
		name, method, path string // path: from the root, TOKEN stands for the token
		headers            []string
		want               int
	}{
		{"no token", "GET", "", nil, 403},
		{"no token, an asset", "GET", "asset/page.js", nil, 403},
		{"no token, a run", "GET", "run/0/", nil, 403},
		{"another token", "GET", strings.Repeat("A", 32) + "/", nil, 403},
		{"the token's beginning", "GET", s.token[:31] + "/", nil, 403},
		{"the token as a query", "GET", "?token=" + s.token, nil, 403},
		{"the token without its slash", "GET", s.token, nil, 403},
		{"foreign host", "GET", "TOKEN/", []string{"Host", "evil.example"}, 403},
		{"foreign host with our port", "GET", "TOKEN/", []string{"Host", "evil.example:" + port}, 403},
		{"a name that begins like ours", "GET", "TOKEN/", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"another machine's number", "GET", "TOKEN/", []string{"Host", "10.1.2.3:" + port}, 403},
		{"localhost is ours", "GET", "TOKEN/", []string{"Host", "localhost:" + port}, 200},
		{"localhost behind a tunnel is ours", "GET", "TOKEN/", []string{"Host", "localhost:9999"}, 200},
		{"cross origin", "GET", "TOKEN/", []string{"Origin", "https://evil.example"}, 403},
		{"cross origin, null", "GET", "TOKEN/", []string{"Origin", "null"}, 403},
		{"cross origin, another port", "POST", "TOKEN/run/0/try?winner=A", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"our origin", "GET", "TOKEN/", []string{"Origin", "http://" + addr}, 200},
		{"another page asks for a script", "GET", "TOKEN/asset/page.js", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a page of this machine asks for events", "GET", "TOKEN/events", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"a link from elsewhere", "GET", "TOKEN/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"traversal", "GET", "TOKEN/../../../../etc/passwd", nil, 404},
		{"traversal below assets", "GET", "TOKEN/asset/../page.go", nil, 404},
		{"traversal, encoded", "GET", "TOKEN/asset/%2e%2e%2f%2e%2e%2fetc%2fpasswd", nil, 404},
		{"traversal, encoded slash", "GET", "TOKEN/run/0%2f..%2f..%2fsecret", nil, 404},
		{"traversal, twice encoded", "GET", "TOKEN/asset/%252e%252e/secret", nil, 404},
		{"traversal with backslashes", "GET", `TOKEN/asset/..%5c..%5csecret`, nil, 404},
		{"a path of the disk", "GET", "TOKEN/run/" + "/etc/passwd", nil, 404},
		{"a NUL", "GET", "TOKEN/asset/page.js%00.png", nil, 404},
		{"a file of the run", "GET", "TOKEN/run/0/run.db", nil, 404},
		{"a template", "GET", "TOKEN/asset/page.html", nil, 404},
		{"the table of published networks", "GET", "TOKEN/asset/published.json", nil, 404},
		{"no such run", "GET", "TOKEN/run/2/", nil, 404},
		{"a run below zero", "GET", "TOKEN/run/-1/", nil, 404},
		{"a run in another spelling", "GET", "TOKEN/run/00/", nil, 404},
		{"a run too large a number", "GET", "TOKEN/run/99999999999999999999/", nil, 404},
		{"writing", "PUT", "TOKEN/", nil, 405},
		{"deleting a run", "DELETE", "TOKEN/run/0/", nil, 405},
		{"events by POST", "POST", "TOKEN/run/0/events", nil, 405},
		{"events by HEAD", "HEAD", "TOKEN/run/0/events", nil, 405},
		{"trying by GET", "GET", "TOKEN/run/0/try?winner=A", nil, 405},
		{"a winner that is a path", "POST", "TOKEN/run/0/try?winner=../../secret", nil, 409},
		{"no picture", "POST", "TOKEN/run/0/try?winner=A", nil, 415},
		{"a run that is none", "GET", "TOKEN/run/1/", nil, 200},
		{"trying in a run that is none", "POST", "TOKEN/run/1/try?winner=A", nil, 409},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, h, text := raw(t, addr, tt.method, "/"+strings.ReplaceAll(tt.path, "TOKEN", s.token), tt.headers)
			if code != tt.want {
				t.Errorf("%d, want %d: %.200s", code, tt.want, text)
			}
			for _, bad := range []string{"root:", "SECRET"} {
				if strings.Contains(text, bad) {
					t.Errorf("the answer holds %q", bad)
				}
			}
			if code >= 300 && code < 400 {
				t.Error("the answer leads elsewhere")
			}
			if h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// raw sends a path as it stands: a client would clean it.
func raw(t *testing.T, addr, method, path string, headers []string) (int, http.Header, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host, rest := addr, ""
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			host = headers[i+1]
			continue
		}
		rest += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", method, path, host, rest)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// TestSlow: clients that send their request byte by byte are hung up on, and 1,000
// that send nothing keep nobody out.
func TestSlow(t *testing.T) {
	s := start(t, Options{Dirs: []string{finishedRun(t)}, header: 300 * time.Millisecond})
	addr := s.from.Addr().String()
	slow, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	go func() {
		for i := 0; ; i++ {
			if _, err := io.WriteString(slow, string("GET /x"[min(i, 5)])); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if err := slow.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(slow); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a client that sends a byte every 20 ms is still connected after 10 s")
	}
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for range 1000 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	if code, _, _ := ask(t, "GET", s.URL()+"asset/page.css", nil); code != 200 {
		t.Errorf("%d while 1,000 connections are idle", code)
	}
	s.conns.mu.Lock()
	n := len(s.conns.all)
	s.conns.mu.Unlock()
	if n > maxConnections+1 {
		t.Errorf("%d connections are held, want at most %d", n, maxConnections)
	}
}

// TestStreams: more streams than there may be are refused, and a stream that nobody
// reads ends.
func TestStreams(t *testing.T) {
	s := start(t, Options{Dirs: []string{finishedRun(t)}})
	var open []io.Closer
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	codes := map[int]int{}
	client := &http.Transport{}
	for range maxStreams + 3 {
		r, err := http.NewRequest("GET", s.URL()+"events", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, res.Body)
		codes[res.StatusCode]++
	}
	if codes[200] != maxStreams || codes[503] != 3 {
		t.Errorf("answers %v, want %d streams", codes, maxStreams)
	}
}

// events reads updates of a stream.
func events(t *testing.T, url string) (next func() map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	lines := bufio.NewReaderSize(res.Body, 1<<20)
	return func() map[string]any {
		t.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := strings.CutPrefix(line, "data: "); ok {
				var u map[string]any
				if err := json.Unmarshal([]byte(text), &u); err != nil {
					t.Fatal(err)
				}
				return u
			}
		}
	}
}

// TestLive follows a run that begins after the server does, until evaluations come:
// each is told once.
func TestLive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	s := start(t, Options{Dirs: []string{dir}})
	if code, _, text := ask(t, "GET", s.URL(), nil); code != 200 || !strings.Contains(text, "is no run directory") {
		t.Fatalf("%d before the run: %s", code, text)
	}
	next := events(t, s.URL()+"events")
	if u := next(); u["error"] == "" {
		t.Errorf("no error before the run: %v", u)
	}
	copyRun(t, finishedRun(t), dir)
	store, err := rundir.OpenStore(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	u := next()
	for range 50 { // looks while the files were copied saw less than a run
		if u["error"] == nil || u["error"] == "" {
			break
		}
		u = next()
	}
	charts, _ := u["charts"].(map[string]any)
	if charts == nil {
		t.Fatalf("no charts: %v", u)
	}
	known, _ := charts["evaluations"].([]any)
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, err := d.Evaluations()
	d.Close()
	if err != nil {
		t.Fatal(err)
	}
	added := all[0]
	added.Index = len(all)
	if err := store.AddEvaluation(added, 0); err != nil {
		t.Fatal(err)
	}
	u = next()
	charts = u["charts"].(map[string]any)
	if more, _ := charts["evaluations"].([]any); len(more) != 1 || int(u["from"].(float64)) != len(known) {
		t.Errorf("%d evaluations from %v, want 1 from %d", len(more), u["from"], len(known))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func copyRun(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// TestForeign: run directories by other tools and with markup in their names are
// shown as text, or told about.
func TestForeign(t *testing.T) {
	const evil = `<script>alert(1)<script>`
	dir := filepath.Join(t.TempDir(), evil)
	copyRun(t, finishedRun(t), dir)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.MkdirAll(text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(text, rundir.FileStore), []byte("no database"), 0o644); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	copyRun(t, finishedRun(t), moved)
	store, err := rundir.OpenStore(moved, true)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := store.Winners()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetCard(chosen[0].ID, strings.Replace(chosen[0].Card, chosen[0].ID, "../../../secret", 1)); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	swapped := filepath.Join(t.TempDir(), "swapped")
	copyRun(t, finishedRun(t), swapped)
	program := filepath.Join(swapped, rundir.DirWinners, chosen[0].ID, rundir.FileProgram)
	if err := os.WriteFile(program, []byte("another program"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{Dirs: []string{dir, text, moved, swapped}})
	for path, want := range map[string]string{"": "4 runs", "run/0/": "&lt;script&gt;alert(1)", "run/1/": "cannot be continued", "run/2/": "want that of a genome"} {
		code, _, page := ask(t, "GET", s.URL()+path, nil)
		if code != 200 || !strings.Contains(page, want) || strings.Contains(page, evil) {
			t.Errorf("%q: %d, says %q: %v, markup: %v", path, code, want, strings.Contains(page, want), strings.Contains(page, evil))
		}
	}
	if code, _, say := ask(t, "POST", s.URL()+"run/3/try?winner="+chosen[0].ID, picture(t, 20, 10)); code != 409 || !strings.Contains(say, "not the one") {
		t.Errorf("a program that was swapped: %d %s", code, say)
	}
}

func picture(t *testing.T, w, h int) io.Reader {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 9), uint8(y * 7), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestTry(t *testing.T) {
	s := start(t, Options{Dirs: []string{finishedRun(t)}})
	var results []image.Image
	for _, name := range []string{"A", "bicubic"} {
		code, h, text := ask(t, "POST", s.URL()+"try?winner="+name, picture(t, 20, 10))
		if code != 200 {
			t.Fatalf("%s: %d %s", name, code, text)
		}
		m, err := png.Decode(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if m.Bounds().Dx() != 40 || m.Bounds().Dy() != 20 || h.Get("X-Evosr-Size") != "40x20" || h.Get("X-Evosr-Milliseconds") == "" {
			t.Errorf("%s: %v, %v", name, m.Bounds(), h)
		}
		results = append(results, m)
	}
	same := true
	for x := range 40 {
		same = same && results[0].At(x, 7) == results[1].At(x, 7)
	}
	if same {
		t.Error("the winner's row is that of bicubic interpolation")
	}
	// A header that asks for far too many pixels.
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4000, 4000))); err != nil {
		t.Fatal(err)
	}
	if code, _, text := ask(t, "POST", s.URL()+"try?winner=A", &b); code != 413 {
		t.Errorf("too large a picture: %d %s", code, text)
	}
}
