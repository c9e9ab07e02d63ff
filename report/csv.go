package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"evosr/fitness"
)

// writeCSV writes one row for every evaluation, in launch order.
func writeCSV(w io.Writer, m *material) error {
	onFront := map[string]bool{}
	for _, p := range m.front {
		onFront[p.Genome] = true
	}
	c := csv.NewWriter(w)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	table := fitness.AllObjectives()
	head := []string{"index", "id", "genome"}
	for _, o := range table {
		head = append(head, o.Name)
	}
	head = append(head, "violation", "estimated", "front", "error")
	for _, d := range m.devices {
		head = append(head, fitness.LatencyOn+d.Name)
	}
	rows := [][]string{head}
	for _, e := range m.evaluations {
		row := []string{strconv.Itoa(e.Index), plain(e.ID), plain(e.Genome)}
		for _, o := range table {
			v := o.Of(&e.Values)
			if o.Digits == 0 {
				row = append(row, strconv.FormatFloat(v, 'f', 0, 64))
				continue
			}
			row = append(row, number(v))
		}
		row = append(row, number(e.Violation), strconv.FormatBool(e.Estimated), strconv.FormatBool(onFront[e.Genome]), plain(e.Err))
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
