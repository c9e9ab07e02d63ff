package sparse

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
	"evosr/network"
)

// sampleFile is a small program file with masks, metadata and dropped layers.
func sampleFile(t testing.TB, rng *rand.Rand) (*Program, []byte) {
	t.Helper()
	sp := general(2, 1)
	p, err := Compile(randomize(shape(sp, sp.Random(rng)), rng).Graph(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	meta := p.Meta()
	meta["psnr_db"], meta["näme"], meta[""] = "31.5", "süß", ""
	p.SetMeta(meta)
	var buf bytes.Buffer
	if err := Encode(&buf, p); err != nil {
		t.Fatal(err)
	}
	return p, buf.Bytes()
}

func TestFileRoundTrip(t *testing.T) {
	rng := check.Rand(t)
	for range 10 {
		p, file := sampleFile(t, rng)
		q, err := DecodeFor(bytes.NewReader(file), Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := Encode(&again, q); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), file) {
			t.Fatal("encoding the decoded program gives other bytes")
		}
		if !slices.Equal(p.Layers(), q.Layers()) || !maps.Equal(p.Meta(), q.Meta()) || p.Params() != q.Params() || q.Threads() != 2 {
			t.Errorf("got %+v %v, want %+v %v", q.Layers(), q.Meta(), p.Layers(), p.Meta())
		}
		src := picture(rng, 13*5)
		want, got := make([]float32, 4*len(src)), make([]float32, 4*len(src))
		if err := p.Upscale(want, src, 13, 5); err != nil {
			t.Fatal(err)
		}
		if err := q.Upscale(got, src, 13, 5); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Error("the decoded program gives another picture")
		}
		q.Close()
	}
}

func TestDecodeRefuses(t *testing.T) {
	rng := check.Rand(t)
	_, file := sampleFile(t, rng)
	for n := range file {
		if _, err := Decode(bytes.NewReader(file[:n])); err == nil {
			t.Fatalf("the first %d of %d bytes were taken", n, len(file))
		}
	}
	for range 200 {
		bad := slices.Clone(file)
		bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		if _, err := Decode(bytes.NewReader(bad)); err == nil {
			t.Fatal("a file with a flipped bit was taken")
		}
	}
	if _, err := Decode(bytes.NewReader(append(slices.Clone(file), 0))); err == nil {
		t.Error("a byte after the end was taken")
	}
	if _, err := Decode(strings.NewReader("\x89PNG\r\n\x1a\n and so on, for more bytes than a head")); err == nil || !strings.Contains(err.Error(), "starts with") {
		t.Errorf("a PNG file says %v", err)
	}
	p, _ := sampleFile(t, rng)
	p.c.graph.Nodes[0].Bias[0] = float32(math.NaN())
	if err := Encode(io.Discard, p); err == nil {
		t.Error("a NaN was written")
	}
}

// reseal makes a changed file's length and checksum right.
func reseal(file []byte) []byte {
	if len(file) < headBytes {
		return file
	}
	file = slices.Clone(file)
	copy(file, magic)
	if v := binary.LittleEndian.Uint32(file[8:]); v < versionLayers || v > version {
		binary.LittleEndian.PutUint32(file[8:], versionLayers)
	}
	binary.LittleEndian.PutUint32(file[12:], crc32.Checksum(file[headBytes:], castagnoli))
	binary.LittleEndian.PutUint64(file[16:], uint64(len(file)-headBytes))
	return file
}

// oneLayer is a file of a 3x3 layer from the picture to four channels, all
// weights zero, with a mask of the given bytes or none.
func oneLayer(mask []byte) []byte {
	b := binary.LittleEndian
	f := make([]byte, headBytes)
	f = append(f, 0, 2, 1, 0)
	f = append(f, make([]byte, 24)...)
	f = append(b.AppendUint32(b.AppendUint32(b.AppendUint32(f, 0), 1), 1), 'a') // no metadata, one layer, its name
	f = b.AppendUint32(b.AppendUint32(f, 1), 4)
	flags := byte(0)
	if mask != nil {
		flags = flagMask
	}
	f = append(f, 3, flags, 0, 0)
	f = b.AppendUint32(b.AppendUint32(f, math.MaxUint32), math.MaxUint32-1)
	f = append(append(f, make([]byte, 16)...), mask...)
	kept := 36
	if mask != nil {
		kept = 0
		for _, m := range mask {
			kept += bits.OnesCount8(m)
		}
	}
	return reseal(append(f, make([]byte, 4*kept+4*4)...))
}

