// Package report turns a run directory into one HTML page that opens offline,
// a CSV of all evaluations, an SVG of the front and a sheet of pictures before
// and after.
//
// The page is a view of what the run recorded: it scores nothing again. Only
// the before-and-after pictures are made anew, by the winners' own program
// files. A run in progress gives a page of what is there so far.
//
// Everything shown is escaped by html/template; the page's content security
// policy forbids every request. Charts are drawn by Apache ECharts, which is
// embedded; without scripts the page still shows the front and every number.
package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"time"

	"evosr/imaging"
	"evosr/internal/whole"
	"evosr/rundir"
)

// Names of the files that Write leaves in a run directory.
const (
	PageName  = "report.html"
	CSVName   = "evaluations.csv"
	SVGName   = "front.svg"
	SheetName = "before-after.png" // once there are winners
)

// Write reads the run in dir, finished or not, and writes dir/report.html,
// dir/evaluations.csv, dir/front.svg and dir/before-after.png, each whole or not
// at all. It returns the path of the page.
func Write(dir string) (path string, err error) {
	d, err := rundir.Open(dir)
	if err != nil {
		return "", err
	}
	defer d.Close()
	m, err := collect(d, time.Now(), new(kept))
	if err != nil {
		return "", err
	}
	return writeAll(dir, m)
}

func writeAll(dir string, m *material) (string, error) {
	v := newView(m)
	var page, csv, svg bytes.Buffer
	if err := writePage(&page, v, nil); err != nil {
		return "", fmt.Errorf("report: page: %w", err)
	}
	if err := writeCSV(&csv, m); err != nil {
		return "", fmt.Errorf("report: csv: %w", err)
	}
	svg.WriteString(frontSVG(v))
	type file struct {
		name string
		text []byte
	}
	files := []file{{CSVName, csv.Bytes()}, {SVGName, svg.Bytes()}, {PageName, page.Bytes()}}
	if len(m.crops) > 0 {
		var png bytes.Buffer
		if err := imaging.EncodePNG(&png, &imaging.Picture{Y: sheet(m.crops)}); err != nil {
			return "", fmt.Errorf("report: pictures: %w", err)
		}
		files = append(files, file{SheetName, png.Bytes()})
	}
	for _, f := range files {
		if err := whole.WriteBytes(filepath.Join(dir, f.name), f.text); err != nil {
			return "", fmt.Errorf("report: %w", err)
		}
	}
	return filepath.Join(dir, PageName), nil
}
