package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed assets/page.html assets/page.css assets/page.js assets/echarts.common.min.js
var assets embed.FS

// writePage fills the template. Scripts and style sheet are put in as they
// are: they are ours, or ECharts.
func writePage(w io.Writer, v *view) error {
	read := func(name string) (string, error) {
		text, err := assets.ReadFile("assets/" + name)
		return string(text), err
	}
	funcs := template.FuncMap{
		"css":  func() (template.CSS, error) { s, err := read("page.css"); return template.CSS(s), err },
		"js":   func() (template.JS, error) { s, err := read("page.js"); return template.JS(s), err },
		"lib":  func() (template.JS, error) { s, err := read("echarts.common.min.js"); return template.JS(s), err },
		"svg":  func(s string) template.HTML { return template.HTML(s) }, // frontSVG escapes what it is given
		"pct":  func(x float64) template.CSS { return template.CSS(fmt.Sprintf("%.2f%%", x)) },
		"loss": func(x float64) string { return fmt.Sprintf("%.3f", 255*x) },
	}
	t, err := template.New("page.html").Funcs(funcs).ParseFS(assets, "assets/page.html")
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}
