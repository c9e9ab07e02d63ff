package configs

import "evosr/deviceprofile"

// Parse reads a config. name is the file's path: it stands in faults, and
// relative folders are relative to its folder. The error holds every fault of
// the text at once (a *Faults).
func Parse(name string, text []byte) (*Config, error) { panic("configs: being written") }

// Load reads the config file at path. Where no such file exists, a path that
// ends in the name of a preset, such as configs/quickstart.yaml, gives the
// embedded preset.
func Load(path string) (*Config, error) { panic("configs: being written") }

// Preset gives the commented text of an embedded preset, one of Presets.
func Preset(name string) ([]byte, error) { panic("configs: being written") }

// Presets lists the embedded presets.
func Presets() []string { return []string{"quickstart", "smoke", "paper", "mobile"} }

// YAML writes the resolved config; Parse reads it back to an equal one.
func (c *Config) YAML() []byte { panic("configs: being written") }

// Hash is the content hash of everything that decides a run's result, 16
// hexadecimal digits. Where folders lie is not part of it.
func (c *Config) Hash() string { panic("configs: being written") }

// Validate holds a config made by hand against the same rules as Parse.
func (c *Config) Validate() error { panic("configs: being written") }

// Schema gives the JSON Schema of a config file.
func Schema() []byte { panic("configs: being written") }

// Fault is one thing wrong with a file.
type Fault struct {
	File      string
	Line, Col int // from 1
	Message   string
	Source    string // the source line
}

// Faults is every fault of a file, in its order. Error gives a line for each;
// Long adds the source line and a caret.
type Faults struct{ List []Fault }

func (f *Faults) Error() string { panic("configs: being written") }

// Long is Error with the source line and a caret under every fault.
func (f *Faults) Long() string { panic("configs: being written") }

// LoadProfile reads a device profile, strictly.
func LoadProfile(path string) (*deviceprofile.Profile, error) { panic("configs: being written") }

// ProfileYAML writes a profile as LoadProfile reads it.
func ProfileYAML(p *deviceprofile.Profile) []byte { panic("configs: being written") }
