package fitness

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"evosr/deviceprofile"
	"evosr/imaging"
	"evosr/network"
	"evosr/space"
	"evosr/supernet"
)

// memory is a Cache that counts.
type memory struct {
	mu         sync.Mutex
	m          map[string][]byte
	gets, puts int
	fail       error
}

func (c *memory) Get(key string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets++
	return c.m[key], c.fail
}

func (c *memory) Put(key string, value []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.puts++
	c.m[key] = value
	return c.fail
}

// narrow is a space whose networks differ much, over a supernet that differs
// from bicubic, with pictures of unlike difficulty.
func narrow(t *testing.T, seed uint64, cache Cache) *Scorer {
	t.Helper()
	sp := &space.Space{Scale: 2, Colors: 1, Widths: []int{4, 8, 12}, Schemes: []network.Scheme{network.Block4, network.Unstructured}, Percents: []int{25, 50, 85},
		Slots: []space.Slot{{Skip: true, Blocks: space.Blocks{space.Plain: {1, 2}}}, {Skip: true, Blocks: space.Blocks{space.Wide: {2, 4}}}}}
	var pairs []imaging.Pair
	for i := range 8 {
		pairs = append(pairs, imaging.NewPair("crop", imaging.Procedural(seed, i, 40), 2))
	}
	s, err := NewScorer(supernet.New(sp, seed), pairs, &deviceprofile.Profile{Threads: 1}, ScorerOptions{Width: 64, Height: 36, Cache: cache, Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spread draws genomes, the ends of the space first.
func spread(s *Scorer, n int, seed uint64) []space.Genome {
	sp := s.net.Space
	list := []space.Genome{sp.Largest(), sp.Smallest()}
	rng := rand.New(rand.NewPCG(seed, 0))
	for len(list) < n {
		list = append(list, sp.Random(rng))
	}
	return list
}

// TestScreen asks for less and less and looks at what was measured.
func TestScreen(t *testing.T) {
	s := narrow(t, 1, nil)
	if err := s.Calibrate(t.Context(), spread(s, 20, 1)); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, st := range s.steps {
		sizes = append(sizes, len(st.pictures))
	}
	if !reflect.DeepEqual(sizes, []int{1, 2, 4}) {
		t.Fatalf("steps of %v pictures, want an eighth, a quarter, a half", sizes)
	}
	probe := spread(s, 60, 2)[2:]
	full := narrow(t, 1, nil)
	want, err := full.Score(t.Context(), probe)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[int]int{}
	low := 0
	got, err := s.Screen(t.Context(), probe, func(i int, bound Score) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[i]++
		if bound.PSNR < want[i].PSNR || bound.SSIM < want[i].SSIM {
			low++
		}
		if w := want[i]; bound.LatencyMS != w.LatencyMS || bound.Params != w.Params || bound.MACs != w.MACs || bound.MemoryBytes != w.MemoryBytes || w.MemoryBytes == 0 {
			t.Errorf("genome %d: costs %+v, want %+v", i, bound, w)
		}
		return i%4 == 0 || i%4 == 1 && asked[i] == 2 // others are measured in full
	})
	if err != nil {
		t.Fatal(err)
	}
	if low > 3 {
		t.Errorf("%d of %d bounds are below the truth", low, len(asked))
	}
	off := 0.0
	for i, g := range got {
		parts := 0
		if r, err := s.recall(probe[i].String()); err != nil {
			t.Fatal(err)
		} else {
			parts = len(r.Parts)
		}
		if g.Estimated != (i%4 < 2) || parts != []int{1, 2, 8, 8}[i%4] && parts != 8 { // 8: a genome of the calibration
			t.Errorf("genome %d: %d pictures, estimated %v", i, parts, g.Estimated)
		}
		if !g.Estimated && !reflect.DeepEqual(g, want[i]) {
			t.Errorf("genome %d: %+v, want %+v", i, g, want[i])
		}
		off = max(off, math.Abs(g.PSNR-want[i].PSNR))
	}
	if off == 0 || off > 1 {
		t.Errorf("estimates are off by %v dB at most", off)
	}
	// What was estimated goes on where it stopped.
	again, err := s.Score(t.Context(), probe)
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("scored in full afterwards: other scores (%v)", err)
	}
	// Without a calibration nothing is estimated.
	plain, err := full.Screen(t.Context(), probe, func(int, Score) bool { return true })
	if err != nil || !reflect.DeepEqual(plain, want) {
		t.Errorf("without steps: other scores (%v)", err)
	}
	few := narrow(t, 1, nil)
	if err := few.Calibrate(t.Context(), spread(few, usable-1, 1)); err != nil || few.steps != nil {
		t.Errorf("%d genomes gave %d steps (%v)", usable-1, len(few.steps), err)
	}
}

// TestCalibrateIsRepeatable wants equal steps from equal genomes.
func TestCalibrateIsRepeatable(t *testing.T) {
	a, b := narrow(t, 3, nil), narrow(t, 3, nil)
	b.o.Workers = 1
	for _, s := range []*Scorer{a, b} {
		if err := s.Calibrate(t.Context(), spread(s, 16, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(a.steps, b.steps) {
		t.Errorf("%+v and %+v", a.steps, b.steps)
	}
}

// TestCache wants a second Scorer of the same content to measure nothing, and
// one of other content everything.
func TestCache(t *testing.T) {
	c := &memory{m: map[string][]byte{}}
	first := narrow(t, 1, c)
	probe := spread(first, 12, 1)
	probe = append(probe, space.Genome{Width: 99}) // not in the space
	want, err := first.Score(t.Context(), probe)
	if err != nil || want[12].Err == "" || !strings.Contains(want[12].Err, "width 99") || want[12].PSNR != 0 {
		t.Fatalf("%+v, %v", want[12], err)
	}
	puts := c.puts
	second := narrow(t, 1, c)
	got, err := second.Score(t.Context(), probe)
	if err != nil || !reflect.DeepEqual(got, want) || c.puts != puts {
		t.Errorf("%d scores written again (%v)", c.puts-puts, err)
	}
	other := narrow(t, 2, c)
	if _, err := other.Score(t.Context(), probe[:3]); err != nil || c.puts != puts+3 {
		t.Errorf("of another supernet %d of 3 were measured (%v)", c.puts-puts, err)
	}
	// What is damaged is measured again, to the same score.
	for key := range c.m {
		c.m[key] = []byte("{")
	}
	third := narrow(t, 1, c)
	if got, err := third.Score(t.Context(), probe); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from a damaged cache other scores (%v)", err)
	}
	c.fail = errors.New("the disk is full")
	if _, err := narrow(t, 4, c).Score(t.Context(), probe[:1]); !errors.Is(err, c.fail) {
		t.Errorf("error %v, want the cache's", err)
	}
}

// TestNotANumber wants a network with a broken weight, or whose values leave what
// a float32 can say, to fail with a reason.
func TestNotANumber(t *testing.T) {
	s := narrow(t, 1, nil)
	for value, want := range map[float32]string{float32(math.NaN()): "finite numbers", math.MaxFloat32: "not a number"} {
		net, err := s.net.Extract(s.net.Space.Largest())
		if err != nil {
			t.Fatal(err)
		}
		for i := range net.Nodes {
			for j := range net.Nodes[i].Weights {
				net.Nodes[i].Weights[j] = value * float32(1-2*(j%2))
			}
		}
		if score, err := s.Subnet(net); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %+v, %v", value, score, err)
		}
	}
}
