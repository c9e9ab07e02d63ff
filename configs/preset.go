package configs

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed quickstart.yaml smoke.yaml paper.yaml mobile.yaml smoke-profile.yaml
var embedded embed.FS

// builtin marks a device profile that is embedded. It describes no machine but
// makes a run's front independent of the one it runs on.
const builtin = "builtin:"

// Presets lists the embedded presets.
func Presets() []string { return []string{"quickstart", "smoke", "paper", "mobile"} }

func builtinProfiles() []string { return []string{"smoke"} }

// Preset gives the commented text of an embedded preset, one of Presets.
func Preset(name string) ([]byte, error) {
	if !slices.Contains(Presets(), name) {
		return nil, fmt.Errorf("configs: preset: %q, want %s", name, oneOf(Presets()))
	}
	return embedded.ReadFile(name + ".yaml")
}

// presetOf recognises the path of a preset in the source tree.
func presetOf(path string) ([]byte, bool) {
	name, ok := strings.CutSuffix(filepath.Base(path), ".yaml")
	if !ok || filepath.Base(filepath.Dir(path)) != "configs" {
		return nil, false
	}
	text, err := Preset(name)
	return text, err == nil
}

// readBounded reads a file of at most limit bytes; a longer one comes back one
// byte longer, for the reader to refuse.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, want a file", path)
	}
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(f, limit+1))
	return b.Bytes(), err
}
