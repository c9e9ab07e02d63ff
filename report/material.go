package report

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/network"
	"evosr/rundir"
)

// material is everything of a run directory that a report shows.
type material struct {
	name        string // of the run directory
	config      *configs.Config
	aims        fitness.Objectives // the config's
	status      rundir.Status
	evaluations []rundir.Evaluation
	training    []rundir.TrainPoint
	quality     []rundir.QualityPoint
	layers      []rundir.LayersPoint
	winners     []rundir.Card
	events      []rundir.Event
	profile     *deviceprofile.Profile // nil before the device is known
	devices     []rundir.Device        // further ones
	stale       error                  // why the profile does not describe this machine or does not read, or nil
	front       []rundir.Point         // of what is there so far, by latency
	dense       *reference             // the space's largest network, unpruned; nil when unknown
	sizes       map[string]int64       // winner/file -> bytes
	crops       []crop
	peers       []peer // published networks as this device would run them
	noCrops     string // why there are none although winners are finished, or ""
	hashes      []fact // of what the run stands on
	hypervolume float64
	reference   []float64 // of the hypervolume, in the order and sign of the objectives
	dir         string    // as the user named it, for commands
	written     time.Time
}

// kept is what is dear to make and stays the same while a run goes on.
type kept struct {
	dense   *reference
	shown   string // IDs of the winners that crops and noCrops are of
	crops   []crop
	noCrops string
	peers   []peer
}

// reference is a network to compare with.
type reference struct {
	LatencyMS float64 // predicted
	PSNR      float64 // 0 when it was not scored
	SSIM      float64
}

// collect reads a run directory. What a run in progress has not made yet stays
// empty. What k has is not made again.
func collect(d *rundir.Dir, now time.Time, k *kept) (*material, error) {
	abs, err := filepath.Abs(d.Path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	m := &material{name: filepath.Base(abs), dir: d.Path, config: d.Config(), sizes: map[string]int64{}, written: now}
	if m.aims, err = fitness.ParseObjectives(m.config.Search.Objectives); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if m.status, err = d.Status(); err != nil {
		return nil, err
	}
	if m.evaluations, err = d.Evaluations(); err != nil {
		return nil, err
	}
	if m.training, err = d.Training(); err != nil {
		return nil, err
	}
	if m.quality, err = d.Quality(); err != nil {
		return nil, err
	}
	if m.layers, err = d.Layers(); err != nil {
		return nil, err
	}
	if m.winners, err = d.Winners(); err != nil {
		return nil, err
	}
	if m.events, err = d.Events(); err != nil {
		return nil, err
	}
	if m.profile, err = d.Profile(); err == nil {
		m.stale = m.profile.Here()
	} else if m.profile = nil; m.status.Stage != rundir.StageData && m.status.Stage != rundir.StageProfile {
		m.stale = err // measured, but by another version of evosr
	}
	if m.devices, err = d.Devices(); err != nil {
		return nil, err
	}
	if f, err := d.Front(); err == nil {
		m.front = f.Points
	} else {
		m.front = frontOf(m.evaluations, m.aims)
	}
	for _, w := range m.winners {
		for name := range w.Files {
			if filepath.Base(name) != name {
				continue // by another tool
			}
			if info, err := os.Stat(d.File(w.ID, name)); err == nil {
				m.sizes[w.ID+"/"+name] = info.Size()
			}
		}
	}
	if err := m.recall(d); err != nil {
		return nil, err
	}
	if k.dense == nil || k.dense.PSNR == 0 {
		k.dense = denseReference(m)
	}
	if m.dense = k.dense; k.peers == nil {
		k.peers = peersOf(m)
	}
	m.peers = k.peers
	ids := ""
	for _, w := range m.winners {
		ids += w.ID + " "
	}
	if ids != k.shown {
		k.shown, k.crops, k.noCrops = ids, nil, ""
		if k.crops, err = exhibition(d, m); err != nil { // the pictures may have moved since
			k.noCrops = err.Error()
		}
	}
	m.crops, m.noCrops = k.crops, k.noCrops
	return m, nil
}

// denseReference predicts the space's largest network. Its quality is on the
// winners' cards.
func denseReference(m *material) *reference {
	if m.profile == nil {
		return nil
	}
	sp := &m.config.Space
	largest := sp.Largest()
	r := &reference{}
	text := largest.String()
	if i := slices.IndexFunc(m.evaluations, func(e rundir.Evaluation) bool { return e.Genome == text && e.Err == "" && !e.Estimated }); i >= 0 {
		e := m.evaluations[i]
		return &reference{e.LatencyMS, e.PSNR, e.SSIM}
	}
	for _, w := range m.winners {
		r.PSNR, r.SSIM = w.Dense.PSNR, w.Dense.SSIM
	}
	net := sp.Shape(largest)
	net.Fill(func(*network.Node, int) float32 { return 1 }) // time depends on where weights are, not on their values
	layers, err := m.profile.Layers(net)
	if err != nil {
		return nil
	}
	r.LatencyMS, _, _ = m.profile.Predict(layers, m.config.Device.Width, m.config.Device.Height, sp.Scale)
	return r
}

// recall reads the facts that make a run repeatable.
func (m *material) recall(d *rundir.Dir) error {
	for _, f := range []struct{ name, key string }{
		{"Config", rundir.MetaConfigHash}, {"Training pictures", rundir.MetaTrainData}, {"Validation pictures", rundir.MetaValidation},
		{"Supernet", rundir.MetaSupernet}, {"Weights it began with", rundir.MetaFrom}, {"evosr", rundir.MetaVersion},
	} {
		v, err := d.Meta(f.key)
		if err != nil {
			return err
		}
		if v != "" {
			m.hashes = append(m.hashes, fact{f.name, v})
		}
	}
	text, err := d.Meta(rundir.MetaProfile)
	if err != nil {
		return err
	}
	if text != "" {
		m.hashes = append(m.hashes, fact{"Profile", fmt.Sprintf("%x", sha256.Sum256([]byte(text)))})
	}
	if _, m.hypervolume, err = d.SearchEnd(); err != nil {
		return err
	}
	if text, err = d.Meta(rundir.MetaReference); err != nil || text == "" {
		return err
	}
	if json.Unmarshal([]byte(text), &m.reference) != nil {
		m.reference = nil // a version that wrote it otherwise
	}
	return nil
}
