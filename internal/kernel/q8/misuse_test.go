package q8

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/internal/kernel"
)

// TestMisuse: what would read or write outside, or say something else than meant,
// panics before a kernel sees it, in every Set.
func TestMisuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const out, in, h, w = 6, 5, 3, 20
	l := randomLayer(t, rng, out, in, 3, h, w, 64, 1)
	lists, heavy := lower(t, &l.w, l.src), new(Layer)
	*heavy = *lists
	heavy.most = 129
	bytes, stream, rows := Output{Bytes: l.bytes, High: 255}, Output{Stream: l.stream}, Output{Rows: l.rows}
	with := func(o Output, change func(o *Output)) *Output {
		change(&o)
		return &o
	}
	cut := func(b *Bytes) *Bytes {
		short := *b
		short.Data = short.Data[:len(short.Data)/2]
		return &short
	}
	wide, few := NewBytes(in, h, w+1, 1, 0), NewBytes(in-1, h, w, 1, 0)
	elsewhere := NewBytes(in, h, w, 3, 0) // a border that makes rows and quads lie further apart
	both := with(stream, func(o *Output) { o.Bytes, o.High = l.bytes, 255 })
	for _, set := range Sets() {
		conv := func(o *Output, src *Bytes, y0, y1 int) func() {
			return func() { set.Conv(o, src, lists, y0, y1) }
		}
		tests := []struct {
			name, want string
			call       func()
		}{
			{"rows above", "rows", conv(&bytes, l.src, -1, 2)},
			{"rows below", "rows", conv(&bytes, l.src, 0, h+1)},
			{"a source of other channels", "channels", conv(&bytes, few, 0, h)},
			{"a source with other strides", "strides", conv(&bytes, elsewhere, 0, h)},
			{"a source of another width", "bytes", conv(&bytes, wide, 0, h)},
			{"a source cut short", "leave", conv(&bytes, cut(l.src), 0, h)},
			{"bytes cut short", "bytes", conv(with(bytes, func(o *Output) { o.Bytes = cut(l.bytes) }), l.src, 0, h)},
			{"bytes of other channels", "bytes", conv(with(bytes, func(o *Output) { o.Bytes = wide }), l.src, 0, h)},
			{"nowhere to write", "nowhere", conv(new(Output), l.src, 0, h)},
			{"no range of bytes", "from", conv(with(bytes, func(o *Output) { o.Low = 255 }), l.src, 0, h)},
			{"a residual of bytes", "residual", conv(with(bytes, func(o *Output) { o.Residual = l.before }), l.src, 0, h)},
			{"a residual of rows", "beside", conv(with(rows, func(o *Output) { o.Residual = l.before }), l.src, 0, h)},
			{"rows beside bytes", "beside", conv(with(rows, func(o *Output) { o.Bytes = l.bytes }), l.src, 0, h)},
			{"a skip of bytes", "skip", conv(with(bytes, func(o *Output) { o.Skip = l.skip }), l.src, 0, h)},
			{"rows of another size", "rows", conv(with(rows, func(o *Output) { o.Rows = kernel.NewTensor(out, h, w+1, 0) }), l.src, 0, h)},
			{"a skip of another size", "skip", conv(with(rows, func(o *Output) { o.Skip = kernel.NewTensor(out+1, h, w, 0) }), l.src, 0, h)},
			{"a stream of another size", "stream", conv(with(stream, func(o *Output) { o.Stream = NewStream(out, h+1, w, 0) }), l.src, 0, h)},
			{"a residual of another size", "residual", conv(with(stream, func(o *Output) { o.Residual = NewStream(out, h+1, w, 0) }), l.src, 0, h)},
			{"a factor below 0", "factor", conv(with(*both, func(o *Output) { o.Factor = -1 }), l.src, 0, h)},
			{"a weight beyond the Set's", "weight", func() { set.Conv(&bytes, l.src, heavy, 0, h) }},
			{"packing to rows", "to rows", func() { set.Pack(&rows, l.rows, 1, 0, h) }},
			{"packing with a residual", "residual", func() { set.Pack(with(stream, func(o *Output) { o.Residual = l.before }), l.rows, 1, 0, h) }},
			{"packing rows below", "rows", func() { set.Pack(&bytes, l.rows, 1, 0, h+1) }},
			{"packing by no number", "scale", func() { set.Pack(&bytes, l.rows, float32(math.NaN()), 0, h) }},
			{"packing other channels", "bytes", func() { set.Pack(&bytes, kernel.NewTensor(out+1, h, w, 0), 1, 0, h) }},
			{"narrowing to nothing", "want a stream", func() { set.Narrow(&stream, 0, h) }},
			{"narrowing rows below", "rows", func() { set.Narrow(both, 0, h+1) }},
			{"narrowing to another size", "bytes", func() { set.Narrow(with(*both, func(o *Output) { o.Bytes = wide }), 0, h) }},
		}
		for _, tt := range tests {
			t.Run(set.Name+"/"+tt.name, func(t *testing.T) {
				defer func() {
					if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), tt.want) || !strings.HasPrefix(fmt.Sprint(r), "q8: ") {
						t.Errorf("panic is %v, want one of %q", r, tt.want)
					}
				}()
				tt.call()
			})
		}
	}
}

// TestPlaceMisuse: memory that is too short panics.
func TestPlaceMisuse(t *testing.T) {
	s := new(Stream)
	n := s.Floats(5, 3, 20, 1)
	s.Place(kernel.Aligned(n), 5, 3, 20, 1)
	defer func() {
		if recover() == nil {
			t.Error("a float too few passes")
		}
	}()
	s.Place(kernel.Aligned(n-1), 5, 3, 20, 1)
}

// TestNoAllocation: no function of any Set allocates, whatever the size.
func TestNoAllocation(t *testing.T) {
	for _, set := range Sets() {
		rng := check.Rand(t)
		for _, w := range []int{5, 48, 85} {
			l := randomLayer(t, rng, 13, 6, 3, 3, w, set.MaxWeight, 0.5)
			lists := lower(t, &l.w, l.src)
			outputs := l.outputs(rng)
			both := Output{Stream: l.stream, Bytes: l.bytes, High: 255, Factor: 100}
			if n := testing.AllocsPerRun(5, func() {
				for _, o := range outputs {
					set.Conv(o, l.src, lists, 0, 3)
				}
				set.Pack(&both, l.rows, 10, 0, 3)
				set.Narrow(&both, 0, 3)
			}); n != 0 {
				t.Errorf("%s: width %d: %v allocations a call, want 0", set.Name, w, n)
			}
		}
	}
}

// TestProbes: rates are those of a processor, whatever else runs on it; names are
// found again.
func TestProbes(t *testing.T) {
	for _, set := range Sets() {
		if peak := set.PeakGMACs(1e6); !(peak > 0.01 && peak < 1e5) {
			t.Errorf("%s: %v GMAC/s", set.Name, peak)
		}
		if got, err := ByName(set.Name); err != nil || got.Name != set.Name {
			t.Errorf("ByName(%q) = %v, %v", set.Name, got, err)
		}
	}
	if _, err := ByName("mmx"); err == nil {
		t.Error("a set that there is none of has no error")
	}
}
