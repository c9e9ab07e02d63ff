package sparse

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"evosr/space"
)

// A program file (.evosr) holds the network after elimination; blocks, lists and
// memory are chosen anew by the device that reads it. All numbers are little
// endian, text is UTF-8 after a 32 bit length in bytes.
//
//	bytes  what
//	8      magic: 89 'E' 'V' 'O' 'S' 'R' 0D 0A
//	4      version, 1
//	4      CRC-32C of everything from byte 24 on
//	8      number of bytes from byte 24 on
//
//	1      type of the weights: 0 float32 (1 is kept for float16)
//	1      scale, 2 to 4
//	1      colors, 1 or 3
//	1      0
//	8 8 8  of the subnet before elimination: parameters, kept MACs, dense MACs a pixel
//	4      entries of metadata, then for each, keys ascending: key, value
//	4      layers, then for each:
//	       name
//	4 4    input channels, output channels
//	1 1    side of the filter, flags (1: ReLU, 2: a mask follows)
//	1 1    scheme (order of space.Schemes), pruned percent, as the genome had them
//	4 4    layer that is read, layer that is added: index; -1 the picture, -2 none
//	8 8    of the subnet's layer before elimination: weights, density (float64)
//	       mask when flagged: one bit a weight, (output, input, row, column), lowest bit first, last byte filled with 0
//	       kept weights in the same order
//	       biases, float32
//
// Equal programs give equal bytes: a mask that keeps everything is not written,
// and the decoder refuses what the encoder would write otherwise.
const (
	magic       = "\x89EVOSR\r\n"
	fileVersion = 1
	headBytes   = 24

	flagReLU = 1
	flagMask = 2
)

// Bounds of a file, checked before anything is allocated for what they bound.
const (
	maxText    = 1 << 20 // bytes of a name, key or value
	maxEntries = 1 << 12 // of metadata
	maxLayers  = 1 << 10
	maxFile    = 1 << 30
	spareBytes = 48 << 20 // memory for expanded weights beyond 4 times the file
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode writes p as a program file.
func Encode(w io.Writer, p *Program) error {
	net := p.c.subnet
	b := binary.LittleEndian
	buf := make([]byte, headBytes)
	text := func(s string) {
		buf = append(b.AppendUint32(buf, uint32(len(s))), s...)
	}
	buf = append(buf, 0, byte(net.Scale), byte(net.Colors), 0)
	for _, n := range []int{p.c.params, p.c.kept, p.c.dense} {
		buf = b.AppendUint64(buf, uint64(n))
	}
	keys := make([]string, 0, len(p.meta))
	for k, v := range p.meta {
		if len(k) > maxText || len(v) > maxText || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return fmt.Errorf("sparse: program file: metadata %.40q: %d bytes, want UTF-8 of at most %d", k, len(v), maxText)
		}
		keys = append(keys, k)
	}
	if len(keys) > maxEntries || len(net.Layers) > maxLayers {
		return fmt.Errorf("sparse: program file: %d entries of metadata and %d layers, want at most %d and %d",
			len(keys), len(net.Layers), maxEntries, maxLayers)
	}
	slices.Sort(keys)
	buf = b.AppendUint32(buf, uint32(len(keys)))
	for _, k := range keys {
		text(k)
		text(p.meta[k])
	}
	buf = b.AppendUint32(buf, uint32(len(net.Layers)))
	for i := range net.Layers {
		l := &net.Layers[i]
		if len(l.Name) > maxText || !utf8.ValidString(l.Name) {
			return fmt.Errorf("sparse: program file: layer name %.40q, want UTF-8 of at most %d bytes", l.Name, maxText)
		}
		if at := slices.IndexFunc(slices.Concat(l.Weights, l.Bias), notFinite); at >= 0 {
			return fmt.Errorf("sparse: program file: layer %q has a weight that is not a number, want all finite", l.Name)
		}
		text(l.Name)
		buf = b.AppendUint32(b.AppendUint32(buf, uint32(l.In)), uint32(l.Out))
		flags := byte(0)
		if l.ReLU {
			flags |= flagReLU
		}
		if l.Mask != nil {
			flags |= flagMask
		}
		buf = append(buf, byte(l.Kernel), flags, byte(l.Prune.Scheme), byte(l.Prune.Percent))
		buf = b.AppendUint32(b.AppendUint32(buf, uint32(int32(l.Src))), uint32(int32(l.Add)))
		buf = b.AppendUint64(buf, uint64(p.c.info[i].DenseMACs))
		buf = b.AppendUint64(buf, math.Float64bits(p.c.info[i].Density))
		if l.Mask != nil {
			bits := make([]byte, (len(l.Mask)+7)/8)
			for j, m := range l.Mask {
				bits[j/8] |= m << (j % 8)
			}
			buf = append(buf, bits...)
		}
		for j, v := range l.Weights {
			if l.Mask == nil || l.Mask[j] != 0 {
				buf = b.AppendUint32(buf, math.Float32bits(v))
			}
		}
		for _, v := range l.Bias {
			buf = b.AppendUint32(buf, math.Float32bits(v))
		}
	}
	copy(buf, magic)
	b.PutUint32(buf[8:], fileVersion)
	b.PutUint32(buf[12:], crc32.Checksum(buf[headBytes:], castagnoli))
	b.PutUint64(buf[16:], uint64(len(buf)-headBytes))
	if len(buf) > maxFile {
		return fmt.Errorf("sparse: program file: %d bytes, want at most %d", len(buf), maxFile)
	}
	_, err := w.Write(buf)
	return err
}

