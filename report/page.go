package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"
)

//go:embed assets/*.html assets/*.css assets/*.js
var assets embed.FS

// library draws the charts; scripts are ours, in the order in which they run.
const library = "echarts.common.min.js"

var scripts = []string{"page.js", "point.js", "pictures.js", "live.js"}

const style = "page.css"

// live is what a served page has beside the view.
type live struct {
	Links
	Page    int
	Scripts []string
}

// Asset is a script or style sheet of live pages by its name, and its type. Other
// names are an error.
func Asset(name string) (text []byte, kind string, err error) {
	switch {
	case name == style:
		kind = "text/css; charset=utf-8"
	case name == library, name == runsScript, slices.Contains(scripts, name):
		kind = "text/javascript; charset=utf-8"
	default:
		return nil, "", fs.ErrNotExist
	}
	text, err = assets.ReadFile("assets/" + name)
	return text, kind, err
}

func read(name string) (string, error) {
	text, err := assets.ReadFile("assets/" + name)
	return string(text), err
}

func parsed(name string) (*template.Template, error) {
	funcs := template.FuncMap{
		"css": func() (template.CSS, error) { s, err := read(style); return template.CSS(s), err },
		"js": func() (template.JS, error) {
			all := ""
			for _, name := range scripts {
				s, err := read(name)
				if err != nil {
					return "", err
				}
				all += s
			}
			return template.JS(all), nil
		},
		"lib":  func() (template.JS, error) { s, err := read(library); return template.JS(s), err },
		"svg":  func(s string) template.HTML { return template.HTML(s) }, // frontSVG escapes what it is given
		"pct":  func(x float64) template.CSS { return template.CSS(fmt.Sprintf("%.2f%%", x)) },
		"loss": func(x float64) string { return fmt.Sprintf("%.3f", 255*x) },
	}
	return template.New(name).Funcs(funcs).ParseFS(assets, "assets/"+name)
}

// writePage fills the template. Of a page in a file, scripts and style sheet are put
// in as they are: they are ours, or ECharts. A live page, l, refers to them.
func writePage(w io.Writer, v *view, l *live) error {
	t, err := parsed("page.html")
	if err != nil {
		return err
	}
	if l != nil {
		l.Scripts = append([]string{library}, scripts...)
	}
	return t.Execute(w, struct {
		*view
		Live *live
	}{v, l})
}

// writeWaiting writes the page of a run that cannot be read, or not yet.
func writeWaiting(w io.Writer, name, why string, page int, links *Links) error {
	t, err := parsed("waiting.html")
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		Title, Why string
		Live       *live
	}{name, why, &live{Links: *links, Page: page, Scripts: []string{"live.js"}}})
}

const runsScript = "runs.js"

// WriteRuns writes the page of several runs over each other; data is a stream of
// []Run, compare a comparison in JSON, and the page of the i-th run is at run/i/.
func WriteRuns(w io.Writer, runs []Run, links Links, compare string) error {
	t, err := parsed("runs.html")
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		Runs    []Run
		Compare string
		Live    *live
	}{runs, compare, &live{Links: links, Scripts: []string{library, runsScript}}})
}
