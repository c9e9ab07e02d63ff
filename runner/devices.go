package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/fitness"
	"evosr/rundir"
)

// namedDevices loads the profiles of the further devices. They may be of any
// machine, for nothing is measured on them; but not of another version of the
// runtime, whose networks take other times.
func (r *run) namedDevices() error {
	r.others = nil
	for _, t := range r.cfg.Devices {
		p, err := configs.LoadProfile(t.Profile)
		if err != nil {
			return fmt.Errorf("%w: device %s: %w", rundir.ErrUsage, t.Name, err)
		}
		if err := p.Current(); err != nil && !r.cfg.Device.AllowStale {
			return fmt.Errorf("%w: device %s: profile %s: %w, or set device.allow_stale", rundir.ErrUsage, t.Name, t.Profile, err)
		}
		r.others = append(r.others, fitness.Device{Name: t.Name, Profile: p, Width: t.Width, Height: t.Height})
	}
	return nil
}

// keepDevices makes the further devices' profiles those that the run was begun
// with.
func (r *run) keepDevices() error {
	for i := range r.others {
		d := &r.others[i]
		p, err := r.keepProfile(rundir.FurtherProfile(d.Name), d.Profile)
		if err != nil {
			return fmt.Errorf("device %s: %w", d.Name, err)
		}
		d.Profile = p
	}
	return nil
}

// keepProfile records a profile, under a name that is also its file's, when the
// run has none yet, and refuses another than the one it has. What is used is
// what is kept, so that a resumed run sees the same numbers. given may be nil
// where the run has one.
func (r *run) keepProfile(name string, given *deviceprofile.Profile) (*deviceprofile.Profile, error) {
	text, err := r.store.Meta(name)
	if err != nil {
		return nil, err
	}
	if given != nil {
		now, err := configs.ProfileYAML(given)
		if err != nil {
			return nil, err
		}
		if text == "" {
			if err := r.store.SetMeta(name, string(now)); err != nil {
				return nil, err
			}
			text = string(now)
		}
		if string(now) != text {
			return nil, fmt.Errorf("%w: the config's profile is not the one that %s was begun with (%s); want the same profile, or another directory", rundir.ErrIntegrity, r.dir, name)
		}
	}
	p, err := configs.ParseProfile(filepath.Join(r.dir, name), []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", rundir.ErrIntegrity, err)
	}
	return p, r.keepFile(name, []byte(text))
}

// removeDevices takes back the further devices' files.
func (r *run) removeDevices() (err error) {
	for _, t := range r.cfg.Devices {
		if e := os.Remove(filepath.Join(r.dir, rundir.FurtherProfile(t.Name))); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// overBudgets is by how much a score breaks the further devices' budgets, as a
// share of each.
func overBudgets(devices []configs.Target, list []fitness.Latency) float64 {
	v := 0.0
	for _, t := range devices {
		i := slices.IndexFunc(list, func(l fitness.Latency) bool { return l.Device == t.Name })
		if t.BudgetMS > 0 && i >= 0 {
			v += max(0, list[i].MS/t.BudgetMS-1)
		}
	}
	return v
}
