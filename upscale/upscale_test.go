package upscale

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"evosr/imaging"
	"evosr/internal/check"
	"evosr/network"
	"evosr/space"
	"evosr/sparse"
	"evosr/supernet"
)

// testNet is a small pruned network of luma, untrained: a bicubic upscaler.
func testNet(t *testing.T, scale int) *network.Graph {
	t.Helper()
	sp := &space.Space{
		Scale: scale, Colors: 1, Widths: []int{8}, Slots: []space.Slot{{Blocks: space.Blocks{space.Wide: {2}}}, {Blocks: space.Blocks{space.Plain: {1}}}},
		Schemes: []network.Scheme{network.Block4}, Percents: []int{50},
	}
	net, err := supernet.New(sp, 1).Extract(sp.Smallest())
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// testRGB is a convolution of all three colors.
func testRGB(t *testing.T, rng *rand.Rand) *sparse.Program {
	t.Helper()
	conv := network.Node{Name: "conv", Op: network.OpConv, Inputs: []int{network.Picture}, Out: 12, Kernel: 5, Pad: [4]int{2, 2, 2, 2}, Weights: make([]float32, 12*3*25)}
	check.Fill(rng, conv.Weights)
	for i, w := range conv.Weights { // means, so that pictures become pictures
		conv.Weights[i] = (1 + w) / 75
	}
	shuffle := network.Node{Name: "shuffle", Op: network.OpShuffle, Inputs: []int{0}, Factor: 2}
	rgb, err := sparse.Compile(&network.Graph{Scale: 2, Colors: 3, Nodes: []network.Node{conv, shuffle}}, sparse.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	return rgb
}

// TestStrips compares a picture run in overlapping strips with the same in one
// piece, bit by bit.
func TestStrips(t *testing.T) {
	net := testNet(t, 2)
	rng := check.Rand(t)
	for i := range net.Nodes { // not only the bicubic part
		for j := range net.Nodes[i].Weights {
			if l := &net.Nodes[i]; l.Mask == nil || l.Mask[j] != 0 {
				l.Weights[j] += 0.1 * (rng.Float32() - 0.5)
			}
		}
	}
	luma, err := sparse.Compile(net, sparse.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer luma.Close()
	inStrips(t, rng, luma)
	rgb := testRGB(t, rng)
	defer rgb.Close()
	inStrips(t, rng, rgb)
}

func inStrips(t *testing.T, rng *rand.Rand, p *sparse.Program) {
	t.Helper()
	halo, colors := p.Reach(), p.Colors()
	for _, h := range []int{1, halo, 4 * halo, 4*halo + 1, 6*halo - 1, 13*halo + 5} {
		const w = 24
		src := make([]float32, colors*w*h)
		check.Fill(rng, src)
		got, want := make([]float32, 4*len(src)), make([]float32, 4*len(src))
		if err := p.Upscale(want, src, w, h); err != nil {
			t.Fatal(err)
		}
		for _, most := range []int{1, w * 5 * halo} {
			clear(got)
			if err := strips(p, got, src, w, h, most); err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("h=%d most=%d: value %d is %v, want %v", h, most, i, got[i], want[i])
				}
			}
		}
	}
}

// testPicture has colours and transparency.
func testPicture(rng *rand.Rand, w, h int) *imaging.Picture {
	plane := func() *imaging.Plane {
		p := imaging.NewPlane(w, h)
		check.Fill(rng, p.Pix)
		for i := range p.Pix {
			p.Pix[i] = 0.5 + 0.2*p.Pix[i]
		}
		return p
	}
	return &imaging.Picture{Y: plane(), Cb: plane(), Cr: plane(), Alpha: plane()}
}

// coded wants values that were rounded to 8 bits.
func coded(t *testing.T, got, want []float32) {
	t.Helper()
	for i, v := range want {
		if d := math.Abs(float64(got[i] - v)); d > 0.5/255+1e-5 {
			t.Fatalf("value %d is %v, want %v", i, got[i], v)
		}
	}
}

// TestPicture: luma goes through the network, or all colours do; what does not is
// interpolated.
func TestPicture(t *testing.T) {
	rng := check.Rand(t)
	p := testPicture(rng, 19, 13)
	luma, err := sparse.Compile(testNet(t, 2), sparse.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]*Upscaler{"luma": New(luma), "rgb": New(testRGB(t, rng)), "bicubic": Bicubic(2)} {
		defer u.Close()
		big, err := u.Picture(p)
		if err != nil {
			t.Fatal(err)
		}
		if big.Y.W != 38 || big.Y.H != 26 || !slices.Equal(big.Alpha.Pix, imaging.Resize(p.Alpha, 38, 26).Pix) {
			t.Errorf("%s: %dx%d, or alpha is not interpolated", name, big.Y.W, big.Y.H)
		}
		if name == "rgb" {
			var src []float32
			for _, plane := range p.RGB() {
				src = append(src, plane.Pix...)
			}
			want := make([]float32, 4*len(src))
			if err := u.Program().Upscale(want, src, 19, 13); err != nil {
				t.Fatal(err)
			}
			for c, plane := range big.RGB() {
				coded(t, plane.Pix, want[c*38*26:(c+1)*38*26])
			}
			continue
		}
		want := make([]float32, 38*26)
		if err := u.Upscale(want, p.Luma().Pix, 19, 13); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(big.Y.Pix, want) || !slices.Equal(big.Cb.Pix, imaging.Resize(p.Cb, 38, 26).Pix) || !slices.Equal(big.Cr.Pix, imaging.Resize(p.Cr, 38, 26).Pix) {
			t.Errorf("%s: luma is not the network's, or colour not interpolated", name)
		}
	}
}

// stream is a Y4M video of random frames.
func stream(t *testing.T, rng *rand.Rand, chroma string, frames int) []byte {
	t.Helper()
	h := imaging.Y4MHeader{W: 16, H: 12, RateNum: 25, RateDen: 1, Chroma: chroma}
	var b bytes.Buffer
	w, err := imaging.NewY4MWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for range frames {
		p := testPicture(rng, h.W, h.H)
		f := &imaging.Frame{Y: p.Y}
		if cw, ch := h.ChromaSize(); cw > 0 {
			f.Cb, f.Cr = imaging.Resize(p.Cb, cw, ch), imaging.Resize(p.Cr, cw, ch)
		}
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestVideo goes through videos of every chroma with networks of luma and RGB and
// counts the frames.
func TestVideo(t *testing.T) {
	rng := check.Rand(t)
	luma, err := sparse.Compile(testNet(t, 2), sparse.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, u := range map[string]*Upscaler{"luma": New(luma), "rgb": New(testRGB(t, rng)), "bicubic": Bicubic(2)} {
		defer u.Close()
		for _, chroma := range []string{"420jpeg", "422", "444", "mono"} {
			in := stream(t, rng, chroma, 3)
			r, err := imaging.NewY4MReader(bytes.NewReader(in), imaging.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			told := 0
			tally, err := u.Video(t.Context(), &out, r, Size{32, 24}, func(now Tally) {
				if told++; now.Frames != told {
					t.Errorf("%s %s: told of frame %d, want %d", name, chroma, now.Frames, told)
				}
			})
			if err != nil || told != 3 || tally.Frames != 3 || tally.Network <= 0 || tally.Network > tally.Time || !(tally.Rate() > 0) || tally.NetworkRate() < tally.Rate() {
				t.Errorf("%s %s: %+v, %v", name, chroma, tally, err)
			}
			big, err := imaging.NewY4MReader(&out, imaging.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			small, err := imaging.NewY4MReader(bytes.NewReader(in), imaging.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if big.Header.W != 32 || big.Header.H != 24 || big.Header.Chroma != chroma {
				t.Errorf("%s %s: header %+v", name, chroma, big.Header)
			}
			var a, b imaging.Frame
			for range 3 {
				if err := errors.Join(small.Read(&a), big.Read(&b)); err != nil {
					t.Fatal(err)
				}
			}
			if name == "rgb" {
				continue
			}
			want := make([]float32, 32*24)
			if err := u.Upscale(want, a.Y.Pix, 16, 12); err != nil {
				t.Fatal(err)
			}
			coded(t, b.Y.Pix, want)
		}
	}
}

// TestVideoEnds: an end of the context, a stream without a frame and one that is
// cut are told, with what was done until then.
func TestVideoEnds(t *testing.T) {
	u := Bicubic(2)
	in := stream(t, check.Rand(t), "420jpeg", 3)
	run := func(ctx context.Context, in []byte) (Tally, error) {
		t.Helper()
		r, err := imaging.NewY4MReader(bytes.NewReader(in), imaging.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return u.Video(ctx, io.Discard, r, Size{2 * r.Header.W, 2 * r.Header.H}, func(Tally) {})
	}
	if tally, err := run(t.Context(), in[:bytes.IndexByte(in, '\n')+1]); err == nil || tally.Rate() != 0 {
		t.Errorf("no frame: %+v, %v", tally, err)
	}
	if tally, err := run(t.Context(), in[:len(in)-10]); err == nil || tally.Frames != 2 {
		t.Errorf("a cut stream: %+v, %v", tally, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if tally, err := run(ctx, in); !errors.Is(err, context.Canceled) || tally.Frames != 0 {
		t.Errorf("cancelled: %+v, %v", tally, err)
	}
}