// TestDecodeCanonical: a mask has one way to be written.
func TestDecodeCanonical(t *testing.T) {
	for _, tt := range []struct {
		name string
		mask []byte
		ok   bool
	}{
		{"no mask", nil, true},
		{"a mask that prunes one weight", []byte{0xfe, 0xff, 0xff, 0xff, 0x0f}, true},
		{"a mask that prunes all", make([]byte, 5), true},
		{"a mask that keeps all", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, false},
		{"a bit after the last weight", []byte{0xfe, 0xff, 0xff, 0xff, 0x1f}, false},
	} {
		p, err := Decode(bytes.NewReader(oneLayer(tt.mask)))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if p != nil {
			p.Close()
		}
	}
}

// TestDecodeMemory: a small file that promises much must not get it.
func TestDecodeMemory(t *testing.T) {
	claim := func(layers uint32, in, out uint32, side, flags byte, bits int) []byte {
		b := binary.LittleEndian
		f := make([]byte, headBytes)
		f = append(f, 0, 2, 1, 0)
		f = append(f, make([]byte, 24)...)
		f = b.AppendUint32(f, 0)
		f = b.AppendUint32(f, layers)
		f = b.AppendUint32(f, 0) // no name
		f = b.AppendUint32(b.AppendUint32(f, in), out)
		f = append(f, side, flags, 0, 0)
		f = b.AppendUint32(b.AppendUint32(f, math.MaxUint32), math.MaxUint32-1)
		f = append(f, make([]byte, 16+bits)...)
		return reseal(f)
	}
	huge := make([]byte, headBytes)
	huge = reseal(huge)
	binary.LittleEndian.PutUint64(huge[16:], maxFile)
	for name, file := range map[string][]byte{
		"layers":                    claim(1<<31, 1, 4, 3, 0, 0),
		"dense weights":             claim(1, 4096, 4096, 5, 0, 1<<10),
		"masked weights":            claim(1, 4096, 4096, 5, flagMask, 1<<10),
		"masked weights with masks": claim(1, 4096, 4096, 1, flagMask, 2<<20),
		"length":                    huge,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Decode(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: taken", name)
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*len(file)+64<<20); got > most {
			t.Errorf("%s: %d bytes allocated for a file of %d, want at most %d", name, got, len(file), most)
		}
	}
}

// TestDecodeOld: files of older versions give the pictures that they gave.
func TestDecodeOld(t *testing.T) {
	for _, tt := range []struct {
		file        string
		params      int
		kept, dense int
		genome      string
		values      [4]float32 // of the output, at 0, 101, 200 and 251
	}{
		{file: "version1.evosr", params: 2676, kept: 2596, dense: 3020, genome: "w8;head;wide2=block4@50,dense,filter@50;plain1:prelu;lean:silu;skip;tail=unstructured@25",
			values: [4]float32{0.17804404, -1.0675149, -0.02565366, -0.19227758}},
		{file: "version2.evosr", params: 286, kept: 206, dense: 206, values: [4]float32{-0.0043165158, 0.030647652, -0.26653683, -0.32873827}},
	} {
		file, err := os.ReadFile(filepath.Join("testdata", tt.file))
		if err != nil {
			t.Fatal(err)
		}
		p, err := DecodeFor(bytes.NewReader(file), Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if kept, dense := p.MACs(); p.Params() != tt.params || kept != tt.kept || dense != tt.dense || p.Graph().Genome != tt.genome {
			t.Errorf("%s: %d parameters, %d of %d MACs, genome %q", tt.file, p.Params(), kept, dense, p.Graph().Genome)
		}
		src, dst := make([]float32, 9*7), make([]float32, 4*9*7)
		for i := range src {
			src[i] = float32(i*37%64) / 64
		}
		if err := p.Upscale(dst, src, 9, 7); err != nil {
			t.Fatal(err)
		}
		near(t, []float32{dst[0], dst[101], dst[200], dst[251]}, tt.values[:])
		want, err := p.Graph().Reference(src, 9, 7)
		if err != nil {
			t.Fatal(err)
		}
		near(t, dst, want)
		var again bytes.Buffer
		if err := Encode(&again, p); err != nil {
			t.Fatal(err)
		}
		q, err := DecodeFor(&again, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		if !slices.Equal(p.Layers(), q.Layers()) {
			t.Errorf("%s: written again it has layers\n%+v, want\n%+v", tt.file, q.Layers(), p.Layers())
		}
	}
}

func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 4 {
		_, file := sampleFile(f, rng)
		f.Add(file)
		_, file = graphFile(f, randomNetwork(rng), false)
		f.Add(file)
	}
	for _, g := range []*network.Graph{attention(rng, 2, 4), twoStages(rng), fsrcnn(rng, 3, 4, 4, 1), imdn(rng, 2, 4, 1)} {
		_, file := graphFile(f, g, true)
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, file := range [][]byte{file, reseal(file)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := DecodeFor(bytes.NewReader(file), Options{Threads: 1, MaxBytes: 16 << 20})
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*len(file)+64<<20); got > most {
				t.Fatalf("%d bytes allocated for a file of %d, want at most %d", got, len(file), most)
			}
			if err != nil {
				continue
			}
			var again bytes.Buffer
			if err := Encode(&again, p); err != nil {
				t.Fatal(err)
			}
			if binary.LittleEndian.Uint32(file[8:]) == version && !bytes.Equal(again.Bytes(), file) {
				t.Fatal("encoding the decoded program gives other bytes")
			}
			src := make([]float32, p.Colors()*3*2)
			if err := p.Upscale(make([]float32, len(src)*p.Scale()*p.Scale()), src, 3, 2); err != nil {
				t.Log(err) // memory, told in an error
			}
			p.Close()
		}
	})
}

