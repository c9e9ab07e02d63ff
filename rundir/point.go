package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"evosr/fitness"
)

// Front is front.json: the trade-offs found, sorted by latency. It holds
// predictions and no clock time.
type Front struct {
	Objectives []string `json:"objectives"`
	Points     []Point  `json:"points"`
}

// Point is one network of the front, with the weights that the search scored.
type Point struct {
	ID     string `json:"id"`
	Genome string `json:"genome"`
	fitness.Values
}

// Evaluation is one scored genome.
type Evaluation struct {
	Index int // launch order, from 0
	Point
	Violation float64 // of the constraints, 0 when feasible
	Estimated bool    // PSNR and SSIM are of some validation crops only: never on the front
	Err       string  // why it has no score, or ""
	Parents   []int   // indices of what it was bred from; none where it was drawn or given, or not recorded
}

// TrainPoint is one point of the training curve.
type TrainPoint struct {
	Step int
	Loss float64 // L1 of the largest subnet, mean since the last point
	Rate float64
}

// QualityPoint is what validation said of the supernet during its training.
type QualityPoint struct {
	Step       int
	PSNR       float64 // of the largest network, averaged weights, dB
	PrunedPSNR float64 // of the same with every layer half pruned; 0 where the space prunes nothing
}

// Event is one line of a run's diary.
type Event struct {
	At    time.Time
	Stage string
	Text  string
}

// FrontJSON writes front.json with a fixed number of digits, more than two points
// of a front ever share: equal fronts have equal bytes.
func FrontJSON(objectives []string, points []Evaluation) ([]byte, error) {
	if len(points) == 0 {
		return nil, errors.New("rundir: front: no points")
	}
	names, err := json.Marshal(objectives)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{\"objectives\":%s,\"points\":[", names)
	for i, p := range points {
		genome, err := json.Marshal(p.Genome)
		if err != nil {
			return nil, err
		}
		others, err := othersJSON(p.Others)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s\n{\"id\":%q,\"genome\":%s", ","[:min(i, 1)], p.ID, genome)
		for _, o := range fitness.AllObjectives() {
			fmt.Fprintf(&b, ",%q:%s", o.Name, fixed(o.Of(&p.Values), o.Digits))
		}
		b.WriteString(others + "}")
	}
	b.WriteString("\n]}\n")
	return []byte(b.String()), nil
}

// othersJSON is the further devices' part of a point, nothing where there are
// none: the names in their order.
func othersJSON(ms map[string]float64) (string, error) {
	if len(ms) == 0 {
		return "", nil
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(ms)) {
		key, err := json.Marshal(name)
		if err != nil {
			return "", err
		}
		list = append(list, fmt.Sprintf("%s:%s", key, fixed(ms[name], 6)))
	}
	return ",\"latencies_ms\":{" + strings.Join(list, ",") + "}", nil
}

func fixed(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
