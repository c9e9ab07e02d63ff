package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"evosr/configs"
)

// writeCSV writes one row for every evaluation, in launch order.
func writeCSV(w io.Writer, m *material) error {
	onFront := map[string]bool{}
	for _, p := range m.front {
		onFront[p.Genome] = true
	}
	c := csv.NewWriter(w)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	rows := [][]string{{"index", "id", "genome", "psnr_db", "ssim", "latency_ms", "params", "macs", "violation", "estimated", "front", "error"}}
	for _, d := range m.devices {
		rows[0] = append(rows[0], configs.LatencyOn+d.Name)
	}
	for _, e := range m.evaluations {
		row := []string{
			strconv.Itoa(e.Index), plain(e.ID), plain(e.Genome), number(e.PSNR), number(e.SSIM), number(e.LatencyMS),
			strconv.Itoa(e.Params), strconv.Itoa(e.MACs), number(e.Violation), strconv.FormatBool(e.Estimated), strconv.FormatBool(onFront[e.Genome]), plain(e.Err),
		}
		for _, d := range m.devices {
			row = append(row, number(e.Others[d.Name]))
		}
		rows = append(rows, row)
	}
	return c.WriteAll(rows)
}

// plain keeps a spreadsheet from taking text for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
