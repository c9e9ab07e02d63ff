// Command release builds what a release of evosr consists of: static binaries
// in archives and Debian packages, each with man pages, completions and the
// licences of what is linked in, an SBOM for each and SHA256SUMS over all. Two
// builds of one commit by one Go toolchain give the same bytes.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	root := flag.String("root", "..", "the checkout")
	out := flag.String("out", "../dist", "folder for the artefacts; made anew")
	only := flag.String("only", "", "build this target alone, as linux-amd64")
	flag.Parse()
	if err := release(*root, *out, *only); err != nil {
		log.Fatal(err)
	}
}

// release builds every target, or only the named one, into the folder out.
func release(root, out, only string) error {
	r := &builder{root: root}
	var err error
	if r.out, err = filepath.Abs(out); err != nil {
		return err
	}
	if r.moment, err = moment(root); err != nil {
		return err
	}
	chosen := targets
	if only != "" {
		i := slices.IndexFunc(targets, func(t target) bool { return t.name() == only })
		if i < 0 {
			return fmt.Errorf("no target %s", only)
		}
		chosen = targets[i : i+1]
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "evosr-release"); err != nil {
		return err
	}
	defer os.RemoveAll(r.work)
	if err := r.documents(); err != nil {
		return err
	}
	for _, t := range chosen {
		log.Printf("evosr %s %s", r.version, t.name())
		if err := r.target(t); err != nil {
			return fmt.Errorf("%s: %w", t.name(), err)
		}
	}
	return sums(r.out)
}

// builder is one release.
type builder struct {
	root, out, work string
	version         string
	moment          time.Time // of the commit: the time of every file in an archive
	docs            []file    // man pages, completions, README and the like
}

// moment is SOURCE_DATE_EPOCH (reproducible-builds.org) or the commit's time.
func moment(root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		got, err := command(root, nil, "git", "log", "-1", "--format=%ct")
		if err != nil {
			return time.Time{}, fmt.Errorf("the commit's time: %w; set SOURCE_DATE_EPOCH outside a checkout", err)
		}
		text = strings.TrimSpace(string(got))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// documents asks a binary of this machine for its version, man pages and
// completions.
func (r *builder) documents() error {
	host := filepath.Join(r.work, "evosr-host")
	if _, err := command(r.root, nil, "go", "build", "-trimpath", "-tags", "man", "-o", host, "./cmd/evosr"); err != nil {
		return err
	}
	text, err := command(r.root, nil, host, "version", "--json")
	if err != nil {
		return err
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	r.version = v.Version
	pages := filepath.Join(r.work, "man")
	if _, err := command(r.root, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.moment.Unix())}, host, "man", pages); err != nil {
		return err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(pages, e.Name()))
		if err != nil {
			return err
		}
		r.docs = append(r.docs, file{path: "man/man1/" + e.Name(), data: data})
	}
	for _, shell := range shells {
		data, err := command(r.root, nil, host, "completion", shell.name)
		if err != nil {
			return err
		}
		r.docs = append(r.docs, file{path: "completions/" + shell.file, data: data})
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE"} {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return err
		}
		r.docs = append(r.docs, file{path: name, data: data})
	}
	return nil
}

// target builds one binary and what goes with it.
func (r *builder) target(t target) error {
	binary := filepath.Join(r.work, t.name(), "evosr"+t.suffix())
	args := []string{"build", "-trimpath", "-ldflags", "-s -w"}
	if t.tags != "" {
		args = append(args, "-tags", t.tags)
	}
	if _, err := command(r.root, t.env(), "go", append(args, "-o", binary, "./cmd/evosr")...); err != nil {
		return err
	}
	exe, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	notices, err := licences(r.root, binary)
	if err != nil {
		return err
	}
	files := slices.Concat([]file{{path: filepath.Base(binary), data: exe, exec: true}}, r.docs, notices)
	name := fmt.Sprintf("evosr-%s-%s", r.version, t.name())
	pack, ending := tarball, ".tar.gz"
	if t.os == "windows" {
		pack, ending = zipped, ".zip"
	}
	packed, err := pack(name, files, r.moment)
	if err != nil {
		return err
	}
	if err := r.write(name+ending, packed); err != nil {
		return err
	}
	if t.deb {
		packed, err := debian(r.version, t.arch, files, r.moment)
		if err != nil {
			return err
		}
		if err := r.write(fmt.Sprintf("evosr_%s_%s.deb", r.version, t.arch), packed); err != nil {
			return err
		}
	}
	bom, err := sbom(r.root, r.version, binary)
	if err != nil {
		return err
	}
	return r.write(name+".cdx.json", bom)
}

func (r *builder) write(name string, data []byte) error {
	log.Printf("  %s, %.1f MB", name, float64(len(data))/1e6)
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// sums writes SHA256SUMS, which `sha256sum -c` reads.
func sums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), b.Bytes(), 0o644)
}

// command runs a program in dir and gives its standard output.
func command(dir string, env []string, name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var talk bytes.Buffer
	c.Stderr = &talk
	got, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, talk.String())
	}
	return got, nil
}