func notFinite(v float32) bool { return v-v != 0 }

// Decode reads a program file and compiles it with default Options.
func Decode(r io.Reader) (*Program, error) { return DecodeFor(r, Options{}) }

// DecodeFor is Decode with Options. It allocates at most 8 times the file's
// size and 64 MiB, whatever the file says.
func DecodeFor(r io.Reader, o Options) (*Program, error) {
	c, from, meta, err := decode(r)
	if err != nil {
		return nil, fmt.Errorf("sparse: program file: %w", err)
	}
	c.net = fromSubnet(c.subnet, from)
	p, err := finish(c, o)
	if err != nil {
		return nil, err
	}
	p.meta = meta
	return p, nil
}

func decode(r io.Reader) (*compiled, []source, map[string]string, error) {
	data, err := readFile(r)
	if err != nil {
		return nil, nil, nil, err
	}
	d := &decoder{data: data, budget: 4*int64(len(data)) + spareBytes}
	types, scale, colors, zero := d.byte(), d.byte(), d.byte(), d.byte()
	if types != 0 || zero != 0 {
		d.fail("weights of type %d and %d, want 0 (float32) and 0", types, zero)
	}
	net := &space.Subnet{Scale: int(scale), Colors: int(colors)}
	c := &compiled{subnet: net, params: d.count(), kept: d.count(), dense: d.count()}
	meta := map[string]string{}
	last := ""
	for i := range d.size("entries of metadata", maxEntries, 8) {
		key := d.text()
		if i > 0 && key <= last {
			d.fail("metadata: key %q after %q, want ascending", key, last)
		}
		last = key
		meta[key] = d.text()
	}
	var from []source
	for range d.size("layers", maxLayers, 52) {
		l, s := d.layer()
		if d.err != nil {
			break
		}
		net.Layers, from = append(net.Layers, l), append(from, s)
	}
	if d.err == nil && len(d.data) > 0 {
		d.fail("%d bytes after the last layer, want none", len(d.data))
	}
	if d.err == nil {
		d.err = net.Validate()
	}
	return c, from, meta, d.err
}

// readFile checks the head and the checksum, and returns what follows.
func readFile(r io.Reader) ([]byte, error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("shorter than its head of %d bytes: %w", headBytes, err)
	}
	if string(head[:8]) != magic {
		return nil, fmt.Errorf("starts with %q, want %q", head[:8], magic)
	}
	b := binary.LittleEndian
	if v := b.Uint32(head[8:]); v != fileVersion {
		return nil, fmt.Errorf("version %d, want %d", v, fileVersion)
	}
	size := b.Uint64(head[16:])
	if size > maxFile {
		return nil, fmt.Errorf("says it has %d bytes, want at most %d", size, maxFile)
	}
	// The length is only believed as far as bytes follow: the buffer doubles.
	data := make([]byte, 0, min(int(size), 1<<20))
	for len(data) < int(size) {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(int(size), 2*cap(data))), data...)
		}
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil {
			return nil, fmt.Errorf("ends after %d of %d bytes: %w", len(data), size, err)
		}
	}
	if n, err := io.ReadFull(r, head[:1]); n > 0 {
		return nil, fmt.Errorf("goes on after the %d bytes it says it has", size)
	} else if err != io.EOF {
		return nil, err
	}
	if got, want := crc32.Checksum(data, castagnoli), b.Uint32(head[12:]); got != want {
		return nil, fmt.Errorf("checksum %08x, want %08x: the file is damaged", got, want)
	}
	return data, nil
}

