package fitness

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"evosr/sparse"
)

// Cache keeps what was measured of genomes beyond a Scorer's life, by content.
// It is called from several goroutines.
type Cache interface {
	Get(key string) ([]byte, error) // nil where there is nothing
	Put(key string, value []byte) error
}

// record is what is known of one genome.
type record struct {
	Cost  Score  `json:"cost"` // without quality
	Parts []part `json:"parts,omitempty"`
	Err   string `json:"error,omitempty"`
}

// part is the quality of one picture.
type part struct {
	At int `json:"at"` // index of the picture
	Quality
}

// of gives the quality of a picture, where it is known.
func (r *record) of(at int) (q Quality, ok bool) {
	for _, p := range r.Parts {
		if p.At == at {
			return p.Quality, true
		}
	}
	return q, false
}

// mean is that of the pictures, all of which are known.
func (r *record) mean(pictures []int) Quality {
	var q Quality
	for _, at := range pictures {
		one, _ := r.of(at)
		q.add(one)
	}
	return q.over(float64(len(pictures)))
}

// recordVersion names what a record means. It changes with the metric's code.
const recordVersion = "1"

// contentHash is of all that a record depends on beside its genome: the shared
// weights, the pictures and their order, the metric, the device profile and
// frame, and the runtime.
func (s *Scorer) contentHash() (string, error) {
	h := sha256.New()
	profile, err := json.Marshal(s.profile)
	if err != nil {
		return "", fmt.Errorf("fitness: profile: %w", err)
	}
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n%s\n%s\n%dx%d %v\n", recordVersion, Definition, sparse.Version, s.o.Kernels, s.net.Hash(), profile, s.o.Width, s.o.Height, s.o.Memory)
	if s.o.Tune != nil {
		fmt.Fprintf(h, "tuned: %s\n", s.o.Tuned)
	}
	for _, d := range s.o.Others {
		text, err := json.Marshal(d)
		if err != nil {
			return "", fmt.Errorf("fitness: profile of %s: %w", d.Name, err)
		}
		fmt.Fprintf(h, "%s\n", text)
	}
	for _, p := range s.pairs {
		b := binary.LittleEndian.AppendUint32(nil, uint32(p.LR.W))
		b = binary.LittleEndian.AppendUint32(b, uint32(p.LR.H))
		for _, pix := range [][]float32{p.LR.Pix, p.HR.Pix} {
			for _, v := range pix {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// key names a genome's record in the cache.
func (s *Scorer) key(genome string) string {
	sum := sha256.Sum256([]byte(s.content + "\n" + genome))
	return hex.EncodeToString(sum[:16])
}

// recall gives what is known of a genome; the zero record is nothing.
func (s *Scorer) recall(genome string) (record, error) {
	s.mu.Lock()
	r, ok := s.known[genome]
	s.mu.Unlock()
	if ok || s.o.Cache == nil {
		r.Parts = slices.Clip(r.Parts) // others append to the same
		return r, nil
	}
	text, err := s.o.Cache.Get(s.key(genome))
	if err != nil || text == nil {
		return record{}, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, nil // not ours: measured again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[genome] = r
	r.Parts = slices.Clip(r.Parts)
	return r, nil
}

func (s *Scorer) keep(genome string, r record) error {
	s.mu.Lock()
	s.known[genome] = r
	s.mu.Unlock()
	if s.o.Cache == nil {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("fitness: record of %s: %w", genome, err)
	}
	return s.o.Cache.Put(s.key(genome), text)
}
