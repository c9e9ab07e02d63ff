package runner

import (
	"context"
	"fmt"
	"runtime"

	"evosr/configs"
	"evosr/deviceprofile"
	"evosr/rundir"
)

// namedProfile loads the profiles that the config names and holds the first
// device's against this machine.
func (r *run) namedProfile() error {
	if err := r.namedDevices(); err != nil {
		return err
	}
	name := r.cfg.Device.Profile
	if name == "" {
		return nil
	}
	p, err := configs.LoadProfile(name)
	if err != nil {
		return fmt.Errorf("%w: %w", rundir.ErrUsage, err)
	}
	if err := p.Check(); err != nil && !r.cfg.Device.AllowStale {
		return fmt.Errorf("%w: profile %s: %w; measure anew with evosr profile, or set device.allow_stale", rundir.ErrUsage, name, err)
	}
	if n := r.cfg.Threads; n != 0 && n != p.Threads {
		return fmt.Errorf("%w: profile %s was measured with %d threads, the config wants %d", rundir.ErrUsage, name, p.Threads, n)
	}
	r.profile = p
	return nil
}

// measure makes sure that there are profiles, those that the run was begun with,
// and that the budgets can be met at all.
func (r *run) measure(ctx context.Context) error {
	text, err := r.store.Meta(rundir.MetaProfile)
	if err != nil {
		return err
	}
	if text == "" {
		if r.profile == nil {
			r.profile, err = r.measureNow(ctx)
		} else {
			err = r.steady(ctx)
		}
		if err != nil {
			return err
		}
	}
	if r.profile, err = r.keepProfile(rundir.FileProfile, r.profile); err != nil {
		return err
	}
	if err := r.profile.Check(); err != nil && !r.cfg.Device.AllowStale {
		return fmt.Errorf("%w: its profile: %w; continue on the machine that it was begun on, or set device.allow_stale", rundir.ErrIntegrity, err)
	}
	if err := r.keepDevices(); err != nil {
		return err
	}
	return satisfiable(r.cfg, r.profile, r.others)
}

func (r *run) measureNow(ctx context.Context) (*deviceprofile.Profile, error) {
	threads := r.cfg.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if err := r.store.Event(rundir.StageProfile, "measuring this machine with %d threads", threads); err != nil {
		return nil, err
	}
	p, err := deviceprofile.Measure(ctx, deviceprofile.MeasureOptions{
		Threads: threads, Quick: true, Space: &r.cfg.Space, Width: r.cfg.Device.Width, Height: r.cfg.Device.Height,
		Progress: func(done float64, what string) { r.report.tell(rundir.StageProfile, what, done, 1, 0) },
	})
	if err == nil && !p.Quiet {
		err = r.store.Event(rundir.StageProfile, "the machine was not quiet: %s", p.Trouble)
	}
	return p, err
}

// steady holds a profile that the config names against the speed that this
// machine has now, by a handful of the profile's own networks. A profile of
// another machine, which was allowed, cannot be held against this one.
func (r *run) steady(ctx context.Context) error {
	if r.profile.Here() != nil {
		return nil
	}
	r.report.tell(rundir.StageProfile, "is this machine as fast as its profile says?", 0, 1, 0)
	d, err := deviceprofile.Drift(ctx, r.profile)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d of the profile's networks take %.2f times what it says", d.Nets, d.Ratio)
	switch {
	case d.Nets == 0:
		text = d.Trouble
	case !d.Quiet:
		text += ", which says little: " + d.Trouble
	}
	if err := r.store.Event(rundir.StageProfile, "%s", text); err != nil {
		return err
	}
	off := d.Err()
	if off == nil {
		return nil
	}
	if !r.cfg.Device.AllowStale {
		return fmt.Errorf("%w: profile %s: %w, or set device.allow_stale", rundir.ErrUsage, r.cfg.Device.Profile, off)
	}
	return r.store.SetMeta(rundir.MetaDrift, off.Error())
}

// stale says why times measured here are not those of the profile, or "".
func (r *run) stale() (string, error) {
	if err := r.profile.Here(); err != nil {
		return err.Error(), nil
	}
	return r.store.Meta(rundir.MetaDrift)
}
