package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"evosr/internal/check"
)

// stream writes frames of random codes and returns the bytes and the frames.
func stream(t *testing.T, h Y4MHeader, frames int) ([]byte, []Frame) {
	t.Helper()
	rng := check.Rand(t)
	var b bytes.Buffer
	w, err := NewY4MWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	var all []Frame
	for range frames {
		f := Frame{Y: numbered(rng, h.W, h.H)}
		if cw, ch := h.ChromaSize(); cw > 0 {
			f.Cb, f.Cr = numbered(rng, cw, ch), numbered(rng, cw, ch)
		}
		if err := w.Write(&f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return b.Bytes(), all
}

func TestY4MRoundTrip(t *testing.T) {
	var names []string
	for _, s := range chromaShapes() {
		names = append(names, s.name)
	}
	for _, base := range deepShapes() {
		for bits := 9; bits <= 16; bits++ {
			names = append(names, strings.Replace(base+"p", "monop", "mono", 1)+fmt.Sprint(bits))
		}
	}
	for _, name := range names {
		for _, size := range [][2]int{{8, 6}, {7, 5}, {1, 1}} {
			t.Run(name, func(t *testing.T) {
				h := Y4MHeader{W: size[0], H: size[1], RateNum: 30000, RateDen: 1001, AspectNum: 1, AspectDen: 1, Chroma: name, Extra: []string{"COLORRANGE=LIMITED"}}
				data, frames := stream(t, h, 3)
				r, err := NewY4MReader(bytes.NewReader(data), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if r.Header.String() != h.String() {
					t.Errorf("header %s, want %s", r.Header.String(), h.String())
				}
				var f Frame
				for i, want := range frames {
					if err := r.Read(&f); err != nil {
						t.Fatalf("frame %d: %v", i, err)
					}
					for k, p := range f.planes() {
						q := *want.planes()[k]
						if (*p == nil) != (q == nil) || q != nil && ((*p).W != q.W || !slices.Equal((*p).Pix, q.Pix)) {
							t.Fatalf("frame %d plane %d differs", i, k)
						}
					}
				}
				if err := r.Read(&f); err != io.EOF || r.Frames() != 3 {
					t.Errorf("after %d frames: %v, want io.EOF after 3", r.Frames(), err)
				}
			})
		}
	}
}

func TestY4MHeader(t *testing.T) {
	tests := []struct {
		line string
		want Y4MHeader // when err is empty
		err  string
	}{
		{"YUV4MPEG2 W4 H2 F25:1 Ip A0:0 C420jpeg", Y4MHeader{W: 4, H: 2, RateNum: 25, RateDen: 1, Chroma: "420jpeg"}, ""},
		{"YUV4MPEG2 H2 W4", Y4MHeader{W: 4, H: 2, Chroma: "420"}, ""},
		{"YUV4MPEG2  W4 H2 I? XA B? XYSCSS=420", Y4MHeader{W: 4, H: 2, Chroma: "420", Extra: []string{"A", "YSCSS=420"}}, ""},
		{"RIFF W4 H2", Y4MHeader{}, "is no YUV4MPEG2 stream"},
		{"YUV4MPEG2 W4", Y4MHeader{}, "4x0 pixels"},
		{"YUV4MPEG2 W-4 H2", Y4MHeader{}, "-4x2 pixels"},
		{"YUV4MPEG2 Wfour H2", Y4MHeader{}, `"Wfour"`},
		{"YUV4MPEG2 W99999999999999999999 H2", Y4MHeader{}, "out of range"},
		{"YUV4MPEG2 W1000000 H1000000", Y4MHeader{}, "want at most 64000000"},
		{"YUV4MPEG2 W4 H2 It", Y4MHeader{}, "interlacing"},
		{"YUV4MPEG2 W4 H2 F25", Y4MHeader{}, "colon"},
		{"YUV4MPEG2 W4 H2 F25:-1", Y4MHeader{}, "negative"},
		{"YUV4MPEG2 W4 H2 C420p10 XYSCSS=420P10", Y4MHeader{W: 4, H: 2, Chroma: "420p10", Extra: []string{"YSCSS=420P10"}}, ""},
		{"YUV4MPEG2 W4 H2 XYSCSS=422P12", Y4MHeader{W: 4, H: 2, Chroma: "422p12", Extra: []string{"YSCSS=422P12"}}, ""},
		{"YUV4MPEG2 W4 H2 Cmono16", Y4MHeader{W: 4, H: 2, Chroma: "mono16"}, ""},
		{"YUV4MPEG2 W4 H2 C420p8", Y4MHeader{}, `"420p8", want one of`},
		{"YUV4MPEG2 W4 H2 C420p17", Y4MHeader{}, `"420p17", want one of`},
		{"YUV4MPEG2 W4 H2 C410", Y4MHeader{}, `"410", want one of`},
		{"YUV4MPEG2 W4 H2 C444alpha", Y4MHeader{}, `"444alpha" has an alpha plane`},
		{"YUV4MPEG2 W4 H2 Ib", Y4MHeader{}, "bottom field first), want progressive: ffmpeg removes the interlacing by -vf bwdif"},
		{"YUV4MPEG2 W4 H2 Im", Y4MHeader{}, "some of its frames), want progressive"},
		{"YUV4MPEG2 W4 H2 Ix", Y4MHeader{}, "want Ip"},
		{"YUV4MPEG2 W4 H2 X" + strings.Repeat("x", 5000), Y4MHeader{}, "no end of line"},
		{"YUV4MPEG2 W4 H2 X" + strings.Repeat("x", 3000), Y4MHeader{}, "extra parameters of 3002 bytes"},
	}
	for _, tt := range tests {
		r, err := NewY4MReader(strings.NewReader(tt.line+"\n"), Limits{})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.HasPrefix(err.Error(), "imaging: y4m") {
				t.Errorf("%.40s: %v, want %q", tt.line, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.line, err)
		} else if r.Header.String() != tt.want.String() {
			t.Errorf("%s: got %s, want %s", tt.line, r.Header.String(), tt.want.String())
		}
	}
}

// TestY4MCut: a stream may end between two frames and nowhere else.
func TestY4MCut(t *testing.T) {
	h := Y4MHeader{W: 5, H: 3, Chroma: "420"}
	data, _ := stream(t, h, 2)
	start := len(h.String()) + 1
	frame := (len(data) - start) / 2
	for n := range data {
		r, err := NewY4MReader(bytes.NewReader(data[:n]), Limits{})
		if n < start {
			if err == nil {
				t.Fatalf("%d bytes: no error", n)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		var f Frame
		for err == nil {
			err = r.Read(&f)
		}
		if whole := (n - start) % frame; whole == 0 {
			if err != io.EOF {
				t.Errorf("%d bytes: %v, want io.EOF", n, err)
			}
		} else if want := "frame " + string(rune('1'+(n-start)/frame)); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v, want %q", n, err, want)
		}
	}
	bad := bytes.Replace(data, []byte("FRAME\n"), []byte("FLAME\n"), 1)
	r, err := NewY4MReader(bytes.NewReader(bad), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Read(new(Frame)); err == nil || !strings.Contains(err.Error(), `frame 1: starts with "FLAME"`) {
		t.Errorf("a wrong frame header: %v", err)
	}
}

func TestY4MWriterErrors(t *testing.T) {
	w, err := NewY4MWriter(io.Discard, Y4MHeader{W: 4, H: 4, Chroma: "420"})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*Frame{
		"no chroma": {Y: NewPlane(4, 4)},
		"sizes":     {Y: NewPlane(4, 4), Cb: NewPlane(2, 2), Cr: NewPlane(2, 1)},
	} {
		if err := w.Write(f); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, h := range []Y4MHeader{{W: 0, H: 1, Chroma: "420"}, {W: 1, H: 1, Chroma: "410"}, {W: 1, H: 1, Chroma: "mono", Extra: []string{"A B"}}} {
		if _, err := NewY4MWriter(io.Discard, h); err == nil {
			t.Errorf("%v: no error", h)
		}
	}
}

// TestY4MDeep: every code of every depth comes back, and studio black and white are
// those of 8 bits.
func TestY4MDeep(t *testing.T) {
	for bits := 9; bits <= 16; bits++ {
		h := Y4MHeader{W: 1 << (bits / 2), H: 1 << (bits - bits/2), Chroma: fmt.Sprintf("mono%d", bits)}
		in := []byte(h.String() + "\nFRAME\n")
		for c := range 1 << bits {
			in = binary.LittleEndian.AppendUint16(in, uint16(c))
		}
		r, err := NewY4MReader(bytes.NewReader(in), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		if err := r.Read(&f); err != nil {
			t.Fatal(err)
		}
		if f.Y.Pix[16<<(bits-8)] != 16./255 || f.Y.Pix[235<<(bits-8)] != 235./255 {
			t.Errorf("%d bits: black %v, white %v", bits, f.Y.Pix[16<<(bits-8)], f.Y.Pix[235<<(bits-8)])
		}
		var out bytes.Buffer
		w, err := NewY4MWriter(&out, h)
		if err == nil {
			err = w.Write(&f)
		}
		if err != nil || !bytes.Equal(out.Bytes(), in) {
			t.Errorf("%d bits: the codes do not come back, %v", bits, err)
		}
	}
}

// TestChromaSiting enlarges a ramp of colour over a picture whose samples lie where
// the format's name says: every sample of the result must have the colour of its
// place, border apart.
func TestChromaSiting(t *testing.T) {
	const w, h = 48, 40
	for _, name := range []string{"420", "420jpeg", "420mpeg2", "420paldv", "422", "411", "444", "420p10", "422p12"} {
		for _, to := range [][2]int{{2 * w, 2 * h}, {3 * w, 3 * h}, {w * 3 / 2, h * 3 / 2}, {w, h}} {
			from := Y4MHeader{W: w, H: h, Chroma: name}
			big := Y4MHeader{W: to[0], H: to[1], Chroma: name}
			s, _, err := shapeOf(name)
			if err != nil {
				t.Fatal(err)
			}
			// frame paints the place of every sample: centres at 0.5, in pixels of the source.
			frame := func(hd *Y4MHeader) *Frame {
				cw, ch := hd.ChromaSize()
				f := &Frame{Cb: NewPlane(cw, ch), Cr: NewPlane(cw, ch)}
				scale := float64(hd.W) / w
				for i := range f.Cb.Pix {
					x, y := float64(i%cw*s.x), float64(i/cw*s.y)
					f.Cb.Pix[i] = float32((x+s.cb[0]+0.5)/scale + 3*(y+s.cb[1]+0.5)/scale)
					f.Cr.Pix[i] = float32((x+s.cr[0]+0.5)/scale + 3*(y+s.cr[1]+0.5)/scale)
				}
				return f
			}
			got, want := frame(&big), frame(&big)
			clear(got.Cb.Pix)
			clear(got.Cr.Pix)
			NewChroma(from, big).Resize(got, frame(&from))
			cw, ch := big.ChromaSize()
			margin := 12 * big.W / w / s.y
			for i := range want.Cb.Pix {
				if x, y := i%cw, i/cw; x < margin || x >= cw-margin || y < margin || y >= ch-margin {
					continue
				}
				if d := max(math.Abs(float64(got.Cb.Pix[i]-want.Cb.Pix[i])), math.Abs(float64(got.Cr.Pix[i]-want.Cr.Pix[i]))); d > 1e-3 {
					t.Fatalf("%s to %v: sample (%d, %d) is %v, %v, want %v, %v", name, to, i%cw, i/cw, got.Cb.Pix[i], got.Cr.Pix[i], want.Cb.Pix[i], want.Cr.Pix[i])
				}
			}
		}
	}
}

func TestY4MReusesFrames(t *testing.T) {
	data, _ := stream(t, Y4MHeader{W: 64, H: 48, Chroma: "420"}, 30)
	r, err := NewY4MReader(bytes.NewReader(data), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewY4MWriter(io.Discard, r.Header)
	if err != nil {
		t.Fatal(err)
	}
	var f Frame
	n := testing.AllocsPerRun(20, func() {
		if r.Read(&f) != nil || w.Write(&f) != nil {
			t.Fatal("a whole stream fails")
		}
	})
	if n > 4 { // the frame's header line
		t.Errorf("%g allocations a frame", n)
	}
}

func FuzzY4M(f *testing.F) {
	f.Add([]byte("YUV4MPEG2 W2 H2 F25:1 Ip A1:1 Cmono XA=B\nFRAME\n1234FRAME Ip\n5678"))
	f.Add([]byte("YUV4MPEG2 W1 H1\n")) // no frame
	f.Add([]byte("YUV4MPEG2 W1 H1 XYSCSS=411P10\nFRAME\n123456"))
	f.Add([]byte("YUV4MPEG2 W3 H1 C422\nFRAME\n1234567FRA"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewY4MReader(bytes.NewReader(data), Limits{MaxPixels: 1 << 12})
		if err != nil {
			return
		}
		var out bytes.Buffer
		w, err := NewY4MWriter(&out, r.Header)
		if err != nil {
			t.Fatalf("a header that was read cannot be written: %v", err)
		}
		frames, fr := 0, Frame{}
		for err = r.Read(&fr); err == nil; err = r.Read(&fr) {
			if err := w.Write(&fr); err != nil {
				t.Fatal(err)
			}
			frames++
		}
		again, err := NewY4MReader(bytes.NewReader(out.Bytes()), Limits{})
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for range frames {
			if err := again.Read(&fr); err != nil {
				t.Fatal(err)
			}
		}
		if err := again.Read(&fr); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
	})
}
