package report

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/rundir"
)

func pageOf(t *testing.T, m *material) string {
	t.Helper()
	var b bytes.Buffer
	if err := writePage(&b, newView(m), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// ours is the page without the library and the data, where markup is looked
// for.
func ours(page string) string {
	return regexp.MustCompile(`(?s)<script[^>]*>.*?</script>`).ReplaceAllString(page, "")
}

var sections = []string{"front", "winners", "pictures", "latency", "search", "about"}

func TestPage(t *testing.T) {
	stale := fixture(t)
	stale.stale = errors.New("deviceprofile: kernels: avx2, want avx512")
	lost := fixture(t)
	lost.profile, lost.stale = nil, errors.New("configs: profile.yaml:3:1: unknown key")
	moved := fixture(t)
	moved.crops, moved.noCrops = nil, "the validation pictures are not those of the run"
	empty := young(t, 0)
	empty.training, empty.layers, empty.profile, empty.events = nil, nil, nil, nil
	empty.status = rundir.Status{Stage: rundir.StageData}
	taken := fixture(t)
	taken.training, taken.quality, taken.layers = nil, nil, nil
	taken.config.Train.From, taken.config.Train.Steps = configs.Pretrained, 0
	tests := []struct {
		name string
		m    *material
		want []string
	}{
		{"untrained", taken, []string{"The weights of pretrained were taken as they are"}},
		{"finished", fixture(t), []string{"Winner A", "Winner C", "dB over bicubic", "knee of the front", "Example CPU 2.90GHz", `class="crop"`, "MATLAB bicubic reduction", "winners/", strings.Repeat("5e", 32)}},
		{"searching", young(t, 40), []string{"in progress", "searching, 40 of 240", "No winner is finished yet", "The front as a table"}},
		{"just begun", empty, []string{"in progress", "at stage data", "No network has been scored yet", "Training has not begun"}},
		{"profile of another version", lost, []string{"device profile does not read: configs: profile.yaml:3:1", "not known"}},
		{"pictures moved", moved, []string{"no pictures to show: the validation pictures are not those"}},
		{"stale profile", stale, []string{"Read with care", "kernels: avx2, want avx512"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := pageOf(t, tt.m)
			wellFormed(t, ours(page))
			offline(t, page)
			for _, id := range sections {
				if !strings.Contains(page, `<section id="`+id+`"`) {
					t.Errorf("no section %q", id)
				}
			}
			for _, text := range tt.want {
				if !strings.Contains(ours(page), text) {
					t.Errorf("the page does not say %q", text)
				}
			}
			if strings.Contains(ours(page), "ZgotmplZ") || strings.Contains(ours(page), "NaN") {
				t.Error("the page shows a value that could not be written")
			}
		})
	}
}

// wellFormed holds every tag of the page against a stack.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	void := []string{"meta", "img", "br", "rect", "circle", "path"}
	body := regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(page, "")
	ids := map[string]bool{}
	var open []string
	for _, tag := range regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)((?:[^<>"]|"[^"]*")*)>`).FindAllStringSubmatch(body, -1) {
		name := tag[2]
		if id := regexp.MustCompile(`\sid="([^"]*)"`).FindStringSubmatch(tag[3]); id != nil {
			if ids[id[1]] {
				t.Errorf("id %q twice", id[1])
			}
			ids[id[1]] = true
		}
		switch {
		case slices.Contains(void, name):
		case tag[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Fatalf("</%s> closes %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) != 0 {
		t.Errorf("never closed: %v", open)
	}
	for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !ids[link[1]] {
			t.Errorf("a link leads to #%s, which is not there", link[1])
		}
	}
	if strings.Count(body, "<img") != strings.Count(body, " alt=\"") {
		t.Error("a picture has no text beside it")
	}
}

// offline looks for anything that would make a browser ask the network.
func offline(t *testing.T, page string) {
	t.Helper()
	markup := ours(page)
	for _, re := range []string{`(?i)\b(?:src|href|srcset|action|poster|data)\s*=\s*["']?\s*(?:https?:)?//`, `(?i)url\(\s*["']?(?:https?:)?//`, `(?i)@import`, `(?i)<(?:link|iframe|object|embed|base)\b`} {
		if got := regexp.MustCompile(re).FindString(markup); got != "" {
			t.Errorf("the page refers to the outside: %q", got)
		}
	}
	if strings.Contains(page, "<script src") {
		t.Error("a script is not in the page")
	}
	if !strings.Contains(page, `Content-Security-Policy" content="default-src &#39;none&#39;`) && !strings.Contains(page, `Content-Security-Policy" content="default-src 'none'`) {
		t.Error("no content security policy")
	}
}