// graphFile is the program file of a graph, with float16 weights if asked for.
func graphFile(t testing.TB, g *network.Graph, halved bool) (*Program, []byte) {
	t.Helper()
	p, err := Compile(g, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if halved {
		if p, _, err = p.Half(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
	}
	p.SetMeta(map[string]string{"from": "elsewhere"})
	var buf bytes.Buffer
	if err := Encode(&buf, p); err != nil {
		t.Fatal(err)
	}
	return p, buf.Bytes()
}

// TestGraphFileRoundTrip: a decoded graph is the same program and gives the same
// bytes again, and each part of its file is needed.
func TestGraphFileRoundTrip(t *testing.T) {
	rng := check.Rand(t)
	for i := range 40 {
		g := randomNetwork(rng)
		for k := range g.Nodes {
			if n := &g.Nodes[k]; n.Op == network.OpConv && rng.IntN(2) == 0 {
				n.Mask = make([]uint8, len(n.Weights))
				for j := range n.Mask {
					if n.Mask[j] = uint8(rng.IntN(2)); n.Mask[j] == 0 {
						n.Weights[j] = 0
					}
				}
			}
		}
		p, file := graphFile(t, g, i%2 == 0)
		q, err := DecodeFor(bytes.NewReader(file), Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := Encode(&again, q); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), file) {
			t.Fatal("encoding the decoded program gives other bytes")
		}
		if !slices.Equal(p.Layers(), q.Layers()) || !maps.Equal(p.Meta(), q.Meta()) || p.Params() != q.Params() || q.IsHalf() != (i%2 == 0) {
			t.Errorf("got %+v, want %+v", q.Layers(), p.Layers())
		}
		src := picture(rng, g.Colors*19*11)
		want, got := make([]float32, len(src)*g.Scale*g.Scale), make([]float32, len(src)*g.Scale*g.Scale)
		if err := p.Upscale(want, src, 19, 11); err != nil {
			t.Fatal(err)
		}
		if err := q.Upscale(got, src, 19, 11); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Error("the decoded program gives another picture")
		}
		q.Close()
		for range 40 {
			if _, err := Decode(bytes.NewReader(reseal(file[:rng.IntN(len(file))]))); err == nil {
				t.Fatal("a part of a file was taken")
			}
		}
	}
}

// TestHalf: float16 weights take half the bytes and cost what their rounding
// does.
func TestHalf(t *testing.T) {
	rng := check.Rand(t)
	sp := general(2, 1)
	p := compile(t, randomize(shape(sp, sp.Largest()), rng))
	q, loss, err := p.Half()
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if loss == 0 || loss > 1.0/1024 { // weights are below two
		t.Errorf("the largest difference of a weight is %v, want up to 2^-10", loss)
	}
	var full, halved bytes.Buffer
	if err := Encode(&full, p); err != nil {
		t.Fatal(err)
	}
	if err := Encode(&halved, q); err != nil {
		t.Fatal(err)
	}
	weights, _ := p.MACs()
	if saved := full.Len() - halved.Len(); saved != 2*weights {
		t.Errorf("%d bytes saved of %d, want 2 for each of %d weights", saved, full.Len(), weights)
	}
	back, err := Decode(bytes.NewReader(halved.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	src := picture(rng, 20*20)
	var out [3][]float32
	for i, p := range []*Program{p, q, back} {
		out[i] = make([]float32, 4*len(src))
		if err := p.Upscale(out[i], src, 20, 20); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(out[1], out[2]) {
		t.Error("the file gives another picture than the program")
	}
	for i, v := range out[0] {
		if d := math.Abs(float64(v - out[1][i])); d > 0.02 {
			t.Fatalf("value %d is off by %v", i, d)
		}
	}
	big := espcn(rng, 2, 4, 4)
	big.Nodes[0].Weights[7] = 1e5
	r, err := Compile(big, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := r.Half(); err == nil || !strings.Contains(err.Error(), "conv0") {
		t.Errorf("a weight beyond float16 gives %v", err)
	}
}
