package main

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// notice matches the files of a module that its licence asks to pass on.
var notice = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents)([-._].*)?$`)

// embedded is what the binary carries beside Go modules: its name and version,
// the identifier of its licence (spdx.org) and where its licences lie.
var embedded = []struct{ name, version, purl, spdx, files string }{
	{"echarts", "6.1.0", "pkg:npm/echarts@6.1.0", "Apache-2.0", "report/assets/echarts.[LN]*"},
}

// licences are the licences and notices of all that is linked into a binary:
// Go itself, its modules as the binary lists them, and the scripts of the
// report's page.
func licences(root, binary string) ([]file, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	goroot, err := command(root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	list, err := notices("go", strings.TrimSpace(string(goroot)))
	if err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		text, err := command(root, nil, "go", "mod", "download", "-json", m.Path+"@"+m.Version)
		if err != nil {
			return nil, err
		}
		var at struct{ Dir string }
		if err := json.Unmarshal(text, &at); err != nil {
			return nil, err
		}
		found, err := notices(m.Path, at.Dir)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	for _, e := range embedded {
		found, err := filepath.Glob(filepath.Join(root, e.files))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no licence at %s", e.name, e.files)
		}
		for _, name := range found {
			data, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			list = append(list, file{path: path.Join("licences", e.name, filepath.Base(name)), data: data})
		}
	}
	slices.SortFunc(list, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	return list, nil
}

// notices are the licence files of a module; a module without one is an error.
func notices(module, dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []file
	for _, e := range entries {
		if e.IsDir() || !notice.MatchString(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, file{path: path.Join("licences", module, e.Name()), data: data})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no file of its licence", module)
	}
	return list, nil
}

// cyclonedx writes the SBOMs, in CycloneDX's JSON.
const cyclonedx = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// sbom lists what is linked into a binary. Its serial number and the time that
// it was written at are left out, because both are new every time.
func sbom(root, version, binary string) ([]byte, error) {
	tool, err := install(root)
	if err != nil {
		return nil, err
	}
	text, err := command(root, nil, tool, "bin", "-json", "-noserial", "-std", "-licenses", "-version", version, binary)
	if err != nil {
		return nil, err
	}
	var bom map[string]any
	if err := json.Unmarshal(text, &bom); err != nil {
		return nil, err
	}
	meta, ok := bom["metadata"].(map[string]any)
	if !ok {
		return nil, errors.New("an SBOM without metadata")
	}
	delete(meta, "timestamp")
	components, ok := bom["components"].([]any)
	if !ok {
		return nil, errors.New("an SBOM without components")
	}
	for _, e := range embedded {
		components = append(components, map[string]any{
			"bom-ref": e.purl, "type": "library", "name": e.name, "version": e.version, "purl": e.purl, "scope": "required",
			"licenses": []any{map[string]any{"license": map[string]string{"id": e.spdx}}},
		})
	}
	bom["components"] = components
	return json.MarshalIndent(bom, "", "  ")
}

// install gives the SBOM tool, built for this machine.
func install(root string) (string, error) {
	dir := filepath.Join(os.TempDir(), "evosr-release-tools")
	tool := filepath.Join(dir, "cyclonedx-gomod")
	if runtime.GOOS == "windows" {
		tool += ".exe"
	}
	if _, err := os.Stat(tool); err == nil {
		return tool, nil
	}
	_, err := command(root, []string{"GOBIN=" + dir, "GOFLAGS=", "GOOS=", "GOARCH="}, "go", "install", cyclonedx)
	return tool, err
}