// TestEscape puts markup wherever a run directory holds text.
func TestEscape(t *testing.T) {
	const evil = `</script><img src=x onerror=alert(1)>"'&`
	m := fixture(t)
	m.name = evil
	m.profile.CPU, m.profile.Date, m.profile.Governor = evil, evil, evil
	m.stale = errors.New(evil)
	m.config.Data.Train = evil
	m.config.Search.Mode = evil
	m.status.Stage = evil
	m.events[0].Text, m.events[0].Stage = evil, evil
	m.training[0].Loss = 1
	for i := range m.winners {
		w := &m.winners[i]
		w.Genome, w.Reason, w.Metric, w.Latency.Kernels = evil, evil, evil, evil
		w.Layers[0].Name, w.Layers[0].Scheme = evil, evil
		w.Files = map[string]string{evil: evil}
	}
	m.front[0].Genome, m.front[0].ID = evil, evil
	m.evaluations[0].ID, m.evaluations[0].Genome = evil, evil
	m.crops[0].Name, m.crops[0].Columns[0].Title, m.crops[0].Columns[0].Note = evil, evil, evil
	page := pageOf(t, m)
	if strings.Contains(page, "<img src=x") {
		t.Error("text of the run directory became markup")
	}
	if got := strings.Count(page, "</script>"); got != 3 {
		t.Errorf("%d scripts end, want 3", got)
	}
	wellFormed(t, ours(page))
	if svg := frontSVG(newView(m)); strings.Contains(svg, "<img") {
		t.Error("text of the run directory became markup in the SVG")
	}
}

// TestData reads the charts' JSON out of the page again.
func TestData(t *testing.T) {
	m := fixture(t)
	text := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(pageOf(t, m))
	if text == nil {
		t.Fatal("no data in the page")
	}
	var c charts
	if err := json.Unmarshal([]byte(text[1]), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Evaluations) != len(m.evaluations)-1 || len(c.Front) != len(m.front) || len(c.Winners) != 3 || len(c.Loss) != len(m.training) {
		t.Errorf("%d evaluations, %d front, %d winners, %d losses", len(c.Evaluations), len(c.Front), len(c.Winners), len(c.Loss))
	}
	if n := len(m.quality); len(c.Validation) != n || len(c.ValidationPruned) != n || c.Validation[n-1] != [2]float64{float64(m.quality[n-1].Step), m.quality[n-1].PSNR} {
		t.Errorf("validation %v, pruned %v, want %v", c.Validation, c.ValidationPruned, m.quality)
	}
	if c.X.Key != "latency_ms" || c.Y.Key != "psnr_db" || c.Bicubic != 26.84 || c.Dense == nil {
		t.Errorf("axes %v, %v, bicubic %v, dense %v", c.X, c.Y, c.Bicubic, c.Dense)
	}
	if c.Evaluations[0].ID != m.evaluations[0].ID || c.Evaluations[0].X != m.evaluations[0].LatencyMS {
		t.Errorf("first evaluation %+v, want %+v", c.Evaluations[0], m.evaluations[0])
	}
	for i := 1; i < len(c.Hypervolume); i++ {
		if c.Hypervolume[i][1] < c.Hypervolume[i-1][1] {
			t.Fatalf("hypervolume falls at %v", c.Hypervolume[i])
		}
	}
}

func TestFrontOf(t *testing.T) {
	aims, err := fitness.ParseObjectives([]string{"psnr_db", "latency_ms"})
	if err != nil {
		t.Fatal(err)
	}
	point := func(id string, psnr, ms float64) rundir.Evaluation {
		return rundir.Evaluation{Point: rundir.Point{ID: id, Genome: id, Values: fitness.Values{PSNR: psnr, LatencyMS: ms}}}
	}
	over := point("over", 50, 0.1)
	over.Violation = 2
	failed := point("failed", 60, 0)
	failed.Err = "no"
	got := frontOf([]rundir.Evaluation{point("b", 30, 3), point("a", 28, 1), point("dominated", 27, 2), over, failed, point("twin", 30, 3), point("c", 31, 9)}, aims)
	var ids []string
	for _, p := range got {
		ids = append(ids, p.ID)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(ids, want) {
		t.Errorf("front %v, want %v", ids, want)
	}
	// The reference point is (27 dB, 9 ms): 2x1 over b's edge, 6x3 and nothing
	// for c, whose latency is the worst.
	_, hv := hypervolumeCurve([]rundir.Evaluation{point("b", 30, 3), point("a", 28, 1), point("dominated", 27, 2), point("c", 31, 9)}, aims)
	if want := 2.0*1 + 6*3; hv != want {
		t.Errorf("hypervolume %v, want %v", hv, want)
	}
}

func TestCSV(t *testing.T) {
	m := fixture(t)
	m.evaluations[3].Err = "=cmd()"
	m.evaluations[5].Estimated = true
	var b bytes.Buffer
	if err := writeCSV(&b, m); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(m.evaluations)+1 {
		t.Errorf("%d rows, want %d", len(rows), len(m.evaluations)+1)
	}
	front := 0
	for i, r := range rows[1:] {
		if r[0] != fmt.Sprint(i) || r[2] != m.evaluations[i].Genome {
			t.Fatalf("row %d is %v", i, r)
		}
		if r[10] == "true" {
			front++
		}
	}
	if front < len(m.front) {
		t.Errorf("%d rows on the front, want at least %d", front, len(m.front))
	}
	if rows[6][9] != "true" || rows[7][9] != "false" {
		t.Errorf("estimated: %q and %q, want true and false", rows[6][9], rows[7][9])
	}
	if got := rows[4][11]; got != "'=cmd()" {
		t.Errorf("a formula is written as %q", got)
	}
}

func TestSVG(t *testing.T) {
	for _, m := range []*material{fixture(t), young(t, 1), young(t, 0)} {
		v := newView(m)
		svg := frontSVG(v)
		dec := xml.NewDecoder(strings.NewReader(svg))
		circles := 0
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
			if s, ok := tok.(xml.StartElement); ok && s.Name.Local == "circle" {
				circles++
			}
		}
		if want := len(v.Charts.Evaluations) + len(v.Charts.Front) + len(v.Charts.Winners); circles != want {
			t.Errorf("%d circles, want %d", circles, want)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a place is not a number: %s", svg)
		}
	}
}

