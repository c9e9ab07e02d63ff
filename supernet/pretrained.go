package supernet

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"evosr/network"
	"evosr/space"
)

// pretrainedFiles holds xN.evon for every scale N that there are weights for.
//
//go:embed pretrained
var pretrainedFiles embed.FS

// NoteGenome is the metadata of a supernet file that names its best dense
// network.
const NoteGenome = "genome"

// Model is a network that the binary carries.
type Model struct {
	Name        string // every command takes it
	Scale       int
	Set5, Set14 float64 // PSNR, dB
}

// Models lists what the binary carries: the best dense networks of its supernets.
// Their quality is what `evosr eval NAME --images Set5` and Set14 say.
func Models() []Model {
	return []Model{
		{Name: "pretrained:x2", Scale: 2, Set5: 37.51, Set14: 33.09},
		{Name: "pretrained:x4", Scale: 4, Set5: 31.50, Set14: 28.14},
	}
}

// ErrNotPretrained says that this build has no weights for a scale.
var ErrNotPretrained = errors.New("supernet: this build has no pretrained weights")

// Pretrained gives the embedded supernet of a scale, and what is known of it:
// data, steps, hours, tool. Where there is none the error is ErrNotPretrained.
func Pretrained(scale int) (*Supernet, map[string]string, error) {
	name := fmt.Sprintf("x%d", scale)
	file, err := pretrainedFiles.ReadFile("pretrained/" + name + ".evon")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w for %s", ErrNotPretrained, name)
	}
	if err != nil {
		return nil, nil, err
	}
	s, meta, err := DecodeCompact(file)
	if err == nil && s.Space.Scale != scale {
		err = fmt.Errorf("supernet: pretrained %s: its scale is %d", name, s.Space.Scale)
	}
	return s, meta, err
}

// Best cuts out the network that a supernet's metadata names as its best, the
// largest where they name none, in its canonical form (space.Space.Canonical).
func (s *Supernet) Best(meta map[string]string) (*network.Graph, error) {
	text, has := meta[NoteGenome]
	if !has {
		return s.Extract(s.Space.Largest())
	}
	g, err := space.ParseGenome(text)
	if err != nil {
		return nil, err
	}
	return s.Extract(s.Space.Canonical(g))
}