// decoder takes values off the front of data. After the first fault it returns
// zeros.
type decoder struct {
	data   []byte
	budget int64 // bytes that may still be allocated
	err    error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
		d.data = nil
	}
}

// take returns the next n bytes, or nil.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.data) {
		d.fail("ends within a value of %d bytes", n)
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count is a number of weights.
func (d *decoder) count() int {
	n := d.uint64()
	if n > 1<<40 {
		d.fail("a count of %d, want at most 2^40", n)
		return 0
	}
	return int(n)
}

// size is a number of things that take at least the given bytes each.
func (d *decoder) size(what string, most, each int) int {
	n := int(d.uint32())
	if n > most || n*each > len(d.data) {
		d.fail("%d %s, want at most %d and no more than the file holds", n, what, most)
		return 0
	}
	return n
}

func (d *decoder) text() string {
	n := d.uint32()
	if n > maxText {
		d.fail("a text of %d bytes, want at most %d", n, maxText)
		return ""
	}
	s := string(d.take(int(n)))
	if !utf8.ValidString(s) {
		d.fail("text %.40q, want UTF-8", s)
	}
	return s
}

func (d *decoder) floats(dst []float32) {
	b := d.take(4 * len(dst))
	if b == nil {
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if notFinite(dst[i]) {
			d.fail("a weight is %v, want a finite number", dst[i])
			return
		}
	}
}

func (d *decoder) layer() (l space.Layer, from source) {
	l.Name = d.text()
	in, out := d.uint32(), d.uint32()
	const most = space.MaxWidth * space.MaxExpansion
	if in < 1 || in > most || out < 1 || out > most {
		d.fail("layer %q: %d to %d channels, want 1 to %d", l.Name, in, out, most)
		return
	}
	kernel, flags, scheme, percent := d.byte(), d.byte(), d.byte(), d.byte()
	if kernel > 5 || flags > flagReLU|flagMask || int(scheme) >= len(space.Schemes()) || percent > 100 {
		d.fail("layer %q: filter %d, flags %d, scheme %d, %d percent", l.Name, kernel, flags, scheme, percent)
		return
	}
	l.In, l.Out, l.Kernel = int(in), int(out), int(kernel)
	l.ReLU = flags&flagReLU != 0
	l.Prune = space.Prune{Scheme: space.Scheme(scheme), Percent: int(percent)}
	l.Src, l.Add = int(int32(d.uint32())), int(int32(d.uint32()))
	from = source{dense: d.count(), density: math.Float64frombits(d.uint64())}
	if !(from.density >= 0 && from.density <= 1) {
		d.fail("layer %q: density %v, want 0 to 1", l.Name, from.density)
		return
	}
	n := l.Size()
	if flags&flagMask == 0 && n > len(d.data)/4 {
		d.fail("layer %q: ends within its %d weights", l.Name, n)
		return
	}
	if d.budget -= 5*int64(n) + 4*int64(out); d.budget < 0 {
		d.fail("layer %q: %d weights, far more than a file of this size should expand to", l.Name, n)
		return
	}
	if flags&flagMask == 0 {
		l.Weights = make([]float32, n)
		d.floats(l.Weights)
	} else if bits := d.take((n + 7) / 8); bits != nil {
		d.masked(&l, bits)
	}
	l.Bias = make([]float32, out)
	d.floats(l.Bias)
	return l, from
}

// masked reads the kept weights of a layer with a mask of bits.
func (d *decoder) masked(l *space.Layer, bits []byte) {
	n := l.Size()
	if n%8 != 0 && bits[len(bits)-1]>>(n%8) != 0 {
		d.fail("layer %q: the mask goes on after its last weight", l.Name)
		return
	}
	l.Weights, l.Mask = make([]float32, n), make([]uint8, n)
	all := true
	for i := range l.Mask {
		l.Mask[i] = bits[i/8] >> (i % 8) & 1
		if l.Mask[i] == 0 {
			all = false
			continue
		}
		d.floats(l.Weights[i : i+1])
		if d.err != nil {
			return
		}
	}
	if all {
		d.fail("layer %q: a mask that keeps everything, want none", l.Name)
	}
}
