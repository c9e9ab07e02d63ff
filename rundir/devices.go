package rundir

import (
	"fmt"
	"path/filepath"

	"evosr/configs"
	"evosr/deviceprofile"
)

// FurtherProfile is what the database and the directory call the profile of a further
// device.
func FurtherProfile(device string) string { return "profile-" + device + ".yaml" }

// Device is a further device of a run.
type Device struct {
	configs.Target
	Profile *deviceprofile.Profile // nil before the run knows it
}

// Devices gives the further devices of the run in the order of its config.
func (d *Dir) Devices() ([]Device, error) {
	var list []Device
	for _, t := range d.cfg.Devices {
		text, err := d.store.Meta(FurtherProfile(t.Name))
		if err != nil {
			return nil, err
		}
		one := Device{Target: t}
		if text != "" {
			if one.Profile, err = configs.ParseProfile(filepath.Join(d.Path, FurtherProfile(t.Name)), []byte(text)); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrIntegrity, err)
			}
		}
		list = append(list, one)
	}
	return list, nil
}
