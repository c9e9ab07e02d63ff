package runner

import (
	"time"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/imaging"
	"evosr/sparse"
)

// Dir is a run directory open for reading. A run may be going on in it.
type Dir struct {
	Path string
}

// Open opens a run directory for reading.
func Open(path string) (*Dir, error) { panic("runner: being written") }

// Close lets go of the database.
func (d *Dir) Close() error { panic("runner: being written") }

// Config is the resolved config of the run.
func (d *Dir) Config() *configs.Config { panic("runner: being written") }

// Status says how far the run is.
func (d *Dir) Status() (Status, error) { panic("runner: being written") }

// Front is the content of front.json. It is an error when the search is not
// finished; see Status.
func (d *Dir) Front() (*Front, error) { panic("runner: being written") }

// Evaluations gives every genome scored so far, in launch order.
func (d *Dir) Evaluations() ([]Evaluation, error) { panic("runner: being written") }

// Training gives the curve of the supernet's training.
func (d *Dir) Training() ([]TrainPoint, error) { panic("runner: being written") }

// Winners gives the cards of the finished winners, fastest first.
func (d *Dir) Winners() ([]Card, error) { panic("runner: being written") }

// File is the path of a winner's file, such as "model.onnx".
func (d *Dir) File(winner, name string) string { panic("runner: being written") }

// Events gives the run's diary.
func (d *Dir) Events() ([]Event, error) { panic("runner: being written") }

// Profile is the device profile of the run.
func (d *Dir) Profile() (*deviceprofile.Profile, error) { panic("runner: being written") }

// Validation loads or draws the run's validation crops again.
func (d *Dir) Validation() ([]imaging.Pair, error) { panic("runner: being written") }

// Status is how far a run is.
type Status struct {
	Stage       string // the first unfinished one, or "done"
	Running     bool   // another process holds the directory now
	TrainStep   int
	TrainSteps  int
	Evaluations int
	Budget      int
	Winners     int // finished
	WinnersWant int // 0 before the front stands
}

// Front is front.json: the trade-offs found, sorted by latency. It holds
// predictions and no clock time.
type Front struct {
	Objectives []string `json:"objectives"`
	Points     []Point  `json:"points"`
}

// Point is one network of the front, scored with inherited weights.
type Point struct {
	ID        string  `json:"id"`
	Genome    string  `json:"genome"`
	PSNR      float64 `json:"psnr_db"`
	SSIM      float64 `json:"ssim"`
	LatencyMS float64 `json:"latency_ms"` // predicted, one frame
	Params    int     `json:"params"`     // kept weights and biases
	MACs      int     `json:"macs"`       // executed multiplications, one frame
}

// Evaluation is one scored genome.
type Evaluation struct {
	Index int // launch order, from 0
	Point
	Violation float64 // of the constraints, 0 when feasible
	Err       string  // why it has no score, or ""
}

// TrainPoint is one point of the training curve.
type TrainPoint struct {
	Step int
	Loss float64 // L1 of the largest subnet, mean since the last point
	Rate float64
}

// Event is one line of a run's diary.
type Event struct {
	At    time.Time
	Stage string
	Text  string
}

// Card is card.json of a winner.
type Card struct {
	ID      string `json:"id"`
	Genome  string `json:"genome"`
	Reason  string `json:"reason"` // why this point of the front
	Scale   int    `json:"scale"`
	Colors  int    `json:"colors"`
	Version string `json:"evosr_version"`
	Config  string `json:"config_hash"`

	Metric    string          `json:"metric"`    // definition of the qualities
	Inherited fitness.Quality `json:"inherited"` // weights of the supernet
	Finetuned fitness.Quality `json:"finetuned"`
	Dense     fitness.Quality `json:"dense"` // largest dense subnet, inherited
	Bicubic   fitness.Quality `json:"bicubic"`

	Latency   Latency `json:"latency"`
	Params    int     `json:"params"`
	MACs      int     `json:"macs"`       // executed, one frame
	DenseMACs int     `json:"dense_macs"` // of the unpruned winner, one frame

	Layers []CardLayer       `json:"layers"`
	Files  map[string]string `json:"files"` // name -> SHA-256
}

// Latency compares what was predicted with what was measured.
type Latency struct {
	Width       int     `json:"width"` // input frame, pixels
	Height      int     `json:"height"`
	Threads     int     `json:"threads"`
	Kernels     string  `json:"kernels"`
	PredictedMS float64 `json:"predicted_ms"`
	LowMS       float64 `json:"low_ms"`
	HighMS      float64 `json:"high_ms"`
	MedianMS    float64 `json:"median_ms"` // measured
	P90MS       float64 `json:"p90_ms"`
	Ratio       float64 `json:"measured_over_predicted"`
	Runs        int     `json:"runs"`
}

// CardLayer is a layer of a winner as the runtime executes it.
type CardLayer struct {
	sparse.LayerInfo
	MedianMS float64
	P90MS    float64
}
