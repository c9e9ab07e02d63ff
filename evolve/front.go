package evolve

import (
	"math"
	"slices"
)

// front keeps the objectives that nothing added so far is as good as, and their
// hypervolume.
type front struct {
	f     [][]float64
	index []int // of the entry that brought each row

	ref    []float64 // nil as long as there is none
	volume float64   // against ref, by the sum of what each row added
}

// add takes a feasible row and says whether it belongs to the front. Of equal
// rows the first stays. When measured, the volume grows by what the row dominates
// and no other does; a row that is dominated takes nothing away when it leaves.
func (t *front) add(index int, f []float64, measured bool) bool {
	for _, row := range t.f {
		if atMost(row, f) {
			return false
		}
	}
	if measured && t.ref != nil {
		t.volume += t.gain(f)
	}
	kept := 0
	for i, row := range t.f {
		if !atMost(f, row) {
			t.f[kept], t.index[kept] = row, t.index[i]
			kept++
		}
	}
	t.f = append(t.f[:kept], f)
	t.index = append(t.index[:kept], index)
	return true
}

// gain is the hypervolume that f would add.
func (t *front) gain(f []float64) float64 {
	own := Hypervolume([][]float64{f}, t.ref)
	if own == 0 {
		return 0
	}
	shared := make([][]float64, len(t.f))
	for i, row := range t.f {
		shared[i] = make([]float64, len(f))
		for k := range f {
			shared[i][k] = max(f[k], row[k])
		}
	}
	if gain := own - Hypervolume(shared, t.ref); gain > 0 {
		return gain
	}
	return 0
}

// measure fixes the reference and counts the front as it is.
func (t *front) measure(ref []float64) {
	t.ref = ref
	t.volume = Hypervolume(t.f, ref)
}

// automaticReference is the worst value of every objective plus a tenth of the
// range, or, where the range is 0, plus a tenth of its size (of 1, when that is
// less). rows is not empty.
func automaticReference(rows [][]float64) []float64 {
	ref := make([]float64, len(rows[0]))
	for k := range ref {
		low, high := math.Inf(1), math.Inf(-1)
		for _, row := range rows {
			low, high = min(low, row[k]), max(high, row[k])
		}
		margin := high/10 - low/10 // of tenths: the difference itself may overflow
		if high == low {
			margin = max(math.Abs(high), 1) / 10
		}
		ref[k] = min(high+margin, math.MaxFloat64)
	}
	return ref
}

// sorted gives the entry indices of the front by objectives.
func (t *front) sorted() []int {
	order := make([]int, len(t.f))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return slices.Compare(t.f[a], t.f[b]) })
	for i, at := range order {
		order[i] = t.index[at]
	}
	return order
}
