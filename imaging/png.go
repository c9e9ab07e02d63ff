package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// megapixelPNG is from where on pictures are compressed for speed, pixels: about
// four times as fast as at the best size, and a fifth larger.
const megapixelPNG = 1 << 20

// pngLacks: PNG holds everything.
func pngLacks(*Header) []string { return nil }

// chunkWriter writes each piece that it is given as a PNG chunk of one name.
type chunkWriter struct {
	w    io.Writer
	name string
}

func (c chunkWriter) Write(b []byte) (int, error) {
	head := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), c.name...)
	sum := crc32.ChecksumIEEE(head[4:])
	sum = crc32.Update(sum, crc32.IEEETable, b)
	for _, part := range [][]byte{head, b, binary.BigEndian.AppendUint32(nil, sum)} {
		if _, err := c.w.Write(part); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// pieces gathers what it is given to pieces of a fixed length.
type pieces struct {
	w   io.Writer
	buf []byte
}

func (p *pieces) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), cap(p.buf)-len(p.buf))
		p.buf, b = append(p.buf, b[:k]...), b[k:]
		if len(p.buf) == cap(p.buf) {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (p *pieces) flush() error {
	if len(p.buf) == 0 {
		return nil
	}
	_, err := p.w.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// writePNG writes rows as they come: the file needs to be in memory at no time.
func writePNG(w io.Writer, h *Header, next func() (*Picture, error)) error {
	failed := func(err error) error { return fmt.Errorf("imaging: PNG out: %w", err) }
	if _, err := io.WriteString(w, "\x89PNG\r\n\x1a\n"); err != nil {
		return failed(err)
	}
	for _, c := range pngChunks(h) {
		if _, err := (chunkWriter{w, c.name}).Write(c.data); err != nil {
			return failed(err)
		}
	}
	level := zlib.DefaultCompression
	if h.W > megapixelPNG/h.H {
		level = zlib.BestSpeed
	}
	data := &pieces{chunkWriter{w, "IDAT"}, make([]byte, 0, 1<<16)}
	z, err := zlib.NewWriterLevel(data, level)
	if err != nil {
		return failed(err)
	}
	pixel := h.channels() * max(1, h.Depth/8)
	row := h.W * pixel
	var raw, filtered []byte
	last := make([]byte, row) // the row above the next ones
	for y := 0; y < h.H; {
		p, err := next()
		if err != nil {
			return err
		}
		n := p.Y.H
		if len(raw) < n*row {
			raw, filtered = make([]byte, n*row), make([]byte, n*(row+1))
		}
		byRows(h.W, n, func(from, to int) { h.samples(raw[from*row:], p, from, to) })
		byRows(h.W, n, func(from, to int) {
			tries := make([]byte, 5*(row+1))
			for i := from; i < to; i++ {
				above := last
				if i > 0 {
					above = raw[(i-1)*row : i*row]
				}
				copy(filtered[i*(row+1):], pngFilter(tries, raw[i*row:(i+1)*row], above, pixel))
			}
		})
		copy(last, raw[(n-1)*row:n*row])
		if _, err := z.Write(filtered[:n*(row+1)]); err != nil {
			return failed(err)
		}
		y += n
	}
	if err := z.Close(); err != nil {
		return failed(err)
	}
	if err := data.flush(); err != nil {
		return failed(err)
	}
	if _, err := (chunkWriter{w, "IEND"}).Write(nil); err != nil {
		return failed(err)
	}
	return nil
}

// pngFilter returns the row with the filter whose result has the smallest sum of
// absolute values, which the PNG specification advises. tries has room for five
// rows and their first bytes; pixel is the bytes of one.
func pngFilter(tries, row, above []byte, pixel int) []byte {
	n := len(row)
	at := func(f int) []byte { return tries[f*(n+1)+1 : (f+1)*(n+1)] }
	none, sub, up, mean, paeth := at(0), at(1), at(2), at(3), at(4)
	var sum [5]int
	count := func(f int, v byte) byte {
		sum[f] += max(int(int8(v)), -int(int8(v)))
		return v
	}
	for i, v := range row {
		var left, corner byte
		if i >= pixel {
			left, corner = row[i-pixel], above[i-pixel]
		}
		none[i] = count(0, v)
		sub[i] = count(1, v-left)
		up[i] = count(2, v-above[i])
		mean[i] = count(3, v-byte((int(left)+int(above[i]))/2))
		paeth[i] = count(4, v-paethOf(left, above[i], corner))
	}
	best := 0
	for f, s := range sum {
		tries[f*(n+1)] = byte(f)
		if s < sum[best] {
			best = f
		}
	}
	return tries[best*(n+1) : (best+1)*(n+1)]
}

// paethOf is the neighbour nearest to left + above - corner.
func paethOf(left, above, corner byte) byte {
	a, b := int(above)-int(corner), int(left)-int(corner) // distances to left and to above
	c := max(a+b, -a-b)
	a, b = max(a, -a), max(b, -b)
	switch {
	case a <= b && a <= c:
		return left
	case b <= c:
		return above
	}
	return corner
}

// pngChunk is a chunk before the pixels.
type pngChunk struct {
	name string
	data []byte
}

// pngChunks are the header and the metadata, in the order that PNG wants.
func pngChunks(h *Header) []pngChunk {
	ihdr := binary.BigEndian.AppendUint32(nil, uint32(h.W))
	ihdr = binary.BigEndian.AppendUint32(ihdr, uint32(h.H))
	colour := map[int]byte{1: 0, 2: 4, 3: 2, 4: 6}[h.channels()]
	all := []pngChunk{{"IHDR", append(ihdr, byte(max(8, h.Depth)), colour, 0, 0, 0)}}
	m := &h.Meta
	add := func(name string, data []byte) {
		if data != nil {
			all = append(all, pngChunk{name, data})
		}
	}
	add("cICP", m.Code)
	if m.ICC != nil {
		var b bytes.Buffer
		b.WriteString("ICC profile\x00\x00")
		z := zlib.NewWriter(&b) // writes to memory: no error
		z.Write(m.ICC)
		z.Close()
		add("iCCP", b.Bytes())
	} else {
		add("sRGB", m.Intent)
	}
	add("gAMA", m.Gamma)
	add("cHRM", m.Primary)
	if m.Density.known() {
		add("pHYs", m.Density.pHYs())
	}
	add("eXIf", m.exifFor(h.W, h.H))
	return all
}

// pHYs is d as PNG stores it.
func (d Density) pHYs() []byte {
	whole := func(v float64) uint32 { return uint32(min(max(math.Round(v), 1), math.MaxInt32)) }
	b := binary.BigEndian.AppendUint32(nil, whole(d.X))
	b = binary.BigEndian.AppendUint32(b, whole(d.Y))
	if d.Absolute {
		return append(b, 1)
	}
	return append(b, 0)
}