func TestCrops(t *testing.T) {
	pairs := fixturePairs(2)
	crops, err := cropsOf(pairs, []exhibit{{"Winner A", nearest(2)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(crops) != cropCount {
		t.Fatalf("%d crops, want %d", len(crops), cropCount)
	}
	for _, c := range crops {
		if len(c.Columns) != 3 {
			t.Fatalf("%d columns, want bicubic, winner, original", len(c.Columns))
		}
		for _, col := range c.Columns {
			raw, ok := strings.CutPrefix(string(col.PNG), "data:image/png;base64,")
			if !ok {
				t.Fatalf("picture is %.40q", col.PNG)
			}
			img, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx() != c.Side || b.Dy() != c.Side {
				t.Errorf("%s is %v, want side %d", col.Title, b, c.Side)
			}
		}
	}
	if small, err := cropsOf(pairs[:1], nil); err != nil || len(small) != 1 {
		t.Errorf("one picture gives %d crops, %v", len(small), err)
	}
}

func TestPickShown(t *testing.T) {
	tests := []struct {
		psnr []float64 // fastest first
		want []int
	}{
		{[]float64{30}, []int{0}}, {[]float64{30, 31}, []int{0, 1}}, {[]float64{31, 30}, []int{0}},
		{[]float64{30, 31, 32}, []int{0, 1, 2}}, {[]float64{30, 31, 32, 33, 32.5}, []int{0, 1, 3}},
	}
	for _, tt := range tests {
		var cards []rundir.Card
		for _, p := range tt.psnr {
			cards = append(cards, rundir.Card{Finetuned: fitness.Quality{PSNR: p}})
		}
		if got := pickShown(cards); !slices.Equal(got, tt.want) {
			t.Errorf("of %v: %v, want %v", tt.psnr, got, tt.want)
		}
	}
}

func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	path, err := writeAll(dir, fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	if path != filepath.Join(dir, "report.html") {
		t.Errorf("path %q", path)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"before-after.png", "evaluations.csv", "front.svg", "report.html"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if keep := os.Getenv("EVOSR_KEEP_REPORT"); keep != "" { // to look at the page in a browser
		if _, err := writeAll(keep, fixture(t)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writeAll(filepath.Join(dir, "missing"), fixture(t)); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

func TestFormat(t *testing.T) {
	tests := []struct{ got, want string }{
		{count(1234567), "1\u202f234\u202f567"}, {count(-1234), "−1\u202f234"}, {count(12), "12"},
		{signed(1.234), "+1.23"}, {signed(-0.5), "−0.50"}, {signed(-0.001), "+0.00"},
		{milliseconds(0.12345), "0.123"}, {milliseconds(0.02268), "0.0227"}, {milliseconds(1.234), "1.23"}, {milliseconds(12.34), "12.3"}, {milliseconds(345.6), "346"},
		{short(1234), "1.23 k"}, {short(2.5e9), "2.5 G"}, {short(999.9e3), "1 M"}, {short(12), "12"},
		{size(999), "999 B"}, {size(48123), "48.1 kB"}, {size(2_500_000), "2.5 MB"}, {rundir.Letter(0), "A"}, {rundir.Letter(27), "AB"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// TestAgainst: two predictions are compared, never a prediction with a
// measurement, and a slower network is not called 0.7 times as fast.
func TestAgainst(t *testing.T) {
	tests := []struct {
		dense, winner float64 // milliseconds
		value, unit   string
	}{
		{12, 3, "4.0×", "faster"},
		{12.8, 0.101, "127×", "faster"},
		{12, 12, "equal", "in time"},
		{12, 12.4, "equal", "in time"},
		{8, 12, "1.5×", "slower"},
		{0, 12, "", ""},
		{12, 0, "", ""},
	}
	for _, tt := range tests {
		if value, unit := against(tt.dense, tt.winner); value != tt.value || unit != tt.unit {
			t.Errorf("against(%g, %g) = %q %q, want %q %q", tt.dense, tt.winner, value, unit, tt.value, tt.unit)
		}
	}
	m := fixture(t)
	c := m.winners[0]
	c.Latency.PredictedMS = m.dense.LatencyMS
	c.Latency.MedianMS, c.Latency.P90MS = 2*m.dense.LatencyMS, 2*m.dense.LatencyMS // a busy machine
	if w := newWinner(m, 0, c); w.Against != "equal" {
		t.Errorf("a winner as large as the dense network: %s %s", w.Against, w.AgainstUnit)
	}
}

// TestWarnings: one sentence for each kind of trouble, whoever has it.
func TestWarnings(t *testing.T) {
	m := fixture(t)
	m.layers = nil
	for i := range m.winners {
		l := &m.winners[i].Latency
		l.Stale, l.LowMS, l.HighMS, l.MedianMS, l.P90MS = "", 1, 2, 1.5, 1.6
		m.winners[i].Finetuned.PSNR = m.winners[i].Bicubic.PSNR + 1
	}
	if got := warnings(m); len(got) != 0 {
		t.Fatalf("a run without fault: %q", got)
	}
	for i := range m.winners {
		m.winners[i].Latency.MedianMS, m.winners[i].Latency.P90MS = 3, 9
	}
	m.winners[1].Finetuned.PSNR = m.winners[1].Bicubic.PSNR - 1
	got := warnings(m)
	if len(got) != 3 {
		t.Fatalf("%d warnings, want three: %q", len(got), got)
	}
	for i, want := range []string{
		"winners A (median 3.00 ms, one frame in ten 9.00 ms or more), B (",
		"winners A (3.00 ms for 1.00 to 2.00 ms), B (",
		"interpolation: winner B.",
	} {
		if !strings.Contains(got[i], want) {
			t.Errorf("%q does not say %q", got[i], want)
		}
	}
}

// TestDevices: a second device has its column, its budget and its group of
// facts; of one that is not this machine nothing is said to be measured.
func TestDevices(t *testing.T) {
	m := fixture(t)
	phone := &deviceprofile.Profile{Runtime: "sh phone.sh {model}", CPU: "Example Phone", Threads: 4, Date: "2026-02-02T10:00:00Z", Version: "1"}
	m.devices = []rundir.Device{{Target: configs.Target{Name: "phone", Width: 640, Height: 360, BudgetMS: 33}, Profile: phone}}
	for i := range m.front {
		m.front[i].Others = map[string]float64{"phone": 17.25}
	}
	for i := range m.winners {
		l := rundir.Latency{Width: 640, Height: 360, Threads: 4, PredictedMS: 17.25, LowMS: 16, HighMS: 44}
		m.winners[i].Devices = []rundir.DeviceLatency{{Device: "phone", BudgetMS: 33, Latency: l}}
	}
	m.winners[0].Devices[0].MedianMS = 41.5
	v := newView(m)
	var page, table bytes.Buffer
	if err := writePage(&page, v, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"phone, ms", "17.2", "On further devices", "640×360 input, 4 threads", "not here", `<span class="bad">33`, "Device phone", "sh phone.sh", "33.0 ms on phone"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if d := v.Winners[1].Devices[0]; d.Over || d.Measured != "" {
		t.Errorf("within its budget: %+v", d)
	}
	if err := writeCSV(&table, m); err != nil || !strings.Contains(table.String(), ",error,latency_ms:phone\n") {
		t.Errorf("no column of the phone (%v)", err)
	}
	c := m.winners[0]
	if w := newWinner(m, 0, c); w.Foreign {
		t.Error("a winner measured on the profile's machine counts as foreign")
	}
	if c.Latency.Stale = "another"; !newWinner(m, 0, c).Foreign {
		t.Error("a winner measured on another machine does not count as foreign")
	}
	m.profile.Quiet, m.profile.Trouble = false, "no quiet minute"
	m.winners[0].Latency.QuietShare = 0.1
	if text := strings.Join(warnings(m), "\n"); !strings.Contains(text, "not quiet (no quiet minute)") || !strings.Contains(text, "held the cores while winner A") {
		t.Errorf("warnings: %s", text)
	}
}
